"""The page mini.md and mini.json, put together from what each part of `make eval-mini` has found and kept.

A part is a file of its own beside the page: tables, and the figures that something was asked of. Parts can be measured
on different days; each says by which model, when and where.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.kit import sheets
from bench.kit.sheets import Cell, Figure, Sheet
from bench.kit.table import at_least, at_most
from reatt.judging import metrics

PARTS = ("finding", "reading", "tables", "confidence", "teacher", "intra", "speed")
MEAN, UNSEEN = "**mean**", "**mean without nq_qed_dev**"


@dataclass(frozen=True)
class Bar:
    """A figure, the least that was asked of it, and what was hoped for."""

    what: str
    figure: float
    floor: float | None
    goal: float | None
    most: bool = False  # they are the most that it may be

    def row(self) -> list[Cell]:
        """Say by how much it is above or below both."""
        judge = at_most if self.most else at_least
        cells: list[Cell] = [self.what, self.figure]
        for bound in (self.floor, self.goal):
            held = None if bound is None else judge(self.figure, bound)
            missed = "" if held is None or held.met or bound is None else f" by {abs(self.figure - bound):.3g}"
            cells += [None, None] if held is None else [held.text, held.verdict + missed]
        return cells


@dataclass(frozen=True)
class Part:
    """What one part has found."""

    name: str
    head: Mapping[str, str]
    sheets: Sequence[Sheet]
    bars: Sequence[Bar]


def save(folder: Path, part: Part) -> None:
    """Keep a part."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "head": dict(part.head),
        "sheets": [{**vars(each), "rows": [list(map(_to_json, row)) for row in each.rows]} for each in part.sheets],
        "bars": [asdict(bar) for bar in part.bars],
    }
    file = folder / f"{part.name}.json"
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder: Path) -> list[Part]:
    """Read the parts that are kept, in the order of the page."""
    files = {name: folder / f"{name}.json" for name in PARTS}
    return [_part(name, json.loads(file.read_text(encoding="utf-8"))) for name, file in files.items() if file.is_file()]


def write(folder: Path, name: str, parts: Sequence[Part]) -> str:
    """Write NAME.md and NAME.json of some parts, and return the first."""
    head = {part.name: "; ".join(f"{key}: {value}" for key, value in part.head.items()) for part in parts}
    tables = [asked_for(parts), *(sheet for part in parts for sheet in part.sheets)]
    notes = ("Intervals: 95 % of 1,000 resamples of the questions of every set; the sets of a mean stay the same.",)
    return sheets.write(folder, name, "reatt-mini, measured", head, tables, notes)


def asked_for(parts: Sequence[Part]) -> Sheet:
    """Compare with what was asked for."""
    rows = [bar.row() for part in parts for bar in part.bars]
    return Sheet("what was asked for", ["figure", "is", "floor", "", "goal", " "], rows)


def mean_interval(sets: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """Bound the mean over sets of the mean over questions: the questions of each set are drawn anew, the sets stay."""
    random = np.random.default_rng(seed)
    drawn = [
        np.mean(np.asarray(values)[random.integers(0, len(values), (metrics.RESAMPLES, len(values)))], axis=1)
        for values in sets
    ]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return float(low), float(high)


def figure(sets: Sequence[Sequence[float]], *, signed: bool = False) -> Figure:
    """Average over sets, with an interval; `signed` for differences, each question's against itself."""
    return Figure(mean(sets), *mean_interval(sets), signed=signed)


def difference(after: Sequence[Sequence[float]], before: Sequence[Sequence[float]]) -> Figure:
    """Average the paired differences over sets."""
    pairs = [[a - b for a, b in zip(*each, strict=True)] for each in zip(after, before, strict=True)]
    return figure(pairs, signed=True)


def mean(sets: Sequence[Sequence[float]]) -> float:
    """Average over sets."""
    return float(np.mean([np.mean(each) for each in sets]))


def _to_json(cell: Cell) -> object:
    return asdict(cell) if isinstance(cell, Figure) else cell


def _cell(raw: Any) -> Cell:
    cell: Cell = Figure(**raw) if isinstance(raw, dict) else raw
    return cell


def _part(name: str, raw: Mapping[str, Any]) -> Part:
    made = [Sheet(**{**each, "rows": [list(map(_cell, row)) for row in each["rows"]]}) for each in raw["sheets"]]
    return Part(name, raw["head"], made, [Bar(**bar) for bar in raw["bars"]])
