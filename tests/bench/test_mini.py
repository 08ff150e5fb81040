"""What `make eval-mini` rests on: the questions of the baselines, gold chunks that hold answers, honest intervals."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bench import mini
from bench.quality import mini_page, mini_reading, mini_sets
from reatt import evaluate
from reatt.judging import metrics
from reatt.lessons.corpus import Corpus

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
ROOMS = ("garden", "harbour", "observatory", "bakery", "library", "ferry")
NAMES = ("squad11_dev13", "nq_qed_dev")


@pytest.fixture
def data(tmp_path):
    """Make two sets of six documents of two paragraphs; the second tells who keeps the key."""
    for prefix, name in zip("ab", NAMES, strict=True):
        folder = tmp_path / "data" / "dev" / name
        folder.mkdir(parents=True)
        first = [f"The {room} {prefix} is old. " * 30 for room in ROOMS]
        second = [f"The key of the {room} is with {prefix}{room}keeper." for room in ROOMS]
        documents = [
            {"_id": f"d{n}", "title": room, "text": f"{first[n]}\n\n{second[n]}"} for n, room in enumerate(ROOMS)
        ]
        asked = [
            {"_id": f"q{n}", "text": f"Who keeps the {room}?", "answers": [f"{prefix}{room}keeper"]}
            for n, room in enumerate(ROOMS)
        ]
        for file, rows in (("corpus", documents), ("queries", asked)):
            with gzip.open(folder / f"{file}.jsonl.gz", "wt") as lines:
                lines.writelines(json.dumps(row) + "\n" for row in rows)
        judged = "".join(f"q{n}\td{n}\t1\n" for n in range(len(ROOMS)))
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return tmp_path / "data"


@pytest.fixture
def run(data, tmp_path, write_model):
    """Measure a tiny random model on both sets; return what the JSON file says, and the page."""

    def call(*more):
        model = write_model(tmp_path / "tiny", chunk_tokens=64)
        places = ["--data", data, "--work", tmp_path / "work", "--out", tmp_path / "out", "--model", model]
        assert mini.main([*map(str, places), "--sets", ",".join(NAMES), *map(str, more)]) == 0
        return json.loads((tmp_path / "out" / "mini.json").read_text()), (tmp_path / "out" / "mini.md").read_text()

    return call


def test_every_table_has_a_row_of_each_set_and_both_files_say_the_same(run):
    said, page = run("--read", 2)
    ranked = said["tables"]["nDCG@10"]
    assert [row["set"] for row in ranked] == [*NAMES, "mean"]
    assert ranked[-1]["words"] == pytest.approx(np.mean([row["words"] for row in ranked[:2]]), abs=1e-4)
    assert f"| {ranked[-1]['words']:.3f} |" in page
    assert [row["of the next set"] for row in said["tables"]["abstention"]] == [2, 2, 4]
    assert said["tables"]["reading"][0]["gold chunk: asked"] == len(ROOMS)


def test_a_twin_gets_a_column_and_rows_of_its_own(run, tmp_path, write_model):
    said, _ = run("--read", 1, "--beside", f"twin={write_model(tmp_path / 'other', seed=1, chunk_tokens=64)}")
    assert list(said["tables"]["nDCG@10"][0])[-3:] == ["twin", "attention", "hybrid"]
    assert {row["model"] for row in said["tables"]["teacher_hit@1"]} == {"reatt-mini", "twin"}


def test_the_gold_chunk_is_the_one_that_holds_the_answer(data, tmp_path, write_model):
    judged = mini_sets.load(data, mini_sets.SETS[0], None)
    plan = mini.Plan(data, tmp_path / "work", write_model(tmp_path / "tiny", chunk_tokens=64))
    retriever = mini_sets.open_store(plan, plan.backbone(), judged)
    corpus = Corpus.of(retriever.library)
    assert len(corpus.ids) > 2 * len(ROOMS)
    for question in judged.asked:
        (numbers,) = mini_reading.gold_numbers(corpus, judged, question)
        assert all(question.answers[0] in corpus.passages[n].text for n in numbers)
    retriever.library.close()


def test_figures_of_other_questions_are_not_put_beside_ours(data):
    known = {name: {"bm25": {"queries": 6}, "minilm": {"ndcg@10": 0.5}} for name in NAMES}
    (data / "dev" / "baselines.json").write_text(json.dumps(known))
    sets = [mini_sets.load(data, dev, limit) for dev, limit in zip(mini_sets.SETS[:2], (None, 4), strict=True)]
    assert list(mini_sets.published(data, sets)) == ["squad11_dev13"]


def test_sets_count_alike_in_the_interval_of_a_mean_whatever_their_size():
    small, large = [0.0, 1.0] * 10, [0.0] * 1000
    low, high = mini_page.mean_interval([small, large])
    alone = metrics.interval(small)
    assert (low, high) == pytest.approx((alone[0] / 2, alone[1] / 2), abs=0.03)


def test_bm25s_here_is_the_one_of_the_baselines(tmp_path):
    if not (DATA / "dev" / "baselines.json").is_file():
        pytest.skip(f"the data folder is not here: {DATA}")
    judged = mini_sets.load(DATA, next(dev for dev in mini_sets.SETS if dev.name == "2wiki_dev200"), None)
    there = mini_sets.published(DATA, [judged])[judged.name]["bm25"]
    done = evaluate.evaluate(mini_sets.Bm25s(judged.corpus), judged.write_queries(tmp_path), judged.qrels)
    assert {name: round(done.metrics[name], 3) for name in ("ndcg@10", "hit@1", "hit@5")} == {
        name: pytest.approx(there[name], abs=0.001) for name in ("ndcg@10", "hit@1", "hit@5")
    }
