"""Whatever the folder of a model holds: an exit code of the table, soon, in little memory, and nothing outside changes.

A few here, many by `make fuzz-models COUNT=5000`. Findings are printed with the seed and number that make them again.
Run as a script, this file is the process whose forks run the calls; a child that adds a model is a fork as well, with
the limits that it has otherwise, because to load everything anew takes a hundred times as long.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from reatt_store import errors
from tests.fuzz.model_damage import damaged

COUNT = int(os.environ.get("MODELS", "30"))
SEED = int(os.environ.get("SEED", "0"))
FIRST = int(os.environ.get("FIRST", "0"))
SECONDS, WALL = 10, 120  # of the processor, for a call; and in all, where the machine is busy
MEMORY = 1_000_000_000  # bytes
QUESTION = "Who built the orrery?"
TEXTS = {"a.md": "The orrery was built in 1794 by Jonas Felder.", "b.md": "The ferry sails at nine from the quay."}
# A model of the store is damaged where it lies; one that is named lies in a folder of a stranger.
OWN = [["status"], ["models"], ["ask", QUESTION, "--ok-empty"], ["ask", QUESTION, "--json", "--ok-empty", "--explain"]]
NAMED = [
    ["ask", QUESTION, "--model", "theirs", "--ok-empty"], ["models", "add", "theirs", "--name", "new"], ["models"],
    ["ingest", "docs", "--store", "other", "--model", "theirs"],
    ["ask", QUESTION, "--store", "other", "--ok-empty", "--json"], ["status", "--store", "other"],
]  # fmt: skip


def codes(kind=errors.ReattError):
    """Return every exit code of the table but that of a bug."""
    found = {kind.exit_code} | {code for each in kind.__subclasses__() for code in codes(each)}
    return found - {errors.InternalError.exit_code}


ALLOWED = codes() | {0, 4}
PLACES = {"mine", "docs", "theirs", ".reatt", "other", "said"}


@pytest.fixture(scope="module")
def world(model, bert, write_bert, tmp_path_factory):
    """Make the models, a store for each, and the process that runs `reatt`."""
    root = tmp_path_factory.mktemp("fuzz")
    kinds = {"t5": model, "bert": bert, "eight-bits": write_bert(root / "eight", eight_bits=True)}
    places = {f"XDG_{name}_HOME": str(root / "home" / name.lower()) for name in ("DATA", "STATE", "CONFIG", "CACHE")}
    environment = {**os.environ, **places, "HOME": str(root / "home"), "OMP_NUM_THREADS": "1", "REATT_DEVICE": "cpu"}
    for name in ("XDG_RUNTIME_DIR", "REATT_STORE", "REATT_MODEL"):
        environment.pop(name, None)
    (root / "docs").mkdir()
    for name, text in TEXTS.items():
        (root / "docs" / name).write_text(text)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, "-m", "tests.fuzz.test_models"], **pipes) as process:
        assert process.stdout.readline() == "ready\n"

        def run(calls, folder):
            print(json.dumps({"calls": calls, "folder": str(folder)}), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        for kind, folder in kinds.items():
            made = run([["ingest", "docs", "--store", f"stores/{kind}", "--model", str(folder)]], root)
            assert made["codes"] == [0], made
        yield root, kinds, run
        process.stdin.close()


def fingerprint(folder):
    """Say what lies in a folder: names, modes, contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        whole = path.is_file() and not path.is_symlink()
        found[str(path)] = (path.lstat().st_mode, hashlib.blake2b(path.read_bytes()).hexdigest() if whole else "")
    return found


def place(root, kinds, pick):
    """Make the folder that a command runs in, with a damaged model; returns the calls, and what was damaged."""
    here = root / "place"
    shutil.rmtree(here, ignore_errors=True)
    shutil.rmtree(root / "home" / "data", ignore_errors=True)
    shutil.rmtree(root / "home" / "cache" / "reatt", ignore_errors=True)
    (here / "mine").mkdir(parents=True)
    (here / "mine" / "a.txt").write_text("precious\n")
    shutil.copytree(root / "docs", here / "docs")
    kind = pick.choice(sorted(kinds))
    shutil.copytree(root / "stores" / kind, here / ".reatt")
    if pick.random() < 0.3:
        [kept] = (here / ".reatt" / "models").iterdir()
        return OWN, f"{kind} in a store: {damaged(pick, kept, here / 'mine')}"
    shutil.copytree(kinds[kind], here / "theirs")
    return NAMED, f"{kind}: {damaged(pick, here / 'theirs', here / 'mine')}"


def faults(ended, calls):
    """Say what is wrong with how the calls ended."""
    if ended["status"]:
        yield f"{calls[min(len(ended['codes']), len(calls) - 1)]} ended by {ended['status']}: {ended['said'][-300:]!r}"
    for code, call in zip(ended["codes"], calls, strict=False):
        if code not in ALLOWED:
            yield f"{call}: exit {code}"
    if ended["peak"] > MEMORY:
        yield f"{ended['peak'] / 1e6:.0f} MB"
    if any((ord(letter) < 32 and letter not in "\n\t\r") or 127 <= ord(letter) < 160 for letter in ended["said"]):
        yield "a control character was printed"


def test_no_model_makes_a_command_fail_otherwise_than_the_table_says(world, capsys):
    root, kinds, run = world
    found, told, slowest = [], Counter(), 0.0
    for number in range(FIRST, FIRST + COUNT):
        pick = random.Random(SEED * 1_000_003 + number)
        calls, done = place(root, kinds, pick)
        kept = [root / "place" / name for name in ("mine", "docs", "theirs")]
        before = [fingerprint(folder) for folder in kept]
        ended = run(calls, root / "place")
        told.update(ended["codes"])
        slowest = max(slowest, ended["seconds"])
        wrong = list(faults(ended, calls))
        wrong += ["changed what is not its own"] if before != [fingerprint(folder) for folder in kept] else []
        left = {path.name for path in (root / "place").iterdir()} - {
            "mine",
            "docs",
            "theirs",
            ".reatt",
            "other",
            "said",
        }
        wrong += [f"left {left}"] if left else []
        found += [f"SEED={SEED} FIRST={number} {done}: {wrong}"] if wrong else []
        with capsys.disabled():
            print(found[-1] if wrong else "", end="\n" if wrong else "", flush=True)
    with capsys.disabled():
        print(f"\n{COUNT} models, seed {SEED}: {len(found)} findings, {dict(told)}, slowest {slowest:.1f} s")
    assert found == []


# The process that runs the calls.


class Near:
    """A child that adds a model, as `sandbox.Child` is, but a fork of this process."""

    def __init__(self, script, request, files=(), *, seconds, output):
        self._said = os.pipe()
        self._child = os.fork()
        if not self._child:
            self._work(request)

    def _work(self, request):
        from reatt.parsers import confined
        from reatt.weights import convert

        os.dup2(self._said[1], 1)
        confined.limit(resource.RLIM_INFINITY, SECONDS + 1, request["written"])
        confined.limit_data(request["memory"])
        convert._say(convert._answer(Path(request["source"]), Path(request["part"])))
        os._exit(0)

    def __enter__(self):
        os.close(self._said[1])
        return self

    def __exit__(self, *_):
        return None

    def messages(self):
        from reatt.parsers.sandbox import ended

        with os.fdopen(self._said[0]) as lines:
            yield from map(json.loads, lines)
        _, status = os.waitpid(self._child, 0)
        if status:
            raise ended(os.waitstatus_to_exitcode(status))


def _run(calls, folder, told):
    """Run the calls in a fork, and tell each exit code."""
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for call in calls:
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(said, stream)
        spent = resource.getrusage(resource.RUSAGE_SELF)
        most = int(spent.ru_utime + spent.ru_stime) + SECONDS + 1
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        signal.alarm(WALL)
        code = reatt_cli.app.run(call)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.write(told, bytes([code & 0xFF]))


def _answered(request):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            _run(request["calls"], request["folder"], writing)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(99)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as codes:
        told = list(codes.read())
    _, status, spent = os.wait4(child, 0)
    said = (Path(request["folder"]) / "said").read_text("utf-8", "backslashreplace")
    return {
        "codes": told, "status": os.waitstatus_to_exitcode(status), "peak": spent.ru_maxrss * 1024,
        "said": said[-100_000:], "seconds": spent.ru_utime + spent.ru_stime,
    }  # fmt: skip


if __name__ == "__main__":
    import reatt_cli.app
    from reatt.weights import adding

    adding.Child = Near
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_answered(json.loads(line))), flush=True)
