"""What `make intra-pool` and `make teacher` rest on: a study that goes on where it stopped, and honest tables."""

import gzip
import json
import lzma
import shutil

import pytest

from bench import intra, teacher
from bench.kit import sheets
from bench.kit.sheets import Figure, Sheet
from bench.quality.intra_pool import FIRST
from bench.quality.intra_reading import fused
from bench.quality.mini_reading import BY_WORDS
from reatt.training.teachers import TEACHERS


@pytest.fixture
def study(tmp_path, write_pool, tiny):
    """Call the study of a small pool; return its exit code and what its JSON file says."""
    sets = [tmp_path / "data" / name for name in FIRST]
    for folder in sets:
        folder.mkdir(parents=True)
        write_pool(folder)
        for name, now in (("docs.jsonl", "corpus.jsonl.gz"), ("qa.jsonl", "queries.jsonl.gz")):
            with open(folder / name, "rb") as old, gzip.open(folder / now, "wb") as new:
                shutil.copyfileobj(old, new)
    (tmp_path / "data" / "text").mkdir()
    with lzma.open(tmp_path / "data" / "text" / "simplewiki-000.jsonl.xz", "wt") as file:
        file.write(json.dumps({"title": "Hill", "text": "The hill over the harbour is high and green. " * 40}) + "\n")

    def call(*more):
        places = ["--data", tmp_path / "data", "--work", tmp_path / "work", "--out", tmp_path / "out"]
        sizes = ["--limit-chunks", 7 * 48, "--limit-questions", 2, "--steps", 2, "--model", tiny.path]
        code = intra.main([str(each) for each in (*places, *sizes, *more)])
        return code, json.loads((tmp_path / "out" / "intra-warm.json").read_text())

    return call


def test_a_study_measures_every_way_and_says_the_same_when_it_is_called_again(study):
    code, told = study("--warm", "2")
    assert code == 0
    assert told["head"]["state"] == "finished"
    ways = {row["way"]: row for row in told["tables"]["2wiki_dev200"]}
    assert ways.keys() >= {"words", "RRF (words, ReAtt attention)", "S0", "S0 reranked", "INTRA", "oracle passages"}
    assert all(row["F1, INTRA reads"] is not None for row in ways.values())
    assert [row["best 5"] for row in told["tables"]["search"]] == [1, 1]
    again, retold = study("--warm", "2")  # from what it has kept: pools, warm start, tokens, lines
    assert (again, retold["tables"]) == (0, told["tables"])


def test_reciprocal_ranks_put_first_what_both_rank():
    assert fused([[1, 2, 3], [2, 3, 4]]) == [2, 3, 1, 4]
    assert fused([[], [5]]) == [5]


def test_a_teachers_lead_is_that_over_the_order_of_words_and_the_mean_that_of_sets():
    words, better = [1.0, 0.0], [1.0, 1.0]
    found = {BY_WORDS: words, **dict.fromkeys(TEACHERS, better)}
    rows = teacher.rows("m", {"a": found, "b": {who: [1.0, 1.0] for who in found}})
    assert [row[1] for row in rows] == ["a", "b", "**mean**", "**mean** less BM25's order"]
    assert rows[2][2:] == [0.75, *[1.0] * len(TEACHERS)]
    assert {figure.value for figure in rows[3][3:]} == {0.25}


def test_a_page_and_its_file_hold_the_same_figures(tmp_path):
    sheet = Sheet("Table", ["way", "value"], [["one", Figure(0.5, 0.25, 0.75)], ["two", None]])
    page = sheets.write(tmp_path / "out", "name", "Title", {"model": "m"}, [sheet], ["a note"])
    assert (tmp_path / "out" / "name.md").read_text() == page
    assert "| one | 0.500 [0.250, 0.750] |" in page
    assert page.endswith("- a note\n")
    told = json.loads((tmp_path / "out" / "name.json").read_text())
    assert told["tables"]["Table"][0] == {"way": "one", "value": {"value": 0.5, "low": 0.25, "high": 0.75}}
