"""Every failure is one line and one exit code: what was found, what to do; no traceback unless asked for."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reatt_cli import failures
from reatt_cli.app import run
from reatt_store import errors

PROGRAM = [sys.executable, "-m", "reatt_cli.app"]


def everything(tree=errors.ReattError):
    yield tree
    for below in tree.__subclasses__():
        yield from everything(below)


KINDS = sorted(set(everything()), key=lambda kind: kind.__name__)


def failing(monkeypatch, error):
    """Make `reatt list` meet an error, of whatever kind, in the store."""
    from reatt_store.library import Library

    def fail(folder):
        raise error

    monkeypatch.setattr(Library, "open", fail)


RETRYABLE = {  # what others do, and may stop doing
    errors.StoreLocked,
    errors.ChangedDuringRead,
    errors.GpuMemory,
    errors.ShardsLost,
    errors.WorkerDied,
}


@pytest.mark.parametrize(
    "kind", sorted(set(everything()), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__
)
def test_each_error_of_the_tree_is_its_exit_code_and_one_line(kind, reatt, monkeypatch):
    failing(monkeypatch, kind("what was\nfound", "what to do", "/a/path"))
    done = reatt("list")
    assert (done.code, done.out) == (kind.exit_code, "")
    assert done.err == "reatt: what was; found   try: what to do\n"


@pytest.mark.parametrize(
    "kind", sorted(set(everything()), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__
)
def test_each_error_of_the_tree_is_one_object_under_json(kind, reatt, monkeypatch):
    failing(monkeypatch, kind("what", "to do", "/a/path"))
    done = reatt("list", "--json")
    assert (done.code, done.out) == (kind.exit_code, "")
    told = {"schema": "reatt.error/1", "code": kind.exit_code, "id": kind.id, "message": "what", "fix": "to do"}
    assert json.loads(done.err) == {**told, "path": "/a/path", "retryable": kind in RETRYABLE}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), 22),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 22),
        (OSError(errno.EROFS, "Read-only file system"), 22),
        (MemoryError(), 21),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), 21),
        (KeyboardInterrupt(), 130),
        (ValueError("a bug"), 70),
        (OSError(errno.EPIPE, "Broken pipe"), 70),
        (RecursionError(), 70),
    ],
)
def test_what_the_system_does_to_us_has_a_code_too(error, code, reatt, monkeypatch):
    failing(monkeypatch, error)
    done = reatt("list")
    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == (0 if code == 130 else 1)


def test_a_bug_is_one_line_and_its_traceback_is_in_the_log(reatt, home, monkeypatch):
    failing(monkeypatch, ValueError("a \x1b[31mbug"))
    done = reatt("list")
    log = home / "home" / "state" / "reatt" / "reatt.log"
    assert done.err == f"reatt: internal error: ValueError: a \\x1b[31mbug; traceback in {log}   try: --debug\n"
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_log_does_not_grow_without_end(reatt, home, monkeypatch):
    log = home / "home" / "state" / "reatt" / "reatt.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * failures.LARGEST_LOG)
    failing(monkeypatch, ValueError("a bug"))
    reatt("list")
    assert 0 < log.stat().st_size < failures.LARGEST_LOG
    assert "Traceback" in log.read_text()


def test_a_bug_without_a_place_for_the_log_is_still_one_line(reatt, monkeypatch):
    monkeypatch.setenv("REATT_LOG", "/proc/no/such/place")
    failing(monkeypatch, ValueError("a bug"))
    done = reatt("list")
    assert (done.code, done.err.count("\n")) == (70, 1)


def test_debug_shows_the_traceback_and_then_the_line(reatt, monkeypatch):
    failing(monkeypatch, errors.StoreDamaged("it is damaged"))
    done = reatt("list", "--debug")
    assert done.code == 12
    assert done.err.startswith("Traceback")
    assert done.err.endswith("reatt: it is damaged\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lst"], "Did you mean 'list'"),
        (["list", "--onyl", "x"], "--only"),
        (["show"], "Missing argument 'ID|PATH'"),
        (["list", "--color", "blue"], "--color"),
        (["list", "extra"], "extra"),
        (["--store", "x", "list"], "--store"),
        (["lis"], "list"),
    ],
)
def test_wrong_usage_is_2_and_names_the_help(arguments, said, reatt):
    done = reatt(*arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert "--help" in done.err


def test_wrong_usage_under_json_is_one_object(reatt):
    done = reatt("list", "--json", "--onyl")
    assert json.loads(done.err)["id"] == "USAGE"


def test_no_store_names_the_place_and_the_command(reatt, home):
    done = reatt("list")
    assert done.code == 10
    assert str(home / "home" / "data" / "reatt" / "default") in done.err
    assert "try: reatt ingest" in done.err


def test_a_file_that_is_no_database_is_a_damaged_store(reatt, home):
    (home / "work" / ".reatt").mkdir()
    (home / "work" / ".reatt" / "reatt.db").write_bytes(b"x" * 4096)
    assert reatt("list").code == 12


def test_a_store_from_a_newer_version_is_left_alone(reatt, store):
    import sqlite3

    with sqlite3.connect(store / "reatt.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    assert reatt("list").code == 15


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["list", "-h"], ["models", "--help"]])
def test_help_is_an_answer(arguments, reatt):
    done = reatt(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: reatt")


def test_version_is_the_packages(reatt):
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert reatt("--version").out == f"reatt {project['version']}\n"


@pytest.fixture
def environment(home):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize("command", ["schema list", "--help", "completion zsh", "list --json", "show D-1"])
def test_a_reader_that_leaves_ends_us_quietly(command, environment, store):
    line = f"{' '.join(PROGRAM)} {command} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True)
    assert done.stdout == "141\n"
    assert done.stderr in ("", "store  .reatt\n", "store  .reatt\nhr/leave.md  Title of hr/leave.md\n")


def test_a_full_disk_behind_stdout_is_told(environment):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "schema", "list"], env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 22
    assert done.stderr.count("\n") == 1


def test_tests_hear_ctrl_c_whoever_started_them(environment):
    signals_end = f"{__file__}::test_signals_end_a_running_command_with_their_code"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", signals_end]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2],
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_running_command_with_their_code(number, code, environment, home):
    program = (
        "import sys, time; from reatt_cli import app\n"
        "from reatt_store.library import Library\n"
        "Library.open = lambda folder: (print('ready', flush=True), [time.sleep(0.02) for _ in range(1000)])\n"
        "sys.argv = ['reatt', 'list']; app.main()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    _, err = child.communicate()
    assert (child.returncode, err) == (code, "")


@pytest.mark.parametrize("slow", ["typer.py", "reatt_store/__init__.py"])
def test_an_interrupt_while_the_program_loads_is_quiet(slow, environment, home):
    (home / "slow" / slow).parent.mkdir(parents=True)
    (home / "slow" / slow).write_text("import time; print('loading', flush=True); time.sleep(600)")
    world = {**environment, "PYTHONPATH": f"{home / 'slow'}{os.pathsep}{environment['PYTHONPATH']}"}
    command = [sys.executable, "-m", "reatt_cli", "list"]
    child = subprocess.Popen(command, env=world, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "loading\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate() == ("", "")
    assert child.returncode in (130, -signal.SIGINT)  # a shell shows 130 for both


def test_running_in_process_leaves_signals_as_they_were(reatt):
    before = [signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT)]
    reatt("list")
    assert [signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT)] == before


def test_run_never_raises_whatever_it_is_given(home, capsys):
    for arguments in (["\x00"], ["--"], ["-"], ["list", "--store", "\udc80"], ["list", "--store", ""], ["show", "\n"]):
        assert run(arguments) in (0, 2, 10)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.EIO, errno.EMFILE])
def test_what_the_system_refuses_names_the_file_and_is_no_bug(number, reatt, monkeypatch):
    failing(monkeypatch, OSError(number, os.strerror(number), "/a/path"))
    done = reatt("list", "--json")
    assert (done.code, json.loads(done.err)["id"], json.loads(done.err)["path"]) == (1, "SYSTEM", "/a/path")


@pytest.mark.parametrize(
    "command", ["list --store", "ingest", "ingest --password-file", "show", "eval --queries", "init"]
)
def test_a_name_that_is_too_long_is_no_bug(command, reatt, library):
    assert reatt(*command.split(), "x" * 5000).code in (1, 2, 10, 22)


@pytest.mark.parametrize("weight", [-1, 2, "half", None, [1]])
def test_a_models_fusion_weight_is_a_share(weight, reatt, library, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")
    [config] = library.glob("models/*/config.json")
    config.write_text(json.dumps({**json.loads(config.read_text()), "reatt": {"fusion": weight}}))
    assert reatt("search", "leave").code == 14


def test_only_takes_a_folder_as_it_takes_a_glob(reatt, library):
    assert [reatt("list", "--only", only).out.split()[1] for only in ("more", "./more/", "*tea*")] == [
        "more/tea.txt"
    ] * 3


def test_a_dry_run_of_ingest_reads_nothing_and_needs_no_model(reatt, library, home, monkeypatch):
    monkeypatch.setenv("REATT_MODEL", "/nowhere")
    (home / "work" / "leave.md").write_text("Changed.\n")
    (home / "work" / "new.txt").write_text("New.\n")
    before = (library / "reatt.db").read_bytes()
    assert reatt("ingest", "--dry-run", ".").out == "would read: 1 new, 1 known, 2 unchanged; 84 B\n"
    assert (library / "reatt.db").read_bytes() == before
