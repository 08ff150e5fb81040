"""The lines of a table -> its rows: a cell may run over several lines, at the top of its row or in the middle.

Lines belong to one row where the distance to the lines around them is smaller than between rows, or where a line only
goes on with one cell. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reatt.parsers.pdf.spaced import Word

_NEAR = 1.35  # of the size of the letters: lines of one cell are no further apart
_WIDER = 1.3  # times the widest distance within rows: the distance between two
_CELL = 0.9  # of the size of the letters: a wider gap separates cells
_SEVERAL = 2  # cells of a row
_ALIGNED = 0.5  # of the size: the lines of a cell begin, end or have their middle so near to the edge of its column
_WORDS = 2  # of a line that goes on


@dataclass(frozen=True)
class Run:
    """Neighbouring words on one line without a wide gap between them."""

    words: tuple[Word, ...]
    left: float
    right: float
    base: float
    size: float


Line = Sequence[Run]
Cells = list[list[Run]]  # of a row: the lines of each cell


def rows_of(lines: Sequence[Line]) -> list[Cells]:
    """Return the rows of a table."""
    found: list[Cells] = []
    for group in _groups([list(_apart(line)) for line in lines]):
        merged = _merged(group) if len(group) > 1 else None
        found += [merged] if merged else _continued(group)
    return found


def _apart(line: Line) -> Iterator[Run]:
    """Yield the cells of a line: runs that are near each other are one."""
    before = line[0]
    for run in line[1:]:
        if run.left - before.right > _CELL * min(before.size, run.size):
            yield before
            before = run
        else:
            right, size = max(before.right, run.right), max(before.size, run.size)
            before = Run((*before.words, *run.words), before.left, right, before.base, size)
    yield before


def _groups(lines: Sequence[Line]) -> list[list[Line]]:
    """Collect lines that stand nearer to each other than to the rest; each alone if the distances do not tell."""
    gaps = [above[0].base - below[0].base for above, below in pairwise(lines)]
    near = [gap for gap in gaps if gap < _NEAR * median(line[0].size for line in lines)]
    border = _WIDER * max(near, default=0.0)
    if not near or len(near) == len(gaps) or any(gap <= border for gap in gaps if gap not in near):
        return [list(lines)]
    groups = [[lines[0]]]
    for gap, line in zip(gaps, lines[1:], strict=True):
        if gap > border:
            groups.append([])
        groups[-1].append(line)
    return groups


def _merged(group: Sequence[Line]) -> Cells | None:
    """Return lines as one row; None if two of them are full, as rows are, or if a run stands under several cells."""
    columns = _columns(group)
    if len(columns) < _SEVERAL or sum(len(line) == len(columns) for line in group) > 1:
        return None
    cells: Cells = [[] for _ in columns]
    for run in (run for line in group for run in line):
        at = next(at for at, (_, right) in enumerate(columns) if run.right <= right)
        cells[at].append(run)
        if not _stands_in(run, columns[at]):
            return None
    each_once = all(len({run.base for run in cell}) == len(cell) for cell in cells)
    return cells if each_once else None


def _columns(group: Sequence[Line]) -> list[tuple[float, float]]:
    """Return where the columns of a row begin and end."""
    spans: list[tuple[float, float]] = []
    for run in sorted((run for line in group for run in line), key=lambda run: run.left):
        if spans and run.left < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], run.right))
        else:
            spans.append((run.left, run.right))
    return spans


def _stands_in(run: Run, column: tuple[float, float]) -> bool:
    """Return whether a line of a cell is aligned with its column."""
    left, right = run.left - column[0], column[1] - run.right
    return min(left, right, abs(left - right) / 2) < _ALIGNED * run.size


def _continued(lines: Sequence[Line]) -> list[Cells]:
    """Return a row for each line, but for those that go on with one cell of the row above."""
    found: list[Cells] = []
    for number, line in enumerate(lines):
        above = found[-1] if found else []
        at = _under(line[0], above) if len(line) == 1 and number else 0
        near = number > 0 and lines[number - 1][0].base - line[0].base < _NEAR * line[0].size
        if at and near and len(line[0].words) >= _WORDS:
            above[at].append(line[0])
        else:
            found.append([[run] for run in line])
    return found


def _under(run: Run, above: Cells) -> int:
    """Return the cell that a run stands under, which has several words; 0 if there is none, or it is the first."""
    for at, cell in enumerate(above):
        if abs(cell[0].left - run.left) < 0.5 * run.size and len(cell[-1].words) >= _WORDS:
            return at
    return 0
