"""The words of a page, by their places -> text in reading order. Imports nothing heavy: a child process uses it.

Columns are read one after the other, tables row by row. Both have empty strips from top to bottom. Columns have lines
of several words on both sides of a strip, or lines that are not level; tables have short cells, or empty strips between
their rows.

Coordinates are points from the lower left corner of the page as it is shown.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median
from typing import TypeVar

from reatt.parsers.pdf.spaced import Word, unspaced
from reatt.parsers.pdf.tables import Cells, Run, rows_of

CELL, LINE, PARAGRAPH = "\t", "\n", "\n\n"
CUT = "\x02"  # a hyphen that a line ended with; `lines.py` knows it

_LEVEL = 0.35  # of the size of the letters: words on one line may differ by this
_RAISED, _SMALLER = 0.45, 0.88  # and smaller ones, which may be raised or lowered, by this
_SPACE = 0.12  # of the size of the letters: a raised or lowered word that is so near belongs to its neighbour
_STRIP = 0.7  # a wider gap may be the strip between two columns
_WIDE = 1.6  # gaps so wide, at the same place in several lines, make a table
_OFTEN = 0.2  # of the lines of a small table have cells beside each other
_LEADING = 1.45  # times the usual distance of lines: a paragraph ends
_ROW = 1.35  # times the usual distance of lines: a row of a table ends
_FEWEST_LINES = 3  # of a column
_PROSE = 3  # words in a line of a column
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\U00020000-\U0003ffff]")
_MOSTLY, _LETTERS = 0.6, 0.75  # shares of lines, and of characters
_MANY_LINES, _SELDOM = 8, 0.4  # lines of two columns seldom stand on the same level; rows of tables do
_SHARED = 0.5  # of the height of the shorter column that the other one stands beside
_MOST_STARTS = 8  # places that are tried as the left edge of a column
_MOST_RUNS = 5000  # of a page; a drawing may have any number of labels
_DEEPEST = 4  # columns within columns


_Item = TypeVar("_Item", Word, Run)


def text_of(words: Iterable[Word]) -> str:
    """Return a page's words as text: lines, blank lines between paragraphs, tabs between cells."""
    runs = _runs([word for word in words if word.size > 0])
    return _joined(list(_blocks(runs, _DEEPEST)))


def lines_of(words: Iterable[Word]) -> list[list[Word]]:
    """Put words on lines, from top to bottom and left to right."""
    return _lines([word for word in words if word.size > 0])


def cell_of(words: Iterable[Word]) -> str:
    """Return the words of one cell as text."""
    lines = map(unspaced, lines_of(words))
    return _cell([_run_text(Run(tuple(line), 0, 0, 0, 0)) for line in lines] or [""])


def _runs(words: Sequence[Word]) -> list[Run]:
    """Cut the lines of a page where a strip may be."""
    found = []
    for line in map(unspaced, _lines(words)):
        start = 0
        for at in range(1, len(line) + 1):
            if at == len(line) or _gap(line[at - 1], line[at]) > _STRIP * max(line[at - 1].size, line[at].size):
                part = line[start:at]
                right = max(word.right for word in part)
                size = max(word.size for word in part)
                found.append(Run(tuple(part), part[0].left, right, part[0].base, size))
                start = at
    return found


def _lines(items: Sequence[_Item]) -> list[list[_Item]]:
    """Collect what is on one line, raised and lowered words too; from top to bottom, left to right."""
    lines: list[list[_Item]] = []
    for item in sorted(items, key=lambda item: -item.base):
        near = (line for line in reversed(lines[-3:]) if _on_line(item, line))
        line = next(near, None)
        if line is None:
            lines.append([item])
        else:
            line.append(item)
    return [sorted(line, key=lambda item: item.left) for line in lines]


def _on_line(item: _Item, line: Sequence[_Item]) -> bool:
    """Return whether something stands on a line, or beside its letters a little higher or lower."""
    tallest = max(line[-12:], key=lambda each: each.size)
    larger, smaller = max(tallest.size, item.size), min(tallest.size, item.size)
    distance = abs(tallest.base - item.base)
    if distance < _LEVEL * smaller:
        return True
    raised = distance < _RAISED * larger and smaller < _SMALLER * larger
    return raised and all(min(item.right, each.right) - max(item.left, each.left) < 0.1 * smaller for each in line)


def _gap(before: Word, after: Word) -> float:
    return after.left - before.right


@dataclass(frozen=True)
class _Block:
    """Lines that are read one after the other, each as runs; a table's runs are cells."""

    rows: tuple[tuple[Run, ...], ...]
    table: bool = False


def _blocks(runs: Sequence[Run], deeper: int) -> Iterator[_Block]:
    """Yield what a part of a page consists of, in reading order."""
    strip = _best_strip(runs) if deeper and len(runs) <= _MOST_RUNS else None
    if strip is None:
        if runs:
            yield _Block(_rows(runs), _is_table(runs))
        return
    across: list[Run] = []
    for band in _bands(runs, strip):
        parts = _parts(band, strip)
        if not parts:
            across += band
            continue
        if across:
            yield _Block(_rows(across), _is_table(across))
            across = []
        for part in parts:
            yield from _blocks(part, deeper - 1)
    if across:
        yield _Block(_rows(across), _is_table(across))


def _best_strip(runs: Sequence[Run]) -> float | None:
    """Find the strip between two columns that has most words at its sides; None if there are no columns."""
    best, most = None, 0
    for strip in _starts(runs):
        beside = sum(len(run.words) for band in _bands(runs, strip) if _parts(band, strip) for run in band)
        if beside > most:
            best, most = strip, beside
    return best


def _parts(band: Sequence[Run], strip: float) -> list[list[Run]]:
    """Return what is read one after the other at the sides of a strip: columns, or the cells of rows; or nothing."""
    if any(_crosses(run, strip) for run in band):
        return []
    left, right = ([run for run in band if (run.left < strip) == side] for side in (True, False))
    if min(len(left), len(right)) < _FEWEST_LINES:
        return []
    sides = [_rows(side) for side in (left, right)]
    if min(map(len, sides)) < _FEWEST_LINES or not _side_by_side(*sides):
        return []
    if min(map(len, sides)) >= _MANY_LINES and _aligned(*sides) < _SELDOM:
        return [left, right]
    if not all(map(_is_prose, sides)):
        return []
    borders = _common_gaps(*sides)
    return list(_cells(left, right, borders)) if borders else [left, right]


def _starts(runs: Sequence[Run]) -> list[float]:
    """Return where several lines begin at the same distance from the left, the most frequent first."""
    counts: dict[int, list[float]] = {}
    for run in runs:
        counts.setdefault(round(run.left / 4), []).append(run.left)
    several = [lefts for lefts in counts.values() if len(lefts) >= _FEWEST_LINES]
    several.sort(key=len, reverse=True)
    return [min(lefts) - 0.5 for lefts in several[:_MOST_STARTS]]


def _crosses(run: Run, strip: float) -> bool:
    return run.left < strip < run.right


def _bands(runs: Sequence[Run], strip: float) -> Iterator[list[Run]]:
    """Cut a part of a page into bands that no run crosses the strip in, and the runs between that do."""
    crossing = sorted((run for run in runs if _crosses(run, strip)), key=lambda run: -run.base)
    others = sorted((run for run in runs if not _crosses(run, strip)), key=lambda run: -run.base)
    at, across = 0, list[Run]()
    for run in crossing:
        level = run.base + 0.2 * run.size
        band = []
        while at < len(others) and others[at].base > level:
            band.append(others[at])
            at += 1
        if band:
            if across:
                yield across
            across = []
            yield band
        across.append(run)
        while at < len(others) and abs(others[at].base - run.base) <= 0.2 * run.size:
            across.append(others[at])
            at += 1
    if across:
        yield across
    if others[at:]:
        yield others[at:]


def _side_by_side(left: Sequence[Sequence[Run]], right: Sequence[Sequence[Run]]) -> bool:
    """Return whether two parts stand at the same height."""
    (top, bottom), (other_top, other_bottom) = _extent(left), _extent(right)
    shared = min(top, other_top) - max(bottom, other_bottom)
    return shared >= _SHARED * min(top - bottom, other_top - other_bottom)


def _is_prose(rows: Sequence[Sequence[Run]]) -> bool:
    """Return whether lines are mostly sentences: several words, which are no numbers, without wide gaps."""
    whole = sum(len(row) == 1 or all(_length(run) >= _PROSE for run in row) for row in rows)
    text = "".join(word.text for row in rows for run in row for word in run.words)
    letters = sum(character.isalpha() or not character.isascii() for character in text)
    several = median(sum(_length(run) for run in row) for row in rows) >= _PROSE
    return several and whole >= _MOSTLY * len(rows) and letters >= _LETTERS * len(text)


def _length(run: Run) -> int:
    """Count words; a script without spaces has none between them."""
    return sum(len(word.text.split()) + len(_UNSPACED.findall(word.text)) // 3 for word in run.words)


def _aligned(left: Sequence[Sequence[Run]], right: Sequence[Sequence[Run]]) -> float:
    """Return which share of the shorter side's lines has a line beside it, as the rows of a table have."""
    fewer, more = sorted((left, right), key=len)
    bases = sorted(row[0].base for row in more)
    beside = 0
    for row in fewer:
        at = bisect_left(bases, row[0].base)
        near = min(abs(base - row[0].base) for base in bases[max(0, at - 1) : at + 1] or [inf])
        beside += near < 0.15 * row[0].size
    return beside / len(fewer)


def _extent(rows: Sequence[Sequence[Run]]) -> tuple[float, float]:
    return rows[0][0].base, rows[-1][0].base


def _common_gaps(left: Sequence[Sequence[Run]], right: Sequence[Sequence[Run]]) -> list[float]:
    """Return the heights of empty strips across both parts, if they separate the rows of a table."""
    gaps = [_wide_gaps(rows) for rows in (left, right)]
    shared = [
        (min(top, above) + max(bottom, below)) / 2
        for top, bottom in gaps[0]
        for above, below in gaps[1]
        if min(top, above) - max(bottom, below) > 0
    ]
    return shared if len(shared) >= 2 and len(shared) >= _MOSTLY * max(map(len, gaps)) else []


def _cells(left: Sequence[Run], right: Sequence[Run], borders: Sequence[float]) -> Iterator[list[Run]]:
    """Yield the cells of a table of two columns, row by row."""
    for above, below in pairwise([inf, *sorted(borders, reverse=True), -inf]):
        for side in (left, right):
            yield [run for run in side if below < run.base <= above]


def _wide_gaps(rows: Sequence[Sequence[Run]]) -> list[tuple[float, float]]:
    bases = [row[0].base for row in rows]
    if len(bases) < 2:
        return []
    usual = _usual_distance(rows)
    return [(above, below) for above, below in pairwise(bases) if above - below > _ROW * usual]


def _usual_distance(rows: Sequence[Sequence[Run]]) -> float:
    """Return the distance of lines inside a paragraph: small among those that there are."""
    distances = sorted(above[0].base - below[0].base for above, below in pairwise(rows))
    return max(distances[len(distances) // 4], 0.8 * median(row[0].size for row in rows)) if distances else 0.0


def _rows(runs: Sequence[Run]) -> tuple[tuple[Run, ...], ...]:
    """Put the runs of a part of a page into lines, from top to bottom and left to right."""
    return tuple(map(tuple, _lines(runs)))


def _is_table(runs: Sequence[Run]) -> bool:
    """Return whether several lines have cells that begin at the same places; two, if many lines have cells."""
    rows = _rows(runs)
    cells = [run.left for row in rows for before, run in pairwise(row) if _wide(before, run)]
    places = [round(left / 6) for left in cells]
    most = max((places.count(place) + places.count(place + 1) for place in set(places)), default=0)
    several = sum(any(_wide(*pair) for pair in pairwise(row)) for row in rows)
    return most >= _FEWEST_LINES or (most > 1 and several >= max(_FEWEST_LINES, _OFTEN * len(rows)))


def _wide(before: Run, after: Run) -> bool:
    return after.left - before.right > _WIDE * min(before.size, after.size)


def _joined(blocks: Sequence[_Block]) -> str:
    pieces: list[str] = []
    for block in blocks:
        lines = [LINE.join(map(_row, rows_of(block.rows)))] if block.table else list(_paragraphs(block.rows))
        if pieces:
            pieces.append(LINE if _goes_on(pieces[-1], lines[0]) else PARAGRAPH)
        pieces += lines
    return "".join(pieces)


def _goes_on(before: str, after: str) -> bool:
    """Return whether a sentence goes on, as from one column to the next."""
    return after[:1].islower() and before[-1:].isalpha() and "\t" not in before and "\t" not in after


def _paragraphs(rows: Sequence[Sequence[Run]]) -> Iterator[str]:
    """Yield lines, and what stands between them."""
    usual = _usual_distance(rows)
    for number, row in enumerate(rows):
        if number:
            distance = rows[number - 1][0].base - row[0].base
            apart = distance > _LEADING * usual and not (_in_grid(rows[number - 1]) and _in_grid(row))
            yield PARAGRAPH if apart else LINE
        yield " ".join(map(_run_text, row))


def _in_grid(row: Sequence[Run]) -> bool:
    """Return whether a line is the row of a table that lines are drawn around (`grids.py`)."""
    return any(CELL in word.text for word in row[0].words)


def _row(cells: Cells) -> str:
    """Write a row of a table."""
    return CELL.join(_cell([_run_text(run) for run in cell]) for cell in cells)


def _cell(lines: Sequence[str]) -> str:
    """Join the lines of a cell."""
    text = lines[0]
    for line in lines[1:]:
        cut = len(text) > 1 and text[-1] == "-" and text[-2].isalpha() and line[:1].islower()
        text = f"{text[:-1]}{CUT}{line}" if cut else f"{text} {line}"
    return text


def _run_text(run: Run) -> str:
    parts = [run.words[0].text]
    for before, after in pairwise(run.words):
        near = abs(_gap(before, after)) < _SPACE * min(before.size, after.size)
        script = before.base != after.base and min(before.size, after.size) < _SMALLER * max(before.size, after.size)
        parts += ["" if near and script else " ", after.text]
    return "".join(parts)
