"""Stores on poor file systems: without locks, without hard links, and one that turns read-only."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus_made import REATT

FAULTS = Path(__file__).parents[1] / "faults"
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)
NO_LOCKS = 22


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """Return a function that runs `reatt` where something is refused: "locks", "links" or both."""
    built = tmp_path_factory.mktemp("poor") / "poor.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", built, FAULTS / "poor.c", "-ldl"], check=True)

    def call(refused, *arguments):
        around = {**os.environ, "LD_PRELOAD": str(built), "POOR": refused}
        command = [*REATT, *map(str, arguments), "--json"]
        done = subprocess.run(command, env=around, capture_output=True, text=True, check=False, timeout=120)
        assert "" in (done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout or done.stderr)

    return call


@needs_compiler
@pytest.mark.parametrize(
    "call",
    [("ingest", "leave.md"), ("remove", "D-1"), ("check", "--repair"), ("init", "new"), ("adapt", "--steps", "1")],
)
def test_without_locks_nothing_is_written_and_the_error_says_so(call, poor, library):
    before = (library / "reatt.db").read_bytes()
    (library.parent / "leave.md").write_text("Leave is 50 weeks.\n")
    code, told = poor("locks", *call)
    assert (code, told["id"]) == (NO_LOCKS, "NO_LOCKS")
    assert "another process" not in told["message"]
    assert (library / "reatt.db").read_bytes() == before


@needs_compiler
@pytest.mark.parametrize("call", [("list",), ("search", "tea"), ("ask", "When is tea?", "--ok-empty"), ("status",)])
def test_without_locks_nothing_is_said_that_locks_would_have_to_hold(call, poor, library):
    code, told = poor("locks", *call)
    assert (code, told.get("id")) in ((0, None), (0, told.get("id")), (NO_LOCKS, "NO_LOCKS"))


@needs_compiler
def test_without_hard_links_all_is_as_with_them(poor, library, reatt):
    (library.parent / "new.md").write_text("The ferry sails at nine.\n")
    for call in (
        ("ingest", "new.md"),
        ("remove", "D-1"),
        ("check",),
        ("search", "ferry"),
        ("ask", "When?", "--ok-empty"),
    ):
        code, told = poor("links", *call)
        assert code == 0, told
    found = json.loads(reatt("search", "ferry", "--json").out)
    assert found["hits"]


@pytest.fixture
def mounted(library):
    """Mount a file system in memory and copy the store there; return a function that mounts it anew as told."""
    there = library.parent / "mounted"
    there.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", there], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount a file system here: {done.stderr.strip()}")
    try:
        shutil.copytree(library, there / "store")
        yield lambda how: subprocess.run(["mount", "-o", f"remount,{how}", there], check=True)
    finally:
        subprocess.run(["umount", "-l", there], check=True)


def test_a_disk_that_turns_read_only_answers_and_says_what_it_cannot_do(mounted, library, reatt):
    store = ("--store", library.parent / "mounted" / "store")
    (library.parent / "new.md").write_text("The ferry sails at nine.\n")
    mounted("ro")
    for call in ("list", "status", "check", "search tea", "ask tea --ok-empty", "models"):
        assert reatt(*call.split(), *store).code == 0
    for call in ("ingest new.md", "remove D-1"):
        assert reatt(*call.split(), *store).code == 22
    mounted("rw")
    assert reatt("ingest", "new.md", *store).code == 0
    assert json.loads(reatt("check", "--json", *store).out)["damaged"] == []
