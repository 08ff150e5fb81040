"""ODT, ODS and ODP -> text: OpenDocument, which stores all of them in one language of XML.

A cell stores what it shows, so nothing has to be calculated. The parts lie in a zip archive, or in one flat file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from reatt.parsers.archives import Archive, Event, first_text, inside
from reatt.parsers.composing import LINE, PARAGRAPH, SPACE, Composer
from reatt.parsers.content import Content
from reatt.parsers.list_numbers import numbered
from reatt.parsers.office.opendocument_flat import Flat
from reatt.parsers.office.opendocument_sheets import count, sheets
from reatt.parsers.office.page_numbers import only_counts
from reatt.parsers.office.sheets import without_value, write_sheet
from reatt.parsers.superscripts import raised

_BODY, _STYLES, _META = "content.xml", "styles.xml", "meta.xml"
_BLANKS = 1000
_TEXTS = frozenset({"p", "h"})
_LEFT_OUT = frozenset("page-number page-count tracked-changes desc title creator sender-initials binary-data".split())
_OF_BODY = _LEFT_OUT - {"page-count"}
_DATES = frozenset({"date", "time"})  # of a comment, a field in the text
_EDGES = ("header", "header-first", "header-left", "footer", "footer-first", "footer-left")


class _Kept(NamedTuple):
    """What of the styles matters: the formats of numbered lists, the styles of raised text and of hidden sheets."""

    lists: dict[tuple[str, int], tuple[str, str, str, int]]  # list, level -> before, format, behind, first number
    raised: frozenset[str]


def odt(data: bytes) -> Content:
    """Read a text document: what stands above the pages, the body with its notes, what stands below."""
    archive = _opened(data)
    reader = _Reader(archive, PARAGRAPH)
    edges = list(_edges(archive))
    for _, line in (each for each in edges if each[0].startswith("header")):
        reader.composer.add(line, PARAGRAPH)
    reader.read(archive.events(_BODY))
    for _, line in (each for each in edges if each[0].startswith("footer")):
        reader.composer.add(line, PARAGRAPH)
    return reader.composer.content(_title(archive))


def odp(data: bytes) -> Content:
    """Read a presentation: every slide is a page, followed by its notes."""
    archive = _opened(data)
    reader = _Reader(archive, LINE)
    reader.read(archive.events(_BODY))
    return reader.composer.content(_title(archive))


def ods(data: bytes) -> Content:
    """Read a workbook: every sheet is a page."""
    archive = _opened(data)
    composer = Composer()
    uncounted = 0
    for sheet in sheets(archive.events(_BODY), _LEFT_OUT | _DATES, _kept(archive).raised):
        write_sheet(composer, sheet.name, iter(sheet.rows))
        for line in sheet.beside:
            composer.add(line, LINE)
        composer.separate(PARAGRAPH)
        uncounted += sheet.uncounted
    return composer.content(_title(archive), tuple(without_value(uncounted)))


def _opened(data: bytes) -> Archive | Flat:
    return Flat(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else Archive(data)


def _title(archive: Archive | Flat) -> str:
    return first_text(archive.events(_META), "title") if _META in archive else ""


def _kept(archive: Archive | Flat) -> _Kept:
    """Read the styles of the document and of its text."""
    lists: dict[tuple[str, int], tuple[str, str, str, int]] = {}
    up = set()
    parts = [part for part in (_STYLES, _BODY) if part in archive]
    style = ""
    for kind, name, has in (event for part in parts for event in archive.events(part)):
        if kind != "start":
            continue
        if name in ("style", "list-style"):
            style = has.get("name", "")
        elif name == "text-properties" and has.get("text-position", "").startswith("super"):
            up.add(style)
        elif name == "list-level-style-number":
            first = has.get("start-value", "1")
            around = (has.get("num-prefix", ""), has.get("num-format", ""), has.get("num-suffix", ""))
            lists[style, count(has.get("level"))] = (*around, int(first) if first.isdecimal() else 1)
    return _Kept(lists, frozenset(up))


def _edges(archive: Archive | Flat) -> Iterator[tuple[str, str]]:
    """Yield what stands above and below the pages, each text once."""
    if _STYLES not in archive:
        return
    seen = set()
    edge, parts, skipping = "", list[str](), 0
    for kind, name, _ in archive.events(_STYLES):
        if kind == "text":
            parts += [name] if edge and not skipping else []
        elif name in _LEFT_OUT:
            skipping += 1 if kind == "start" else -1
        elif name in _EDGES:
            edge = name if kind == "start" else ""
        elif name in _TEXTS and kind == "end":
            words = " ".join("".join(parts).split())
            parts.clear()
            if not only_counts(words) and words not in seen:
                seen.add(words)
                yield edge, words


@dataclass
class _Open:
    """A list that is being read."""

    style: str
    count: int | None = None  # of its items; None before the first


@dataclass
class _Reader:
    """Reads the body of a document or a presentation."""

    archive: Archive | Flat
    gap: int
    composer: Composer = field(default_factory=Composer)
    kept: _Kept = field(init=False)
    _paragraphs: list[tuple[list[str], bool]] = field(default_factory=list)  # runs, and whether it is a heading
    _lists: list[_Open] = field(default_factory=list)
    _number: str = ""  # of the item whose first paragraph has not ended
    _spans: list[str] = field(default_factory=list)
    _up: list[str] = field(default_factory=list)
    _skipping: int = 0
    _cells: int = 0
    _notes: list[str] = field(default_factory=list)
    _note: int = 0
    _mark: list[str] | None = None  # of a note
    _comments: int = 0
    _readings: list[str] | None = None  # how the signs before are read aloud

    def read(self, events: Iterator[Event]) -> None:
        """Read the body; the notes of a text follow it."""
        self.kept = _kept(self.archive)
        for kind, name, has in events:
            if kind != "text" and (name in _OF_BODY or (name in _DATES and self._comments)):
                self._skipping += 1 if kind == "start" else -1
            elif self._skipping:
                continue
            elif kind == "text":
                self._text(name)
            elif kind == "start":
                self._start(name, has)
            else:
                self._end(name)
        for note in self._notes:
            self.composer.add(note, PARAGRAPH)

    def _text(self, text: str) -> None:
        if self._mark is not None:
            self._mark.append(text)
        elif self._readings is not None:
            self._readings.append(text)
        elif self._paragraphs:
            words = "".join(" " if each in "\n\r\t" else each for each in text)
            if self._spans and self._spans[-1] in self.kept.raised:
                self._up.append(words)
            else:
                self._paragraphs[-1][0].append(words)

    def _start(self, name: str, has: dict[str, str]) -> None:
        runs = self._paragraphs[-1][0] if self._paragraphs else []
        match name:
            case "p" | "h":
                self._paragraphs.append(([], name == "h"))
            case "page":
                self.composer.page()
            case "span":
                self._spans.append(has.get("style-name", ""))
            case "s":
                runs.append(" " * min(count(has.get("c")), _BLANKS))
            case "tab" | "line-break":
                runs.append("\t" if name == "tab" else "\n")
            case "list":
                outer = self._lists[-1].style if self._lists else ""
                self._lists.append(_Open(has.get("style-name", outer)))
            case "list-item" if self._lists:
                self._number = self._counted(has)
            case "table-row":
                self.composer.open_row()
            case "table-cell" | "covered-table-cell":
                self._cells += 1
            case "ruby-text":
                self._readings = []
            case "note":
                self._note += 1
            case "note-citation":
                self._mark = []
            case "annotation":
                self._number = "Comment: "
                self._comments += 1
            case "object":
                for line in _object(self.archive, inside("", has.get("href", ""))):
                    self.composer.add(line, LINE)

    def _counted(self, has: dict[str, str]) -> str:
        """Return the number of the next item of the innermost list."""
        inner = self._lists[-1]
        form = self.kept.lists.get((inner.style, len(self._lists)))
        if form is None or not form[1]:
            return ""
        given = has.get("start-value", "")
        before = form[3] - 1 if inner.count is None else inner.count
        inner.count = int(given) if given.isdecimal() else before + 1
        return f"{form[0]}{numbered(inner.count, form[1])}{form[2]} "

    def _end(self, name: str) -> None:
        match name:
            case "p" | "h" if self._paragraphs:
                self._end_paragraph()
            case "span" if self._spans:
                if self._up and self._paragraphs:
                    runs = self._paragraphs[-1][0]
                    runs.append(raised("".join(runs[-3:]), "".join(self._up)))
                    self._up.clear()
                self._spans.pop()
            case "list" if self._lists:
                self._lists.pop()
                self.composer.separate(PARAGRAPH if not self._lists else self.gap)
            case "note-citation" if self._mark is not None:
                mark, self._mark = "".join(self._mark).strip(), None
                if self._paragraphs:
                    self._paragraphs[-1][0].append(f" [{mark}]")
                self._notes.append(f"[{mark}]")
            case "note":
                self._note -= 1
            case "annotation":
                self._comments -= 1
            case "ruby-text" if self._readings is not None:
                reading, self._readings = "".join(self._readings), None
                if self._paragraphs and reading:
                    self._paragraphs[-1][0].append(f"({reading})")
            case "table-cell" | "covered-table-cell":
                self._cells -= 1
                self.composer.end_cell()
            case "table-row":
                self.composer.end_row()
            case "table":
                self.composer.end_table()
            case "frame":
                self.composer.separate(PARAGRAPH)

    def _end_paragraph(self) -> None:
        runs, heading = self._paragraphs.pop()
        text = "".join(runs).strip("\n")
        if self._note:
            if self._notes and text.strip():
                self._notes[-1] += f" {text.strip()}"
            return
        if text.strip():
            text, self._number = self._number + text.strip(" "), ""
        heading = heading and not self._cells
        self.composer.add(text, SPACE if self._cells else self.gap, heading=text if heading else "")


def _object(archive: Archive | Flat, folder: str) -> Iterator[str]:
    """Yield the title and the values of a chart that is a document of its own in the archive."""
    part = f"{folder}/{_BODY}"
    if part in archive:
        yield first_text(archive.events(part), "title")
        for sheet in sheets(archive.events(part), _LEFT_OUT | _DATES, frozenset()):
            yield from ("\t".join(row.cells) for row in sheet.rows)
