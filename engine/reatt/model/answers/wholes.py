"""Texts that an answer never splits, and borders that it never crosses.

A number keeps its digits, its percent sign and its currency ("1,280", "5 %", "$3.50", "10:30"). A telephone number
keeps its groups ("0800 55 71 23"). An answer never extends from one table cell, row or setting into the next, or across
a blank line.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"[$€£¥]? ?\d+(?:[.,:’]\d+)*(?: ?[%‰°€])?")
TELEPHONE = re.compile(r"(?:\+\d{1,3}|(?<!\d)0\d{1,4})(?:[ ./-]\(?\d{2,}\)?)+")
# A line is a row if it has a tab, or begins with a name and a colon, a bullet, a number and a point, a date or a time.
# Cells of CSV have no space after their comma or semicolon; a comma between digits may be part of a number.
_ROW = r"[^\n\t]*+\t|[^\S\n]{0,40}(?:\w[\w .]{0,30}: |[-*•◦▪] |\[?\d{1,4}(?:[.)] |[./:-]\d{1,2}(?:[./:-]|\b)))"
BORDER = re.compile(rf"[\t|]|\n\s*\n|\n(?={_ROW})|;(?=\S)|(?<=[^\s\d]),(?=\S)|,(?=[^\s\d])")


def inside(text: str) -> frozenset[int]:
    """Return the positions inside numbers and telephone numbers, where no answer may begin or end.

    >>> text = "It costs 1,280 euros."
    >>> [text[at - 1 : at + 1] for at in sorted(inside(text))]
    ['1,', ',2', '28', '80']
    """
    found = (match for kind in (NUMBER, TELEPHONE) for match in kind.finditer(text))
    return frozenset(at for match in found for at in range(_start(match) + 1, match.end()))


def border(text: str, start: int, end: int) -> bool:
    """Return whether a border of table cells or paragraphs lies between two positions of a text.

    >>> texts = ("31 euros,5", "1,280 euros", "a day, or two", "Kestrel;49", "9 kg\\nHive: H2", "a long\\nway")
    >>> [border(text, 0, len(text)) for text in texts]
    [True, False, False, True, True, False]
    """
    found = BORDER.search(text, start)  # what follows `end` says whether a comma is a border
    return found is not None and found.start() < end


def _start(match: re.Match[str]) -> int:
    """Return the start of a match without the space that may precede a number."""
    return match.start() + (match.group()[0] == " ")
