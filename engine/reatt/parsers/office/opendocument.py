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
from reatt.parsers.formulas import ROOTS, Formula
from reatt.parsers.office.opendocument_flat import Flat
from reatt.parsers.office.opendocument_lists import OUTLINE, Level, Lists
from reatt.parsers.office.opendocument_sheets import count, sheets
from reatt.parsers.office.page_numbers import only_counts, says_nothing
from reatt.parsers.office.properties import told
from reatt.parsers.office.runs import Paragraph
from reatt.parsers.office.sheets import without_value, write_sheet

_BODY, _STYLES, _META = "content.xml", "styles.xml", "meta.xml"
_BLANKS = 1000
_LEFT_OUT = frozenset(
    "page-number page-count tracked-changes desc title creator sender-initials binary-data script".split()
)
_OF_BODY = _LEFT_OUT - {"page-count"}
_DATES = frozenset({"date", "time"})  # of a comment, a field in the text
_EDGES = ("header", "header-first", "header-left", "footer", "footer-first", "footer-left")
_NUMBERED = frozenset({"list-level-style-number", "outline-level-style"})
_HIDDEN = ("none", "condition")  # values of the display of a section


class _Kept(NamedTuple):
    """What of the styles matters: the formats of numbers, the styles of raised and of hidden text."""

    levels: dict[tuple[str, int], Level]
    raised: frozenset[str]
    hidden: frozenset[str]


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
    return told(reader.composer.content(), _meta(archive))


def odp(data: bytes) -> Content:
    """Read a presentation: every slide is a page, followed by its notes."""
    archive = _opened(data)
    reader = _Reader(archive, LINE)
    reader.read(archive.events(_BODY))
    return told(reader.composer.content(), _meta(archive))


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
    return told(composer.content("", tuple(without_value(uncounted))), _meta(archive))


def _opened(data: bytes) -> Archive | Flat:
    return Flat(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else Archive(data)


def _meta(archive: Archive | Flat) -> Iterator[Event]:
    return archive.events(_META) if _META in archive else iter(())


def _kept(archive: Archive | Flat) -> _Kept:
    """Read the styles of the document and of its text."""
    levels: dict[tuple[str, int], Level] = {}
    up, hidden = set(), set()
    parts = [part for part in (_STYLES, _BODY) if part in archive]
    style = ""
    for kind, name, has in (event for part in parts for event in archive.events(part)):
        if kind != "start":
            continue
        if name in ("style", "list-style"):
            style = has.get("name", "")
        elif name == "outline-style":
            style = OUTLINE
        elif name == "text-properties":
            up |= {style} if _is_raised(has.get("text-position", "")) else set()
            hidden |= {style} if has.get("display") == "none" else set()
        elif name in _NUMBERED:
            around = (has.get("num-prefix", ""), has.get("num-format", ""), has.get("num-suffix", ""))
            first, shown = has.get("start-value", ""), count(has.get("display-levels"))
            levels[style, count(has.get("level"))] = Level(*around, int(first) if first.isdecimal() else 1, shown)
    return _Kept(levels, frozenset(up), frozenset(hidden))


def _is_raised(position: str) -> bool:
    """Return whether text is raised: `super 58%`, or by some percent."""
    percent = position.partition("%")[0]
    return position.startswith("super") or (percent.isdecimal() and int(percent) > 0)


def _edges(archive: Archive | Flat) -> Iterator[tuple[str, str]]:
    """Yield what stands above and below the pages, each text once."""
    if _STYLES not in archive:
        return
    seen = set[str]()
    edge, inside_it = "", list[Event]()
    for event in archive.events(_STYLES):
        if event.kind != "text" and event.name in _EDGES:
            if event.kind == "end":
                reader = _Reader(archive, LINE, _LEFT_OUT)
                reader.read(iter(inside_it))
                lines = [line.strip() for line in reader.composer.content().text.split("\n")]
                yield from ((edge, line) for line in lines if line not in seen and not _says_nothing(line))
                seen |= set(lines)
            edge = event.name if event.kind == "start" else ""
            inside_it.clear()
        elif edge:
            inside_it.append(event)


def _says_nothing(line: str) -> bool:
    return says_nothing(line) or (only_counts(line) and any(sign.isalpha() for sign in line))


@dataclass
class _Reader:
    """Reads the body of a document or a presentation."""

    archive: Archive | Flat
    gap: int
    left_out: frozenset[str] = _OF_BODY
    composer: Composer = field(default_factory=Composer)
    kept: _Kept = field(init=False)
    _paragraphs: list[Paragraph] = field(default_factory=list)
    _lists: Lists = field(default_factory=Lists)
    _before: str = ""  # what stands before the next words of a comment
    _spans: list[bool] = field(default_factory=list)  # the open ones: whether they raise their text
    _skipping: int = 0
    _hiding: int = 0  # elements that are open, from a hidden one on
    _cells: int = 0
    _notes: list[str] = field(default_factory=list)
    _note: int = 0
    _mark: list[str] | None = None  # of a note
    _comments: int = 0
    _readings: list[str] | None = None  # how the signs before are read aloud
    _in_title: bool = False  # of a slide
    _formula: Formula | None = None

    def read(self, events: Iterator[Event]) -> None:
        """Read the body; the notes of a text follow it."""
        self.kept = _kept(self.archive)
        self._lists.levels = self.kept.levels
        for kind, name, has in events:
            if kind != "text" and (name in self.left_out or (name in _DATES and self._comments)):
                self._skipping += 1 if kind == "start" else -1
            elif self._skipping:
                continue
            elif self._hiding or (kind == "start" and self._is_hidden(name, has)):
                self._hiding += {"start": 1, "end": -1, "text": 0}[kind]
            elif self._formula is not None or (kind == "start" and name in ROOTS):
                self._in_formula(Event(kind, name, has))
            elif kind == "text":
                self._text(name)
            elif kind == "start":
                self._start(name, has)
            else:
                self._end(name)
        for note in self._notes:
            self.composer.add(note, PARAGRAPH)

    def _is_hidden(self, name: str, has: dict[str, str]) -> bool:
        if name == "span":
            return has.get("style-name", "") in self.kept.hidden
        return (name == "section" and has.get("display") in _HIDDEN) or (
            name in ("hidden-text", "hidden-paragraph") and has.get("is-hidden") == "true"
        )

    def _in_formula(self, event: Event) -> None:
        self._formula = self._formula or Formula()
        if event.kind == "text":
            self._formula.text(event.name)
        elif event.kind == "start":
            self._formula.start(event.name, event.attributes)
        elif (written := self._formula.end()) is not None:
            self._put(written)
            self._formula = None

    def _text(self, text: str) -> None:
        if self._mark is not None:
            self._mark.append(text)
        elif self._readings is not None:
            self._readings.append(text)
        else:
            self._put("".join(" " if each in "\n\r\t" else each for each in text), up=any(self._spans))

    def _put(self, words: str, *, up: bool = False) -> None:
        if self._paragraphs:
            self._paragraphs[-1].put(words, up=up)

    def _start(self, name: str, has: dict[str, str]) -> None:
        match name:
            case "p" | "h":
                self._paragraphs.append(Paragraph(heading=name == "h" or self._in_title))
                self._put(self._lists.heading(has) if name == "h" and not self._cells else "")
            case "page":
                self.composer.page()
            case "frame":
                self._in_title = has.get("class") == "title"
            case "span":
                self._spans.append(has.get("style-name", "") in self.kept.raised)
            case "s":
                self._put(" " * min(count(has.get("c")), _BLANKS))
            case "tab" | "line-break":
                self._put("\t" if name == "tab" else "\n")
            case "list":
                self._lists.begin(has)
            case "list-item":
                self._lists.item(has)
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
                self._before = "Comment: "
                self._comments += 1
            case "object":
                self._draw(inside("", has.get("href", "")))

    def _draw(self, folder: str) -> None:
        """Write a formula or a chart that is a document of its own in the archive."""
        part = f"{folder}/{_BODY}"
        if part not in self.archive:
            return
        if next(self.archive.events(part)).name in ROOTS:
            for event in self.archive.events(part):
                self._in_formula(event)
            return
        for line in _chart(self.archive, part):
            self.composer.add(line, LINE)

    def _end(self, name: str) -> None:
        match name:
            case "p" | "h" if self._paragraphs:
                self._end_paragraph()
            case "span" if self._spans:
                self._spans.pop()
            case "list":
                self.composer.separate(PARAGRAPH if self._lists.end() else self.gap)
            case "note-citation" if self._mark is not None:
                mark, self._mark = "".join(self._mark).strip(), None
                self._put(f" [{mark}]")
                self._notes.append(f"[{mark}]")
            case "note":
                self._note -= 1
            case "annotation":
                self._comments -= 1
            case "ruby-text" if self._readings is not None:
                reading, self._readings = "".join(self._readings), None
                self._put(f"({reading})" if reading else "")
            case "table-cell" | "covered-table-cell":
                self._cells -= 1
                self.composer.end_cell()
            case "table-row":
                self.composer.end_row()
            case "table":
                self.composer.end_table()
            case "frame":
                self._in_title = False
                self.composer.separate(PARAGRAPH)

    def _end_paragraph(self) -> None:
        paragraph = self._paragraphs.pop()
        text = paragraph.text().strip("\n")
        if self._note:
            if self._notes and text.strip():
                self._notes[-1] += f" {text.strip()}"
            return
        number = self._lists.number() if not self._paragraphs and not self._comments else ""
        if text.strip():
            text, self._before = f"{self._before}{number}{text.strip(' ')}", ""
        text = " ".join(text.split()) if self._cells else text
        heading = paragraph.heading and not self._cells
        self.composer.add(text, SPACE if self._cells else self.gap, heading=text if heading else "")


def _chart(archive: Archive | Flat, part: str) -> Iterator[str]:
    """Yield the title and the values of a chart."""
    yield first_text(archive.events(part), "title")
    for sheet in sheets(archive.events(part), _LEFT_OUT | _DATES, frozenset()):
        yield from ("\t".join(row.cells) for row in sheet.rows)
