"""Numbers as a spreadsheet shows them: 0.19 with the format `0%` is 19%, 45306 with `d mmmm yyyy` is 15 January 2024.

A file stores numbers as binary fractions (4.3499999999999996) and days as counts; the format says what is shown. A date
of numbers alone is written as 2024-01-15, because 1/2/24 would be read differently here and there; every other date is
written as shown, with English names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

GENERAL = "General"
# The formats that a file names by number alone; those of currencies and dates depend on the country.
BUILT_IN = {
    0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?",
    13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0",
    49: "@",
}  # fmt: skip
BUILT_IN |= dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-mm-dd")
BUILT_IN |= dict.fromkeys((5, 6, 41, 42), "#,##0") | dict.fromkeys((7, 8, 43, 44), "#,##0.00")
DAY_ONE, DAY_ONE_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<money>[^\]-]*)[^\]]*\]|\[(?P<elapsed>h+|m+|s+)\]'
    r"|\[(?P<condition>[<>=]+-?[\d.]+)\]|\[[^\]]*\]|(?P<half>am/pm|a/p)|(?P<power>e[+-])|(?P<general>general)"
    r"|(?P<date>y+|m+|d+|h+|s+|g+|e+|b+)|(?P<digit>[0#?])|(?P<sign>[.,%/@])|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[]|["\\\[])*', re.DOTALL)
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MOST_DAYS = 2_958_466  # the year 9999
_LONGEST = 15  # digits of a whole number that are exact
_EXACT = 25  # digits of a number that is written in full
_DENOMINATOR = 10_000


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


_Section = tuple[_Token, ...]


def shown(value: float, code: str = GENERAL, origin: datetime = DAY_ONE) -> str:
    """Write a number in a format; `origin` is the day that dates are counted from.

    >>> shown(4.3499999999999996), shown(0.07000000000000001, "0%"), shown(-1234.5, '#,##0.00 "EUR"')
    ('4.35', '7%', '-1,234.50 EUR')
    >>> shown(45306, "d mmmm yyyy"), shown(45306, "dd/mm/yy"), shown(1.5, "[h]:mm"), shown(0.75, "h:mm AM/PM")
    ('15 January 2024', '2024-01-15', '36:00', '6:00 PM')
    """
    section, signed = _choose(_sections(code), value)
    words = _written(section, value if signed else abs(value), origin)
    return words.strip() or general(value)


def is_no_date(value: float, code: str) -> bool:
    """Return whether a format would show a number as a date that there is not."""
    section, _ = _choose(_sections(code), value)
    return any(token.kind == "date" for token in section) and not 0 <= value < _MOST_DAYS


def general(value: float) -> str:
    """Write a number as a cell without a format does, whole numbers in full.

    >>> general(1.1000000000000001), general(1 / 3), general(4006381333931.0), general(1e300)
    ('1.1', '0.333333333', '4006381333931', '1E+300')
    """
    if value == int(value) and abs(value) < 10**_LONGEST:
        return str(int(value))
    exact = f"{value:.15g}"
    if "e" not in exact and len(exact.lstrip("-")) <= 11:
        return exact
    size = abs(value)
    if 1e-5 <= size < 1e11:
        return f"{value:.{max(0, 10 - len(str(int(size))))}f}".rstrip("0").rstrip(".")
    mantissa, _, power = f"{value:.5e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}E{power}"


@lru_cache(maxsize=1000)
def _sections(code: str) -> tuple[_Section, ...]:
    parts = [match[0] for match in _SECTION.finditer(code)]
    # The pattern also matches the empty string behind each part.
    kept = [part for at, part in enumerate(parts) if part or at == 0 or parts[at - 1] == ""]
    return tuple(
        tuple(_Token(str(token.lastgroup or ""), token[token.lastgroup or 0]) for token in _TOKEN.finditer(part))
        for part in (kept or [GENERAL])
    )[:4]


def _choose(sections: tuple[_Section, ...], value: float) -> tuple[_Section, bool]:
    """Return the section for a value, and whether the sign has to be written."""
    for section in sections:
        for token in section:
            if token.kind == "condition" and _holds(token.text, value):
                return section, True
    numbers = [section for section in sections if not any(token.text == "@" for token in section)] or list(sections)
    if any(token.kind == "condition" for section in numbers for token in section):
        return numbers[-1], True
    if value < 0 and len(numbers) > 1:
        return numbers[1], False
    return (numbers[2], False) if value == 0 and len(numbers) > 2 else (numbers[0], True)


def _holds(condition: str, value: float) -> bool:
    sign = condition.rstrip("0123456789.-")
    limit = float(condition[len(sign) :])
    return {
        "<": value < limit, ">": value > limit, "=": value == limit, "<=": value <= limit, ">=": value >= limit,
        "<>": value != limit,
    }.get(sign, False)  # fmt: skip


def _written(section: _Section, value: float, origin: datetime) -> str:
    kinds = {token.kind for token in section}
    if kinds & {"date", "elapsed"}:
        return _date(section, value, origin)
    if "general" in kinds or not kinds & {"digit"}:
        plain = "".join(general(value) if token.kind == "general" else _literal(token) for token in section)
        return plain if "general" in kinds or kinds & {"quoted", "escaped", "literal"} else general(value)
    return _number(section, value)


def _literal(token: _Token) -> str:
    return token.text if token.kind in {"quoted", "escaped", "money", "literal"} else ""


def _number(section: _Section, value: float) -> str:
    if any(token.text == "/" for token in section):
        return _fraction(section, value)
    value_text = f"{value:.15g}"
    number = Decimal(value_text).scaleb(2 * sum(token.text == "%" for token in section))
    last = max(at for at, token in enumerate(section) if token.kind == "digit")
    whole, point, decimals = _layout(section)
    scale = 0
    while last + 1 + scale < len(section) and section[last + 1 + scale].text == ",":
        scale += 1
    number = number.scaleb(-3 * scale)
    power = next((at for at, token in enumerate(section) if token.kind == "power"), None)
    if power is not None:
        return _scientific(section, number, len(decimals))
    if number.adjusted() + len(decimals) > _EXACT:
        return general(value)
    rounded = abs(number).quantize(Decimal(1).scaleb(-len(decimals)), rounding=ROUND_HALF_UP)
    integer, _, rest = f"{rounded:f}".partition(".")
    grouped = any(token.text == "," for token in section[whole[0] : point if point is not None else last])
    sign = "-" if number < 0 and rounded else ""
    return sign + _filled(section, (whole, point, decimals), integer, rest, grouped)


def _layout(section: _Section) -> tuple[list[int], int | None, list[int]]:
    """Return where the digits before the point are, the point, and the digits after it."""
    end = next((at for at, token in enumerate(section) if token.kind == "power"), len(section))
    digits = [at for at, token in enumerate(section[:end]) if token.kind == "digit"]
    point = next((at for at, token in enumerate(section) if token.text == "." and token.kind == "sign"), None)
    if point is None:
        return digits, None, []
    return [at for at in digits if at < point] or [point], point, [at for at in digits if at > point]


def _filled(
    section: _Section, layout: tuple[list[int], int | None, list[int]], integer: str, rest: str, grouped: bool
) -> str:
    """Put the digits into their places, with the words around them."""
    whole, point, decimals = layout
    least = sum(section[at].text == "0" for at in whole)
    integer = integer.lstrip("0").rjust(least, "0")
    while rest and section[decimals[len(rest) - 1]].text != "0" and rest.endswith("0"):
        rest = rest[:-1]
    places = {at: integer[len(integer) - n - 1 : len(integer) - n] for n, at in enumerate(reversed(whole))}
    places[whole[0]] = integer[: len(integer) - len(whole) + 1] if len(integer) >= len(whole) else places[whole[0]]
    if grouped:  # the words between the digits, if any, are only separators
        places = dict.fromkeys(whole, "")
        places[whole[0]] = f"{int(integer or '0'):,}" if integer else ""
    places |= {at: rest[n : n + 1] for n, at in enumerate(decimals)}
    if point is not None:
        places[point] = (places.get(point, "") if point in whole else "") + ("." if rest else "")
    return "".join(
        places.get(at, token.text if token.text == "%" else _literal(token)) for at, token in enumerate(section)
    )


def _scientific(section: _Section, number: Decimal, decimals: int) -> str:
    mantissa, _, power = f"{number:.{decimals}E}".partition("E")
    at = next(at for at, token in enumerate(section) if token.kind == "power")
    least = sum(token.kind == "digit" for token in section[at:])
    sign = "-" if power.startswith("-") else "+" if section[at].text.endswith("+") else ""
    return f"{mantissa}E{sign}{power.lstrip('+-').rjust(least, '0')}"


def _fraction(section: _Section, value: float) -> str:
    slash = next(at for at, token in enumerate(section) if token.text == "/")
    digits = [token for token in section[slash:] if token.kind == "digit"]
    fixed = "".join(token.text for token in section[slash:] if token.kind == "literal" and token.text.isdigit())
    size = abs(value)
    whole = int(size)
    most = 10 ** max(len(digits), 1) - 1
    if fixed:
        parts = Fraction(round((size - whole) * int(fixed)), int(fixed))
    else:
        parts = Fraction(size - whole).limit_denominator(min(most, _DENOMINATOR))
    if parts == 1:
        whole, parts = whole + 1, Fraction(0)
    words = [str(whole)] if whole or not parts else []
    words += [f"{parts.numerator}/{parts.denominator}"] if parts else []
    return ("-" if value < 0 else "") + " ".join(words)


def _date(section: _Section, value: float, origin: datetime) -> str:
    if any(token.kind == "elapsed" for token in section):
        return _elapsed(section, value)
    if not 0 <= value < _MOST_DAYS:
        return general(value)
    moment = origin + timedelta(seconds=round(value * 86_400))
    if _is_of_numbers(section):
        if value < 1:
            return moment.strftime("%H:%M")
        return moment.strftime("%Y-%m-%d") if value == int(value) else moment.strftime("%Y-%m-%d %H:%M")
    half = any(token.kind == "half" for token in section)
    minutes = _minutes(section)
    return "".join(
        _moment(token, moment, half, minutes=at in minutes) for at, token in enumerate(_whole_seconds(section))
    )


def _whole_seconds(section: _Section) -> list[_Token]:
    """Leave out the parts of a second, which are not worth their digits."""
    left_out = [token.kind == "digit" or (token.text == "." and at + 1 < len(section) and
                section[at + 1].kind == "digit") for at, token in enumerate(section)]  # fmt: skip
    return [_Token("", "") if out else token for out, token in zip(left_out, section, strict=True)]


def _is_of_numbers(section: _Section) -> bool:
    """Return whether a date is of three numbers whose order depends on the country."""
    dates = [token.text.lower() for token in section if token.kind == "date"]
    first = {word[0] for word in dates}
    named = any(len(word) > 2 for word in dates if word[0] in "md")
    dotted = any(token.text == "." for token in section) and "yyyy" in dates
    return {"y", "m", "d"} <= first and not named and not dotted


def _minutes(section: _Section) -> frozenset[int]:
    """Return where `m` means minutes: next to hours or seconds."""
    dates = [(at, token.text[0].lower()) for at, token in enumerate(section) if token.kind in {"date", "elapsed"}]
    found = set()
    for n, (at, letter) in enumerate(dates):
        before = dates[n - 1][1] if n else ""
        after = dates[n + 1][1] if n + 1 < len(dates) else ""
        if letter == "m" and (before == "h" or after == "s"):
            found.add(at)
    return frozenset(found)


def _moment(token: _Token, moment: datetime, half: bool, minutes: bool) -> str:
    if token.kind == "half":
        return moment.strftime("%p")
    if token.kind != "date":
        return token.text if token.kind == "sign" else _literal(token)
    letter, length = token.text[0].lower(), len(token.text)
    match letter:
        case "y" | "e":
            return f"{moment.year}" if length > 2 or letter == "e" else f"{moment.year % 100:02}"
        case "m" if not minutes and length > 2:
            name = _MONTHS[moment.month - 1]
            return name if length == 4 else name[:1] if length == 5 else name[:3]
        case "d" if length > 2:
            name = _DAYS[moment.weekday()]
            return name if length > 3 else name[:3]
    hour = (moment.hour % 12 or 12) if half else moment.hour
    number = {"m": moment.minute if minutes else moment.month, "d": moment.day, "h": hour, "s": moment.second}
    return f"{number[letter]:0{min(length, 2)}}" if letter in number else ""


def _elapsed(section: _Section, value: float) -> str:
    """Write a length of time, whose first unit may be of any size."""
    left = round(abs(value) * 86_400)
    words = []
    for at, token in enumerate(_whole_seconds(section)):
        letter = token.text[:1].lower()
        if token.kind in {"elapsed", "date"} and letter in "hms":
            unit = 60 if letter == "m" and at in _minutes(section) else {"h": 3600, "m": 60, "s": 1}[letter]
            number, left = divmod(left, unit)
            words.append(f"{number:0{min(len(token.text), 2)}}")
        else:
            words.append(_literal(token))
    return ("-" if value < 0 else "") + "".join(words)
