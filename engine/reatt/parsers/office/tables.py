"""CSV and XLSX -> text: one line per row; the column names become the heading of every passage below.

CSV is kept character by character. In a workbook every sheet is a page. A cell with the number format of a date becomes
a date, because the file stores a count of days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from reatt.parsers.archives import Archive, Event, damaged
from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.formats import Content

_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+]?[\d.,]+%?$")
_DATE_IDS = frozenset({*range(14, 23), *range(45, 48)})  # built-in number formats
_DATE_LETTERS = re.compile(r"[ymdhs]", re.IGNORECASE)
_FORMAT_TEXT = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # in a number format: words, colours, single characters
_MOST_DAYS = 2_958_466  # the year 9999


def csv(text: str) -> Content:
    """Keep a table unchanged and find its column names."""
    first = text.partition("\n")[0].strip("\r\ufeff")
    delimiter = max(_DELIMITERS, key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    return Content("", text, headings=((0, ", ".join(cells)),) if _name_columns(cells) else ())


def _name_columns(cells: list[str]) -> bool:
    """Return whether a row holds column names, not data."""
    return len(set(cells)) == len(cells) > 1 and not any(_NUMBER.match(cell) or not cell for cell in cells)


def xlsx(data: bytes) -> Content:
    """Read all sheets of a workbook."""
    archive = Archive(data)
    book = archive.main_part()
    related = archive.relations(book)
    parts = {relation.type: relation.target for relation in related if relation.target in archive}
    strings = _shared_strings(archive.events(parts["sharedStrings"])) if "sharedStrings" in parts else []
    dates = _date_styles(archive.events(parts["styles"])) if "styles" in parts else frozenset()
    targets = {relation.id: relation.target for relation in related}
    composer, origin = Composer(), datetime(1899, 12, 30)
    for event in archive.events(book):
        has = event.attributes
        if event.kind == "start" and event.name == "workbookPr" and has.get("date1904") in {"1", "true"}:
            origin = datetime(1904, 1, 1)
        elif event.kind == "start" and event.name == "sheet":
            target = targets.get(has.get("r:id", ""), "")
            if target not in archive:
                raise damaged(f"sheet {has.get('name', '')!r} is missing")
            _sheet(composer, has.get("name", ""), _rows(archive.events(target), strings, dates, origin))
    return composer.content(archive.title())


def _sheet(composer: Composer, name: str, rows: Iterator[list[str]]) -> None:
    composer.page()
    first = next(rows, None)
    if first is None:
        return
    columns = ", ".join(first) if _name_columns(first) else ""
    composer.add(name, LINE, heading=f"{name}: {columns}" if columns else name)
    composer.add("\t".join(first), LINE)
    for row in rows:
        composer.add("\t".join(row), LINE)
    composer.separate(PARAGRAPH)


def _shared_strings(events: Iterator[Event]) -> list[str]:
    """Read the shared texts that cells refer to by number, without phonetic readings."""
    found: list[str] = []
    parts: list[str] = []
    reading = phonetic = False
    for kind, name, _ in events:
        if kind == "text":
            parts += [name] if reading and not phonetic else []
        elif name == "t":
            reading = kind == "start"
        elif name == "rPh":
            phonetic = kind == "start"
        elif name == "si" and kind == "end":
            found.append("".join(parts))
            parts.clear()
    return found


def _date_styles(events: Iterator[Event]) -> frozenset[str]:
    """Return the numbers of the cell styles that show a number as a date."""
    formats, found = set(map(str, _DATE_IDS)), set()
    inside, count = False, 0
    for kind, name, has in events:
        if name == "cellXfs":
            inside = kind == "start"
        elif kind == "start" and name == "numFmt" and _DATE_LETTERS.search(_FORMAT_TEXT.sub("", has["formatCode"])):
            formats.add(has["numFmtId"])
        elif kind == "start" and name == "xf" and inside:
            if has.get("numFmtId") in formats:
                found.add(str(count))
            count += 1
    return frozenset(found)


def _rows(events: Iterator[Event], strings: list[str], dates: frozenset[str], origin: datetime) -> Iterator[list[str]]:
    """Yield the texts of the non-empty cells of each non-empty row."""
    row: list[str] = []
    parts: list[str] = []
    cell: dict[str, str] = {}
    reading = False
    for kind, name, attributes in events:
        if kind == "text":
            parts += [name] if reading else []
        elif name in {"v", "t"}:
            reading = kind == "start"
        elif name == "c" and kind == "start":
            cell, parts = attributes, []
        elif name == "c":
            if shown := " ".join(_shown("".join(parts), cell, strings, dates, origin).split()):
                row.append(shown)
        elif name == "row" and kind == "end":
            if row:
                yield row
            row = []


def _shown(value: str, cell: dict[str, str], strings: list[str], dates: frozenset[str], origin: datetime) -> str:
    """Return a cell's value as a person sees it."""
    kind = cell.get("t", "n")
    if kind == "s":
        return strings[int(value)] if value.isdecimal() and int(value) < len(strings) else ""
    if kind == "b":
        return "TRUE" if value.strip() == "1" else "FALSE"
    if kind != "n" or cell.get("s") not in dates:
        return value
    try:
        days = float(value)
    except ValueError:
        return value
    if not 0 <= days < _MOST_DAYS:
        return value
    moment = origin + timedelta(seconds=round(days * 86_400))
    if days < 1:
        return moment.strftime("%H:%M")
    return moment.strftime("%Y-%m-%d") if days == int(days) else moment.strftime("%Y-%m-%d %H:%M")
