"""What is measured of shown answers: which questions are asked, when one holds, and that both files say so."""

import gzip
import json

import pytest

from bench import answers
from bench.quality.asked_otherwise import KINDS, Case, cases, recall

ROOMS = ("garden", "harbour", "observatory", "bakery")
ASKED = {  # set -> a question of each room, its references and what else its line says
    "pubmedqa": ("Is the {} old?", ["yes"], {}),
    "fairytaleqa_val": ("Why is the {} old?", ["It was built early."], {"kind": "implicit"}),
    "qmsum_val": ("What did they say about the {}?", ["That it is old."], {}),
    "aragog": ("How does the {} work?", ["With a key."], {}),
    "chroma_chunking_eval": ("What are the keys of the {}?", ["one key", "another key"], {}),
    "squad11_dev13": ("Who keeps the {}?", ["the keeper"], {}),
    "nq_qed_dev": ("who keeps the {}", ["the keeper"], {}),
}


@pytest.fixture
def data(tmp_path):
    for name, (question, references, more) in ASKED.items():
        folder = tmp_path / "data" / "dev" / name
        folder.mkdir(parents=True)
        documents = [
            {"_id": f"d{n}", "title": room, "text": f"The {room} is old. Its key is with the keeper of the {room}."}
            for n, room in enumerate(ROOMS)
        ]
        rows = [
            {"_id": f"q{n}", "text": question.format(room), "answers": references, **more}
            for n, room in enumerate(ROOMS)
        ]
        if name == "pubmedqa":
            rows[1]["answers"], rows[3]["answers"] = ["no"], ["maybe"]
        for file, lines in (("corpus", documents), ("queries", rows)):
            with gzip.open(folder / f"{file}.jsonl.gz", "wt") as out:
                out.writelines(json.dumps(row) + "\n" for row in lines)
        (folder / "qrels.tsv").write_text("".join(f"q{n}\td{n}\t1\n" for n in range(len(ROOMS))))
    return tmp_path / "data"


@pytest.fixture
def measure(data, tmp_path, write_model):
    """Measure a tiny random model; return the exit code, and what the JSON file says."""

    def call(*more):
        model = write_model(tmp_path / "tiny", chunk_tokens=64)
        places = ["--data", data, "--work", tmp_path / "work", "--out", tmp_path / "out", "--model", model]
        code = answers.main([*map(str, places), *map(str, more)])
        file = tmp_path / "out" / "answers.json"
        return code, json.loads(file.read_text()) if file.is_file() else None

    return call


def case(mode, *references):
    return Case("q", "set", mode, "?", references, True)


@pytest.mark.parametrize(
    ("mode", "references", "shown", "held"),
    [
        ("yes-no", ["yes"], "Yes", 1.0),
        ("yes-no", ["yes"], "no", 0.0),
        ("yes-no", ["yes"], "yes, it is", 0.0),
        ("sentence", ["it ran to the sea", "x"], "The dog ran to that place.", 1.0),
        ("sentence", ["it ran to the sea"], "the sea", 0.0),
        ("list", ["one key", "another door"], "one key", 1.0),
        ("list", ["one key", "another red door"], "one", 0.0),
        ("span", ["49 weeks"], "about 49 weeks of leave", 1.0),
    ],
)
def test_an_answer_holds_if_it_has_half_of_the_references_words(mode, references, shown, held):
    assert case(mode, *references).holds(shown) == held


def test_words_count_as_often_as_they_are_shown():
    assert recall("on and on", "on, on, and on") == 0.75
    assert recall("", "a reference") == 0.0


def test_questions_are_of_their_kind_and_every_second_one_reports(data):
    found = cases(data, list(ASKED))
    assert {each.mode for each in found if each.set == "pubmedqa"} == {"yes-no"}
    assert [each.references for each in found if each.set == "pubmedqa"] == [("yes",), ("yes",), ("no",)]
    assert [each.to_report for each in found if each.set == "aragog"] == [False, True, False, True]
    assert sum(kind.count for kind in KINDS if kind.mode != "span") == 300


def test_both_halves_of_every_set_are_measured_and_nothing_is_asked_twice(measure, tmp_path, monkeypatch):
    code, said = measure()
    assert code == 0
    held = said["tables"]["what is shown holds the reference"]
    assert {(row["half"], row["set"]) for row in held} >= {("reported", "aragog"), ("chosen by", "all")}
    modes = {row["set"]: row for row in said["tables"]["the mode that was chosen"] if row["half"] == "reported"}
    assert modes["chroma_chunking_eval"]["mode right"]["value"] == 1.0
    assert modes["fairytaleqa_val"]["mode right"]["value"] == 1.0
    assert (
        sum(row["questions"] for row in said["tables"]["questions that ask for a span"] if row["half"] == "both") == 16
    )
    page = (tmp_path / "out" / "answers.md").read_text()
    assert f"| {held[0]['recall now']:.3f} |" in page
    monkeypatch.setattr(answers, "written", None)
    assert measure() == (0, said)


def test_when_the_time_is_over_it_stops_and_goes_on_later(measure):
    assert measure("--minutes", 0) == (3, None)
    assert measure("--sets", "aragog")[0] == 0
