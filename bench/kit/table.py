"""Figures side by side: rows of one table, as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

COLUMNS = ("stage", "measured", "1 thread", "all threads", "beside it", "ratio", "goal", "also")


@dataclass(frozen=True)
class Goal:
    """What a figure should be, and whether it is."""

    text: str
    met: bool

    @property
    def verdict(self) -> str:
        """Say it, the bad news louder."""
        return "met" if self.met else "**missed**"


def at_least(figure: float, bound: float) -> Goal:
    """Ask for a figure of a bound or more."""
    return Goal(f"≥ {bound:g}", figure >= bound)


def at_most(figure: float, bound: float, unit: str = "") -> Goal:
    """Ask for a figure of a bound or less."""
    return Goal(f"≤ {bound:g} {unit}".strip(), figure <= bound)


@dataclass(frozen=True)
class Row:
    """One figure, measured with one thread, with all threads, or both, and what it is to be seen beside."""

    stage: str
    what: str
    unit: str
    one: float | None = None
    all: float | None = None
    beside: str = ""
    ratio: float | None = None
    goal: Goal | None = None
    also: Mapping[str, float | int | str] = field(default_factory=dict)


def write(
    folder: Path,
    name: str,
    head: Mapping[str, str],
    rows: Sequence[Row],
    notes: Sequence[str],
    title: str = "Speed and memory, side by side",
) -> Path:
    """Write NAME.md and NAME.json; both hold all that was measured, and how to measure it again."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"head": dict(head), "rows": [asdict(row) for row in rows], "notes": list(notes)}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = folder / f"{name}.md"
    page.write_text(_markdown(title, head, rows, notes), encoding="utf-8")
    return page


def _markdown(title: str, head: Mapping[str, str], rows: Sequence[Row], notes: Sequence[str]) -> str:
    lines = [f"# {title}", "", *(f"- **{key}**: {value}" for key, value in head.items()), ""]
    lines += grid(COLUMNS, [_cells(row) for row in rows])
    return "\n".join([*lines, "", *(f"- {note}" for note in notes), ""])


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Render a Markdown table; a stage, or whatever is first, is named once."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    before = ""
    for first, *others in rows:
        lines.append(f"| {' | '.join(['' if first == before else first, *others])} |")
        before = first
    return lines


def number(value: float | int, unit: str = "") -> str:
    """Write a figure with three digits that count, and a count as it is.

    >>> [number(12345.6, "tokens/s"), number(3.14159, "ms"), number(0.998), number(7)]
    ['12,346 tokens/s', '3.14 ms', '0.998', '7']
    """
    size = abs(value)
    if isinstance(value, int):
        return f"{value:,} {unit}".strip()
    text = f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else ""
    return f"{text or f'{value:.3g}'} {unit}".strip()


def _cells(row: Row) -> list[str]:
    one, all = ("" if value is None else number(value, row.unit) for value in (row.one, row.all))
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    goal = "" if row.goal is None else f"{row.goal.text} {row.goal.verdict}"
    also = " · ".join(
        f"{name} {value if isinstance(value, str) else number(value)}".strip() for name, value in row.also.items()
    )
    return [row.stage, row.what, one, all, row.beside, ratio, goal, also]
