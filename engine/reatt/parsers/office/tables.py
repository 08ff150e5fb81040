"""CSV -> text: each row with the columns' names before its values; these names also become the heading of passages."""

from __future__ import annotations

import csv as reader
import io
import re
from collections.abc import Iterator

from reatt.parsers.columns import before_values, is_number, name_columns, with_names
from reatt.parsers.content import Content
from reatt.parsers.superscripts import with_marks

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 16  # characters that tell the delimiter and the row of names
_ABOVE = 20  # rows before the names: who exported what, and when
_WITHOUT_FIRST = 2  # columns, of which the first may have no name
_SEPARATOR = re.compile(r"sep=.?\Z")  # says the delimiter, to one program


def csv(text: str) -> Content:
    """Write a table row by row, each on its own lines; one without a row that names its columns is kept as it is.

    >>> csv("Item,Due\\nLadder 7,12 March\\n").text
    'Item\\tDue\\nItem: Ladder 7\\tDue: 12 March\\n'
    """
    text, whole = with_marks(text.lstrip("\ufeff")), text
    found = {mark: at for mark in _DELIMITERS if (at := _place(_rows(text[:_SAMPLE], mark))) is not None}
    if not found:
        return Content("", whole)
    delimiter = max(found, key=lambda mark: text[:_SAMPLE].count(mark))
    rows, at = _rows(text, delimiter), found[delimiter]
    if len(rows) <= at or 2 * sum(len(row) == len(rows[at]) for row in rows[at + 1 :]) < len(rows) - at - 1:
        return Content("", whole)
    above = [[] if _SEPARATOR.match("".join(row)) else row for row in rows[:at]]
    written = ["\t".join(_stripped(row)) for row in above]
    start, headings = sum(len(line) + 1 for line in written), list[tuple[int, str]]()
    for names, below in _tables(rows[at:]):
        headings.append((start, ", ".join(filter(None, names))))
        before = before_values(names, below)
        lines = ["\t".join(with_names(row, before) if before else row).rstrip("\t") for row in below]
        lines.insert(0, "\t".join(names))
        start += sum(len(line) + 1 for line in lines)
        written += lines
    return Content("", "".join(f"{line}\n" for line in written), headings=tuple(headings))


def _tables(rows: list[list[str]]) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the names and the rows of each table; a further one begins behind an empty row, with names of its own."""
    starts = [0, *(at for at in range(2, len(rows) - 1) if not any(rows[at - 1]) and _begins(rows[at], rows[at + 1]))]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield _stripped(rows[start]), rows[start + 1 : end]


def _begins(row: list[str], below: list[str]) -> bool:
    """Return whether a row names columns: the one below it has numbers where it has none."""
    return name_columns(_stripped(row)) and any(
        name and is_number(cell) and not is_number(name) for name, cell in zip(row, below, strict=False)
    )


def _place(rows: list[list[str]]) -> int | None:
    """Return the place of the row that names the columns: the first one that few rows below it are wider than.

    The first column may have no name. No later row is taken where the first row of a table has no other than texts.
    """
    widths = [len(_stripped(row)) for row in rows]
    for at, row in enumerate(rows[: _ABOVE + 1]):
        wider = sum(width > widths[at] for width in widths[at + 1 :])
        if 2 * wider > len(rows) - at - 1 or (at and at + 1 >= len(rows)):
            continue
        names = _stripped(row)
        if name_columns(names[1:] if len(names) > _WITHOUT_FIRST and not names[0] else names):
            return at
        if widths[at] > 1 and not any(map(is_number, names)) and not any(map(_SEPARATOR.match, row)):
            return at if "" in names else None
    return None


def _stripped(row: list[str]) -> list[str]:
    """Return a row without the empty cells at its end."""
    width = max((at for at, cell in enumerate(row, 1) if cell), default=0)
    return row[:width]


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Read the cells of each row; none if this is no table."""
    try:
        return [[cell.strip() for cell in row] for row in reader.reader(io.StringIO(text, None), delimiter=delimiter)]
    except reader.Error:
        return []
