"""Tables: price lists, staff lists, timetables, settings, opening hours, invoices, and questions on one cell.

A table is written as one of the parsers of `reatt` leaves it: rows of CSV files, workbooks and pages with tabs and with
the columns' names before the values, Markdown with bars, columns of a PDF with several spaces, records of `key: value`
lines.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reatt.model.tokens import TextTokenizer
from reatt.parsers.columns import before_values, name_columns
from recipes.reatt_mini.made.cells import Cells, style
from recipes.reatt_mini.made.documents import Asked, Page, Span, add
from recipes.reatt_mini.made.texts import Made
from recipes.reatt_mini.made.words import Words

TABLES, QUESTIONS = 4600, 6  # questions on a table
WIDTHS, CROSSED = (1, 2, 2, 3, 3, 4, 5), (2, 3, 3, 4, 4, 5)  # columns beside the key
HEIGHTS = (3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 25)  # rows
NAMED = 0.6  # share of pages whose rows name their columns: the others are those of a PDF
PARTLY = 0.12  # share of keys that are named by a part
GAPS = ("-", "n/a", "–", "?", "none", "TBD")
THEMES = Path(__file__).with_name("themes.txt")
_ASKING = (
    "What is the {noun} of {k}?|What is the {noun} of {k}?|What is {k}'s {noun}?|What {noun} does {k} have?"
    "|Which {noun} is listed for {k}?|{noun} of {k}?|{k} {noun}|Tell me the {noun} of {k}.|I need the {noun} for {k}."
    "|What is given as the {noun} of {k}?|Which {noun} belongs to {k}?|{k}: {noun}?|Look up the {noun} of {k}"
    "|What does it say about the {noun} of {k}?|Can you give me the {noun} for {k}?|Do you know the {noun} of {k}?"
).split("|")
_WITHIN = "In the {t}, ^{q}|According to the {t}, ^{q}|{q-} in the {t}?|{q-} according to the {t}?".split("|")


@dataclass(frozen=True)
class Column:
    """A column of a kind of tables."""

    headers: tuple[str, ...]
    kind: str
    noun: str
    asking: tuple[str, ...] = ()  # questions about a key that it answers
    back: tuple[str, ...] = ()  # questions about its value that the key answers


@dataclass(frozen=True)
class Theme:
    """A kind of tables."""

    titles: tuple[str, ...]
    placed: bool  # questions name the place
    key: Column
    columns: tuple[Column, ...]

    @property
    def crossed(self) -> bool:
        """Whether all columns are of one kind, so that a cell is told by its row and its column's name."""
        return len({column.kind for column in self.columns}) == 1


@dataclass(frozen=True)
class Table:
    """A table: the first column is the key."""

    title: str
    place: str
    columns: tuple[Column, ...]
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


Spans = list[list[Span]]  # by row and column
Form = Callable[[Table, random.Random], tuple[Page, Spans]]


def themes(text: str) -> list[Theme]:
    """Read the kinds of tables."""
    found = []
    for block in text.partition("\n\n")[2].strip().split("\n\n"):
        first, *rows = block.splitlines()
        key, *others = (column for row in rows for column in _columns(row))
        placed, titles = first.startswith("@!"), first.lstrip("@! ").split("|")
        found.append(Theme(tuple(titles), placed, key, tuple(others)))
    return found


def _columns(line: str) -> list[Column]:
    """Read a column, or those of a line that begins with "=": one for every header, all of one kind."""
    column = _column(line.removeprefix("= "))
    return [replace(column, headers=(h,)) for h in column.headers] if line.startswith("= ") else [column]


def _column(line: str) -> Column:
    headers, kind, noun, *questions = (part.strip() for part in line.split(" ; "))
    asking, back = ([*questions, "", ""])[:2]
    split = [tuple(each.split("|")) if each else () for each in (headers, asking, back)]
    return Column(split[0], kind, noun, split[1], split[2])


def make(words: Words, tokenizer: TextTokenizer, seed: int) -> Made:
    """Make the set."""
    made, known = Made(), themes(THEMES.read_text(encoding="utf-8"))
    for number in range(TABLES):
        dice = random.Random(f"table {seed} {number}")
        theme = known[number % len(known)]
        table = draw(theme, Cells(dice, words, style(dice)))
        forms = FORMS if not theme.placed else {name: form for name, form in FORMS.items() if name != "csv"}
        page, spans = dice.choice(list(forms.values()))(table, dice)
        asked = list(questions(table, spans, dice, placed=theme.placed))
        if theme.crossed and page.top is not None:
            asked = [replace(each, near=(page.top, each.near[1])) for each in asked]
        add(made, page, dice.sample(asked, min(len(asked), QUESTIONS)), tokenizer, f"table {number}")
    return made


def draw(theme: Theme, cells: Cells) -> Table:
    """Fill a table of a kind."""
    dice = cells.dice
    crossed = len({column.kind for column in theme.columns}) == 1  # every cell is told by its row and its column
    numbers = dice.sample(
        range(len(theme.columns)), min(len(theme.columns), dice.choice(CROSSED if crossed else WIDTHS))
    )
    columns = [theme.columns[number] for number in (sorted(numbers) if crossed else numbers)]
    place = cells.make("place")
    keys = dict.fromkeys(cells.make(theme.key.kind) for _ in range(dice.choice(HEIGHTS)))
    gaps = (dice.choice(GAPS), 0.08) if dice.random() < 0.15 else ("", 0.0)
    rows = tuple((key, *(_cell(column, gaps, cells) for column in columns)) for key in keys)
    title = dice.choice([each for each in theme.titles if not theme.placed or "{o}" in each])
    filled = title.replace("{o}", place).replace("{n}", cells.filled("####")).replace("{p}", cells.make("person"))
    notes = tuple(cells.make("note") for _ in range(dice.choice((0, 0, 1, 2))))
    every = (theme.key, *columns)
    return Table(filled, place, every, tuple(_header(column, cells) for column in every), rows, notes)


def _cell(column: Column, gaps: tuple[str, float], cells: Cells) -> str:
    """Fill a cell, or leave it empty, with a sign for it."""
    return gaps[0] if cells.dice.random() < gaps[1] else cells.make(column.kind)


def _header(column: Column, cells: Cells) -> str:
    header = cells.dice.choice(column.headers)
    return cells.make(header[1:]) if header.startswith("*") else header


def questions(table: Table, spans: Spans, dice: random.Random, *, placed: bool) -> Iterator[Asked]:
    """Ask for cells by their keys, and for keys by cells that only they have."""
    counts = [Counter(row[at].lower() for row in table.rows) for at in range(len(table.columns))]
    for row, places in zip(table.rows, spans, strict=True):
        near = (min(places)[0], max(places)[1])
        for at, column in enumerate(table.columns[1:], 1):
            if row[at] in GAPS:
                continue
            if column.back and counts[at][row[at].lower()] == 1 and dice.random() < 0.5 and len(row[at]) > 2:
                text = dice.choice(column.back).replace("{v}", row[at]).replace("{h}", table.headers[at])
                yield Asked(_finished(text, table, dice, placed=placed), places[0], near)
            else:
                text = _worded(column, table.headers[at], dice, placed=placed)
                text = text.replace("{k}", called(row[0], table, dice))
                yield Asked(_finished(text, table, dice, placed=placed), places[at], near)


def _worded(column: Column, header: str, dice: random.Random, *, placed: bool) -> str:
    if column.asking and (placed or "{h}" in column.asking[0] or dice.random() < 0.7):
        return dice.choice(column.asking).replace("{h}", header)
    noun = column.noun if dice.random() < 0.7 else header
    return dice.choice(_ASKING).replace("{noun}", noun)


def called(key: str, table: Table, dice: random.Random) -> str:
    """Name a key as a person would: sometimes by a part of it, where that tells: a colleague by the last name."""
    _, *middle, last = f"- {key}".split()
    person = table.columns[0].kind == "person"
    part = last if person else " ".join(middle) if any(map(str.isdigit, last)) else ""
    alone = part and sum(part.lower() in row[0].lower() for row in table.rows) == 1
    if not alone or dice.random() > PARTLY:
        return key
    return f"{dice.choice(('Ms', 'Mr', 'Mrs'))} {last}" if person else part


def _finished(text: str, table: Table, dice: random.Random, *, placed: bool) -> str:
    text = text.replace("{o}", table.place)
    if not placed and dice.random() < 0.12 and text.endswith("?"):
        text = dice.choice(_WITHIN).replace("{q-}", text[:-1]).replace("{q}", text).replace("{t}", table.title)
        before, mark, after = text.partition("^")
        text = before + after[:1].lower() + after[1:] if mark else text
    text = text[:1].upper() + text[1:]
    return text.lower() if dice.random() < 0.06 else text


def _opened(table: Table, dice: random.Random, kind: str, mark: str = "") -> Page:
    """Begin a document with its title and notes."""
    page = Page(table.title, kind)
    page.heading(table.title, mark, dice.choice(("\n", "\n\n")))
    if table.notes:
        page.put("\n".join(table.notes) + "\n\n")
    return page


def _written(
    page: Page, rows: Sequence[Sequence[str]], before: str, between: str, after: str, names: Sequence[str] = ()
) -> Spans:
    """Write rows with a separator between cells, and the columns' names before the values if they are given."""
    spans: Spans = []
    for row in rows:
        page.put(before)
        places = []
        for at, cell in enumerate(row):
            page.put((between if at else "") + (f"{names[at]}: " if names and cell else ""))
            places.append(page.put(cell))
        page.put(after)
        spans.append(places)
    return spans


def as_csv(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write a CSV file as it is read: rows with tabs, with no title."""
    page = Page("", "csv")
    spans = _named(page, table, "\t")
    if name_columns([*table.headers]):
        page.headings.append((0, ", ".join(table.headers)))
    page.title = table.title
    return page, spans


def as_sheet(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write a sheet of a workbook as it is read: its name, and rows with tabs."""
    page = Page(table.title, "xlsx")
    page.heading(table.title, says=f"{table.title}: {', '.join(table.headers)}")
    return page, _named(page, table, "\t")


def as_word(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write a table of a text document."""
    page = _opened(table, dice, "docx")
    page.top = page.length
    return page, _written(page, (table.headers, *table.rows), "", "\t", "\n")[1:]


def as_page(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write a table of a web page, or of a PDF whose columns are told by nothing but spaces."""
    page = _opened(table, dice, "html")
    page.top = page.length
    if dice.random() < NAMED:
        return page, _named(page, table, "\t")
    return page, _written(page, (table.headers, *table.rows), "", dice.choice((" ", " ", "   ")), "\n")[1:]


def _named(page: Page, table: Table, between: str) -> Spans:
    """Write the columns' names, and rows with the names before the values, where they are not far longer than these."""
    names = before_values([*table.headers], [[*row] for row in table.rows])
    _written(page, [table.headers], "", between, "\n")
    return _written(page, table.rows, "", between, "\n", names)


def as_markdown(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write a Markdown table."""
    page = _opened(table, dice, "markdown", dice.choice(("# ", "## ")))
    page.top = page.length
    _written(page, (table.headers, dice.sample(("---", ":--", "----"), 1) * len(table.headers)), "| ", " | ", " |\n")
    return page, _written(page, table.rows, "| ", " | ", " |\n")


def as_records(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write every row as lines of `column: value`, or a table of two columns as a list of `key: value`."""
    page, spans = _opened(table, dice, "text"), list[list[Span]]()
    colon, bullet = dice.choice((": ", ": ", " = ", "\t")), dice.choice(("", "", "- ", "* "))
    if len(table.headers) == 2:
        colon = dice.choice((": ", " = ", " - ", " … ", ": ", " ........ "))
        return page, _written(page, table.rows, bullet, colon, "\n")
    for row in table.rows:
        places = []
        for at, (header, cell) in enumerate(zip(table.headers, row, strict=True)):
            page.put((bullet if at == 0 else " " * len(bullet)) + header + colon)
            places.append(page.put(cell))
            page.put("\n")
        page.put("\n")
        spans.append(places)
    return page, spans


def as_lines(table: Table, dice: random.Random) -> tuple[Page, Spans]:
    """Write every row as one line that names its columns."""
    page, spans = _opened(table, dice, "text"), list[list[Span]]()
    bullet, colon, between = (
        dice.choice(("- ", "* ", "• ", "")),
        dice.choice((": ", " ")),
        dice.choice((", ", "; ", " / ")),
    )
    for row in table.rows:
        page.put(bullet)
        places = [page.put(row[0])]
        page.put(colon if colon == ": " else between)
        for at, (header, cell) in enumerate(zip(table.headers[1:], row[1:], strict=True)):
            page.put((between if at else "") + header + " ")
            places.append(page.put(cell))
        page.put("\n")
        spans.append(places)
    return page, spans


FORMS: dict[str, Form] = {
    "csv": as_csv,
    "sheet": as_sheet,
    "word": as_word,
    "page": as_page,
    "markdown": as_markdown,
    "records": as_records,
    "lines": as_lines,
}
