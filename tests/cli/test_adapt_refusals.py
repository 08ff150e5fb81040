"""`reatt adapt` refuses bad input before it trains: one clear line, its own exit code, and the store as it was."""

import json
import shutil

import pytest

from reatt import adapt_encoder, adapt_keys
from reatt.adapt import TRAINING
from reatt.adapt_keys import Pace
from reatt.judging.costs import Costs
from reatt.training import checkpoints, resources
from reatt_store.library import Library
from tests.corpus_made import FAST, left_over, state

BAD = {
    "empty": ("", "is empty"),
    "not JSON": ('{"question": "Q?", "answers": ["49"]}\n{"question"\n', "qa.jsonl:2: not JSON"),
    "no answers": ('{"question": "Q?"}\n', "qa.jsonl:1: answers"),
    "answers nowhere": ('{"question": "Q?", "answers": ["nonsense"]}\n', "all 1 questions"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_usage_error_that_names_the_line(name, adapt, records, home):
    content, says = BAD[name]
    (home / "qa.jsonl").write_text(content)
    code, told = adapt("--qa", home / "qa.jsonl", "--steps", "1")
    assert (code, told["id"]) == (2, "QA_FORMAT")
    assert says in told["message"]
    assert told["fix"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--hold-out", "200%"), "--hold-out"),
        (("--minutes", "5", "--steps", "5"), "both set the length"),
        (("--minutes", "0.1", "--no-such"), "No such option"),
        (("--close-from", "/nowhere.jsonl", "--steps", "1"), "/nowhere.jsonl"),
        (("--close-from", "/nowhere.jsonl", "--dry-run"), "/nowhere.jsonl"),
    ],
)
def test_a_mistake_in_the_command_is_told_before_anything_is_done(options, says, adapt, records):
    before = state(records)
    code, told = adapt(*options)
    assert code == 2
    assert says in told["message"]
    assert state(records) == before
    with Library.open(records) as library:
        assert library.runs() == []


def test_a_run_that_could_learn_nothing_is_refused(adapt, records, home):
    rows = [{"question": f"How many weeks, {n}?", "document": f"d{n}", "relevance": 1} for n in range(20)]
    (home / "judged").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, told = adapt("--judged", home / "judged", "--freeze", "retriever")
    assert (code, told["message"]) == (2, "judgements teach retrieval, which --freeze retriever keeps as it is")
    code, told = adapt("--judged", home / "judged", "--freeze", "reader", "--steps", "1")
    assert code == 2
    assert "reading finds no more than words do" in told["message"]
    assert left_over(records) == []
    code, told = adapt("--judged", home / "judged", "--exclude-source")
    assert (code, told["fix"]) == (2, "--masked")


def test_a_corpus_too_small_says_how_much_is_needed(reatt, library):
    done = reatt("adapt", "--steps", "1", "--json")
    assert done.code == 2
    assert json.loads(done.err)["id"] == "TOO_FEW_SPANS"


def test_a_store_without_vectors_says_what_to_do(reatt, home):
    reatt("init")
    done = reatt("adapt", "--steps", "1")
    assert done.code == 2
    assert "reatt ingest" in done.err


def test_another_model_than_the_stores_is_refused(adapt, write_model, home):
    code, told = adapt(*FAST, "--model", write_model(home / "other"))
    assert (code, told["id"]) == (13, "MODEL_MISMATCH")


def test_too_few_minutes_are_told_with_the_number_that_would_do(adapt, records, monkeypatch):
    monkeypatch.setattr(adapt_encoder.EncoderCourse, "_costs", lambda self: Costs(300.0, 1e-6, 0.0))
    code, told = adapt("--minutes", "5", "--freeze", "reader")
    assert (code, told["fix"]) == (2, "--minutes 16")
    monkeypatch.setattr(adapt_keys.KeysCourse, "_pace", lambda self: Pace(0.01, 2.0, 0.1, 1.0))
    code, told = adapt("--minutes", "2")
    assert (code, told["message"]) == (2, "--minutes 2 is too short to judge what was learnt")
    assert told["fix"] == "--minutes 3"
    with Library.open(records) as library:
        assert library.runs() == []


def test_a_full_disk_is_told_before_training(adapt, records, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    code, told = adapt(*FAST)
    assert (code, told["id"]) == (22, "DISK_FULL")
    assert left_over(records) == []


def test_a_model_too_large_to_train_is_told_before_training(adapt, records, monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda device: 10)
    code, told = adapt(*FAST)
    assert (code, told["id"]) == (21, "OUT_OF_MEMORY")
    assert "0.00 GB free" in told["message"]
    assert left_over(records) == []


def test_a_run_that_cannot_begin_leaves_what_an_earlier_one_has_learnt(adapt, records, monkeypatch):
    checkpoints.save(records / TRAINING, 1, checkpoints.Checkpoint({}, {}))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    code, _ = adapt(*FAST)
    assert (code, checkpoints.exists(records / TRAINING)) == (22, True)
