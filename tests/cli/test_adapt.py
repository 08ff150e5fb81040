"""`reatt adapt` on a small store: what it says, what it changes, and that no kill leaves a mix of two models."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from reatt import adapt_encoder, adapt_keys
from reatt import open as open_store
from reatt.adapt import ANEW
from reatt.courses import AdaptOptions
from reatt.judging.report import to_json
from reatt.lessons.examples import Example
from reatt.model.reatt import ReAtt
from reatt.progress import TrainingLog, TrainingRow
from reatt.search.retriever import Retriever
from reatt.training import feasible, freezing
from reatt.weights import models
from reatt.weights.write import FUSION
from reatt_store.errors import UsageError
from reatt_store.library import Library
from tests.corpus_made import FAST, QUICK, REATT, left_over, state

KILLS = max(1, int(os.environ.get("KILLS", "3000")) // 20)  # a share of all tests of R1: see test_kills.py


def answers(records):
    """Everything that some questions find, with the store's own model, whichever that is."""
    with Library.open(records) as library:
        folder = models.find(None, records / "nowhere", library)
        retriever = Retriever(library, models.load(folder, "cpu"), library.generation())
        hits = [
            hit for question in ("dome of Ada Berg", "weeks") for hit in retriever.search(question, 10, "attention")
        ]
        return [(hit.chunk.external_id, round(hit.score, 4)) for hit in hits]


def test_a_dry_run_says_what_would_be_and_changes_nothing(adapt, records):
    before = state(records)
    code, told = adapt("--dry-run", "--minutes", "5")
    assert (code, told["dry_run"], told["run"]) == (0, True, None)
    assert set(told["spans"]) <= {"number", "date", "name", "id", "phrase"}
    assert told["held_out_documents"] > 1
    assert told["forecast"]["steps"] > 0
    assert state(records) == before
    assert left_over(records) == []


def test_the_library_adapts_as_the_command_does(adapt, ready, tmp_path):
    shutil.copytree(ready, tmp_path / "same")
    with open_store(tmp_path / "same") as same:
        report = same.adapt(options=AdaptOptions(steps=2, freeze="reader", wait=False, accept="always"))
        assert same.search("dome of Ada Berg").generation == same.library.generation()
    _, told = adapt(*FAST, "--accept", "always")
    mine = to_json(report)
    assert (mine["before"], mine["after"], mine["reencoded"]) == (told["before"], told["after"], told["reencoded"])
    assert mine["model"]["sha256"] == told["model"]["sha256"]


def test_what_is_accepted_comes_into_force_and_can_be_gone_back_from(adapt, records):
    before, found = state(records), answers(records)
    code, told = adapt(*FAST, "--accept", "always")
    assert (code, told["accepted"], told["steps"]) == (0, True, 2)
    assert told["reencoded"] > 0
    after = state(records)
    assert (after[2], before[2]) == (told["model"]["sha256"], told["model"]["parent_sha256"])
    assert answers(records) != found
    with Library.open(records) as library:
        named = models.find(None, records / "nowhere", library)
        assert models.fusion(named, 0.5) == FUSION
        assert models.load(named, "cpu").t5.retrieval is not None
        assert [run.outcome.accepted for run in library.runs()] == [True]
        assert {made.id for made in library.generations()} == {before[0], after[0]}
    assert left_over(records) == []


@pytest.mark.parametrize("options", [("--accept", "never"), ()], ids=["never", "no better"])
def test_what_is_not_accepted_leaves_the_store_as_it_was(options, adapt, records):
    before, kept = state(records), sorted(path.name for path in (records / "models").iterdir())
    code, told = adapt("--steps", "1", *options)
    assert (code, told["accepted"], told["model"]["path"]) == (5, False, None)
    assert state(records) == before
    assert sorted(path.name for path in (records / "models").iterdir()) == kept
    with Library.open(records) as library:
        assert [made.id for made in library.generations()] == [before[0]]


@pytest.mark.parametrize("freeze", ["retriever", "chunks"])
def test_with_a_freeze_nothing_is_encoded_anew_and_the_model_changes(freeze, adapt, records):
    before = state(records)
    code, told = adapt(*FAST, "--accept", "always", "--freeze", freeze)
    after = state(records)
    assert (code, told["reencoded"]) == (0, 0)
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_a_store_that_keeps_states_goes_on_keeping_them(adapt, records, reatt, model, ready):
    moved = reatt(
        "ingest", "--store", records, "--model", model, "--reencode", "--keep-states", ready.parent / "corpus"
    )
    assert moved.code == 0
    _, told = adapt("--steps", "1", "--accept", "always", "--freeze", "reader")
    assert told["reencoded"] > 0
    with Library.open(records) as library:
        made = library.generation()
        assert (made.method, made.model_sha256) == ("reatt-states", told["model"]["sha256"])
        assert all(segment.memory is not None for segment in library.segments(made.id))


def test_a_report_is_written(adapt, records):
    _, told = adapt("--steps", "1", "--accept", "never")
    assert told["report"] == str(records / "reports" / f"{told['run']}.html")
    assert "the old model is kept" in (records / "reports" / f"{told['run']}.html").read_text()


def test_two_seeds_alike_make_the_same_model(adapt, records, ready):
    hashes = []
    for _ in range(2):
        shutil.rmtree(records)
        shutil.copytree(ready, records)
        hashes.append(adapt(*FAST, "--accept", "always", "--seed", "3")[1]["model"]["sha256"])
    assert hashes[0] == hashes[1]


def test_adapting_an_adapted_model_keeps_one_to_go_back_to(adapt, records):
    made = [adapt(*FAST, "--accept", "always", "--seed", seed)[1]["model"] for seed in ("1", "2")]
    with Library.open(records) as library:
        assert [model.sha256 for model in library.models()] == [each["sha256"] for each in made]
        assert len(list((records / "models").iterdir())) == 2
    assert made[1]["parent_sha256"] == made[0]["sha256"]
    assert made[1]["name"] == made[0]["name"]


def test_questions_and_judgements_are_learnt_from(adapt, records, home):
    asked = [{"question": f"When was the thing painted, {n}?", "answers": [str(1900 + n)]} for n in range(20)]
    judged = [{"question": f"How many weeks, {n}?", "document": f"d{n}", "relevance": 1} for n in range(20)]
    for name, rows in (("qa", asked), ("judged", judged)):
        (home / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, told = adapt("--steps", "1", "--qa", home / "qa", "--judged", home / "judged", "--masked")
    assert told["mode"] == "masked+question+relevance"


def test_the_papers_way_teaches_retrieval_by_reading_and_finds_close_passages_by_attention(adapt, home):
    asked = [{"question": f"When was the thing painted, {n}?", "answers": [str(1900 + n)]} for n in range(27)]
    (home / "qa").write_text("".join(json.dumps(row) + "\n" for row in asked))
    way = ("--preset", "paper", "--teach-at-once", "--teacher", "likelihood")
    _, told = adapt("--qa", home / "qa", "--steps", "4", *way, "--accept", "never")
    assert (told["settings"]["freeze"], told["settings"]["rounds"]) == ("none", 4)
    assert all(row["cross_document"] > 0 and row["answer"] > 0 for row in told["log"])
    assert told["warnings"] == []


def test_where_no_passage_is_known_all_may_learn_and_a_warning_says_that_nothing_taught_retrieval():
    known = Example(("a ", " b"), ("c",), "g", 1, "name")
    hidden = replace(known, chunk=None)
    assert (freezing.usual([known, known]), freezing.usual([known, hidden])) == ("reader", "none")
    row = TrainingRow(1, 0.1, 1e-4, 10, 100.0, 2.0, None, None, None)
    assert feasible.untaught("none", TrainingLog((row,), None, False)) == [feasible.UNTAUGHT]
    for freeze, told in (
        ("none", replace(row, cross_document=0.1)),
        ("reader", replace(row, cloze=0.1)),
        ("retriever", row),
    ):
        assert feasible.untaught(freeze, TrainingLog((told,), None, False)) == []


def test_to_go_on_with_nothing_begins_anew_and_says_so(adapt):
    _, told = adapt("--steps", "1", "--resume", "--accept", "never")
    assert told["warnings"] == [ANEW]


def test_a_page_that_cannot_be_written_does_not_lose_the_figures(adapt, records):
    (records / "reports").write_text("no folder")
    code, told = adapt(*FAST, "--accept", "always")
    assert (code, told["accepted"], told["report"]) == (0, True, None)
    assert "the report was not written" in told["warnings"][-1]


@pytest.fixture(scope="session")
def undisturbed(ready, tmp_path_factory):
    """Adapt a copy of the store; return its folder and how long that took."""
    copy = tmp_path_factory.mktemp("undisturbed") / "store"
    shutil.copytree(ready, copy)
    started = time.monotonic()
    subprocess.run(adapting(copy), check=True, capture_output=True)
    return copy, time.monotonic() - started


def adapting(records, *more):
    command = [*REATT, "adapt", "--store", records, *FAST, "--accept", "always", *more]
    return [str(part) for part in command]


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, marks=pytest.mark.timeout(1800)),
        pytest.param(KILLS, marks=[pytest.mark.slow, pytest.mark.timeout(0)]),
    ],
)
def test_a_kill_leaves_the_old_model_or_the_new_one_and_never_a_mix(kills, records, ready, undisturbed, home):
    done, seconds = undisturbed
    old, new, pick = (state(ready), answers(ready)), (state(done), answers(done)), random.Random(kills)
    left = kills
    while left:
        with subprocess.Popen(adapting(records), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(pick.uniform(0.3, 1.1) * seconds)
            process.kill()
        left -= process.returncode == -signal.SIGKILL
        assert (state(records)[1:], answers(records)) in [(old[0][1:], old[1]), (new[0][1:], new[1])]
        if state(records)[2] != old[0][2]:
            shutil.rmtree(records)
            shutil.copytree(ready, records)
    assert subprocess.run(adapting(records, "--resume"), capture_output=True).returncode == 0
    assert (state(records)[1:], answers(records)) == (new[0][1:], new[1])
    print(f"\nR1: {kills} kills of adapt, 0 bad")


def test_a_run_by_minutes_learns_and_ends_with_a_verdict(adapt, records):
    code, told = adapt("--minutes", "3", "--accept", "always")
    assert code == 0, told
    assert told["log"]
    assert (told["settings"]["minutes"], told["settings"]["freeze"], told["reencoded"]) == (3, "chunks", 0)


def test_without_questions_nothing_is_encoded_and_hybrid_search_gets_its_own_weights(adapt, records, monkeypatch):
    monkeypatch.setattr(ReAtt, "encode_chunks", lambda *_: pytest.fail("a chunk was encoded"))
    before, found = state(records), answers(records)
    _, told = adapt(*QUICK, "--accept", "always", "--seed", "4")
    after = state(records)
    assert (told["reencoded"], after[:2], told["primary"]) == (0, before[:2], "ndcg@10")
    assert answers(records) != found
    with Library.open(records) as library:
        named = models.find(None, records / "nowhere", library)
        assert {"fusion", "named"} <= named.settings.keys()
    assert left_over(records) == []


def test_a_run_that_was_killed_goes_on_with_what_it_had_learnt(adapt, reatt, records, ready, monkeypatch):
    _, whole = adapt("--steps", "6", "--accept", "always")
    shutil.rmtree(records)
    shutil.copytree(ready, records)
    with monkeypatch.context() as patched:
        patched.setattr(adapt_keys, "projecting", lambda *_: _interrupted())
        assert reatt("adapt", "--store", records, "--steps", "6", "--accept", "always").code != 0
    assert left_over(records)
    _, resumed = adapt("--steps", "6", "--accept", "always", "--resume")
    assert resumed["model"]["sha256"] == whole["model"]["sha256"]
    assert left_over(records) == []


def _interrupted():
    raise KeyboardInterrupt


def test_a_run_that_goes_on_has_the_minutes_that_are_left(adapt, monkeypatch):
    budgets, begin = [], adapt_encoder.EncoderCourse._started

    def interrupted(self, trainer, resume):
        begin(self, trainer, resume).spent = 2900.0
        return trainer

    def no_step(trainer, course, budget, *others):
        budgets.append(budget)
        raise UsageError("enough")

    monkeypatch.setattr(adapt_encoder.EncoderCourse, "_started", interrupted)
    monkeypatch.setattr(adapt_encoder, "train", no_step)
    adapt("--minutes", "50", "--resume", "--freeze", "reader")
    assert 2900 < budgets[0].total <= 3000
