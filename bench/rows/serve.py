"""What `reatt serve` saves: the same typed question by a warm process and cold, beside what the model itself takes."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.kit import corpus, processes
from bench.kit.plan import Plan
from bench.kit.stores import store
from bench.kit.table import Row

STAGE = "serve"


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this stage: whole processes, in turn, and the model time that the warm ones tell."""
    question = corpus.questions(plan.data, 1)[0]
    where = ["--store", str(store(plan, plan.chunks[0])), "--device", plan.device]
    asking = {name: [*processes.REATT, name, question, "--json", *where] for name in ("ask", "search")}
    commands = {f"{way} {name}": [*ask, *extra] for name, ask in asking.items() for way, extra in _WAYS.items()}
    with _serving(where, plan):
        spent = processes.alternate(commands, plan.starts, plan.home)
        bare = {name: _model_time(ask, plan) for name, ask in asking.items()}
    return [row for name in asking for row in _rows(name, spent, bare[name])]


_WAYS = {"warm": (), "cold": ("--cold",)}


def _rows(name: str, spent: dict[str, processes.Spent], bare: float) -> list[Row]:
    """Make a row of each way to ask, beside the other way and the model alone; the ratio is to the model."""
    rows = []
    for way, other in zip(_WAYS, reversed(_WAYS), strict=True):
        took = spent[f"{way} {name}"]
        also = {"processor": f"{took.worked:,.0f} ms", "over the model": f"{took.waited - bare:,.0f} ms"}
        beside = f"{other}: {spent[f'{other} {name}'].waited:,.0f} ms; the model alone: {bare:,.0f} ms"
        ratio = took.waited / bare
        rows.append(Row(STAGE, f"{way} reatt {name}", "ms", all=took.waited, beside=beside, ratio=ratio, also=also))
    return rows


def _model_time(command: list[str], plan: Plan) -> float:
    """Return the median of what a warm process says that searching and reading took, in milliseconds."""
    replies = [json.loads(processes.run(command, plan.home).out) for _ in range(plan.starts)]
    told = [[float(reply["timing_ms"].get(part, 0.0)) for part in ("search", "read")] for reply in replies]
    return statistics.median(map(sum, told))


@contextmanager
def _serving(where: list[str], plan: Plan) -> Iterator[None]:
    """Keep a warm process for a block."""
    command = [*processes.REATT, "serve", "--json", *where]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=processes.environment(plan.home)
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            if json.loads(process.stdout.readline() or "{}").get("state") != "ready":
                raise RuntimeError(f"{' '.join(command)} did not start")
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
