"""A page of tables, each with what must be known to read it: NAME.md for people, NAME.json for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.kit.table import grid


@dataclass(frozen=True)
class Figure:
    """A mean, with the bounds of 95 % of its resamples."""

    value: float
    low: float
    high: float
    signed: bool = False  # a difference

    def __str__(self) -> str:
        sign = "+" if self.signed else ""
        return f"{self.value:{sign}.3f} [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"


Cell = str | int | float | Figure | None


@dataclass(frozen=True)
class Sheet:
    """A table, with what must be known to read it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    text: str = ""

    def markdown(self) -> list[str]:
        """Render it for people."""
        told = [self.text, ""] if self.text else []
        return [f"## {self.title}", "", *told, *grid(self.columns, [list(map(_shown, row)) for row in self.rows]), ""]

    def records(self) -> list[dict[str, object]]:
        """Render it for programs: a row is an object named by its columns; figures have value, low and high."""
        return [
            {name.strip("*"): _plain(cell) for name, cell in zip(self.columns, row, strict=True)} for row in self.rows
        ]


def write(
    folder: Path, name: str, title: str, head: Mapping[str, str], tables: Sequence[Sheet], notes: Sequence[str] = ()
) -> str:
    """Write NAME.md and NAME.json, and return the first."""
    lines = [f"# {title}", "", *(f"- **{key}**: {value}" for key, value in head.items()), ""]
    lines += [line for sheet in tables for line in sheet.markdown()]
    if notes:
        lines += [*(f"- {note}" for note in notes), ""]
    page = "\n".join(lines)
    told = {"head": dict(head), "tables": {each.title: each.records() for each in tables}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return page


def _shown(cell: Cell) -> str:
    return "–" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _plain(cell: Cell) -> object:
    if isinstance(cell, Figure):
        return {name: round(value, 5) for name, value in asdict(cell).items() if name != "signed"}
    return round(cell, 5) if isinstance(cell, float) else cell.strip("*") if isinstance(cell, str) else cell
