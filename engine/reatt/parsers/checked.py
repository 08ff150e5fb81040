"""What a child says it has found, checked: a hostile file may have taken it over, and then it says anything."""

from __future__ import annotations

from typing import Any

from reatt.parsers.content import Content, Headings
from reatt.parsers.origins import day
from reatt.parsers.sandbox import Message
from reatt_store.errors import Notice

_LONGEST_TITLE = 1000  # characters


def content(found: Message, text: str) -> Content:
    """Check what was found in a file."""
    return Content(
        title=sound(found["title"])[:_LONGEST_TITLE],
        text=sound(text),
        pages=pages(found["pages"], text),
        headings=headings(found["headings"], text),
        warnings=tuple(map(warning, found["warnings"])),
        author=sound(found["author"])[:_LONGEST_TITLE],
        dated=day(sound(found["dated"])),
    )


def warning(said: Any) -> str:
    """Check a warning: a text, or the id of its row and a text."""
    if isinstance(said, str):
        return sound(said)
    id, text = said
    return Notice(sound(id), sound(text)) if id else sound(text)


def pages(found: Any, text: str) -> tuple[int, ...]:
    """Check where pages start."""
    return tuple(_place(at, text) for at in found)


def headings(found: Any, text: str) -> Headings:
    """Check headings and where they stand."""
    return tuple((_place(at, text), sound(heading)[:_LONGEST_TITLE]) for at, heading in found)


def sound(text: Any) -> str:
    """Check a text; a ValueError is raised for what no encoding can store."""
    if not isinstance(text, str):
        raise TypeError("no text")
    if not text.isascii():
        text.encode()
    return text


def _place(at: Any, text: str) -> int:
    if type(at) is int and 0 <= at <= len(text):
        return at
    raise ValueError("no place in the text")
