"""The sheets of OpenDocument: every cell as its program shows it, and what stands beside the cells.

A cell that some program has left without a text is read from its value. Cells and rows that are repeated are written
once for each time, within limits, because an empty one may be repeated to the end of the sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Event
from reatt.parsers.office.sheets import Row
from reatt.parsers.superscripts import raised

REPEATED = 64  # times that a cell or a row is written
_CELLS = frozenset({"table-cell", "covered-table-cell"})
_BLANKS = frozenset({"s", "tab", "line-break"})
_VALUES = ("string-value", "date-value", "time-value", "boolean-value", "value")


@dataclass
class Sheet:
    """One sheet."""

    name: str = ""
    rows: list[Row] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)  # comments and text boxes
    uncounted: int = 0  # formulas without a value


def sheets(events: Iterator[Event], left_out: frozenset[str], up: frozenset[str]) -> Iterator[Sheet]:
    """Yield the sheets; elements of the names `left_out` are, texts of the styles `up` are raised."""
    reader = _Sheets(up)
    skipping = 0
    for event in events:
        kind, name, has = event
        if name in left_out and kind != "text":
            skipping += 1 if kind == "start" else -1
        elif skipping:
            continue
        elif kind == "text":
            reader.text(name)
        elif kind == "start":
            reader.start(name, has)
        elif name == "table":
            yield reader.sheet
        else:
            reader.end(name)


def count(written: str | None) -> int:
    """Return how often something is repeated."""
    return int(written) if written and written.isdecimal() else 1


class _Sheets:
    """Reads one sheet after the other."""

    def __init__(self, up: frozenset[str]) -> None:
        self.sheet = Sheet()
        self._up = up
        self._spans: list[str] = []
        self._cells: list[str] = []  # of the open row
        self._cell: dict[str, str] = {}
        self._parts: list[str] = []
        self._beside: list[str] | None = None  # the text of an open comment or of shapes
        self._paragraphs = self._number = 0
        self._times = 1

    def text(self, words: str) -> None:
        """Take characters."""
        if self._beside is not None:
            self._beside.append(words)
        elif self._paragraphs and self._spans and self._spans[-1] in self._up:
            self._parts.append(raised("".join(self._parts[-3:]), words))
        elif self._paragraphs:
            self._parts.append(words)

    def start(self, name: str, has: dict[str, str]) -> None:
        """Begin an element."""
        if name == "table":
            self.sheet, self._number = Sheet(has.get("name", "")), 0
        elif name == "table-row":
            self._cells, self._times = [], count(has.get("number-rows-repeated"))
        elif name in _CELLS:
            self._cell, self._parts = has, []
        elif name in ("annotation", "shapes"):
            self._beside = []
        elif name == "p":
            self._paragraphs += 1
            self.text(" ")
        elif name == "span":
            self._spans.append(has.get("style-name", ""))
        elif name in _BLANKS:
            self.text(" ")

    def end(self, name: str) -> None:
        """End an element."""
        if name == "table-row":
            self._end_row()
        elif name in _CELLS:
            self._cells += [self._shown()] * min(count(self._cell.get("number-columns-repeated")), REPEATED)
        elif name in ("annotation", "shapes") and self._beside is not None:
            words, self._beside = " ".join("".join(self._beside).split()), None
            self.sheet.beside += [f"Comment on {self._place()}: {words}" if name == "annotation" else words]
        elif name == "p":
            self._paragraphs -= 1
        elif name == "span" and self._spans:
            self._spans.pop()

    def _end_row(self) -> None:
        while self._cells and not self._cells[-1]:
            self._cells.pop()
        if self._cells:
            numbers = range(self._number + 1, self._number + 1 + min(self._times, REPEATED))
            self.sheet.rows += [Row(self._cells, number) for number in numbers]
        self._number += self._times

    def _place(self) -> str:
        """Return the name of the open cell, as B2."""
        column, letters = len(self._cells) + 1, ""
        while column:
            column, letter = divmod(column - 1, 26)
            letters = chr(65 + letter) + letters
        return f"{letters}{self._number + 1}"

    def _shown(self) -> str:
        if words := " ".join("".join(self._parts).split()):
            return words
        cell = self._cell
        value = next((cell[name] for name in _VALUES if cell.get(name)), "")
        if not value and (formula := cell.get("formula", "")):
            self.sheet.uncounted += 1
            return formula.partition(":")[2] or formula
        if cell.get("value-type") == "boolean":
            return value.upper()
        try:
            number = float(value)
        except ValueError:
            return value.removesuffix("T00:00:00")
        return f"{100 * number:.10g}%" if cell.get("value-type") == "percentage" else f"{number:.15g}"
