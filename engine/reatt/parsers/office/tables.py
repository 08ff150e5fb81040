"""CSV -> text: each row with the columns' names before its values; these names also become the heading of passages."""

from __future__ import annotations

import csv as reader
import io
import re

from reatt.parsers.columns import before_values, name_columns, with_names
from reatt.parsers.content import Content

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 16  # characters that tell the delimiter and the row of names
_ABOVE = 20  # rows before the names: who exported what, and when
_SEPARATOR = re.compile(r"sep=.?\Z")  # says the delimiter, to one program


def csv(text: str) -> Content:
    """Write a table row by row, each on its own lines; one without a row that names its columns is kept as it is.

    >>> csv("Item,Due\\nLadder 7,12 March\\n").text
    'Item\\tDue\\nItem: Ladder 7\\tDue: 12 March\\n'
    """
    text, whole = text.lstrip("\ufeff"), text
    found = {mark: at for mark in _DELIMITERS if (at := _place(_rows(text[:_SAMPLE], mark))) is not None}
    if not found:
        return Content("", whole)
    delimiter = max(found, key=lambda mark: text[:_SAMPLE].count(mark))
    rows, at = _rows(text, delimiter), found[delimiter]
    if len(rows) <= at or 2 * sum(len(row) == len(rows[at]) for row in rows[at + 1 :]) < len(rows) - at - 1:
        return Content("", whole)
    names, below = _stripped(rows[at]), rows[at + 1 :]
    before = before_values(names, below)
    above = [[] if _SEPARATOR.match("".join(row)) else row for row in rows[:at]]
    written = ["\t".join(_stripped(row)) for row in [*above, names]]
    start = sum(len(line) + 1 for line in written[:-1])
    written += ["\t".join(with_names(row, before) if before else row).rstrip("\t") for row in below]
    return Content("", "".join(f"{line}\n" for line in written), headings=((start, ", ".join(names)),))


def _place(rows: list[list[str]]) -> int | None:
    """Return the place of the row that names the columns: the first one that few rows below it are wider than."""
    widths = [len(_stripped(row)) for row in rows]
    for at, row in enumerate(rows[: _ABOVE + 1]):
        wider = sum(width > widths[at] for width in widths[at + 1 :])
        if name_columns(_stripped(row)) and 2 * wider <= len(rows) - at - 1 and (at == 0 or at + 1 < len(rows)):
            return at
    return None


def _stripped(row: list[str]) -> list[str]:
    """Return a row without the empty cells at its end."""
    width = max((at for at, cell in enumerate(row, 1) if cell), default=0)
    return row[:width]


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Read the cells of each row; none if this is no table."""
    try:
        return [[cell.strip() for cell in row] for row in reader.reader(io.StringIO(text), delimiter=delimiter)]
    except reader.Error:
        return []
