"""The numbers of lists, which programs count and readers see: 3, c, C, iii, III."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_DIGITS = "零一二三四五六七八九"
_CIRCLED = 20  # the last number in a circle
_MOST = 4000  # above it a number is written in digits


def numbered(number: int, style: str) -> str:
    """Write a number in one of the styles 1, 01, 1st, a, A, i, I, ①, 一; any other is digits.

    >>> numbered(3, "1"), numbered(28, "a"), numbered(4, "I"), numbered(3, "01"), numbered(22, "1st")
    ('3', 'ab', 'IV', '03', '22nd')
    >>> numbered(7, "①"), numbered(12, "一"), numbered(230, "一"), numbered(1005, "一")
    ('⑦', '十二', '二百三十', '一千零五')
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


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _circled(number: int) -> str:
    return chr(ord("①") + number - 1) if number <= _CIRCLED else str(number)


def _chinese(number: int) -> str:
    found, zero = "", False
    for value, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, value)
        if digit:
            found += ("零" if zero else "") + _DIGITS[digit] + sign
        zero = bool(found) and not digit
    return found.removeprefix("一") if found.startswith("一十") else found


_STYLES: dict[str, Callable[[int], str]] = {
    "01": lambda number: f"{number:02}",
    "1st": _ordinal,
    "①": _circled,
    "一": _chinese,
    "a": _letters,
    "A": lambda number: _letters(number).upper(),
    "i": _roman,
    "I": lambda number: _roman(number).upper(),
}
