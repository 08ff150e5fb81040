"""Lean JSON: what nobody asked for is not printed, what was asked for is what the whole object says."""

import json
import os

import jsonschema
import pytest

from reatt_cli.replies import lean
from reatt_cli.schemas import answers as schemas
from reatt_cli.schemas.published import json_schema
from reatt_store.library import Library
from tests.served import served

QUESTION = "How long is parental leave?"
SHARE = 0.4  # of the bytes that the same call gave with token pairs and absolute paths


def told(done, name):
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    jsonschema.validate(found, json_schema(name))
    return found


@pytest.fixture
def call(reatt, library):
    """Run a command with `--json`; return the object, which is valid."""
    return lambda name, *arguments: told(reatt(name, QUESTION, "--json", "--ok-empty", *arguments), name)


@pytest.mark.parametrize(("name", "key"), [("search", "hits"), ("ask", "evidence")])
def test_token_pairs_are_told_only_where_they_are_explained(name, key, call):
    whole, plain = call(name, "--explain"), call(name)
    assert any(each["retrieval"]["tokens"] for each in whole[key])
    for each in whole[key]:
        each["retrieval"]["tokens"] = []
    assert plain | {"timing_ms": {}} == whole | {"timing_ms": {}}


@pytest.mark.parametrize(("name", "key"), [("search", "hits"), ("ask", "evidence"), ("list", "documents")])
def test_root_and_path_joined_are_the_file(name, key, reatt, library):
    words = [] if name == "list" else [QUESTION, "--ok-empty"]
    found = told(reatt(name, *words, "--json"), name)
    assert found["root"] == str(library.parent)
    assert {each["path"] for each in found[key]} == {"leave.md", "travel.txt", "more/tea.txt"}
    assert all(os.path.exists(os.path.join(found["root"], each["path"])) for each in found[key])


@pytest.mark.parametrize(
    ("paths", "root"),
    [
        (["/a/b/c.md"], "/a/b"), (["/a/b/c.md", "/a/b/d/e.md"], "/a/b"), (["/a/b.md", "/ab.md"], ""), ([], ""),
        (["/a/x/1", "/a/xy/1"], "/a"), (["-", "/a/b"], ""), (["/a/b.md", "/a/b.md2"], "/a"),
    ],
)  # fmt: skip
def test_the_root_is_the_deepest_folder_that_all_documents_lie_in(paths, root, tmp_path):
    from reatt_store.library import Chunk, Document

    chunk = Chunk(0, 0, 1, 1, None, "", "x")
    found = [(Document(path, None, "", "text", "00" * 16, 1, 0), [chunk]) for path in paths]
    with Library.create(tmp_path / "store") as library, library.writing() as writer:
        writer.publish(found, None, 0)
        assert library.root() == root


@pytest.mark.parametrize("name", ["search", "ask"])
@pytest.mark.parametrize("extra", [[], ["--compact"]])
def test_fields_are_the_ones_asked_for_as_the_whole_object_has_them(name, extra, reatt, call):
    whole = call(name)
    done = reatt(name, QUESTION, "--ok-empty", "--fields", "path,line_start,text", *extra)
    found, key = told(done, f"{name}-fields"), "hits" if name == "search" else "evidence"
    assert found["schema"] == f"reatt.{name}-fields/1"
    wanted = [{field: each[field] for field in ("path", "line_start", "text")} for each in whole[key]]
    assert found[key] == wanted
    assert {field: whole[field] for field in found if field not in ("schema", key)} == {
        field: found[field] for field in found if field not in ("schema", key)
    }
    assert not found.keys() & {"model", "timing_ms", "notices"}


@pytest.mark.parametrize("name", ["search", "ask"])
def test_compact_leaves_out_nothing_that_has_a_value(name, reatt, call):
    whole = call(name)
    done = reatt(name, QUESTION, "--ok-empty", "--compact")
    found = told(done, f"{name}-fields")
    assert "\n" not in done.out[:-1]
    assert done.out == json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
    assert holes(found) == 0
    left = {name for name in whole.keys() - found.keys() if name not in lean.ABOUT_THE_RUN}
    assert all(whole[name] in lean.VALUELESS for name in left)


def holes(value):
    """Count the keys without a value, but for a list of passages."""
    if isinstance(value, dict):
        empty = [each in lean.VALUELESS and name not in ("hits", "evidence") for name, each in value.items()]
        return sum(empty) + sum(map(holes, value.values()))
    return sum(map(holes, value)) if isinstance(value, list) else 0


def test_nothing_found_is_still_an_empty_list(reatt, library):
    found = told(reatt("search", "zzz", "--retriever", "words", "--compact", "--ok-empty"), "search-fields")
    assert found["hits"] == []


@pytest.mark.parametrize("given", ["", ",", "path,nothing", "retrieval.score", "tokens", "path;text"])
def test_a_key_that_no_passage_has_is_refused_before_anything_is_asked(given, reatt, library):
    done = reatt("search", QUESTION, "--fields", given)
    assert (done.code, done.out) == (2, "")
    assert "the keys are: chunk, doc, path" in json.loads(done.err)["message"]


def test_the_keys_that_can_be_named_are_those_of_the_schema():
    assert set(lean.PASSAGE) == set(schemas.Evidence.model_fields)


def test_many_questions_can_be_lean_as_well(reatt, library, monkeypatch):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Why?\nWhen is tea?\n")))
    done = reatt("ask", "-", "--jsonl", "--fields", "path", "--compact")
    replies = [json.loads(line) for line in done.out.splitlines()]
    assert [reply["question"] for reply in replies] == ["Why?", "When is tea?"]
    assert all(set(each) == {"path"} for reply in replies for each in reply["evidence"])
    assert ": " not in done.out.replace("Tea is", "")


def test_a_warm_process_is_as_lean(reatt, library, runtime):
    calls = [("search", QUESTION, "--fields", "path,text"), ("ask", QUESTION, "--abstain", "never", "--compact")]
    with served(library, model=os.environ["REATT_MODEL"]):
        warm = [reatt(*call).out for call in calls]
    assert warm == [reatt(*call).out for call in calls]


def test_a_lean_answer_is_a_page_and_one_printed_before_there_were_roots_too(reatt, library, home):
    plain = json.loads(reatt("ask", QUESTION, "--abstain", "never", "--json").out)
    root = plain.pop("root")
    older = plain | {"schema": "reatt.ask/1", "id": "A-0a"}
    for each in older["evidence"]:
        each["path"] = os.path.join(root, each["path"])
    (home / "work" / "old.json").write_text(json.dumps(older))
    assert reatt("report", "old.json").code == 0
    assert str(library.parent / "leave.md") in (home / "work" / "A-0a.html").read_text()


@pytest.mark.parametrize("top", [8, 50])
def test_search_gives_at_most_four_tenths_of_the_bytes_it_gave(top, reatt, home, example_store):
    call = ("search", "How many weeks of parental leave can each parent take?", "-k", top, "--store", example_store)
    whole = reatt(*call, "--json", "--explain").out
    found = json.loads(whole)
    root = found.pop("root")
    for each in found["hits"]:
        each["path"] = os.path.join(root, each["path"])
    before = len(json.dumps(found, ensure_ascii=False)) + 1
    after = len(reatt(*call, "--json").out)
    assert after <= SHARE * before
