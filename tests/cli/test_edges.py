"""Numbers, paths and errors from outside: each has one plain line and an exit code of the table, never 70."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from reatt_cli import app, failures
from reatt_cli.settings import Settings
from reatt_store.vectors import arrays

DIGITS = "9" * 400
SCORES = {"long": "9" * 5000, "large": DIGITS, "signs": "--5", "other": "\u0665", "half": "1.5"}


@pytest.fixture
def files(home, store):
    """Write what the calls below name."""
    (home / "work" / "x.pdf").write_bytes(b"%PDF-1.4\n")
    (home / "work" / "q.jsonl").write_text('{"_id":"q1","text":"hi","answers":["a"]}\n')
    for name, score in SCORES.items():
        (home / "work" / f"{name}.tsv").write_text(f"q1\td1\t{score}\n")
    for name, text in {"deep": "[" * 100_000, "inf": '{"schema": 1e999}', "big": f'{{"schema": {DIGITS}}}'}.items():
        (home / "work" / f"{name}.json").write_text(text)
    return store


CALLS = [
    "ingest x.pdf --timeout inf", "ingest x.pdf --timeout nan", "ingest x.pdf --timeout 10000000",
    f"ingest x.pdf --timeout {DIGITS}", f"ingest x.pdf --max-file-size {DIGITS}", "ingest x.pdf --max-file-size 9E999",
    "serve --idle inf", "serve --idle nan", f"serve --idle {DIGITS}", f"list --only {'a' * 60_000}",
    f"search x --retriever words --only {'a' * 60_000}", f"remove {'a' * 60_000}*", "ask x --report .",
    "ask x --report ..", "ask x --abstain nan", f"adapt --minutes {DIGITS}", "adapt --minutes inf",
    f"adapt --steps {DIGITS}", f"adapt --seed {DIGITS}", "adapt --hold-out nan", f"search x -k {DIGITS}",
    f"search x --keep {DIGITS}", f"eval --queries q.jsonl --qrels long.tsv --limit {DIGITS}",
    *(f"eval --queries q.jsonl --qrels {name}.tsv --retriever words" for name in SCORES),
    *(f"report {name}.json" for name in ("deep", "inf", "big")), "report /dev/null", "report .", "report R-1 -o .",
    "list --store ~nouser/x", "models add ~nouser/x", "init ~nouser/x", "ingest ~nouser/x",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[:60])
def test_a_number_or_path_that_is_none_is_a_usage_error(call, reatt, files):
    done = reatt(*call.split())
    assert (done.code, "Traceback" in done.err, len(done.err) < 3000) == (2, False, True), done.err[-300:]


def test_a_model_of_no_user_is_missing(reatt, files):
    assert reatt("ask", "hi", "--model", "~nouser/x", "--cold").code == 14


def test_settings_of_no_user_are_a_usage_error(reatt, files, monkeypatch):
    monkeypatch.setenv("REATT_CONFIG", "~nouser/x")
    assert reatt("list").code == 2


@pytest.mark.parametrize(
    "text", ["timeout = inf", "timeout = nan", f"timeout = {DIGITS}", "timeout = 1e300", "x = " + "[" * 5000]
)
def test_a_number_of_a_settings_file_is_bounded_as_well(text, reatt, files):
    (files / "config.toml").write_text(f"[ingest]\n{text}\n")
    assert reatt("ingest", "x.pdf").code == 2


@pytest.mark.parametrize("value", ["[1]", "[[]]", "[1.5, 'a']", "inf", "nan", "1979-05-27", "true", "{}", "9" * 30])
@pytest.mark.parametrize("call", ["config", "config --json", "search tea"])
def test_a_setting_of_another_kind_is_named(value, call, reatt, files):
    (files / "config.toml").write_text(f"[ask]\ntop = {value}\n")
    done = reatt(*call.split())
    assert (done.code, "ask.top must be a text, a number" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 21),
        (RuntimeError("unable to mmap 99 bytes from file <x>: Cannot allocate memory (12)"), 21),
        (ImportError("libx.so: failed to map segment from shared object"), 21),
        (RuntimeError("std::bad_alloc"), 21),
        (MemoryError(), 21),
        (OSError(errno.ENODEV, "No such device"), 1),
        (OSError(errno.EMFILE, "Too many open files"), 1),
        (OSError(errno.ENOLCK, "No locks available"), 22),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 22),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), 1),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 2),
        (OSError(errno.EBADF, "Bad file descriptor"), 70),
        (RuntimeError("a bug"), 70),
    ],
)
def test_an_error_of_the_system_is_mapped_by_its_number(error, code, reatt, files, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("reatt_store.library.Library.documents", fail)
    done = reatt("list", "--json")
    assert (done.code, done.err.count("\n"), json.loads(done.err)["code"]) == (code, 1, code)


@pytest.mark.parametrize(("number", "code"), [(errno.ENODEV, 1), (errno.ENOMEM, 21)])
def test_a_segment_that_cannot_be_mapped_is_named(number, code, reatt, library, monkeypatch):
    class Mmap:
        ACCESS_READ = 1

        @staticmethod
        def mmap(*_, **__):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(arrays, "mmap", Mmap)
    done = reatt("search", "leave", "--retriever", "attention", "--cold")
    assert (done.code, ".safetensors" in done.err or code == 21) == (code, True)


@pytest.mark.parametrize("broken", ["known", "internal", "error"])
def test_the_reporter_itself_never_fails(broken, capsys, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the reporter has a bug as well")

    if broken == "error":
        monkeypatch.setattr("reatt_cli.output.Output.error", fail)
    else:
        monkeypatch.setattr(failures, broken, fail)
    assert app._report(KeyError("a bug"), Settings(debug=True)) == 70


def homeless(*command):
    """Run a command as a user whom the system does not know, without HOME."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "HOME", "REATT_"))}
    program = (
        "import os, sys; os.path.expanduser = lambda path: path\n"
        "from reatt_cli.app import run\nsys.exit(run(sys.argv[1:]))"
    )
    return subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, env=environment)


def test_a_user_without_a_home_gets_one_line_and_can_name_a_store(home, store):
    os.chdir("/")
    done = homeless("list")
    assert (done.returncode, done.stderr.count("\n"), "HOME" in done.stderr) == (2, 1, True)
    done = homeless("list", "--store", str(store))
    assert (done.returncode, "hr/leave.md" in done.stdout) == (0, True)
    (home / "tea.md").write_text("Tea is at four.\n")
    for call in (
        f"ingest {home}/tea.md --store {home}/new",
        f"search tea --store {home}/new",
        f"models --store {home}/new",
    ):
        assert homeless(*call.split()).returncode == 0, call
    done = homeless("models", "add", str(home))
    assert (done.returncode, done.stderr.count("\n"), "HOME" in done.stderr) == (2, 1, True)


PRUNE = """
import json, sys
from reatt_cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def powerless(home, library):
    """Return a function that runs a command as one whom modes bind, root or not."""
    root = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
    if root and shutil.which("setpriv") is None:
        pytest.skip("without setpriv root can open every file")
    return lambda *call: subprocess.run([*root, sys.executable, "-c", PRUNE, *call], capture_output=True, text=True)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_file_in_a_folder_that_cannot_be_read_is_not_gone(mode, powerless, home, reatt):
    """The attack: a folder that is closed for a day, and all its documents are lost."""
    (home / "work" / "more").chmod(mode)
    if mode == 0o100:  # what is below is seen to be gone, but its folder cannot be listed
        (home / "work" / "more" / "tea.txt").unlink()
    powerless("ingest", ".", "--prune")
    (home / "work" / "more").chmod(0o700)
    assert "more/tea.txt" in reatt("list").out
    assert reatt("ingest", ".", "--prune").code == 0
    assert ("more/tea.txt" in reatt("list").out) is (mode != 0o100)


@pytest.mark.parametrize("named", ["secret.txt", "work/../secret.txt", "work/elsewhere.txt", "/proc/self/environ"])
def test_only_a_file_that_this_user_ingested_is_read_again_by_a_repair(named, reatt, library, home):
    """Who made the store names a file of ours in a damaged row, to have it read into the store."""
    for file in ("secret.txt", "work/elsewhere.txt"):
        (home / file).write_text("My password for the bank is hunter2.\n")
    assert reatt("ingest", "elsewhere.txt", "--store", "another").code == 0  # read by this user, but not into this one
    with closing(sqlite3.connect(library / "reatt.db")) as database, database:
        database.execute("UPDATE documents SET path = ?, title = 'damaged' WHERE id = 2", [str(home / named)])
    told = json.loads(reatt("check", "--repair", "--json").out)
    assert [part["id"] for part in told["damaged"]] == ["D-2"]
    assert b"hunter2" not in (library / "reatt.db").read_bytes()


def test_a_file_that_this_user_ingested_is_read_again_by_a_repair(reatt, library):
    with closing(sqlite3.connect(library / "reatt.db")) as database, database:
        database.execute("UPDATE documents SET title = 'damaged' WHERE id = 2")
    told = json.loads(reatt("check", "--repair", "--json").out)
    assert told["damaged"] == []
    assert "document" in [part["what"] for part in told["repaired"]]
