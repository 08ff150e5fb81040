"""What a typed command costs before it does anything: whole processes, beside the least they could be."""

from __future__ import annotations

import sys
from dataclasses import replace

from bench.kit import corpus, processes
from bench.kit.plan import Plan
from bench.kit.processes import Spent
from bench.kit.stores import store
from bench.kit.table import Row, at_most

STAGE = "start"
BARE = """import typer
app = typer.Typer()
app.command("search")(lambda question: None)
app.command("ask")(lambda question: None)
app()
"""


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this stage."""
    return [*_help(plan), *_cold(plan)]


def _help(plan: Plan) -> list[Row]:
    bare = plan.work / "bare.py"
    bare.write_text(BARE, encoding="utf-8")
    commands = {
        "reatt --help": [*processes.REATT, "--help"],
        "typer + rich": [sys.executable, str(bare), "--help"],
        "a press of TAB": [*processes.REATT, "values", "id", "D-"],
        "bare Python": [sys.executable, "-c", "pass"],
    }
    spent = processes.alternate(commands, plan.starts, plan.home)
    tab = _row("a press of TAB", spent, "bare Python", None)
    return [
        _row("reatt --help", spent, "typer + rich", 2.5),
        replace(tab, goal=at_most(spent["a press of TAB"].waited, 120, "ms")),
    ]


def _cold(plan: Plan) -> list[Row]:
    folder = store(plan, plan.chunks[0])
    question = corpus.questions(plan.data, 1)[0]
    where = ["--store", str(folder), "--json"]
    spent = processes.alternate(
        {
            "cold reatt search": _asking(plan, "search", question, where),
            "import torch": [sys.executable, "-c", "import torch"],
            "cold reatt search, words": [*processes.REATT, "search", question, "--retriever", "words", *where],
            "cold reatt ask": _asking(plan, "ask", question, where),
        },
        plan.starts,
        plan.home,
    )
    return [
        _row("cold reatt search", spent, "import torch", 2),
        _row("cold reatt search, words", spent, "import torch", None),
        _row("cold reatt ask", spent, "import torch", None),
    ]


def _asking(plan: Plan, command: str, question: str, where: list[str]) -> list[str]:
    return [*processes.REATT, command, question, *where, "--device", plan.device]


def _row(name: str, spent: dict[str, Spent], beside: str, bound: float | None) -> Row:
    ours, other = spent[name], spent[beside]
    ratio = ours.waited / other.waited
    goal = at_most(ratio, bound) if bound else None
    told = f"{beside}: {other.waited:,.0f} ms"
    also = {"processor": f"{ours.worked:,.0f} ms, beside it {other.worked:,.0f} ms"}
    return Row(STAGE, name, "ms", all=ours.waited, beside=told, ratio=ratio, goal=goal, also=also)
