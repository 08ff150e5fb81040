"""Tables that lines are drawn around: the words of a page and its drawn lines -> each row of a table as one word.

A table is a grid: lines that meet, most of them all others. Each of its cells is what the nearest lines around a word
enclose, so joined cells are one, and the gaps between words do not matter. Frames and drawings are no grids, nor are
columns of prose with a line between them. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import NamedTuple

from reatt.parsers.pdf.layout import CELL, cell_of, lines_of
from reatt.parsers.pdf.spaced import Word

_SAME = 1.5  # points: lines that are so near are one
_GAP = 3.0  # points between pieces of one line
_MEET = 2.5  # points between lines that meet
_SHORTEST = 6.0  # points
_MOST = 600  # lines of a page: a page with more is a drawing
_MEETINGS = 0.6  # share of all places where lines of a grid could meet
_SEVERAL = 2
_LONGEST = 12  # lines of a cell
_SHORT = 5  # words in a line of a cell, where only the places of the lines tell rows
_MIDDLE = 0.3  # of the size of the letters: so high above its line is the middle of a word


class Drawn(NamedTuple):
    """A drawn line that is upright or level: its place across, where it begins and where it ends."""

    at: float
    start: float
    end: float


@dataclass(frozen=True)
class Lines:
    """The drawn lines of a page."""

    upright: Sequence[Drawn] = ()
    level: Sequence[Drawn] = ()

    def part(self, left: float, right: float, height: float) -> bool:
        """Return whether an upright line stands between two letters at some height."""
        return any(left < line.at < right and line.start <= height <= line.end for line in self.upright)


NOTHING = Lines()


class _Cell(NamedTuple):
    """What lines enclose: its upper and its left edge."""

    top: float
    left: float


@dataclass(frozen=True)
class _Grid:
    lines: Lines
    left: float
    right: float
    low: float
    high: float

    @property
    def columns(self) -> list[float]:
        """The left edges of its columns."""
        found: list[float] = []
        for place in sorted([self.left, *(line.at for line in self.lines.upright)]):
            if (not found or place - found[-1] > _MEET) and self.right - place > _MEET:
                found.append(place)
        return found

    def cell(self, word: Word) -> _Cell | None:
        """Return the cell that a word stands in, None if it stands outside."""
        x, y = (word.left + word.right) / 2, word.base + _MIDDLE * word.size
        if not (self.left < x < self.right and self.low < y < self.high):
            return None
        above = [line.at for line in self.lines.level if line.at > y and _covers(line, x)]
        before = [line.at for line in self.lines.upright if line.at <= x and _covers(line, y)]
        return _Cell(min(above, default=self.high), max(before, default=self.left))


def _grid(upright: Iterable[Drawn], level: Iterable[Drawn]) -> _Grid:
    lines = Lines(sorted(upright), sorted(level))
    across = [line.at for line in lines.upright]
    along = [line.at for line in lines.level]
    across += [edge for line in lines.level for edge in (line.start, line.end)]
    along += [edge for line in lines.upright for edge in (line.start, line.end)]
    return _Grid(lines, min(across), max(across), min(along), max(along))


def merged(pieces: Iterable[Drawn]) -> list[Drawn]:
    """Put the pieces of lines together, and leave short ones out.

    >>> merged([Drawn(10, 0, 20), Drawn(10.4, 21, 50), Drawn(30, 0, 2)])
    [Drawn(at=10, start=0, end=50)]
    """
    found: list[Drawn] = []
    at = -1e9
    rows: list[list[Drawn]] = []
    for piece in sorted(pieces):
        if piece.at - at > _SAME:
            rows.append([])
            at = piece.at
        rows[-1].append(piece)
    for row in rows:
        row.sort(key=lambda piece: piece.start)
        whole = row[0]
        for piece in row[1:]:
            if piece.start - whole.end > _GAP:
                found.append(whole)
                whole = piece
            else:
                whole = Drawn(whole.at, whole.start, max(whole.end, piece.end))
        found.append(whole)
    return [line for line in found if line.end - line.start >= _SHORTEST]


def with_rows(words: Sequence[Word], lines: Lines) -> list[Word]:
    """Put each row of a table in the place of its words: its cells with tabs between them."""
    rest, rows = list(words), list[Word]()
    for grid in _grids(lines):
        cells = [(grid.cell(word), word) for word in rest]
        held: dict[_Cell, list[Word]] = {}
        for cell, word in cells:
            if cell:
                held.setdefault(cell, []).append(word)
        if made := _rows(held, grid.columns):
            rows += made
            rest = [word for cell, word in cells if not cell]
    return rest + rows


def _grids(lines: Lines) -> Iterator[_Grid]:
    """Yield the grids among the lines of a page, the largest first."""
    if len(lines.upright) + len(lines.level) > _MOST:
        return
    meetings = [(one, other) for one in lines.upright for other in lines.level if _meet(one, other)]
    found = []
    while meetings:
        upright, level = {meetings[0][0]}, {meetings[0][1]}
        size = 0
        while size != len(upright) + len(level):
            size = len(upright) + len(level)
            for one, other in meetings:
                if one in upright or other in level:
                    upright.add(one)
                    level.add(other)
        own = sum(one in upright for one, _ in meetings)
        meetings = [pair for pair in meetings if pair[0] not in upright]
        if own >= _MEETINGS * len(upright) * len(level):
            found.append(_grid(upright, level))
    yield from sorted(found, key=lambda grid: (grid.left - grid.right) * (grid.high - grid.low))


def _rows(cells: dict[_Cell, list[Word]], columns: Sequence[float]) -> list[Word]:
    """Return the rows of a table; none if it is no table."""
    tops = sorted({cell.top for cell in cells}, reverse=True)
    bands = [sorted((cell.left, words) for cell, words in cells.items() if cell.top == top) for top in tops]
    rows = [row for band in bands for row in _of_band(band)]
    if sum(len(row) >= _SEVERAL for row in rows) < _SEVERAL:
        return []
    if any(len(lines_of(words)) > _LONGEST for row in rows for _, words in row):
        return []
    return [_written(row, columns) for row in rows]


_Row = list[tuple[float, list[Word]]]  # the left edges of its cells, and their words


def _of_band(band: _Row) -> list[_Row]:
    """Return the rows between two level lines: one, or, where the first cell has many lines, one for each of these."""
    lines = [(left, line) for left, words in band for line in lines_of(words)]
    first = sorted((line[0].base for left, line in lines if left == band[0][0]), reverse=True)
    bases = {round(line[0].base) for _, line in lines}
    short = mean(len(line) for _, line in lines) < _SHORT
    if len(band) < _SEVERAL or len(first) <= _SEVERAL or len(first) != len(bases) or not short:
        return [band]
    found: list[dict[float, list[Word]]] = [{} for _ in first]
    for left, line in lines:
        at = min(range(len(first)), key=lambda number: abs(first[number] - line[0].base))
        found[at].setdefault(left, []).extend(line)
    return [sorted(row.items()) for row in found]


def _written(row: _Row, columns: Sequence[float]) -> Word:
    """Write a row as one word, an empty cell for each column that has none."""
    cells = [""] * len(columns)
    for left, words in row:
        at = min(range(len(columns)), key=lambda number: abs(columns[number] - left))
        cells[at] = " ".join(filter(None, (cells[at], cell_of(words))))
    words = [word for _, held in row for word in held]
    text = CELL.join(cells).rstrip(CELL)
    size = max(word.size for word in words)
    return Word(text, columns[0], max(word.right for word in words), max(word.base for word in words), size)


def _meet(upright: Drawn, level: Drawn) -> bool:
    return _covers(upright, level.at) and _covers(level, upright.at)


def _covers(line: Drawn, place: float) -> bool:
    return line.start - _MEET <= place <= line.end + _MEET
