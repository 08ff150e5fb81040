"""The styles of a DOCX that matter: which make headings, number lists, raise or hide text; one builds on another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Event

_HEADING = re.compile(r"(?:heading \d|title)$", re.IGNORECASE)  # the names of styles are English in every file
_NO = ("0", "false", "off")
_DEEPEST = 16  # styles that build on one another


@dataclass
class _Style:
    base: str = ""
    heading: bool | None = None  # None: as the style that it builds on
    items: tuple[str, int] | None = None  # the list and level of its items
    up: bool | None = None
    hidden: bool | None = None


@dataclass
class Styles:
    """What the styles of a document do."""

    headings: frozenset[str] = frozenset()
    lists: dict[str, tuple[str, int]] = field(default_factory=dict)  # list and level of a style
    up: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


def read_styles(events: Iterator[Event]) -> Styles:
    """Read the styles of a document."""
    found: dict[str, _Style] = {}
    style, level = _Style(), 0
    for kind, name, has in events:
        if kind != "start":
            continue
        value = has.get("val", "")
        if name == "style":
            style, level = found.setdefault(has.get("styleId", ""), _Style()), 0
        elif name == "ilvl" and value.isdecimal():
            level = int(value)
        elif name == "numId":
            style.items = (value, level)
        else:
            _take(style, name, value, has)
    return _resolved(found)


def is_level(has: dict[str, str]) -> bool:
    """Return whether an outline level is that of a heading; level 9 means body text."""
    return has.get("val", "9") in "012345678"


def _take(style: _Style, name: str, value: str, has: dict[str, str]) -> None:
    if name == "basedOn":
        style.base = value
    elif name == "name" and _HEADING.match(value):
        style.heading = True
    elif name == "outlineLvl":
        style.heading = style.heading or is_level(has)
    elif name == "vertAlign":
        style.up = value == "superscript"
    elif name == "vanish":
        style.hidden = value not in _NO


def _resolved(found: dict[str, _Style]) -> Styles:
    """Give each style what it takes from those that it builds on."""
    chains = {id: list(_chain(found, id)) for id in found}
    lists = {id: next((each.items for each in chain if each.items), None) for id, chain in chains.items()}
    return Styles(
        frozenset(id for id, chain in chains.items() if _first([each.heading for each in chain])),
        {id: items for id, items in lists.items() if items},
        frozenset(id for id, chain in chains.items() if _first([each.up for each in chain])),
        frozenset(id for id, chain in chains.items() if _first([each.hidden for each in chain])),
    )


def _chain(found: dict[str, _Style], id: str) -> Iterator[_Style]:
    for _ in range(_DEEPEST):
        if id not in found:
            return
        yield found[id]
        id = found[id].base


def _first(said: list[bool | None]) -> bool:
    return next((each for each in said if each is not None), False)
