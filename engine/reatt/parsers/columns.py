"""The names of a table's columns: whether a row holds them, and the values with their names."""

from __future__ import annotations

import re

_LONGEST = 2  # times as long as the values that names before them may be
_NUMBER = re.compile(r"[-+]?[\d.,]+%?$")


_YEAR = re.compile(r"(?:1[89]|20)\d\d$")


def is_number(cell: str) -> bool:
    """Return whether a cell holds a number."""
    return _NUMBER.match(cell) is not None


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
    if len(names) == 2 and _is_form([row[1] for row in rows if len(row) > 1 and row[1]]):
        return []
    said = sum(len(cell) for row in rows for cell in row)
    needed = sum(len(name) + 2 for row in rows for name, cell in zip(names, row, strict=False) if cell)
    return [name.rstrip(": ") for name in names] if rows and needed <= _LONGEST * said else []


def _is_form(values: list[str]) -> bool:
    """Return whether the values beside names are of different kinds, as in a form, not of one kind as in a column."""
    return 0 < sum(map(is_number, values)) < len(values)


def grouped(groups: list[str], names: list[str]) -> list[str]:
    """Join the names of groups of columns with those of the columns below; [] if these are no such rows.

    >>> grouped(["", "North", "", "South"], ["Item", "Sold", "Kept", "Sold", "Kept"])
    ['Item', 'North Sold', 'North Kept', 'South Sold', 'South Kept']
    >>> grouped(["Item", "North", ""], ["", "Sold", "Kept"]), grouped(["Item", "Due"], ["Oar", "May"])
    (['Item', 'North Sold', 'North Kept'], [])
    """
    upper = groups + [""] * (len(names) - len(groups))
    below = [name for group, name in zip(upper, names, strict=False) if group]
    gaps = sum(not group for group in upper[1:])
    several = sum(map(bool, groups)) > 1 and len(upper) == len(names)
    if not several or not gaps or not any(below) or any(map(is_number, [*groups, *names])):
        return []
    current, joined = "", list[str]()
    for group, name in zip(upper, names, strict=True):
        if not group and not name:
            return []
        current = group or current
        joined.append(f"{current} {name}".strip())
    return joined if len(set(joined)) == len(joined) else []


def with_names(cells: list[str], names: list[str]) -> list[str]:
    """Write the names of columns before the values, so that a row reads as a sentence.

    >>> with_names(["Ladder 7", "", "12 March", "x"], ["Item", "Owner", "Due"])
    ['Item: Ladder 7', '', 'Due: 12 March', 'x']
    """
    named = [f"{name}: {cell}" if name and cell else cell for name, cell in zip(names, cells, strict=False)]
    return named + cells[len(named) :]
