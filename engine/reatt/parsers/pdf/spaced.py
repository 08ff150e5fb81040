"""Words whose letters stand apart, as in headings ("A N N U A L  R E P O R T"), put together. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_FEWEST, _AMONG_WORDS = 4, 5  # letters in a row, on a line of their own and among words
_BORDER = 1.7  # times the gap between the letters: a word ends
_WIDEST = 1.2  # of the size of the letters: wider gaps part the cells of a table
_LETTERS = 0.6  # share of what stands there


class Word(NamedTuple):
    """A word: its text, its left and right edge, the line that it stands on, and the size of its letters."""

    text: str
    left: float
    right: float
    base: float
    size: float


def unspaced(line: Sequence[Word]) -> list[Word]:
    """Put the letters of a line together that are words."""
    found: list[Word] = []
    at = 0
    while at < len(line):
        end = at
        while end < len(line) and len(line[end].text) == 1:
            end += 1
        letters = line[at:end]
        if _is_spaced(letters, alone=len(letters) == len(line)):
            found += _words(letters)
        else:
            found += letters or line[at : at + 1]
        at = max(end, at + 1)
    return found


def _is_spaced(letters: Sequence[Word], *, alone: bool) -> bool:
    """Return whether letters are words; a list of letters (A B C D) is none, nor are the cells of a table."""
    if len(letters) < (_FEWEST if alone else _AMONG_WORDS):
        return False
    steps = {ord(after.text) - ord(before.text) for before, after in pairwise(letters)}
    named = sum(letter.text.isalpha() for letter in letters)
    return steps not in ({0}, {1}) and named >= _LETTERS * len(letters) and _gap(letters) < _WIDEST * letters[0].size


def _words(letters: Sequence[Word]) -> list[Word]:
    border = _BORDER * max(_gap(letters), 0.1 * letters[0].size)
    found = [[letters[0]]]
    for before, after in pairwise(letters):
        if after.left - before.right > border:
            found.append([])
        found[-1].append(after)
    return [
        Word(
            "".join(each.text for each in word),
            word[0].left,
            word[-1].right,
            word[0].base,
            max(each.size for each in word),
        )
        for word in found
    ]


def _gap(letters: Sequence[Word]) -> float:
    """Return the gap between two letters of a word: one of the smaller ones."""
    gaps = sorted(after.left - before.right for before, after in pairwise(letters))
    return gaps[len(gaps) // 4]
