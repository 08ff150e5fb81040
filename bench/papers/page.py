"""The tables of docs/papers.md out of the files of finished rows: each claim, what was found, and a verdict.

A row is compared with another on the same questions, each question's value being the mean over the seeds that both
have. A claim holds if the interval of the mean over sets is on the side that the paper says; in part, if that of one
set is; else it does not. Nothing is said of a row that is not finished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.kit.sheets import Figure, Sheet
from bench.papers.rows import ROWS, Row, Setting
from reatt.judging import metrics

BEGIN, END = "<!-- tables -->", "<!-- end of the tables -->"
HOLDS, PART, NOT = "holds", "holds in part", "does not"
RESAMPLES = metrics.RESAMPLES
Record = Mapping[str, Any]
Records = Mapping[str, Sequence[Record]]  # row -> its finished seeds
Differences = dict[str, list[float]]  # set -> one difference a question


def records(out: Path) -> dict[str, list[Record]]:
    """Read all finished seeds of all rows, as the rows are now."""
    found: dict[str, list[Record]] = {}
    for row in ROWS.values():
        files = [out / f"{row.name}-{seed}.json" for seed in range(row.seeds)]
        every = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
        found[row.name] = [each for each in every if each["setting"] == row.plain]
    return found


def sheets(known: Records) -> list[Sheet]:
    """Make one table for each of the papers' tables, and one of what all costs."""
    tables = dict.fromkeys(row.table for row in ROWS.values())
    return [*(_sheet(table, known) for table in tables), _costs(known)]


def rewrite(page: Path, out: Path) -> None:
    """Put the tables between the marks of a page; the rest of it stays. A page that is not there is begun."""
    text = page.read_text(encoding="utf-8") if page.is_file() else f"# The papers\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    tables = "\n".join(line for sheet in sheets(records(out)) for line in sheet.markdown())
    page.write_text(f"{before}{BEGIN}\n\n{tables}{END}{after}", encoding="utf-8")


def _sheet(table: str, known: Records) -> Sheet:
    columns = ["row", "what", "measure", "value", "less what it is compared with", "the paper", "here"]
    rows = [_line(row, known) for row in ROWS.values() if row.table == table]
    return Sheet(table, columns, rows)


def _line(row: Row, known: Records) -> list[Any]:
    mine = known[row.name]
    seeds = f"{len(mine)} of {row.seeds} seeds"
    told = [f"`{row.name}`", row.says, row.measure]
    if not mine:
        return [*told, f"not yet run ({row.seeds} x {row.minutes:.0f} min)", None, row.paper or None, None]
    value = float(np.mean([np.mean(np.concatenate(_of(each, row.measure))) for each in mine]))
    told.append(f"{value:.3f} ({seeds})" if len(mine) < row.seeds or row.seeds > 1 else f"{value:.3f}")
    if row.against is None:
        return [*told, None, row.paper or None, None]
    found = judged(row, mine, known[row.against])
    if found is None:
        return [*told, f"`{row.against}` is not yet run", row.paper, None]
    return [*told, f"{found.gain} (`{row.against}`)", row.paper, found.verdict]


def _of(record: Record, measure: str) -> list[list[float]]:
    return [values[measure] for values in record["values"].values() if measure in values]


@dataclass(frozen=True)
class Found:
    """What a comparison says."""

    gain: Figure
    verdict: str


def judged(row: Row, mine: Sequence[Record], theirs: Sequence[Record]) -> Found | None:
    """Compare two rows on the same questions; None if no seed of both is finished."""
    differences = paired(mine, theirs, row.measure)
    if not differences:
        return None
    gain = float(np.mean([np.mean(each) for each in differences.values()]))
    low, high = _interval(list(differences.values()))
    parts = [_interval([each]) for each in differences.values()]
    return Found(Figure(gain, low, high, signed=True), verdict(row.better, (low, high), parts))


def paired(mine: Sequence[Record], theirs: Sequence[Record], measure: str) -> Differences:
    """Subtract question by question: the means over the seeds that both have."""
    seeds = {each["seed"] for each in mine} & {each["seed"] for each in theirs}
    both = [[each for each in of if each["seed"] in seeds] for of in (mine, theirs)]
    if not seeds:
        return {}
    sets = [name for name, values in both[0][0]["values"].items() if measure in values]
    found: Differences = {}
    for name in sets:
        first, second = (np.mean([each["values"][name][measure] for each in of], axis=0) for of in both)
        found[name] = (first - second).tolist()
    return found


def verdict(better: int, whole: tuple[float, float], parts: Sequence[tuple[float, float]]) -> str:
    """Say whether a claim holds: the side that the paper says, or none where it sees no difference.

    >>> verdict(-1, (-0.3, -0.1), []), verdict(-1, (-0.2, 0.1), [(-0.2, -0.1)]), verdict(1, (-0.2, 0.1), [(-0.2, 0.1)])
    ('holds', 'holds in part', 'does not')
    """
    if not better:
        return HOLDS if whole[0] <= 0 <= whole[1] else NOT
    sides = [low > 0 if better > 0 else high < 0 for low, high in (whole, *parts)]
    return HOLDS if sides[0] else PART if any(sides) else NOT


def _interval(sets: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Resample the questions of each set: the interval of the mean over sets."""
    random = np.random.default_rng(0)
    means = np.zeros(RESAMPLES)
    for values in sets:
        of = np.asarray(values, np.float64)
        means += of[random.integers(0, len(of), (RESAMPLES, len(of)))].mean(1) / len(sets)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _costs(known: Records) -> Sheet:
    """Add up what is estimated and what was spent, in hours of one core."""
    rows: list[list[Any]] = []
    for table in dict.fromkeys(row.table for row in ROWS.values()):
        mine = [row for row in ROWS.values() if row.table == table]
        spent = sum(each["minutes"] for row in mine for each in known[row.name])
        rows.append([table, sum(row.seeds for row in mine), sum(map(cost, mine)) / 60, spent / 60])
    settings = [row.setting for row in ROWS.values() if isinstance(row.setting, Setting)]
    starts = {each.start for each in settings if each.start}
    hours = sum(start.minutes for start in starts) / 60
    rows.append(["starts that learn to read, made once", len(starts), hours, None])
    rows.append(["all", None, *(sum(row[at] or 0 for row in rows) for at in (2, 3))])
    return Sheet("Hours of one core", ["what", "runs", "estimated", "spent"], rows)


def cost(row: Row) -> float:
    """Estimate a row's minutes of one core."""
    return row.seeds * row.minutes
