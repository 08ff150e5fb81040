"""What an answer holds whole or not at all, and what it never crosses.

A number keeps its digits, its percent sign and its currency ("1,280", "5 %", "$3.50", "10:30"). A telephone number
keeps its groups ("0800 55 71 23"). A stretch never runs from one cell of a table into the next, or over a blank line.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"[$€£¥]? ?\d+(?:[.,:’]\d+)*(?: ?[%‰°€])?")
TELEPHONE = re.compile(r"(?:\+\d{1,3}|(?<!\d)0\d{1,4})(?:[ ./-]\(?\d{2,}\)?)+")
BORDER = re.compile(r"[\t|]|\n\s*\n")


def inside(text: str) -> frozenset[int]:
    """Return the places within numbers and telephone numbers, where no answer begins or ends.

    >>> text = "It costs 1,280 euros."
    >>> [text[at - 1 : at + 1] for at in sorted(inside(text))]
    ['1,', ',2', '28', '80']
    """
    found = (match for kind in (NUMBER, TELEPHONE) for match in kind.finditer(text))
    return frozenset(at for match in found for at in range(_start(match) + 1, match.end()))


def border(text: str, start: int, end: int) -> bool:
    """Say whether a border of cells or paragraphs lies between two places of a text."""
    return BORDER.search(text, start, end) is not None


def _start(match: re.Match[str]) -> int:
    """Leave out the space that may stand before a number."""
    return match.start() + (match.group()[0] == " ")
