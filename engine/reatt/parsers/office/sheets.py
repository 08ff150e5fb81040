"""XLSX -> text: every sheet is a page, every row a line with tabs between the cells, as the program shows them.

An empty cell keeps its column. A block of rows behind an empty row is a table of its own. The names of a table's
columns become the heading of every passage below them, and stand before each value unless they are far longer.
Behind the rows stand the sheet's comments, text boxes, the titles of its charts, what is printed above and below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, groupby, islice

from reatt.parsers.archives import Archive, Event, Relation, damaged
from reatt.parsers.columns import before_values, grouped, is_number, name_columns, with_names
from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.office.drawings import chart_title, commented, paragraphs
from reatt.parsers.office.escapes import unescaped
from reatt.parsers.office.number_formats import BUILT_IN, DAY_ONE, DAY_ONE_1904, GENERAL, is_no_date, shown
from reatt.parsers.office.page_numbers import only_counts
from reatt.parsers.office.properties import properties, told
from reatt.parsers.office.runs import Paragraph

_COLUMN = re.compile(r"([A-Z]{1,3})\d")
_WIDEST_GAP = 64  # empty cells that are written one after another
_TITLES = 3  # rows of a table among which its columns are named
_SAMPLE = 20  # rows of a table that are looked at first
_PRINTED = re.compile(r'&(?:"[^"]*"|\d+|K[0-9A-F]{6}|[A-Za-z+\-])')  # codes in what is printed above and below
_OF_CELL = frozenset({"v", "t", "f"})
_TRUE = ("1", "true")
_NUMBERS_OF_PAGES = re.compile(r"&[PN]")
_EDGES = frozenset(f"{which}{edge}" for which in ("odd", "even", "first") for edge in ("Header", "Footer"))


@dataclass
class Row:
    """The texts of a row's cells."""

    cells: list[str] = field(default_factory=list)
    number: int = 0


@dataclass
class _Book:
    """What the cells of a workbook refer to."""

    strings: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)  # by the number of the style
    origin: datetime = DAY_ONE
    recounts: bool = False  # whether programs have to count when they open it: a value of 0 says nothing
    uncounted: int = 0  # formulas without a value


def xlsx(data: bytes) -> Content:
    """Read all sheets of a workbook."""
    archive = Archive(data)
    part = archive.main_part()
    related = archive.relations(part)
    parts = {relation.type: relation.target for relation in related if relation.target in archive}
    book = _Book()
    if "sharedStrings" in parts:
        book.strings = _shared_strings(archive.events(parts["sharedStrings"]))
    if "styles" in parts:
        book.formats = _formats(archive.events(parts["styles"]))
    targets = {relation.id: relation.target for relation in related}
    composer = Composer()
    book.recounts = any(event.attributes.get("fullCalcOnLoad") in _TRUE for event in archive.events(part))
    for event in archive.events(part):
        has = event.attributes
        if event.kind == "start" and event.name == "workbookPr" and has.get("date1904") in _TRUE:
            book.origin = DAY_ONE_1904
        elif event.kind == "start" and event.name == "sheet":
            target = targets.get(has.get("r:id", ""), "")
            if target not in archive:
                raise damaged(f"sheet {has.get('name', '')!r} is missing")
            write_sheet(composer, has.get("name", ""), _rows(archive.events(target), book))
            _write_beside(composer, archive, target)
    return told(composer.content("", tuple(without_value(book.uncounted))), properties(archive))


def without_value(formulas: int) -> Iterator[str]:
    """Yield a warning if there are formulas whose value the file does not hold."""
    if formulas:
        what = "formula has" if formulas == 1 else "formulas have"
        yield f"{formulas} {what} no stored value; open the file in its program and save it again"


def write_sheet(composer: Composer, name: str, rows: Iterator[Row]) -> None:
    """Write the rows of a sheet, with headings for its tables."""
    composer.page()
    numbered = enumerate(rows)
    blocks = groupby(numbered, key=lambda each: each[1].number - each[0])  # rows that follow one another
    for number, (_, block) in enumerate(blocks):
        lines = (row for _, row in block)
        first = list(islice(lines, _SAMPLE))
        first = _with_groups(first)
        header = _header(first[:_TITLES])
        below = first[header + 1 :] if header is not None else []
        columns = ", ".join(cell for cell in first[header].cells if cell) if header is not None else ""
        names = before_values(first[header].cells, [row.cells for row in below]) if header is not None else []
        if number == 0:
            composer.add(name, LINE, heading=f"{name}: {columns}" if columns else name)
            heading = ""
        else:
            title = next((cell for cell in first[0].cells if cell), "") if not _names(first[0]) else ""
            heading = f"{title}: {columns}" if title and columns else columns
        for at, row in enumerate(chain(first, lines)):
            cells = with_names(row.cells, names) if header is not None and at > header else row.cells
            composer.add("\t".join(cells), LINE, heading=heading)
            heading = ""
        composer.separate(PARAGRAPH)


def _with_groups(rows: list[Row]) -> list[Row]:
    """Join two rows that name groups of columns, and columns, where numbers follow."""
    for at, (upper, lower, below) in enumerate(zip(rows[:_TITLES], rows[1:], rows[2:], strict=False)):
        if sum(map(bool, upper.cells)) > 1:
            names = grouped(upper.cells, lower.cells) if any(map(is_number, below.cells)) else []
            return [*rows[:at], Row(names, lower.number), *rows[at + 2 :]] if names else rows
    return rows


def _header(rows: list[Row]) -> int | None:
    """Return the place of the row that names a table's columns: the first one that is not a title."""
    for at, row in enumerate(rows):
        if _names(row):
            return at
        if sum(bool(cell) for cell in row.cells) > 1:
            break
    return None


def _names(row: Row) -> list[str]:
    cells = [cell for cell in row.cells if cell]
    return cells if name_columns(cells) else []


def _shared_strings(events: Iterator[Event]) -> list[str]:
    """Read the shared texts that cells refer to by number, without phonetic readings."""
    found: list[str] = []
    words = Paragraph()
    reading = phonetic = up = False
    for kind, name, has in events:
        if kind == "text":
            if reading and not phonetic:
                words.put(unescaped(name), up=up)
        elif name in ("r", "vertAlign"):
            up = name == "vertAlign" and (up or has.get("val") == "superscript")
        elif name == "t":
            reading = kind == "start"
        elif name == "rPh":
            phonetic = kind == "start"
        elif name == "si" and kind == "end":
            found.append(words.text())
            words = Paragraph()
    return found


def _formats(events: Iterator[Event]) -> list[str]:
    """Return the number format of each cell style."""
    codes, found = {str(id): code for id, code in BUILT_IN.items()}, list[str]()
    inside = False
    for kind, name, has in events:
        if name == "cellXfs":
            inside = kind == "start"
        elif kind == "start" and name == "numFmt":
            codes[has.get("numFmtId", "")] = has.get("formatCode", GENERAL)
        elif kind == "start" and name == "xf" and inside:
            found.append(codes.get(has.get("numFmtId", ""), GENERAL))
    return found


def _rows(events: Iterator[Event], book: _Book) -> Iterator[Row]:
    """Yield the rows that are not empty."""
    row, cell = Row(), dict[str, str]()
    parts = dict[str, Paragraph]()
    reading: Paragraph | None = None
    up = phonetic = False
    for kind, name, attributes in events:
        if kind == "text":
            if reading is not None and not phonetic:
                reading.put(unescaped(name) if reading is not parts.get("f") else name, up=up)
        elif name == "rPh":
            phonetic = kind == "start"
        elif name in ("r", "vertAlign"):
            up = name == "vertAlign" and (up or attributes.get("val") == "superscript")
        elif name in _OF_CELL:
            reading = parts.setdefault(name, Paragraph()) if kind == "start" else None
            if name == "f" and reading is not None:
                reading.put("=")
        elif name == "row" and kind == "start":
            written = attributes.get("r", "")
            row = Row([], int(written) if written.isdecimal() else row.number + 1)
        elif name == "c" and kind == "start":
            cell = attributes
            parts.clear()
        elif name == "c":
            _put(row, cell, _shown({key: each.text() for key, each in parts.items()}, cell, book))
        elif name == "row" and any(row.cells):
            while not row.cells[-1]:
                row.cells.pop()
            yield row


def _put(row: Row, cell: dict[str, str], text: str) -> None:
    """Put a text into its column; empty cells at the end of a row are left out."""
    text = " ".join(text.split())
    place = _COLUMN.match(cell.get("r", ""))
    column = len(row.cells)
    if place:
        row_width = 0
        for letter in place[1]:
            row_width = 26 * row_width + ord(letter) - 64
        column = row_width - 1
    if text:
        row.cells += [""] * min(column - len(row.cells), _WIDEST_GAP) + [text]
    elif not place:
        row.cells.append("")


def _shown(parts: dict[str, str], cell: dict[str, str], book: _Book) -> str:
    """Return a cell's value as a person sees it; a formula itself where no value is stored."""
    value, kind, formula = parts.get("v") or parts.get("t", ""), cell.get("t", "n"), parts.get("f", "")
    if kind == "str" and "v" in parts and not value:
        return ""  # a formula whose value is an empty text
    if formula and (not value.strip() or (book.recounts and value.strip() == "0")):
        book.uncounted += 1
        return formula if len(formula) > 1 else ""
    if kind == "s":
        return book.strings[int(value)] if value.isdecimal() and int(value) < len(book.strings) else ""
    if kind == "b":
        return "TRUE" if value.strip() == "1" else "FALSE"
    if kind == "d":
        value = value.strip().removesuffix("T00:00:00").replace("T", " ")
    if kind != "n" or not value.strip():
        return value
    style = cell.get("s", "")
    code = book.formats[int(style)] if style.isdecimal() and int(style) < len(book.formats) else GENERAL
    try:
        number = float(value)
    except ValueError:
        return value
    if number in (float("inf"), float("-inf")) or number != number or is_no_date(number, code):
        return value
    return shown(number, code, book.origin)


def _write_beside(composer: Composer, archive: Archive, sheet: str) -> None:
    """Write what stands on a sheet beside its cells."""
    related = [relation for relation in archive.relations(sheet) if relation.target in archive]
    threaded = any(relation.type == "threadedComment" for relation in related)
    for relation in related:
        if relation.type == ("threadedComment" if threaded else "comments"):
            for line in commented(archive.events(relation.target)):
                composer.add(line, LINE)
        elif relation.type == "drawing":
            _write_drawing(composer, archive, relation)
    for line in _printed(archive.events(sheet)):
        composer.add(line, LINE)
    composer.separate(PARAGRAPH)


def _write_drawing(composer: Composer, archive: Archive, drawing: Relation) -> None:
    for line in paragraphs(archive.events(drawing.target)):
        composer.add(line, LINE)
    for relation in archive.relations(drawing.target):
        if relation.target not in archive:
            continue
        if relation.type in ("chart", "chartEx"):
            composer.add(chart_title(archive.events(relation.target)), LINE)
        elif relation.type == "diagramData":
            for line in paragraphs(archive.events(relation.target)):
                composer.add(line, LINE)


def _printed(events: Iterator[Event]) -> Iterator[str]:
    """Yield what is printed above and below a sheet, each once, without its codes and numbers of pages."""
    parts: list[str] | None = None
    seen = set()
    for kind, name, _ in events:
        if kind == "text":
            if parts is not None:
                parts.append(name)
        elif name in _EDGES:
            if kind == "start":
                parts = []
            elif parts is not None:
                coded = "".join(parts).replace("&&", "＆")
                words = " ".join(_PRINTED.sub(" ", coded).replace("＆", "&").split())
                if words not in seen and not (_NUMBERS_OF_PAGES.search(coded) and only_counts(words)):
                    yield words
                seen.add(words)
                parts = None
