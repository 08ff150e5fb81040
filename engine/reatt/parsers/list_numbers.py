"""The numbers of lists, which programs count and readers see: 3, c, C, iii, III."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MOST = 4000  # above it a number is written in digits


def numbered(number: int, style: str) -> str:
    """Write a number in one of the styles 1, a, A, i, I; any other is digits.

    >>> numbered(3, "1"), numbered(28, "a"), numbered(4, "I")
    ('3', 'ab', 'IV')
    """
    write = _STYLES.get(style) if 0 < number < _MOST else None
    return write(number) if write else str(number)


def _letters(number: int) -> str:
    found = ""
    while number:
        number, letter = divmod(number - 1, 26)
        found = chr(ord("a") + letter) + found
    return found


def _roman(number: int) -> str:
    found = ""
    for value, letters in _ROMAN:
        found += letters * (number // value)
        number %= value
    return found


_STYLES: dict[str, Callable[[int], str]] = {
    "a": _letters,
    "A": lambda number: _letters(number).upper(),
    "i": _roman,
    "I": lambda number: _roman(number).upper(),
}
