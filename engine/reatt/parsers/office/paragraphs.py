"""The paragraphs of DOCX and PPTX: both store text in `t` elements inside `p` elements, perhaps inside table cells.

What a program draws and does not store as text is written, too: numbers of lists, superscripts, exponents and fractions
of formulas, the values of charts, diagrams, signs of fonts, boxes of forms. Numbers of pages are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Archive, Event
from reatt.parsers.composing import LINE, PARAGRAPH, SPACE, Composer
from reatt.parsers.content import Content
from reatt.parsers.formulas import ROOTS, Formula
from reatt.parsers.office.drawings import chart, paragraphs
from reatt.parsers.office.escapes import unescaped
from reatt.parsers.office.form_fields import FIELDS, PARTS, FormField
from reatt.parsers.office.page_numbers import only_counts, says_nothing
from reatt.parsers.office.runs import Fields, Paragraph
from reatt.parsers.office.symbols import in_font, sign
from reatt.parsers.office.word_styles import Styles, is_level

# Copies for older programs, the old place of moved text, deleted text, and a slide's number and date.
# What was before a change of the form is left out, too.
_SKIPPED = frozenset(
    "Fallback moveFrom del fld pPrChange rPrChange tblPrChange trPrChange tcPrChange sectPrChange".split()
)
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_FONTS = frozenset({"rFonts", "sym", "latin"})
_LARGE = ("drop", "margin")  # places of a large first letter, which is a paragraph of its own
_NO = ("0", "false", "off")
_TITLES = frozenset({"title", "ctrTitle"})
_EDGES = frozenset({"hdr", "ftr", "dt", "sldNum"})  # of a slide
_PAGE_FIELD = re.compile(r"\b(?:PAGE|NUMPAGES|SECTIONPAGES)\b")
_WIDEST = 64  # columns that a cell takes


@dataclass
class Reader:
    """Reads parts into one text."""

    archive: Archive
    gap: int  # between paragraphs outside tables
    styles: Styles = field(default_factory=Styles)
    number: Callable[[Paragraph], str] = lambda _: ""  # of an item of a list
    mark: Callable[[str, str], str] = lambda _name, _id: ""  # of a note, by the kind of its reference and its id
    inserted: Callable[[str], Content] = lambda _: Content("", "")  # what a part holds that is a file of its own
    composer: Composer = field(default_factory=Composer)
    _edges: set[str] = field(default_factory=set)  # texts at the edges of slides and pages that are written

    def read(
        self, part: str, *, notes: bool = False, once: bool = False, before: Callable[[Event], str] | None = None
    ) -> None:
        """Read one part; of texts at the edges of pages (`once`) each is written once.

        `before` names what stands before the first words in an element, for instance the author of a comment.
        """
        self._targets = {relation.id: relation.target for relation in self.archive.relations(part)}
        self._open: list[Paragraph] = []
        self._cells: list[int] = []  # the open ones: how many columns each takes
        self._skipping = 0
        self._form: FormField | None = None
        self._reading: list[str] = []  # how the signs that follow are read aloud
        self._in_reading = False
        self._in_text = self._in_title = self._in_code = self._raising = self._in_number = False
        self._in_run = self._hidden = self._in_properties = False
        self._before_next: list[str] = []  # runs of a paragraph whose end was deleted
        self._notes, self._once, self._edge = notes, once, False
        self._seen: set[str] = set()  # texts at the edge that is read
        self._font = self._before = ""
        self._fields = Fields()
        self._formula: Formula | None = None
        for event in self.archive.events(part):
            self._take(event, before)
        self._end_joined()
        self._edges |= self._seen
        self.composer.separate(PARAGRAPH)

    def _take(self, event: Event, before: Callable[[Event], str] | None) -> None:
        kind, name, attributes = event
        if name in _SKIPPED and kind != "text":
            if name == "del" and self._in_properties and self._open:
                self._open[-1].joined = True
            self._skipping += 1 if kind == "start" else -1
        elif self._skipping:
            return
        elif self._open and (self._formula is not None or name in ROOTS):
            self._in_formula(event, self._open[-1])
        elif kind == "text":
            self._text(name)
        elif kind == "start":
            self._before = (before(event) if before else "") or self._before
            self._start(name, attributes)
        else:
            self._end(name)

    def _text(self, text: str) -> None:
        if not self._open:
            return
        if self._in_code and self._once and _PAGE_FIELD.search(text):
            self._open[-1].pages = self._in_number = True
        elif self._in_text and self._in_reading:
            self._reading.append(text)
        elif self._in_text and not self._in_number and not self._hidden and not self._fields.hide():
            self._open[-1].put(in_font(self._font, unescaped(text)), up=self._raising)

    def _in_formula(self, event: Event, paragraph: Paragraph) -> None:
        self._formula = self._formula or Formula()
        if event.kind == "text":
            self._formula.text(event.name)
        elif event.kind == "start":
            self._formula.start(event.name, event.attributes)
        elif (written := self._formula.end()) is not None:
            paragraph.put(written)
            self._formula = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        paragraph = self._open[-1] if self._open else None
        if name == "p":
            self._open.append(Paragraph(self._before_next, heading=self._in_title and not self._notes))
            self._before_next, self._in_run = [], False
        elif name == "r":
            self._raising, self._in_run, self._font = False, True, ""
        elif name == "t":
            self._in_text = True
        elif name == "tr":
            self.composer.open_row()
        elif name == "tc":
            self._cells.append(1)
        elif name in ("gridSpan", "gridBefore"):
            self._span(name, _whole(attributes))
        elif name == "ph":
            self._in_title = attributes.get("type") in _TITLES
            self._edge = attributes.get("type") in _EDGES
        elif name == "instrText":
            self._in_code = True
        elif name == "fldSimple":
            self._in_number = self._once and bool(_PAGE_FIELD.search(attributes.get("instr", "")))
            if paragraph is not None:
                paragraph.pages = paragraph.pages or self._in_number
        elif name in ("chart", "relIds"):
            self._draw(name, attributes, paragraph)
        elif name == "altChunk":
            self._insert(self._targets.get(attributes.get("r:id", ""), ""))
        elif paragraph is not None:
            self._in_paragraph(name, attributes, paragraph)

    def _in_paragraph(self, name: str, has: dict[str, str], paragraph: Paragraph) -> None:
        if name in _SIGNS and not (name == "tab" and "val" in has):  # in that case it is a tab stop
            paragraph.put(_SIGNS[name])
        elif name == "sym" and "char" in has:
            paragraph.put(sign(has.get("font", ""), has["char"]))
        elif name == "textpath":  # letters behind the page
            paragraph.put(has.get("string", ""))
        elif name == "rt":
            self._in_reading = True
        elif name in FIELDS:
            self._form = FormField()
        elif name in PARTS and self._form is not None:
            self._form.take(name, has)
        elif name.endswith("noteReference"):
            paragraph.put(self.mark(name.removesuffix("Reference"), has.get("id", "")))
        elif name == "fldChar":
            self._fields.mark(has.get("fldCharType", ""))
            self._in_number = self._in_number and has.get("fldCharType") != "end"
        elif self._in_run or name == "rPr":
            self._in_run_properties(name, has)
        else:
            self._in_paragraph_properties(name, has, paragraph)

    def _in_run_properties(self, name: str, has: dict[str, str]) -> None:
        value = has.get("val", "")
        if name in _FONTS:
            self._font = has.get("ascii", has.get("typeface", self._font))
        elif name == "vanish":
            self._hidden = value not in _NO
        elif name == "rStyle":
            self._raising, self._hidden = value in self.styles.up, value in self.styles.hidden
        elif name == "vertAlign":
            self._raising = value == "superscript"
        elif name == "rPr" and has.get("baseline", "").isdecimal() and has["baseline"] != "0":
            self._raising = True

    def _in_paragraph_properties(self, name: str, has: dict[str, str], paragraph: Paragraph) -> None:
        value = has.get("val", "")
        if name == "pStyle":
            paragraph.style = value
            paragraph.heading = paragraph.heading or value in self.styles.headings
        elif name == "framePr":
            paragraph.joined = has.get("dropCap") in _LARGE
        elif name == "outlineLvl" and is_level(has):
            paragraph.heading = True
        elif name == "ilvl":
            paragraph.level = _whole(has)
        elif name == "numId":
            paragraph.list_id = value
        elif name == "pPr":
            self._in_properties = True
            paragraph.level = int(has["lvl"]) if has.get("lvl", "").isdecimal() else paragraph.level
        elif name == "buAutoNum":
            paragraph.list_id = f"{has.get('type', '')} {has.get('startAt', '1')}"

    def _span(self, name: str, columns: int) -> None:
        """Note that a cell takes several columns, or that a row begins behind some."""
        if name == "gridSpan" and self._cells:
            self._cells[-1] = min(columns, _WIDEST)
        elif name == "gridBefore":
            self.composer.end_cell(min(columns, _WIDEST))

    def _draw(self, name: str, has: dict[str, str], paragraph: Paragraph | None) -> None:
        """Write a chart or a diagram, after the paragraph that it stands in."""
        part = self._targets.get(has.get("r:id" if name == "chart" else "dm", ""), "")
        if part not in self.archive:
            return
        lines = chart(self.archive, part) if name == "chart" else paragraphs(self.archive.events(part))
        if paragraph is not None:
            paragraph.drawn += lines
        else:
            self._write_lines(lines)

    def _insert(self, part: str) -> None:
        """Write a file that was put into this one as a whole."""
        if part in self.archive:
            content = self.inserted(part)
            self.composer.add_content(content.text, content.headings)

    def _write_lines(self, lines: Iterator[str] | list[str]) -> None:
        for line in lines:
            self.composer.add(line, LINE)
        self.composer.separate(PARAGRAPH)

    def _end(self, name: str) -> None:
        if name == "p" and self._open:
            self._end_paragraph(self._open.pop())
        elif name == "t":
            self._in_text = False
        elif name == "pPr":
            self._in_properties = False
        elif name == "instrText":
            self._in_code = False
        elif name == "fldSimple":
            self._in_number = False
        elif name in ("rt", "rubyBase", *FIELDS) and self._open:
            self._end_beside(name, self._open[-1])
        elif name == "r":
            self._raising = self._in_run = self._hidden = False
        elif name == "tc" and self._cells:
            self._end_joined()
            self.composer.end_cell(min(self._cells.pop(), _WIDEST))
        elif name == "tr":
            self.composer.end_row()
        elif name == "tbl":
            self.composer.end_table()
        elif name in ("sp", "graphicFrame"):
            self._in_title = self._edge = False
            self.composer.separate(PARAGRAPH)

    def _end_joined(self) -> None:
        """Write what waits for a paragraph that does not come."""
        waiting, self._before_next = self._before_next, []
        if waiting:
            self._end_paragraph(Paragraph(waiting))

    def _end_beside(self, name: str, paragraph: Paragraph) -> None:
        """Write a field of a form, or how the signs are read aloud that have been written."""
        if name == "rt":
            self._in_reading = False
        elif name == "rubyBase":
            paragraph.put(f"({''.join(self._reading)})" if self._reading else "")
            self._reading = []
        elif self._form is not None:
            paragraph.put(self._form.text())
            self._form = None

    def _end_paragraph(self, paragraph: Paragraph) -> None:
        self._fields.end_paragraph()
        text = paragraph.text()
        if paragraph.joined:
            self._before_next = paragraph.runs
            return
        text = " ".join(text.split()) if self._cells else text.strip("\n")
        if not self._is_left_out(text, paragraph):
            if text.strip():
                text = f"{self._before}{self.number(paragraph)}{text}"
                self._before = ""
            border = SPACE if self._cells else self.gap
            self.composer.add(text, border, heading=text if paragraph.heading and not self._cells else "")
        if paragraph.drawn:
            self._write_lines(paragraph.drawn)

    def _is_left_out(self, text: str, paragraph: Paragraph) -> bool:
        """Return whether a text at the edge of a page has been written, or is a page's number."""
        if paragraph.pages and only_counts(text):
            return True
        if not (self._once or self._edge):
            return False
        words = " ".join(text.split())
        if words in self._edges or (not self._cells and says_nothing(words)):
            return True
        self._seen.add(words)
        return False


def _whole(has: dict[str, str]) -> int:
    return int(has["val"]) if has.get("val", "").isdecimal() else 0
