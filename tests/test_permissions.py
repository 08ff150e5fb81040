"""What the modes of files forbid: a file is named and passed over, a store that cannot be written still answers."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from reatt_store.library import Library

PROGRAM = """
import json, sys
from reatt_cli.app import run
sys.exit([run(call.split()) for call in json.load(sys.stdin)][-1])
"""


@pytest.fixture
def powerless():
    """Return a function that runs commands as one whom modes bind, root or not; the last one's exit code is given."""
    root = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
    if root and shutil.which("setpriv") is None:
        pytest.skip("without setpriv root can open every file")

    def run(*calls):
        command = [*root, sys.executable, "-c", PROGRAM]
        return subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True)

    return run


def test_a_file_one_may_not_open_is_told_and_the_others_are_read(powerless, home, library):
    for name in ("closed.txt", "good.txt"):
        (home / "work" / name).write_text(f"{name}\n")
    (home / "work" / "closed.txt").chmod(0)
    done = powerless("ingest closed.txt good.txt --json")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["files"]["added"]) == (3, "", 1)
    [problem] = found["problems"]
    assert (problem["id"], "Permission denied" in problem["detail"]) == ("UNREADABLE", True)


def test_a_store_that_cannot_be_written_answers_and_is_not_changed(powerless, library):
    for path in (library, *library.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    reading = ["list", "show D-1", "status", "search leave", "ask leave --abstain never"]
    done = powerless(*(f"{call} --json" for call in reading), "remove D-1 --json")
    schemas = [json.loads(line)["schema"] for line in done.stdout.splitlines()]
    assert [schema.split("/")[0] for schema in schemas] == [f"reatt.{call.split()[0]}" for call in reading]
    assert (done.returncode, json.loads(done.stderr)["id"]) == (22, "READ_ONLY")


@pytest.fixture
def careless():
    """Work under a umask that hides nothing from anybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def closed(path, top):
    """Say whether nobody else reaches a path: it is closed to them, or a folder above it is."""
    below = (each for each in (path, *path.parents) if top in each.parents)
    return any(not each.stat().st_mode & 0o077 for each in below)


def test_whatever_the_umask_what_is_made_is_for_its_owner_alone(careless, reatt, home, library, monkeypatch):
    given = set(home.rglob("*"))
    reatt("ask", "leave", "--abstain", "never", "--report", "page.html")
    reatt("ingest", "leave.md", "--store", "other")
    monkeypatch.setattr(Library, "check", lambda *_: 1 / 0)  # a bug, whose traceback goes into the log
    assert reatt("check").code == 70
    made = [path for path in home.rglob("*") if path.is_file() and path not in given]
    assert {"page.html", "reatt.db", "reatt.log", "lock"} <= {path.name for path in made}
    assert [path for path in made if not closed(path, home)] == []


def test_whatever_the_umask_nobody_else_can_replace_a_folder_that_was_made(careless, reatt, home, library):
    given = set(home.rglob("*"))
    assert reatt("ingest", "leave.md", "--store", "a/b/c").code == 0
    assert reatt("ask", "leave", "--store", "a/b/c", "--abstain", "never").code == 0
    assert reatt("models", "add", os.environ["REATT_MODEL"], "--name", "mine").code == 0
    made = [path for path in home.rglob("*") if path.is_dir() and path not in given]
    assert {"a", "b", "c", "models"} <= {path.name for path in made}
    assert [path for path in made if path.stat().st_mode & 0o077] == []
