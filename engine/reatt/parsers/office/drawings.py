"""What stands in an Office file beside its text: the values of charts, text boxes, diagrams, comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Archive, Event
from reatt.parsers.office.escapes import unescaped
from reatt.parsers.office.number_formats import GENERAL, shown

_MOST = 1000  # points of a chart that are written
_SERIES = frozenset({"ser", "data"})  # the second one in charts of newer kinds
_CATEGORIES, _VALUES = frozenset({"cat", "xVal", "strDim"}), frozenset({"val", "yVal", "numDim"})
_DATA = frozenset({"strDim", "numDim"})
_DIMENSIONS = _CATEGORIES | _VALUES | {"tx"}


@dataclass
class _Series:
    name: str = ""
    categories: dict[int, str] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)  # of categories, by the first one in each
    values: dict[int, str] = field(default_factory=dict)
    level: int = -1  # that is being read, of categories in groups

    def category(self, at: int) -> str:
        """Return a category, behind the name of its group."""
        group = max((first for first in self.groups if first <= at), default=None)
        return " ".join(([] if group is None else [self.groups[group]]) + [self.categories[at]])


def paragraphs(events: Iterator[Event]) -> Iterator[str]:
    """Yield the paragraphs of a drawing or a diagram."""
    parts: list[str] = []
    reading = False
    for kind, name, _ in events:
        if kind == "text":
            parts += [unescaped(name)] if reading else []
        elif name == "t":
            reading = kind == "start"
        elif name == "p" and kind == "end":
            if text := " ".join("".join(parts).split()):
                yield text
            parts.clear()


def commented(events: Iterator[Event]) -> Iterator[str]:
    """Yield the comments of a sheet, each with its cell."""
    parts: list[str] = []
    cell, reading = "", False
    for kind, name, has in events:
        if kind == "text":
            parts += [unescaped(name)] if reading else []
        elif name in ("t", "text"):
            reading = kind == "start"
        elif name in ("comment", "threadedComment"):
            if kind == "start":
                cell, parts = has.get("ref", ""), []
            elif text := " ".join("".join(parts).split()):
                yield f"Comment on {cell}: {text}"


def chart_title(events: Iterator[Event]) -> str:
    """Return the titles of a chart and of its axes."""
    return ", ".join(_read(events)[0])


def chart(archive: Archive, part: str) -> Iterator[str]:
    """Yield a chart as the lines of a table: its title, the names of its series, then a line for each category."""
    titles, series = _read(archive.events(part))
    yield from titles
    if any(each.name for each in series):
        yield "\t".join(["", *(each.name for each in series)])
    points = dict.fromkeys(at for each in series for at in (*each.categories, *each.values))
    for at in sorted(points)[:_MOST]:
        category = next((each.category(at) for each in series if at in each.categories), "")
        yield "\t".join([category, *(each.values.get(at, "") for each in series)])


def _read(events: Iterator[Event]) -> tuple[list[str], list[_Series]]:
    """Return the titles of a chart and of its axes, and its series."""
    titles, series, point, code = list[str](), list[_Series](), 0, GENERAL
    inside: list[str] = []  # the open elements
    for kind, name, has in events:
        if kind == "start":
            inside.append(name)
            if name in _SERIES:
                series.append(_Series())
            elif name == "title":
                titles.append("")
            elif name == "lvl" and series:
                series[-1].level += 1
                code = has.get("formatCode", code)
            elif name == "pt":
                point = int(has["idx"]) if has.get("idx", "").isdecimal() else 0
        elif kind == "end":
            inside.pop()
        elif inside[-1] == "t" and "title" in inside and "ser" not in inside:
            titles[-1] += name
        elif inside[-1] == "formatCode":
            code = name
        elif series and (inside[-1] == "v" or (inside[-1] == "pt" and not _DATA.isdisjoint(inside))):
            _take(series[-1], inside, point, _as_shown(name, code))
        if kind == "start" and name in _DIMENSIONS:
            code = GENERAL
            for each in series[-1:]:
                each.level = -1
    return [title for each in titles if (title := " ".join(each.split()))], series


def _take(series: _Series, inside: list[str], point: int, text: str) -> None:
    words = " ".join(text.split())
    if "tx" in inside:
        series.name += words
    elif not _CATEGORIES.isdisjoint(inside):
        (series.groups if series.level > 0 else series.categories)[point] = words
    elif not _VALUES.isdisjoint(inside):
        series.values[point] = words


def _as_shown(text: str, code: str) -> str:
    """Write a number in its format; other texts stay."""
    try:
        return shown(float(text), code)
    except (ValueError, OverflowError):
        return text
