"""Composes text from pieces with separators, and records the exact positions of pages and headings."""

from __future__ import annotations

from reatt.parsers.content import Content, Headings
from reatt.parsers.superscripts import with_marks

# Separators by strength; of several between two pieces the strongest is used.
NONE, SPACE, CELL, LINE, PARAGRAPH = range(5)
_BORDERS = ("", " ", "\t", "\n", "\n\n")


class Composer:
    """Collects the text of one document and the positions of its parts."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._border = NONE
        self._cells = 0  # ends of cells since the last piece or the last stronger border; empty ones keep their columns
        self._pages: list[int] = []
        self._headings: list[tuple[int, str]] = []
        self._rows: list[int] = []  # the open rows, of tables in tables: how many columns of each are written

    def separate(self, border: int) -> None:
        """Request a separator before the next piece."""
        self._border = max(self._border, border)
        self._cells = 0 if border > CELL else self._cells + (border == CELL)

    def open_row(self) -> None:
        """Begin a row of a table, which may stand in a cell of another one."""
        self._rows.append(0)

    def end_cell(self, columns: int = 1) -> None:
        """End a cell that takes some columns."""
        if self._rows:
            self._rows[-1] += columns
        for _ in range(columns):
            self.separate(CELL)

    def end_row(self) -> None:
        """End a row; of a table in a cell the next one begins in the column of that cell."""
        if self._rows:
            self._rows.pop()
        self.separate(LINE)
        for _ in range(sum(self._rows)):
            self.separate(CELL)

    def end_table(self) -> None:
        """End a table."""
        if not self._rows:
            self.separate(PARAGRAPH)

    def page(self) -> None:
        """Start a new page; the next pieces are on it."""
        if self._parts and self._parts[-1] != _BORDERS[PARAGRAPH]:
            self._write(_BORDERS[PARAGRAPH])
        self._border, self._cells = NONE, 0
        self._pages.append(self._length)

    def add(self, text: str, border: int = NONE, heading: str = "") -> None:
        """Add a piece unless it is blank, followed by a separator; `heading` starts at the same position."""
        piece = with_marks(whole(text))
        if piece.strip():
            self._open()
            if heading := " ".join(with_marks(whole(heading)).split()):
                self._headings.append((self._length, heading))
            self._write(piece)
        self.separate(border)

    def add_content(self, text: str, headings: Headings) -> None:
        """Add the result of another parser; its headings are shifted."""
        if text.strip():
            self.separate(PARAGRAPH if self._parts else NONE)
            self._open()
            self._headings += [(self._length + at, heading) for at, heading in headings]
            self._write(text)
        self.separate(PARAGRAPH)

    def content(self, title: str = "", warnings: tuple[str, ...] = ()) -> Content:
        """Return the document."""
        named = " ".join(whole(title).split())
        text = "".join(self._parts)
        return Content(named, text, tuple(self._pages), tuple(self._headings), warnings)

    def _open(self) -> None:
        """Write the requested separator."""
        border = "" if self._border == CELL else _BORDERS[self._border]
        if self._parts and (border or self._cells):
            self._write(border + _BORDERS[CELL] * self._cells)
        self._border, self._cells = NONE, 0

    def _write(self, piece: str) -> None:
        self._parts.append(piece)
        self._length += len(piece)


def whole(text: str) -> str:
    """Make derived text storable: valid characters, \\n line ends, no NULs."""
    text = text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
