"""Several stores on the command line: searched as one, named in what is found, and never written to together."""

import io
import json
import os
from pathlib import Path

import jsonschema
import pytest

from reatt_cli.commands import config
from reatt_cli.schemas import published as schemas
from reatt_store.library import Library
from tests.served import served
from tests.texts import LEAVE, TRAVEL

WRITING = [
    ("ingest", "leave.md"),
    ("adapt",),
    ("remove", "D-1"),
    ("show", "D-1"),
    ("check", "--repair"),
    ("serve", "--http"),
    ("report", "R-1"),
    ("export", "keys.parquet"),
    ("models", "rollback"),
    ("init",),
    ("doctor",),
]


@pytest.fixture
def pair(reatt, home, model, monkeypatch):
    """Make two stores with the tiny model, which share a file, and one with the files of both."""
    monkeypatch.setenv("REATT_MODEL", str(model))
    files = {"leave.md": LEAVE, "travel.txt": TRAVEL, "tea.txt": "Tea is at four o'clock.\n"}
    for name, text in files.items():
        (home / "work" / name).write_text(text)
    for store, names in {"a": ["leave.md"], "b": ["travel.txt", "tea.txt"], "whole": [*files]}.items():
        assert reatt("ingest", "--store", home / store, *names).code == 0
    return home / "a", home / "b"


def both(pair):
    return [part for store in pair for part in ("--store", store)]


def objects(done, name):
    told = json.loads(done.out)
    jsonschema.validate(told, schemas.json_schema(name))
    return told


def test_two_stores_are_searched_as_one_and_each_passage_names_its_own(reatt, pair, home):
    told = objects(reatt("search", "when is tea", "--json", *both(pair)), "search")
    whole = objects(reatt("search", "when is tea", "--json", "--store", home / "whole"), "search")
    assert told["root"] == whole["root"] == str(home / "work")
    assert [hit["path"] for hit in told["hits"]] == [hit["path"] for hit in whole["hits"]]
    scores = [pytest.approx(hit["retrieval"]["score"], rel=1e-3, abs=1e-6) for hit in whole["hits"]]
    assert [hit["retrieval"]["score"] for hit in told["hits"]] == scores
    assert {hit["path"]: hit["store"] for hit in told["hits"]} == {
        "leave.md": str(pair[0]), "travel.txt": str(pair[1]), "tea.txt": str(pair[1]),
    }  # fmt: skip
    assert {hit["store"] for hit in whole["hits"]} == {None}
    for hit in told["hits"]:
        shown = objects(reatt("show", hit["chunk"], "--json", "--store", hit["store"]), "show")
        assert shown["chunks"][0]["text"] == hit["text"]
        assert shown["document"]["doc"] == hit["doc"]


def test_an_answer_names_the_stores(reatt, pair, home, monkeypatch):
    done = reatt("ask", "When is tea?", "--abstain", "never", "--explain", "--report", "page.html", *both(pair))
    assert done.code == 0
    assert "b: tea.txt:1" in done.out
    assert "a: leave.md:" in done.out
    assert f"store  {pair[0]}" in done.err.replace("~", str(home / "home")).replace("../", f"{home}/")
    assert "b: " in (home / "work" / "page.html").read_text()
    assert "A-" not in done.out.splitlines()[0]
    told = objects(reatt("ask", "When is tea?", "--json", "--abstain", "never", *both(pair)), "ask")
    assert {each["store"] for each in told["evidence"]} == {str(store) for store in pair}
    assert not any((store / "answers").exists() for store in pair)  # an answer of two stores is kept in neither
    monkeypatch.setattr("sys.stdin", io.StringIO("When is tea?\n"))
    assert json.loads(reatt("ask", "-", "--jsonl", *both(pair)).out)["evidence"][0]["store"] in map(str, pair)


def test_the_fields_and_the_lean_object_can_name_the_store(reatt, pair):
    told = json.loads(reatt("search", "tea", "--fields", "store,path", *both(pair)).out)
    assert {hit["store"] for hit in told["hits"]} == {str(store) for store in pair}
    told = json.loads(reatt("search", "tea", "--compact", "--store", pair[0]).out)
    assert not any("store" in hit for hit in told["hits"])


def test_documents_of_both_are_listed_and_counted(reatt, pair):
    told = objects(reatt("list", "--json", *both(pair)), "list")
    assert [(each["store"], each["doc"], each["path"]) for each in told["documents"]] == [
        (str(pair[0]), "D-1", "leave.md"), (str(pair[1]), "D-1", "travel.txt"), (str(pair[1]), "D-2", "tea.txt"),
    ]  # fmt: skip
    assert told["store"] == ""
    assert "b: tea.txt" in reatt("list", *both(pair)).out
    assert len(objects(reatt("list", "--json", "--only", "*.md", *both(pair)), "list")["documents"]) == 1
    told = objects(reatt("status", "--json", *both(pair)), "status")
    assert [(each["store"], each["documents"]) for each in told["stores"]] == [(str(pair[0]), 1), (str(pair[1]), 2)]
    assert told["documents"] == 3
    assert told["store"] == ""
    assert told["model"] == "tiny"
    lines = reatt("status", *both(pair)).out.splitlines()
    assert lines[0].split()[:2] == ["a", "1"]
    assert lines[2].split() == ["documents", "3"]


def test_both_are_measured_together(reatt, pair, home):
    (home / "work" / "q.jsonl").write_text(json.dumps({"_id": "1", "text": "When is tea?"}) + "\n")
    (home / "work" / "r.tsv").write_text("query-id\tcorpus-id\tscore\n1\ttea.txt\t1\n")
    given = ("eval", "--queries", "q.jsonl", "--qrels", "r.tsv", "--retriever", "words", "--json")
    assert objects(reatt(*given, *both(pair)), "eval")["hit@1"] == 1.0
    assert reatt(*given, "--store", pair[0]).code == 2


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_what_works_on_one_store_refuses_two(reatt, pair, command):
    before = [sorted(path for path in store.rglob("*")) for store in pair]
    done = reatt(*command, *both(pair))
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    called = " ".join(command[:2] if command[0] in ("models", "serve") else command[:1])
    assert (
        f"reatt {called} works on one store, but 2 are named: {pair[0]}, {pair[1]}   try: name one: --store {pair[0]}"
        in done.err
    )
    assert [sorted(path for path in store.rglob("*")) for store in pair] == before


def test_a_store_that_is_named_twice_is_one(reatt, pair, home):
    (home / "link").symlink_to(pair[0])
    told = objects(reatt("search", "leave", "--json", *both((pair[0], home / "link"))), "search")
    assert {hit["store"] for hit in told["hits"]} == {None}


def test_a_missing_store_is_named(reatt, pair, home):
    done = reatt("search", "tea", *both((pair[0], home / "nowhere")))
    assert done.code == 10
    assert f"no store in {home / 'nowhere'}" in done.err
    assert not (home / "nowhere").exists()


@pytest.mark.parametrize("retriever", ["words", "hybrid"])
def test_stores_of_two_models_are_refused_in_one_line(reatt, pair, retriever, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")
    with Library.open(pair[1]) as library, library.writing() as writer:
        writer.switch(writer.begin_generation("other", "other", "f" * 64))
    done = reatt("search", "tea", "--retriever", retriever, *both(pair))
    assert done.code == 13
    assert done.err.count("\nreatt: ") + done.err.startswith("reatt: ") == 1
    assert "stores of different models cannot be searched together" in done.err
    assert f"{pair[0]} has tiny" in done.err
    assert f"{pair[1]} has other ffffffff" in done.err
    assert len(objects(reatt("list", "--json", *both(pair)), "list")["documents"]) == 3


def test_a_store_that_was_adapted_apart_is_asked_by_the_first_ones_model(reatt, pair, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")
    with Library.open(pair[1]) as library, library.writing() as writer, writer._connection.transaction():
        writer._connection.execute("UPDATE generations SET model_sha256 = ?", ["f" * 64])
    told = objects(reatt("search", "tea", "--json", *both(pair)), "search")
    assert [each["id"] for each in told["notices"]] == ["OTHER_MODEL"]
    assert str(pair[0]) in told["warnings"][0]
    assert str(pair[1]) in told["warnings"][0]
    assert len(told["hits"]) == 3


def settings(home, text):
    file = home / "home" / "config" / "reatt" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_the_usual_stores_come_from_the_users_settings(reatt, pair, home):
    file = settings(home, f'stores = ["{pair[0]}", "{pair[1]}"]\n')
    told = objects(reatt("search", "tea", "--json"), "search")
    assert {hit["store"] for hit in told["hits"]} == {str(store) for store in pair}
    done = reatt("ingest", "tea.txt")
    assert done.code == 2
    assert "2 are named" in done.err
    shown = json.loads(reatt("config", "--json").out)["settings"]
    assert {"name": "stores", "value": [str(store) for store in pair], "source": str(file)} in shown
    assert reatt("schema").code == 0


def test_a_store_that_is_named_or_near_comes_before_the_usual_ones(reatt, pair, home, monkeypatch):
    settings(home, f'stores = ["{pair[0]}", "{pair[1]}"]\n')
    for given in (["--store", pair[1]], []):
        monkeypatch.setenv("REATT_STORE", str(pair[1]))
        told = objects(reatt("search", "tea", "--json", *given), "search")
        assert {hit["store"] for hit in told["hits"]} == {None}
        assert {Path(hit["path"]).name for hit in told["hits"]} == {"tea.txt", "travel.txt"}
    monkeypatch.delenv("REATT_STORE")
    assert reatt("init").code == 0
    assert json.loads(reatt("list", "--json").out)["documents"] == []


@pytest.mark.parametrize("given", [["--cluster", "a:1"], ["--cluster=a:1"]])
def test_a_cluster_is_asked_in_place_of_the_usual_stores(home, pair, given):
    settings(home, f'stores = ["{pair[0]}", "{pair[1]}"]\nmodel = "mine"\ndevice = "cpu"\n')
    assert config.defaults(["ask", "tea", *given])["ask"] == {"device": "cpu"}
    assert config.defaults(["ask", "tea"])["ask"].keys() == {"device", "model", "store"}


def test_one_usual_store_is_written_to(reatt, pair, home):
    settings(home, 'stores = ["~/mine"]\n')
    assert reatt("ingest", "tea.txt").code == 0
    assert (home / "home" / "mine" / "reatt.db").is_file()


@pytest.mark.parametrize("value", ['"a"', "[]", '["a"]', "[1]", '["/a", "b"]', r'["/a\u0000b"]', r'["~/a\u0000"]'])
def test_usual_stores_must_be_full_paths(reatt, home, value):
    settings(home, f"stores = {value}\n")
    done = reatt("list")
    assert done.code == 2
    assert "stores must be a list of folders" in done.err


def test_a_store_cannot_name_other_stores(reatt, pair):
    (pair[0] / "config.toml").write_text(f'stores = ["{pair[1]}"]\n')
    done = reatt("list", "--store", pair[0])
    assert done.code == 2
    assert "stores is not a setting" in done.err


def test_agents_are_served_each_store_by_itself(reatt, pair):
    named = reatt("mcp", "--print-config", "claude-code", *both(pair))
    assert named.out == reatt("mcp", "--print-config", "claude-code", *pair).out
    assert all(f'"{store}"' in named.out for store in pair)


def test_a_warm_process_of_the_same_stores_answers(reatt, pair, runtime):
    cold = objects(reatt("search", "when is tea", "--json", *both(pair)), "search")
    with served(pair[0], beside=(str(pair[1]),), model=os.environ["REATT_MODEL"]):
        done = reatt("search", "when is tea", *both(pair))
        assert done.err.count("(warm)") == 2
        warm = objects(reatt("search", "when is tea", "--json", *both(pair)), "search")
        assert warm["hits"] == cold["hits"]
        assert "(warm)" not in reatt("search", "when is tea", *both((pair[1], pair[0]))).err
        assert "(warm)" not in reatt("search", "when is tea", "--store", pair[0]).err
        told = objects(reatt("serve", "--stop", "--json", *both(pair)), "serve")
        assert (told["state"], told["store"], told["beside"]) == ("stopped", str(pair[0]), [str(pair[1])])
