"""DOCX and PPTX -> text: paragraphs, tables, notes, headings; every slide is a page.

Both store text in `t` elements inside `p` elements, which may be inside table cells, so one reader handles both. A DOCX
has no pages until a program lays it out; its headings locate a passage instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Archive, Event, damaged
from reatt.parsers.composing import CELL, LINE, PARAGRAPH, SPACE, Composer
from reatt.parsers.formats import Content

_HEADING_STYLE = re.compile(r"(?:heading \d|title)$", re.IGNORECASE)  # the names of styles are English in every file
_TITLES = frozenset({"title", "ctrTitle"})
# Copies for older programs, the old place of moved text, and a slide's number and date.
_SKIPPED = frozenset({"Fallback", "moveFrom", "fld"})
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTES = ("footnotes", "endnotes", "comments")


@dataclass
class _Paragraph:
    """A paragraph that is being read; paragraphs nest, because text boxes do."""

    runs: list[str] = field(default_factory=list)
    heading: bool = False


def docx(data: bytes) -> Content:
    """Read a Word document: the body, then footnotes, endnotes and comments."""
    archive = Archive(data)
    main = archive.main_part()
    related = archive.relations(main)
    styles = next((each.target for each in related if each.type == "styles" and each.target in archive), None)
    reader = _Reader(_heading_styles(archive.events(styles)) if styles else frozenset(), PARAGRAPH)
    reader.read(archive.events(main))
    for relation in related:
        if relation.type in _NOTES and relation.target in archive:
            reader.read(archive.events(relation.target))
    return reader.composer.content(archive.title())


def pptx(data: bytes) -> Content:
    """Read a presentation: the slides in order, each followed by its notes."""
    archive = Archive(data)
    main = archive.main_part()
    targets = {relation.id: relation.target for relation in archive.relations(main)}
    shown = [event.attributes.get("r:id", "") for event in archive.events(main) if _starts(event, "sldId")]
    reader = _Reader(frozenset(), LINE)
    for id in shown:
        slide = targets.get(id)
        if slide is None or slide not in archive:
            raise damaged(f"slide {id!r} is missing")
        reader.composer.page()
        reader.read(archive.events(slide))
        for relation in archive.relations(slide):
            if relation.type == "notesSlide" and relation.target in archive:
                reader.read(archive.events(relation.target), notes=True)
    return reader.composer.content(archive.title())


def _starts(event: Event, name: str) -> bool:
    return event.kind == "start" and event.name == name


def _heading_styles(events: Iterator[Event]) -> frozenset[str]:
    """Name the styles that make a paragraph a heading."""
    found, style = set(), ""
    for event in events:
        if _starts(event, "style"):
            style = event.attributes.get("styleId", "")
        elif (_starts(event, "name") and _HEADING_STYLE.match(event.attributes.get("val", ""))) or (
            _starts(event, "outlineLvl") and _is_level(event)
        ):
            found.add(style)
    return frozenset(found)


def _is_level(event: Event) -> bool:
    return event.attributes.get("val", "9") in "012345678"  # level 9 means body text


class _Reader:
    """Reads parts into one text."""

    def __init__(self, heading_styles: frozenset[str], gap: int) -> None:
        self.composer = Composer()
        self._styles = heading_styles
        self._gap = gap  # between paragraphs outside tables

    def read(self, events: Iterator[Event], notes: bool = False) -> None:
        """Read one part."""
        self._open: list[_Paragraph] = []
        self._cells = self._skipping = 0
        self._in_text = self._in_title = False
        for kind, name, attributes in events:
            if name in _SKIPPED and kind != "text":
                self._skipping += 1 if kind == "start" else -1
            elif self._skipping:
                continue
            elif kind == "text":
                if self._in_text and self._open:
                    self._open[-1].runs.append(name)
            elif kind == "start":
                self._start(name, attributes, notes)
            else:
                self._end(name)
        self.composer.separate(PARAGRAPH)

    def _start(self, name: str, attributes: dict[str, str], notes: bool) -> None:
        paragraph = self._open[-1] if self._open else None
        if name == "p":
            self._open.append(_Paragraph(heading=self._in_title and not notes))
        elif name == "t":
            self._in_text = True
        elif name == "tc":
            self._cells += 1
        elif name == "ph":
            self._in_title = attributes.get("type") in _TITLES
        elif paragraph is None:
            return
        elif name in _SIGNS and not (name == "tab" and "val" in attributes):  # in that case it is a tab stop
            paragraph.runs.append(_SIGNS[name])
        elif (name == "pStyle" and attributes.get("val") in self._styles) or (
            name == "outlineLvl" and _is_level(Event("start", name, attributes))
        ):
            paragraph.heading = True

    def _end(self, name: str) -> None:
        if name == "p" and self._open:
            paragraph = self._open.pop()
            text = "".join(paragraph.runs).strip("\n")
            border = SPACE if self._cells else self._gap
            self.composer.add(text, border, heading=text if paragraph.heading and not self._cells else "")
        elif name == "t":
            self._in_text = False
        elif name == "tc":
            self._cells -= 1
            self.composer.separate(CELL)
        elif name == "tr":
            self.composer.separate(LINE)
        elif name == "tbl":
            self.composer.separate(PARAGRAPH)
        elif name == "sp":
            self._in_title = False
            self.composer.separate(PARAGRAPH)
