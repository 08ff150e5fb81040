"""Values that can be compared: moments and amounts by their order, names by whether they are the same."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from reatt.answering.distinct import content
from reatt.answering.kinds import AMOUNT, TIME

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = {name[:length]: number for number, name in enumerate(_MONTHS, 1) for length in (3, len(name))} | {"sept": 9}
_YEAR = re.compile(r"(?<![\d.,])([1-9]\d{2,3}|\d{1,6}(?=\s*bc\b))(?![\d,]*\d)(?:\s*(bc)\b)?", re.IGNORECASE)
_CENTURY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th) century(?:\s*(bc)\b)?", re.IGNORECASE)
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_CLOCK = re.compile(r"\b(\d{1,2})[:.](\d{2})\b\s*(am|pm)?|\b(\d{1,2})\s*(am|pm)\b", re.IGNORECASE)
_DAY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?\b(?![:.]\d)")
_WORDS = re.compile(r"[^\W\d_]+")
_AMOUNT = re.compile(r"[-−]?\d[\d,.'\u00a0\u202f]*")
_TIMES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNITS = {  # each unit as so many of a smaller one
    "mm": ("m", 0.001), "cm": ("m", 0.01), "m": ("m", 1), "metre": ("m", 1), "meter": ("m", 1), "km": ("m", 1000),
    "kilometre": ("m", 1000), "kilometer": ("m", 1000), "mile": ("m", 1609.344), "ft": ("m", 0.3048),
    "foot": ("m", 0.3048), "feet": ("m", 0.3048), "in": ("m", 0.0254), "inch": ("m", 0.0254),
    "mg": ("g", 0.001), "g": ("g", 1), "gram": ("g", 1), "kg": ("g", 1000), "kilogram": ("g", 1000), "t": ("g", 1e6),
    "tonne": ("g", 1e6), "ton": ("g", 1e6), "lb": ("g", 453.592), "pound": ("g", 453.592),
    "second": ("s", 1), "s": ("s", 1), "minute": ("s", 60), "min": ("s", 60), "hour": ("s", 3600), "h": ("s", 3600),
    "day": ("s", 86400), "week": ("s", 604800), "month": ("s", 2629800), "year": ("s", 31557600),
}  # fmt: skip
_SHORT = (("us", "united states"), ("usa", "united states"), ("u s", "united states"), ("uk", "united kingdom"))
NATIONS = Path(__file__).with_name("nations.txt")
Moment = tuple[int, ...]  # year, month, day, as far as they are known; or hour and minute


def compared(one: str, other: str, wants: str | None = None) -> int:
    """Say which of two values comes first or is less: -1 the one, 1 the other, 0 neither or that cannot be told.

    `wants` is the kind that was asked for: an amount is no year, though it may look like one.

    >>> [compared("4 May 1910", "March 1911"), compared("2 t", "900 kg"), compared("June 1910", "1910")]
    [-1, 1, 0]
    >>> compared("490 kg", "900 euros", "an amount")
    0
    """
    for read in (moment, clock) if wants != AMOUNT else ():
        first, second = read(one), read(other)
        if first is not None and second is not None:
            shared = slice(min(len(first), len(second)))
            return (first[shared] > second[shared]) - (first[shared] < second[shared])
    less, more = amount(one), amount(other)
    if less is None or more is None or less[1] != more[1] or wants == TIME:
        return 0
    return (less[0] > more[0]) - (less[0] < more[0])


def moment(text: str) -> Moment | None:
    """Read a date as year, month and day, as far as they are given; None without a year.

    >>> moment("on 4 May 1910"), moment("the 5th century BC"), moment("2019-02-01"), moment("12 kg")
    ((1910, 5, 4), (-500,), (2019, 2, 1), None)
    """
    if iso := _ISO.search(text):
        return tuple(map(int, iso.groups()))
    if century := _CENTURY.search(text):
        number = int(century[1])
        return (-100 * number if century[2] else 100 * (number - 1),)
    year = _YEAR.search(text)
    if not year:
        return None
    if year[2]:
        return (-int(year[1]),)
    month = next((_MONTH[word] for word in map(str.lower, _WORDS.findall(text)) if word in _MONTH), None)
    if month is None:
        return (int(year[1]),)
    day = _DAY.search(text[: year.start()] + " " * 4 + text[year.end() :])
    return (int(year[1]), month, int(day[1])) if day else (int(year[1]), month)


def clock(text: str) -> Moment | None:
    """Read a time of the day as hour and minute.

    >>> clock("9:30"), clock("4 pm"), clock("1910")
    ((9, 30), (16, 0), None)
    """
    found = _CLOCK.search(text)
    if not found:
        return None
    hour, minute, half = int(found[1] or found[4]), int(found[2] or 0), (found[3] or found[5] or "").lower()
    return (hour % 12 + 12 * (half == "pm") if half else hour, minute)


def amount(text: str) -> tuple[float, str] | None:
    """Read the first number of a text, and the word behind it or the sign before it as its unit.

    >>> amount("1,280 euros"), amount("about 2.5 km"), amount("Frau Sato")
    ((1280.0, 'euro'), (2500.0, 'm'), None)
    """
    found = _AMOUNT.search(text)
    number = _number(found[0]) if found else None
    if not found or number is None:
        return None
    words = [word.lower() for word in _WORDS.findall(text[found.end() :])]
    if words and words[0] in _TIMES:
        number *= _TIMES[words.pop(0)]
    unit = words[0] if words else text[found.end() :].strip(" .,)")[:1] or text[: found.start()].strip(" (")[-1:]
    unit = unit if unit in _UNITS or len(unit) < 3 else unit.removesuffix("s")
    base, factor = _UNITS.get(unit, (unit, 1.0))
    return number * factor, base


def _number(text: str) -> float | None:
    """Read a number with marks between thousands, of either custom."""
    text = text.strip(".,'").translate(str.maketrans("−", "-", "'\u00a0\u202f"))
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"-?\d{1,3}(\.\d{3})+,\d+|-?\d{1,3}(\.\d{3}){2,}", text):
        text = text.replace(".", "").replace(",", ".")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def alike(one: str, other: str) -> bool:
    """Say whether two values are the same: one has the other's words, or both name one nation.

    >>> alike("the Italian", "Italy"), alike("Paris, France", "Paris"), alike("Iran", "Iraq")
    (True, True, False)
    """
    words, others = content(one), content(other)
    nation = _nation(one)
    return words <= others or others <= words or (nation is not None and nation == _nation(other))


def _nation(text: str) -> str | None:
    """Name the country that stands in a text, or whose people do."""
    words = " ".join(_WORDS.findall(text.lower()))
    return next((country for word, country in _nations() if re.search(rf"\b{word}\b", words)), None)


@cache
def _nations() -> tuple[tuple[str, str], ...]:
    pairs = [row.split(" ", 1) for row in NATIONS.read_text(encoding="utf-8").lower().splitlines()]
    return (*((word, country) for word, country in pairs), *((country, country) for _, country in pairs), *_SHORT)
