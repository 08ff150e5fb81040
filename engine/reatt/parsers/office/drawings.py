"""What stands in an Office file beside its text: the values of charts, text boxes, diagrams, comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Archive, Event
from reatt.parsers.office.escapes import unescaped
from reatt.parsers.office.number_formats import GENERAL, shown

_MOST = 1000  # points of a chart that are written


@dataclass
class _Series:
    name: str = ""
    categories: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)


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
    """Return the title of a chart."""
    return _read(events)[0]


def chart(archive: Archive, part: str) -> Iterator[str]:
    """Yield a chart as the lines of a table: its title, the names of its series, then a line for each category."""
    title, series = _read(archive.events(part))
    if title:
        yield title
    if any(each.name for each in series):
        yield "\t".join(["", *(each.name for each in series)])
    points = dict.fromkeys(at for each in series for at in (*each.categories, *each.values))
    for at in sorted(points)[:_MOST]:
        category = next((each.categories[at] for each in series if at in each.categories), "")
        yield "\t".join([category, *(each.values.get(at, "") for each in series)])


def _read(events: Iterator[Event]) -> tuple[str, list[_Series]]:
    """Return the title and the series of a chart."""
    title, series, point, code = list[str](), list[_Series](), 0, GENERAL
    inside: list[str] = []  # the open elements
    for kind, name, has in events:
        if kind == "start":
            inside.append(name)
            if name == "ser":
                series.append(_Series())
            elif name == "pt":
                point = int(has["idx"]) if has.get("idx", "").isdecimal() else 0
        elif kind == "end":
            inside.pop()
        elif inside[-1] == "t" and "title" in inside and "ser" not in inside:
            title.append(name)
        elif inside[-1] == "formatCode":
            code = name
        elif inside[-1] == "v" and series and "ser" in inside:
            _take(series[-1], inside, point, _as_shown(name, code))
        if kind == "start" and name in ("tx", "cat", "val", "xVal", "yVal"):
            code = GENERAL
    return " ".join("".join(title).split()), series


def _take(series: _Series, inside: list[str], point: int, text: str) -> None:
    words = " ".join(text.split())
    if "tx" in inside:
        series.name += words
    elif "cat" in inside or "xVal" in inside:
        series.categories[point] = words
    elif "val" in inside or "yVal" in inside:
        series.values[point] = words


def _as_shown(text: str, code: str) -> str:
    """Write a number in its format; other texts stay."""
    try:
        return shown(float(text), code)
    except (ValueError, OverflowError):
        return text
