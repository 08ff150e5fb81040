"""What stands in the cells of made-up tables and the values of made-up lists: names, amounts, dates, codes."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from recipes.reatt_mini.made.words import Words

_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "{d} {M} {y}", "{M} {d}, {y}", "{d} {m} {y}", "{m} {d}", "{d} {M}")
KINDS = Path(__file__).with_name("kinds.txt")


@cache
def patterns() -> dict[str, tuple[str, ...]]:
    """Read the kinds of cells that are written by patterns."""
    rows = KINDS.read_text(encoding="utf-8").splitlines()[1:]
    return {name: tuple(either.split("|")) for name, either in (row.split(" ; ", 1) for row in rows)}


@dataclass(frozen=True)
class Style:
    """How one document writes amounts, dates and times."""

    money: str
    date: str
    clock: str
    comma: bool  # decimal commas
    cents: bool
    tight: bool  # no space before a unit
    telephone: str

    def number(self, value: float, digits: int, *, grouped: bool = True) -> str:
        """Write a number."""
        written = f"{value:,.{digits}f}" if grouped else f"{value:.{digits}f}"
        return written.translate(str.maketrans(",.", ".,")) if self.comma else written


def style(dice: random.Random) -> Style:
    """Choose how a document writes."""
    clock = dice.choice(("{h}:{m:02}", "{h:02}:{m:02}", "{h:02}:{m:02}", "{h}.{m:02}", "am", "{h:02}{m:02}"))
    comma = dice.random() < 0.2
    money, telephone = (dice.choice(patterns()[name]) for name in ("currency", "telephone"))
    written = dice.choice(_DATES)
    return Style(money, written, clock, comma, dice.random() < 0.6, dice.random() < 0.12, telephone)


@dataclass(frozen=True)
class Cells:
    """Makes cells of one document."""

    dice: random.Random
    words: Words
    style: Style

    def make(self, kind: str) -> str:
        """Make a cell of a kind, such as `person`, `num 1 40 kg` or `pick a,b,c`."""
        name, _, rest = kind.partition(" ")
        if name == "pick":
            return self.dice.choice(rest.split(","))
        if name in _WITH:
            return _WITH[name](self, rest)
        if name in _MADE:
            return _MADE[name](self)
        if name in patterns():
            return self.one(*patterns()[name])
        return self.words.pick(self.dice, name)

    def any(self, sorts: str) -> str:
        """Take a word of one of several sorts."""
        return self.words.pick(self.dice, self.dice.choice(sorts.split()))

    def number(self, rest: str) -> str:
        """Make a number, with its unit if it has one."""
        low, high, *unit = rest.split(" ")
        digits = len(low.partition(".")[2])
        value = self.dice.uniform(float(low) ** 0.5, float(high) ** 0.5) ** 2
        written = self.style.number(value, digits)
        tight = not unit or (self.style.tight and len(unit[0]) < 4)
        return written + ("" if tight else " ") + " ".join(unit)

    def money(self, rest: str) -> str:
        """Make an amount of money."""
        low, high = (float(part) ** 0.33 for part in rest.split())
        value, cents = self.dice.uniform(low, high) ** 3, self.style.cents
        value = self.dice.choice((value, int(value) + 0.5, int(value) + 0.95, int(value))) if cents else int(value)
        return self.style.money.replace("{0}", self.style.number(value, 2 if cents else 0))

    def big(self) -> str:
        """Make a large amount of money."""
        value = self.dice.choice((10, 50, 100, 500, 1000)) * self.dice.randint(12, 9000)
        if self.dice.random() < 0.15:
            return self.style.money.replace("{0}", f"{self.style.number(value / 1000, 1)} million")
        return self.style.money.replace("{0}", self.style.number(value, 0))

    def day(self) -> date:
        """Choose a day."""
        return date(2009, 1, 1) + timedelta(self.dice.randrange(6900))

    def date(self) -> str:
        """Make a date."""
        day, month = self.day(), ""
        month = _MONTHS[day.month - 1]
        if "{" not in self.style.date:
            return day.strftime(self.style.date)
        return self.style.date.format(d=day.day, M=month, m=month[:3], y=day.year)

    def time(self, first: int = 5, last: int = 23) -> str:
        """Make a time of the day."""
        return self.clock(self.dice.randint(first, last), self.dice.choice((*range(0, 60, 5), self.dice.randrange(60))))

    def clock(self, hour: int, minute: int) -> str:
        """Write a time of the day."""
        if self.style.clock == "am":
            return f"{(hour - 1) % 12 + 1}:{minute:02} {'am' if hour < 12 else 'pm'}"
        return self.style.clock.format(h=hour, m=minute)

    def hours(self) -> str:
        """Make opening hours."""
        start, end = self.dice.randint(6, 12), self.dice.randint(13, 22)
        dash = self.dice.choice(("-", "–", " - ", " – ", " to "))
        halves = self.dice.choice((0, 0, 30, 15, 45))
        return self.clock(start, halves) + dash + self.clock(end, self.dice.choice((0, 0, 30, halves)))

    def filled(self, pattern: str) -> str:
        """Fill # with digits and @ with capitals.

        >>> len(Cells.filled(Cells(random.Random(1), Words({}), style(random.Random(1))), "@@-###"))
        6
        """
        letters, parts = "ABCDEFGHJKLMNPRSTUVWXYZ", [""]
        for place in pattern:
            digits = string.digits if parts[-1][-1:].isalnum() or parts[-1] in {".", ","} else "123456789"
            parts.append(self.dice.choice(digits if place == "#" else letters) if place in "#@" else place)
        return "".join(parts)

    def one(self, *patterns: str) -> str:
        """Fill one of several patterns, in which {sort} is a word of that sort."""
        pattern = self.filled(self.dice.choice(patterns))
        while "{" in pattern:
            before, _, rest = pattern.partition("{")
            sort, _, after = rest.partition("}")
            pattern = before + self.make(sort) + after
        return pattern

    def email(self) -> str:
        """Make an address of mail."""
        first, last = (self.words.pick(self.dice, sort).lower() for sort in ("first", "last"))
        name = self.dice.choice((f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}", last, first))
        home = self.words.pick(self.dice, "last").lower()
        return f"{name}@{home}.{self.dice.choice(('com', 'org', 'net', 'example', 'co.uk', 'de', 'edu', 'io'))}"

    def option(self) -> str:
        """Make the name of a setting."""
        parts = [self.any("tool idea idea").replace(" ", "_") for _ in range(self.dice.randint(1, 2))]
        ends = "limit size path timeout mode level count interval max host".split()
        name = "_".join([*parts, self.dice.choice(ends)])
        form = self.dice.randrange(4)
        return (name, name.replace("_", "-"), name.upper(), name.replace("_", "."))[form]


_WITH: dict[str, Callable[[Cells, str], str]] = {"num": Cells.number, "money": Cells.money}


_MADE: dict[str, Callable[[Cells], str]] = {
    "bigmoney": Cells.big,
    "date": Cells.date,
    "time": Cells.time,
    "opens": lambda c: c.time(6, 12),
    "closes": lambda c: c.time(14, 23),
    "hours": Cells.hours,
    "weekday": lambda c: c.dice.choice(_DAYS),
    "months": lambda c: c.dice.choice((c.dice.choice(_MONTHS), "-".join(m[:3] for m in c.dice.sample(_MONTHS, 2)))),
    "year": lambda c: str(c.dice.choice((c.dice.randint(1960, 2026), c.dice.randint(1810, 2026)))),
    "phone": lambda c: c.filled(c.style.telephone),
    "percent": lambda c: c.style.number(c.dice.uniform(0, 99), c.dice.randint(0, 1)) + ("%" if c.style.tight else " %"),
    "signed": lambda c: c.dice.choice("+-−") + c.style.number(c.dice.uniform(0.1, 40), 1) + " %",
    "email": Cells.email,
    "option": Cells.option,
    "pop": lambda c: c.style.number(c.dice.uniform(6, 1000) ** 2, 0),
    "temp": lambda c: f"{c.dice.randint(-18, 41)}{'' if c.style.tight else ' '}°C",
    "temp2": lambda c: f"{c.style.number(c.dice.uniform(-180, 2900), c.dice.randint(0, 1))} °C",
    "score": lambda c: f"{c.dice.randint(0, 6)}{c.dice.choice(':-')}{c.dice.randint(0, 6)}",
    "rank": lambda c: f"{c.dice.randint(1, 60)}{c.dice.choice(('', '', '.'))}",
    "ip": lambda c: c.dice.choice(("10.", "192.168.", "172.16.")) + ".".join(str(c.dice.randint(0, 254)) for _ in "12"),
}  # fmt: skip
