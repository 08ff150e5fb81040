"""--json: one object on stdout that is valid against its published schema, and nothing else anywhere."""

import json

import jsonschema
import pytest

from reatt_cli.schemas import published as schemas

# One call of every command that a store without vectors can answer, and the schema its object has.
CALLS = [
    ("list", "list"),
    ("list --only *.none", "list"),
    ("show D-1", "show"),
    ("show C-4", "show"),
    ("remove D-2", "remove"),
    ("remove --dry-run *", "remove"),
    ("status", "status"),
    ("check", "check"),
    ("init", "init"),
    ("init elsewhere", "init"),
    ("models", "models"),
    ("models list", "models"),
    ("search --retriever words leave", "search"),
    ("search --retriever words zzz --ok-empty", "search"),
    ("serve --stop", "serve"),
    ("mcp --print-config codex", "mcp"),
    ("doctor", "doctor"),
    ("config", "config"),
    ("config path", "config"),
    ("schema", "schema"),
    ("completion fish", "completion"),
]
SECOND = ("search", "ask", "list", "show", "remove")  # whose schema has changed once: paths are relative to `root`
FAILURES = ["show D-99", "show", "list --onyl", "nonsense", "remove nothing", "list --store /nowhere", "search", "eval"]
FAILURES += ["report A-0", "report R-1"]


def validate(text, name):
    described = schemas.json_schema(name)
    jsonschema.Draft202012Validator.check_schema(described)
    told = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(told, described)
    assert told["schema"] == described["$id"]
    return told


@pytest.mark.parametrize(("call", "name"), CALLS, ids=[call for call, _ in CALLS])
def test_every_command_gives_one_valid_object_and_a_silent_stderr(call, name, reatt, store):
    done = reatt(*call.split(), "--json")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1
    validate(done.out, name)


@pytest.mark.parametrize("call", FAILURES)
def test_every_failure_leaves_stdout_empty_and_one_valid_object_on_stderr(call, reatt, store):
    done = reatt(*call.split(), "--json")
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert validate(done.err, "error")["code"] == done.code != 0


@pytest.mark.parametrize("name", schemas.PUBLISHED)
def test_schema_prints_what_is_published(name, reatt):
    told = json.loads(reatt("schema", name).out)
    assert told == schemas.json_schema(name)
    assert told["$id"] == f"reatt.{name}/{2 if name in SECOND else 1}"
    assert "schema" in told["required"]


@pytest.mark.parametrize("name", schemas.PUBLISHED)
def test_a_published_object_may_gain_keys(name):
    assert "additionalProperties" not in schemas.json_schema(name)


def test_an_unknown_schema_is_a_usage_error_that_names_those_there_are(reatt):
    done = reatt("schema", "nothing")
    assert done.code == 2
    assert "ingest, search, ask" in done.err


def test_json_escapes_what_could_steer_a_terminal_and_loses_nothing(reatt, store):
    from reatt_store.library import Chunk, Document, Library

    text = "\x1b]0;x\x07\x9b\u202e é 日\U000e0041"
    document = Document(str(store.parent / "x"), None, text, "text", "11" * 16, 9, 0)
    with Library.open(store).writing() as writer:
        writer.publish([(document, [Chunk(0, 0, len(text), 1, None, text, text)])], None, 0)
    out = reatt("show", "D-4", "--json").out
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\U000e0041"} & set(out)
    assert json.loads(out)["chunks"][0]["text"] == text
