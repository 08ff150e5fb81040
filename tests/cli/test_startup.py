"""A command line that is there at once: nothing heavy is loaded before it is needed."""

import json
import subprocess
import sys

import pytest

from reatt_store.library import Library

HEAVY = (
    "torch", "numpy", "faiss", "transformers", "tokenizers", "safetensors", "sqlite_utils", "pypdf", "mcp", "starlette",
)  # fmt: skip
RICHER = (*HEAVY, "pydantic", "rich", "platformdirs", "reatt_store", "reatt")
# Of the library what says where the store is and what is asked: it loads nothing else.
DOOR = (
    "reatt",
    "reatt.api",
    "reatt.places",
    "reatt.progress",
    "reatt.search",
    "reatt.search.query",
    "reatt_store",
    "reatt_store.selection",
)
COMMANDS = (
    "ingest",
    "search",
    "ask",
    "eval",
    "list",
    "show",
    "remove",
    "status",
    "check",
    "init",
    "models",
    "serve",
    "mcp",
    "doctor",
    "config",
    "report",
    "schema",
)


def loaded(*arguments):
    """Return the top-level modules that a run of the program has loaded, the library's but for its door."""
    program = (
        "import json, sys; from reatt_cli.app import run; run(sys.argv[1:]);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1]) if name not in DOOR}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_first_help_loads_nothing_but_typer(arguments, home):
    assert not loaded(*arguments) & set(RICHER)


@pytest.mark.parametrize("arguments", [("values", "id", "D-"), ("values", "model", ""), ("values",)])
def test_a_tab_loads_nothing_but_typer(arguments, store):
    assert loaded(*arguments) & set(RICHER) <= {"platformdirs"}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_help_loads_anything_heavy(command, home):
    assert not loaded(command, "--help") & {*HEAVY, "rich", "reatt_store", "reatt"}


@pytest.mark.parametrize("arguments", [("schema", "ask"), ("completion", "bash")])
def test_what_needs_no_store_loads_none(arguments, home):
    assert not loaded(*arguments) & {*HEAVY, "reatt_store", "reatt"}


@pytest.mark.parametrize("command", ["list", "status", "check", "show D-1", "remove D-1", "search --retriever words a"])
def test_what_needs_no_model_loads_no_torch(command, store):
    assert not loaded(*command.split()) & {"torch", "transformers", "tokenizers", "faiss", "sqlite_utils", "pypdf"}


def test_reading_again_what_has_not_changed_or_is_blank_or_gone_loads_no_torch(library):
    (library.parent / "blank.txt").write_text(" \n")
    (library.parent / "travel.txt").unlink()
    assert "torch" not in loaded("ingest", "--prune", ".")
    with Library.open(library) as store:
        assert sorted(path.rsplit("/", 1)[1] for path in store.paths()) == ["leave.md", "tea.txt"]
