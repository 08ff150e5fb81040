"""What an Office file says about itself: its title, who wrote it, and when it was last saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reatt.parsers.archives import Archive, Event
from reatt.parsers.content import Content
from reatt.parsers.origins import authors, day

_AUTHORS = ("initial-creator", "creator")  # whoever began it, if that is said, else whoever saved it
_DATES = ("modified", "date", "created", "creation-date")


def told(content: Content, properties: Iterator[Event]) -> Content:
    """Return a content with what the properties of its file say."""
    found = _texts(properties)
    author = next((name for each in _AUTHORS if (name := authors([found.get(each, "")]))), "")
    dated = next((on for each in _DATES if (on := day(found.get(each, "")))), "")
    return replace(content, title=found.get("title", ""), author=author, dated=dated)


def properties(archive: Archive) -> Iterator[Event]:
    """Yield the properties of a DOCX, PPTX or XLSX; there may be none."""
    for relation in archive.relations(""):
        if relation.type in ("core-properties", "coreProperties") and relation.target in archive:
            yield from archive.events(relation.target)
            return


def _texts(events: Iterator[Event]) -> dict[str, str]:
    """Return the first text in elements of each name."""
    found: dict[str, str] = {}
    open_ones: list[str] = []
    for kind, name, _ in events:
        if kind == "start":
            open_ones.append(name)
        elif kind == "end":
            open_ones.pop()
        elif open_ones and name.strip():
            found.setdefault(open_ones[-1], " ".join(name.split()))
    return found
