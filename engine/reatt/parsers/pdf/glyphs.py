"""The words of a page as pdfium places them: glyphs, values of form fields, remarks. Only the child loads this."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from reatt.parsers.pdf.spaced import Word
from reatt.parsers.superscripts import raised

HYPHENS = (0x02, 0xFFFE)  # pdfium's marks for a hyphen at the end of a line
_RAISED, _SMALLER = 0.18, 0.88  # of the size before: a raised number
_JUMP = 0.17  # of the size: a wider gap is a space; inside words gaps stay below 0.05, between them above 0.2
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
    """What stands on a page: the words on its lines, text at its sides and across it, and remarks beside it."""

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
        text = page.get_textpage()  # it closes itself when nothing refers to it
        _read_glyphs(text.raw, turn, found)
        _read_annotations(document, page.raw, turn, found)
        return found
    finally:
        page.close()


def _read_glyphs(text: Any, turn: Turn, found: Page) -> None:
    turns = [Turn(turn.quarters + quarter) for quarter in range(4)]
    lines = [_Line(found.words), *(_Line(words, _SIDEWAYS) for words in found.sideways)]
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

    def __init__(self, words: list[Word], jump: float = _JUMP) -> None:
        self.glyphs: list[_Glyph] = []
        self._jump = jump
        self._raised: list[_Glyph] = []
        self._words = words

    def add(self, glyph: _Glyph) -> None:
        """Take the next glyph of the page."""
        if self._raised and not _is_level(self._raised[-1], glyph):
            self._lower()
        before = (self._raised or self.glyphs)[-1:]
        if before and _apart(before[0], glyph, self._jump):
            self.end_word()
        elif self._raised or (self.glyphs and _is_raised(self.glyphs[-1], glyph)):
            if self._raised or _carries(self.glyphs[-1].text):
                self._raised.append(glyph)
                return
            self.end_word()  # the upper half of a fraction
        self.glyphs.append(glyph)

    def end_word(self) -> None:
        """Add the word that has been read."""
        self._lower()
        if self.glyphs:
            self._words.append(_word(self.glyphs))
            self.glyphs = []

    def _lower(self) -> None:
        """Write what is raised on the line."""
        above, self._raised = self._raised, []
        if not above:
            return
        written = raised("".join(glyph.text for glyph in self.glyphs), "".join(glyph.text for glyph in above))
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
