"""Runs `reatt` many times in forks of one process that has loaded everything, each within limits. Run as a script.

A line of JSON asks for some calls, one after another, in a fork; a line says how they ended.
"""

import gc
import io
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10  # of the processor, for a call
WALL = 120  # seconds in all, on a machine that does other work as well
MEMORY = 1_000_000_000  # bytes that a call may take, and what it begins with


@dataclass(frozen=True)
class Ended:
    """How the calls of one fork ended."""

    codes: list[int]  # of the calls that came to an end
    status: int  # of the fork: 0, or less the signal that ended it
    peak: int  # bytes
    said: str  # the end of what was printed


def _run(calls: list[list[str]], folder: str, told: int, limited: bool) -> None:
    """Run the calls in a fork, and tell each exit code."""
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    sys.stdin = open(0)  # noqa: SIM115  (the one of the process has been read from)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    said = os.open(_said(folder, os.getppid()), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)
    for call in calls:
        if limited:
            spent = resource.getrusage(resource.RUSAGE_SELF)
            resource.setrlimit(resource.RLIMIT_CPU, (int(spent.ru_utime + spent.ru_stime) + SECONDS + 1, hard))
            signal.alarm(WALL)
        code = reatt_cli.app.run(call)
        sys.stdout.flush()
        os.write(told, bytes([code & 0xFF]))


def _said(folder: str, nursery: int) -> Path:
    """Name the file that the forks of a process print to."""
    return Path(folder).with_name(f"said-{nursery}")


def _answered(request: dict) -> dict:
    """Answer a request; one to warm up is run here, so that its forks need not load what it loaded."""
    if request["warm"]:
        os.environ.update(request["environment"])
        for call in request["calls"]:
            with chdir(request["folder"]), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                reatt_cli.app.run(call)
        gc.freeze()  # forks then share what was loaded
        return {"codes": [], "status": 0, "peak": 0, "said": ""}
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.environ.update(request["environment"])
            _run(request["calls"], request["folder"], writing, request["limited"])
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(99)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as codes:
        told = list(codes.read())
    _, status, spent = os.wait4(child, 0)
    said = _said(request["folder"], os.getpid()).read_text("utf-8", "backslashreplace")
    peak = spent.ru_maxrss * 1024
    return {"codes": told, "status": os.waitstatus_to_exitcode(status), "peak": peak, "said": said[-100_000:]}


@contextmanager
def nursery(environment, limited=True):
    """Start the process; yield a function that runs calls in a folder and returns how they ended."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "tests.fuzz.nursery"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], **pipes) as process:
        assert process.stdout.readline() == "ready\n"

        def call(calls, folder, more=(), warm=False):
            words = [[str(word) for word in each] for each in calls]
            around = {**environment, **dict(more)}
            request = {"calls": words, "folder": str(folder), "environment": around, "warm": warm, "limited": limited}
            print(json.dumps(request), file=process.stdin, flush=True)
            return Ended(**json.loads(process.stdout.readline()))

        yield call
        process.stdin.close()


if __name__ == "__main__":
    import typer

    import reatt_cli.app
    from reatt.weights.foreign import adding
    from reatt_store.vectors import nearest
    from tests.fuzz.near import Near

    adding.Child = Near

    nearest.FLAT_LIMIT = 100  # so that small stores have an index to cache
    program = typer.main.get_command(reatt_cli.app.app)
    typer.main.get_command = lambda _: program
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_answered(json.loads(line))), flush=True)
