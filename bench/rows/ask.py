"""How long a person waits for an answer once the model is loaded: one process, one question a line."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, cast

from bench.kit import corpus, processes
from bench.kit.plan import Plan
from bench.kit.stores import store
from bench.kit.table import Row, at_most

STAGE = "ask"


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this stage."""
    folder = store(plan, plan.chunks[0])
    first, *others = corpus.questions(plan.data, plan.asked + 1)
    command = [*processes.REATT, "ask", "-", "--jsonl", "--store", str(folder), "--device", plan.device]
    with _conversation(command, plan) as (questions, answers):
        started = time.perf_counter()
        _ask(questions, answers, first)
        loaded = time.perf_counter() - started
        spent = [_ask(questions, answers, question) for question in others]
    p50 = statistics.median(total for total, _ in spent)
    parts = {part: statistics.median(told[part] for _, told in spent) for part in ("search", "read")}
    also = {**{f"{part} ms": value for part, value in parts.items()}, "questions": len(spent)}
    what = "warm reatt ask -, p50 a question, 8 passages read"
    goal = at_most(1000 * p50, 300, "ms") if plan.device == "cuda" else None
    beside = f"the first, model loaded: {loaded:.1f} s"
    return [Row(STAGE, what, "ms", all=1000 * p50, beside=beside, goal=goal, also=also)]


@contextmanager
def _conversation(command: Sequence[str], plan: Plan) -> Iterator[tuple[IO[str], IO[str]]]:
    """Start a process that is written to and read from."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
        env=processes.environment(plan.home),
    )  # fmt: skip
    try:
        yield cast(IO[str], process.stdin), cast(IO[str], process.stdout)
    finally:
        cast(IO[str], process.stdin).close()
        if process.wait(timeout=60) != 0:
            raise RuntimeError(f"{' '.join(command)} exited {process.returncode}")


def _ask(questions: IO[str], answers: IO[str], question: str) -> tuple[float, dict[str, float]]:
    """Ask one question; return the seconds until its answer is there, and what the program says it took (ms)."""
    started = time.perf_counter()
    questions.write(question + "\n")
    questions.flush()
    line = answers.readline()
    return time.perf_counter() - started, json.loads(line)["timing_ms"]
