"""The names of a table's columns: whether a row holds them, and the values with their names."""

from __future__ import annotations

import re

_LONGEST = 2  # times as long as the values that names before them may be
_NUMBER = re.compile(r"[-+]?[\d.,]+%?$")


_YEAR = re.compile(r"(?:1[89]|20)\d\d$")


def name_columns(cells: list[str]) -> bool:
    """Return whether a row holds column names, not data; years that follow a name are names.

    >>> name_columns(["Item", "Due"]), name_columns(["Town", "2021", "2022"]), name_columns(["Oslo", "2021"])
    (True, True, False)
    """
    years = [cell for cell in cells[1:] if _YEAR.match(cell)]
    named = [cell for cell in cells if cell not in years] if len(years) > 1 else cells
    return len(set(cells)) == len(cells) > 1 and not any(_NUMBER.match(cell) or not cell for cell in named)


def before_values(names: list[str], rows: list[list[str]]) -> list[str]:
    """Return the names that are written before the values of their columns; none where they are far longer than these.

    >>> before_values(["Item", "Due"], [["Ladder 7", "12 March"], ["Boat house", "1 May"]])
    ['Item', 'Due']
    >>> before_values(["Item", "Height in metres"], [["Oar", "2"], ["Sail", "9"]])
    []
    """
    said = sum(len(cell) for row in rows for cell in row)
    needed = sum(len(name) + 2 for row in rows for name, cell in zip(names, row, strict=False) if cell)
    return [name.rstrip(": ") for name in names] if rows and needed <= _LONGEST * said else []


def with_names(cells: list[str], names: list[str]) -> list[str]:
    """Write the names of columns before the values, so that a row reads as a sentence.

    >>> with_names(["Ladder 7", "", "12 March", "x"], ["Item", "Owner", "Due"])
    ['Item: Ladder 7', '', 'Due: 12 March', 'x']
    """
    named = [f"{name}: {cell}" if name and cell else cell for name, cell in zip(names, cells, strict=False)]
    return named + cells[len(named) :]
