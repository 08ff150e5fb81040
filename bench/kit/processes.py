"""Whole processes, timed from outside: what a person who types a command waits for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REATT = (sys.executable, "-m", "reatt_cli.app")
_LAUNCHER = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
ANSWERED = (0, 4)  # 4: nothing was found or nothing could be answered, which takes as long


@dataclass(frozen=True)
class Done:
    """A finished process."""

    seconds: float
    worked: float  # seconds of processor time: what other work on the machine changes least
    out: str
    err: str


def run(command: Sequence[str], home: Path) -> Done:
    """Run a command to its end; raises if it failed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment(home))
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        done = Done(seconds, used.ru_utime + used.ru_stime, out.read().decode(), err.read().decode())
    if process.returncode not in ANSWERED:
        raise RuntimeError(f"{' '.join(command)} exited {process.returncode}: {done.err[-2000:]}")
    return done


def run_for_peak(command: Sequence[str], home: Path) -> tuple[Done, int]:
    """Run a command; return with it the most memory it held, in bytes.

    A small process starts it: Linux counts as a process's peak what its parent held when it was started.
    """
    done = run([sys.executable, "-S", "-c", _LAUNCHER, *command], home)
    return done, 1024 * int(done.err.splitlines()[-1])


@dataclass(frozen=True)
class Spent:
    """Medians of a command's runs, in milliseconds."""

    waited: float
    worked: float


def alternate(commands: Mapping[str, Sequence[str]], rounds: int, home: Path) -> dict[str, Spent]:
    """Run the commands in turn, A B C A B C ...; a round before those that count warms the disk's cache."""
    runs: dict[str, list[Done]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            done = run(command, home)
            if number:
                runs[name].append(done)
    return {name: _medians(finished) for name, finished in runs.items()}


def _medians(runs: Sequence[Done]) -> Spent:
    waited, worked = (statistics.median(times) for times in zip(*((r.seconds, r.worked) for r in runs), strict=True))
    return Spent(1000 * waited, 1000 * worked)


def environment(home: Path) -> dict[str, str]:
    """Give a process an empty home and none of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REATT_", "XDG_"))}
    return kept | {"HOME": str(home)}
