"""Which tables of a page hold data, and in which column each of their cells stands; others only place things."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from reatt.parsers.columns import before_values, name_columns

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_WHOLE = re.compile(r"[0-9]{1,4}")
_WIDEST, _LONGEST_CELL = 64, 1000  # columns; characters of a cell of data
_HIGHEST = 3  # rows of names
_SAMPLE = 20  # rows that are looked at
_PLACING = ("presentation", "none")  # roles of tables that only place things


class Head(NamedTuple):
    """What stands above the values of a table."""

    names: list[str]  # of the columns, that are written before their values
    rows: int


class Columns:
    """Counts the columns of one table of data, with cells that span several columns or rows."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._row = -1
        self._column = 0
        self._spans: dict[int, int] = {}  # column -> rows that a cell from above still covers

    def begin_row(self) -> None:
        """Begin a row; cells from above reach down behind the last cell of the row before it, too."""
        self._spans = {at: rows - (at >= self._column and rows > 0) for at, rows in self._spans.items()}
        self._row += 1
        self._column = 0

    def name(self) -> str:
        """Return what is written before the words of the cell that has begun."""
        named = self._row >= self._head.rows and self._column < len(self._head.names)
        return f"{self._head.names[self._column]}: " if named else ""

    def begin_cell(self) -> int:
        """Return how many columns are left empty by cells that reach down from above."""
        start = self._column
        while self._spans.get(self._column, 0) > 0:
            self._spans[self._column] -= 1
            self._column += 1
        return self._column - start

    def end_cell(self, cell: LexborNode) -> int:
        """Return how many columns a cell takes."""
        width = min(_number(cell, "colspan"), _WIDEST)
        height = _number(cell, "rowspan")
        for column in range(self._column, min(self._column + width, _WIDEST)):
            self._spans[column] = height - 1
        self._column += width
        return width


def holds_data(table: LexborNode) -> bool:
    """Return whether a table holds data: rows of cells, and nothing else within these."""
    within = table.css_first("h1, h2, h3, h4, h5, h6, form") or len(table.css("table")) > 1  # the first is itself
    if table.attributes.get("role") in _PLACING or within:
        return False
    rows = table.css("tr")
    wide = sum(sum(child.tag in ("td", "th") for child in row.iter()) > 1 for row in rows)
    return wide >= 2 and all(len(cell.text()) <= _LONGEST_CELL for cell in table.css("td, th"))


def head_of(table: LexborNode) -> Head:
    """Return the names of a table's columns if they are to stand before its values: its first rows have nothing else.

    Above them may stand titles, each a row of one cell; names of groups stand before those below.
    """
    rows = [[child for child in row.iter() if child.tag in ("td", "th")] for row in table.css("tr")[: _SAMPLE + 1]]
    first = next((at for at, row in enumerate(rows) if len(row) > 1), len(rows))
    named = list(takewhile(_names_columns, rows[first : first + _HIGHEST]))
    names, below = _spread(named), [[_text(cell) for cell in row] for row in rows[first + len(named) :]]
    found = before_values(names, below) if name_columns(names) else []
    return Head(found, first + len(named))


def _names_columns(row: list[LexborNode]) -> bool:
    above = row[0].parent.parent if row and row[0].parent is not None else None
    return bool(row) and (all(cell.tag == "th" for cell in row) or (above is not None and above.tag == "thead"))


def _spread(rows: list[list[LexborNode]]) -> list[str]:
    """Return what the cells of some rows say of each column, from above."""
    said: dict[int, list[str]] = {}
    covered: set[tuple[int, int]] = set()  # rows and columns
    for at, row in enumerate(rows):
        column = 0
        for cell in row:
            while (at, column) in covered:
                column += 1
            width, height = min(_number(cell, "colspan"), _WIDEST), min(_number(cell, "rowspan"), len(rows) - at)
            covered |= {(at + down, column + right) for down in range(height) for right in range(width)}
            for right in range(width):
                words = said.setdefault(column + right, [])
                words += [text] if (text := _text(cell)) and text not in words else []
            column += width
    return [" ".join(said.get(column, [])) for column in range(max(said, default=-1) + 1)]


def _text(cell: LexborNode) -> str:
    return " ".join(cell.text().split())


def _number(cell: LexborNode, name: str) -> int:
    written = cell.attributes.get(name) or ""
    return max(int(written), 1) if _WHOLE.fullmatch(written) else 1
