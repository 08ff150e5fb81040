"""The words of a page as pdfium places them: glyphs, values of form fields, remarks. Only the child loads this."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from reatt.parsers.pdf.drawn import lines_of
from reatt.parsers.pdf.grids import NOTHING, Drawn, Lines, with_rows
from reatt.parsers.pdf.spaced import Word
from reatt.parsers.superscripts import marked, raised

HYPHENS = (0x02, 0xFFFE)  # pdfium's marks for a hyphen at the end of a line
_RAISED, _SMALLER = 0.18, 0.88  # of the size before: a raised number
_JUMP = 0.17  # of the size: a wider gap is a space; inside words gaps stay below 0.05, between them above 0.2
_CRACK = 0.06  # of the size: a gap in which a drawn line may stand
_BREAKS = "\r\n"  # pdfium puts them before raised letters, too
_SIDEWAYS = 0.2  # the same for turned text, whose boxes are as wide as the ink
_BEFORE_MARKS = ")]}.,;:!?%*\"'’”»"
_LEVEL = 0.1  # radians: text that is turned more is not part of the lines
_LONGEST = 10_000  # characters of a field or a remark

_BUTTONS = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
_VALUES = (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
_REMARKS = (
    pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE, pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_SQUIGGLY, pdfium.FPDF_ANNOT_CARET,
)  # fmt: skip


class _Glyph(NamedTuple):
    """A character, where it begins and ends on its line, and how it is turned."""

    text: str
    left: float
    right: float
    base: float
    size: float


@dataclass
class Page:
    """What stands on a page: its words, text at its sides and across it, and remarks; each row of a grid is a word."""

    words: list[Word]
    sideways: list[list[Word]]  # by quarters of a turn; each as if the page were turned
    turned: list[str]  # at other angles
    remarks: list[str]


class Turn:
    """Turns places on a page as the page is turned when it is shown."""

    def __init__(self, quarters: int) -> None:
        self.quarters = quarters % 4

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Turn a point."""
        return ((x, y), (y, -x), (-x, -y), (-y, x))[self.quarters]

    def lines(self, drawn: Lines) -> Lines:
        """Turn drawn lines."""
        if not self.quarters:
            return drawn
        found: tuple[list[Drawn], list[Drawn]] = ([], [])
        for upright, lines in ((True, drawn.upright), (False, drawn.level)):
            for at, start, end in lines:
                ends = ((at, start), (at, end)) if upright else ((start, at), (end, at))
                (x, y), (to_x, to_y) = (self.place(*point) for point in ends)
                place, *edges = (x, y, to_y) if abs(x - to_x) < abs(y - to_y) else (y, x, to_x)
                found[abs(x - to_x) > abs(y - to_y)].append(Drawn(place, min(edges), max(edges)))
        return Lines(*found)

    def level(self, angle: float) -> bool:
        """Return whether text of this angle is upright on the page that is shown."""
        turned = (angle + self.quarters * math.pi / 2) % (2 * math.pi)  # pdfium counts clockwise
        return min(turned, 2 * math.pi - turned) < _LEVEL


def page_of(document: Any, index: int) -> Page:
    """Read a page of an open pdfium document."""
    page = document[index]
    try:
        turn = Turn(page.get_rotation() // 90)
        found = Page([], [[], [], []], [], [])
        drawn = lines_of(page.raw)
        text = page.get_textpage()  # it closes itself when nothing refers to it
        _read_glyphs(text.raw, turn, found, drawn)
        _read_annotations(document, page.raw, turn, found)
        found.words = with_rows(found.words, turn.lines(drawn))
        return found
    finally:
        page.close()


def _read_glyphs(text: Any, turn: Turn, found: Page, drawn: Lines) -> None:
    turns = [Turn(turn.quarters + quarter) for quarter in range(4)]
    lines = [_Line(found.words, drawn=turn.lines(drawn)), *(_Line(words, _SIDEWAYS) for words in found.sideways)]
    rulers = [_Ruler(text, each) for each in turns]
    turned: list[str] = []
    at_side, begins = 0, True  # how the word that is being read is turned, and whether another line may begin
    for at in range(pdfium.FPDFText_CountChars(text)):
        code = pdfium.FPDFText_GetUnicode(text, at)
        character = "-" if code in HYPHENS else chr(code) if 0 < code < 0x110000 else ""
        if not character or character.isspace():
            begins = True
            turned += " " if turned else ""
            if not (character in _BREAKS or (at_side and pdfium.FPDFText_IsGenerated(text, at))):  # places tell these
                lines[at_side].end_word()
            continue
        if begins or not lines[at_side].glyphs:
            angle = pdfium.FPDFText_GetCharAngle(text, at)
            side = next((quarter for quarter, each in enumerate(turns) if each.level(angle)), None)
            if side != at_side:
                lines[at_side].end_word()
            begins = side is None
            if side is None:
                turned.append(character)
                continue
            at_side = side
        lines[at_side].add(rulers[at_side].glyph(at, character))
        if code in HYPHENS:
            lines[at_side].end_word()
    for line in lines:
        line.end_word()
    found.turned += "".join(turned).split()


class _Line:
    """Puts glyphs together to words; numbers that are raised become powers or the marks of notes."""

    def __init__(self, words: list[Word], jump: float = _JUMP, drawn: Lines = NOTHING) -> None:
        self.glyphs: list[_Glyph] = []
        self._drawn = drawn
        self._jump = jump
        self._raised: list[_Glyph] = []
        self._words = words

    def add(self, glyph: _Glyph) -> None:
        """Take the next glyph of the page."""
        if self._raised and not _is_level(self._raised[-1], glyph):
            self._lower()
        before = (self._raised or self.glyphs)[-1:]
        if before and (_apart(before[0], glyph, self._jump) or self._parted(before[0], glyph)):
            self.end_word()
        elif self._raised or (self.glyphs and _is_raised(self.glyphs[-1], glyph)):
            if self._raised or _carries(self.glyphs[-1].text):
                self._raised.append(glyph)
                return
            self.end_word()  # the upper half of a fraction
        self.glyphs.append(glyph)

    def _parted(self, before: _Glyph, after: _Glyph) -> bool:
        """Return whether an upright line stands in a gap between two glyphs, as between cells."""
        gap = after.left - before.right
        if not self._drawn.upright or gap < _CRACK * after.size:
            return False
        return self._drawn.part(before.right, after.left, after.base + 0.3 * after.size)

    def end_word(self) -> None:
        """Add the word that has been read."""
        self._lower()
        if self.glyphs:
            word = _word(self.glyphs)
            self._words.append(word._replace(text=marked(self._before(word), word.text)))
            self.glyphs = []

    def _before(self, glyph: _Glyph | Word) -> str:
        """Return the word before, if it stands on the same line."""
        last = self._words[-1:]
        return last[0].text if last and abs(last[0].base - glyph.base) < 0.5 * glyph.size else ""

    def _lower(self) -> None:
        """Write what is raised on the line."""
        above, self._raised = self._raised, []
        if not above:
            return
        word = "".join(glyph.text for glyph in self.glyphs)
        before = f"{self._before(self.glyphs[0])} {word}" if word else ""
        written = raised(before, "".join(glyph.text for glyph in above))
        if written.startswith(" "):
            self.end_word()
        base = self.glyphs[-1].base if self.glyphs else self._words[-1].base
        self.glyphs.append(_Glyph(written.strip(), above[0].left, above[-1].right, base, above[0].size))


def _word(glyphs: list[_Glyph]) -> Word:
    tallest = max(glyphs, key=lambda glyph: glyph.size)
    left, right = min(glyph.left for glyph in glyphs), max(glyph.right for glyph in glyphs)
    return Word("".join(glyph.text for glyph in glyphs), left, right, tallest.base, tallest.size)


class _Ruler:
    """Measures the glyphs of a page."""

    def __init__(self, text: Any, turn: Turn) -> None:
        self._text, self._turn = text, turn
        self._box, self._x, self._y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()

    def glyph(self, at: int, character: str) -> _Glyph:
        """Measure one glyph; the loose box has the width that the font gives it, so words have no gaps inside."""
        box, x, y = self._box, self._x, self._y
        pdfium.FPDFText_GetLooseCharBox(self._text, at, box)
        pdfium.FPDFText_GetCharOrigin(self._text, at, x, y)
        left, below, right, above, base = box.left, box.bottom, box.right, box.top, y.value
        if self._turn.quarters:
            (left, below), (right, above) = self._turn.place(left, below), self._turn.place(right, above)
            base = self._turn.place(x.value, base)[1]
        return _Glyph(character, min(left, right), max(left, right), base, abs(above - below))


def _apart(before: _Glyph, after: _Glyph, jump: float) -> bool:
    """Return whether a glyph does not continue the word: it is on another line, or far away."""
    size = max(before.size, after.size)
    gap = after.left - before.right
    return abs(after.base - before.base) > 0.6 * size or gap > jump * size or gap < -2 * size


def _is_raised(before: _Glyph, after: _Glyph) -> bool:
    return after.base - before.base > _RAISED * before.size and after.size < _SMALLER * before.size


def _carries(text: str) -> bool:
    """Return whether a power or the mark of a note can stand behind a sign."""
    return text[-1:].isalnum() or text[-1:] in _BEFORE_MARKS


def _is_level(before: _Glyph, after: _Glyph) -> bool:
    return abs(after.base - before.base) < 0.1 * max(before.size, after.size)


def _read_annotations(document: Any, page: Any, turn: Turn, found: Page) -> None:
    for number in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            if kind == pdfium.FPDF_ANNOT_WIDGET and document.formenv:
                _place(annotation, _value(document.formenv.raw, annotation), turn, found)
            elif kind == pdfium.FPDF_ANNOT_FREETEXT:
                _place(annotation, _contents(annotation), turn, found)
            elif kind in _REMARKS and (remark := _contents(annotation)):
                found.remarks.append(remark)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _value(form: Any, annotation: Any) -> str:
    """Return the value of a form field as a reader sees it."""
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _BUTTONS:
        return "[x]" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    return _string(partial(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)) if kind in _VALUES else ""


def _contents(annotation: Any) -> str:
    return _string(partial(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))


def _string(read: Any) -> str:
    """Read a string of pdfium's: its length first, then UTF-16 with a final NUL."""
    length = read(None, 0)
    if not 2 < length <= 2 * _LONGEST:
        return ""
    buffer = ctypes.create_string_buffer(length)
    read(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), length)
    return buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0").strip()


def _place(annotation: Any, text: str, turn: Turn, found: Page) -> None:
    """Put text where its field is, each of its lines as one word, so that it comes after its label."""
    box = pdfium.FS_RECTF()
    if not text or not pdfium.FPDFAnnot_GetRect(annotation, box):
        return
    (left, low), (right, high) = turn.place(box.left, box.bottom), turn.place(box.right, box.top)
    left, right, low, high = min(left, right), max(left, right), min(low, high), max(low, high)
    found.words += _lines(text, left, right, low, high)


def _lines(text: str, left: float, right: float, low: float, high: float) -> Iterator[Word]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    step = (high - low) / len(lines)
    size = max(4.0, min(12.0, 0.7 * step))
    for number, line in enumerate(lines):
        if line.strip():
            yield Word(line.strip(), left, right, high - (number + 0.5) * step - 0.3 * size, size)
