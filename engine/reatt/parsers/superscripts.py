"""Superscripts as a reader understands them: `10^6` for an exponent, ` [1]` for the mark of a note, letters as letters.

Written without a sign, the exponent of 10 would become a digit of the number before it, and so would a note's mark.
"""

from __future__ import annotations

import re

_EXPONENT = re.compile(r"[+\-\u2212\u2013]?\d+(?:[.,/]\d+)?[+\-\u2212]?|[+\-\u2212]?[A-Za-z]|[+\-\u2212]\w+")
_MARK = re.compile(r"\[?\(?(?:\d{1,3}|[a-z])\)?\]?(?:[,\s\u2013-]+\[?(?:\d{1,3}|[a-z])\]?)*")
_ORDINALS = frozenset("st nd rd th e er re o a".split())  # also of French, Spanish, Italian
_BASE = re.compile(r"(?:\d|[)\]}]|(?<![^\W\d_])[^\W\d_]{1,3})\Z")  # a number, a bracket, a unit or a variable
_NUCLIDE = re.compile(r"[A-Z][a-z]?(?![A-Za-z])")  # as in carbon-14


def raised(before: str, text: str, after: str = "", *, linked: bool = False) -> str:
    """Write a superscript that stands between two texts; `linked`: it leads somewhere, as the mark of a note does.

    >>> raised("about 10", "6"), raised("an area of 5 m", "2"), raised("on the 4", "th"), raised("10", "-3")
    ('^6', '^2', 'th', '^-3')
    >>> raised("of the income", "3"), raised("It rained.", "1, 2"), raised("10", "6", linked=True)
    (' [3]', ' [1, 2]', ' [6]')
    """
    words = " ".join(text.split())
    if linked or words.startswith("["):
        return _set_apart(before, words)
    if _EXPONENT.fullmatch(words) and words not in _ORDINALS and (_BASE.search(before) or not words[0].isalnum()):
        return f"^{words}"
    if words.isdecimal() and _NUCLIDE.match(after):
        return f"^{words}"
    return _set_apart(before, words) if _MARK.fullmatch(words) and words not in _ORDINALS else words


def _set_apart(before: str, words: str) -> str:
    mark = words.strip("[]() ")
    gap = " " if before and not before[-1].isspace() else ""
    return f"{gap}[{mark}]" if mark else ""
