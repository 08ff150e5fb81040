"""PPTX -> text: the slides in order, each a page, followed by its notes and comments; footers are written once."""

from __future__ import annotations

from collections.abc import Iterator

from reatt.parsers.archives import Archive, Event, damaged
from reatt.parsers.composing import LINE
from reatt.parsers.content import Content
from reatt.parsers.list_numbers import numbered
from reatt.parsers.office.paragraphs import Reader
from reatt.parsers.office.properties import properties, told
from reatt.parsers.office.runs import Paragraph

_STYLES = {"alphaLc": "a", "alphaUc": "A", "romanLc": "i", "romanUc": "I", "circleNum": "①", "ea1": "一"}
_AROUND = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})"}
_COMMENTS = ("comments", "comment")


def pptx(data: bytes) -> Content:
    """Read a presentation."""
    archive = Archive(data)
    main = archive.main_part()
    targets = {relation.id: relation.target for relation in archive.relations(main)}
    shown = [each.attributes.get("r:id", "") for each in archive.events(main) if each[:2] == ("start", "sldId")]
    numbers = _Numbers()
    reader = Reader(archive, LINE, number=numbers.number)
    for id in shown:
        slide = targets.get(id)
        if slide is None or slide not in archive:
            raise damaged(f"slide {id!r} is missing")
        reader.composer.page()
        reader.read(slide)
        for relation in archive.relations(slide):
            if relation.target not in archive:
                continue
            if relation.type == "notesSlide":
                reader.read(relation.target, notes=True)
            elif relation.type in _COMMENTS:
                for comment in _comments(archive.events(relation.target)):
                    reader.composer.add(f"Comment: {comment}", LINE)
    return told(reader.composer.content(), properties(archive))


class _Numbers:
    """Counts the items of numbered lists: until a paragraph of the same or a higher level is no item."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[str, int]] = {}

    def number(self, paragraph: Paragraph) -> str:
        """Return the number of a paragraph with the blank behind it; "" if it has none."""
        for deeper in [at for at in self._counts if at > paragraph.level]:
            del self._counts[deeper]
        if not paragraph.list_id:
            self._counts.pop(paragraph.level, None)
            return ""
        name, _, start = paragraph.list_id.partition(" ")
        before = self._counts.get(paragraph.level)
        first = int(start) if start.isdecimal() else 1
        count = before[1] + 1 if before and before[0] == paragraph.list_id else first
        self._counts[paragraph.level] = (paragraph.list_id, count)
        style = next((sign for prefix, sign in _STYLES.items() if name.startswith(prefix)), "1")
        around = next((form for suffix, form in _AROUND.items() if name.endswith(suffix)), "{}")
        return around.format(numbered(count, style)) + " "


def _comments(events: Iterator[Event]) -> Iterator[str]:
    parts: list[str] = []
    reading = False
    for kind, name, _ in events:
        if kind == "text":
            parts += [name] if reading else []
        elif name in ("text", "t"):
            reading = kind == "start"
        elif name in ("cm", "p") and kind == "end":
            if words := " ".join("".join(parts).split()):
                yield words
            parts.clear()
