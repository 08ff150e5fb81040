"""Which row of a table, list or log a question asks about, and which of its columns.

The model reads a table as if it were prose, and often points at the right column of a neighbouring row. But most words
of a question tell the row ("hive H6") or the column ("how much honey"). So a stretch is less probable than the model
says where another row, or another column, has more of them. Texts without rows are left alone.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reatt.model.backbone import Stretch
from reatt_store.lexical.characters import plain
from reatt_store.lexical.stopwords import STOP_WORDS

ROW, COLUMN = 5.0, 4.0  # nats that a stretch loses in a wrong row, in a wrong column
SUBJECT, NAME = 2.0, 3.0  # where it stands in a cell that the question names, where it begins in a column's name
MOST = 0.6  # of the lines of a text of rows are rows
COMMON, ENDING = 3, 3  # letters that two forms of a word have at least in common, and by which they may differ

_LINE = re.compile(r"[^\n]+")
_NAMED = re.compile(r"\s*+(?:[-*•]\s++)?(\w[^:\t|\n]{0,40}):(?=\s|$)\s*+")
_BEGINS = re.compile(r"\s*+(?:[\[(]?\d|[-*•◦▪]\s|\[[\w. ]+\]$|(?:mon|tue|wed|thu|fri|sat|sun)\w*\b)", re.IGNORECASE)
_SECTION = re.compile(r"\s*+(?:#+ .*|\[[^\]]+\]|[^:\t|]+:)\s*$")
_RULE = re.compile(r"[\s|:+=-]+")
_BORDER = re.compile(r"[\t|]")
_WORD = re.compile(r"\d+(?:[.,:]\d+)+|[^\W_]+")
_COLUMN = re.compile(r"\b(?:which|what|whats|what's)\s+(\w+)", re.IGNORECASE)

Names = tuple[frozenset[str], ...]  # the words of the names of a table's columns


@dataclass(frozen=True)
class Cell:
    """A value of a row, with the name of its column if it has one."""

    start: int  # with its name
    value: int  # where the value begins
    name: frozenset[str]
    words: frozenset[str]


@dataclass(frozen=True)
class Row:
    """A row of a text, and the words of the headings above it."""

    start: int
    end: int
    cells: tuple[Cell, ...]
    above: frozenset[str] = frozenset()

    @property
    def words(self) -> frozenset[str]:
        """The words of all values."""
        return self.above.union(*(cell.words for cell in self.cells))


@dataclass(frozen=True)
class Sought:
    """The words of a question, and which of them other words are forms of."""

    words: frozenset[str]
    column: str = ""  # the word behind "which" or "what"
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def among(self, words: frozenset[str]) -> frozenset[str]:
        """Return the words of the question of which there is a form among others."""
        return frozenset[str]().union(*map(self._forms, words))

    def names(self, words: frozenset[str]) -> float:
        """Say how surely a question names a column: by the words of its name, most by that behind "which"."""
        if not words:
            return 0.0
        asks = bool(self.column) and any(same_word(self.column, word) for word in words)
        return sum(map(bool, map(self._forms, words))) / math.sqrt(len(words)) + asks

    def _forms(self, word: str) -> frozenset[str]:
        if word not in self.known:
            self.known[word] = frozenset(each for each in self.words if same_word(each, word))
        return self.known[word]


def weighed(
    question: str, stretches: Sequence[Stretch], texts: Sequence[str], documents: Sequence[int]
) -> tuple[Stretch, ...]:
    """Order stretches anew, the likeliest first: by the model, and by the rows and columns that a question tells.

    Together they stay as probable as they were.
    """
    known: dict[int, dict[int, Names]] = {}
    for text, document in zip(texts, documents, strict=True):
        known.setdefault(document, {}).update(names_of(text))
    tables = {number: rows_of(texts[number], known[documents[number]]) for number in {s.source for s in stretches}}
    every = [row for rows in tables.values() for row in rows]
    behind = _COLUMN.search(question)
    sought = Sought(_words(question) - STOP_WORDS, behind[1].lower() if behind else "")
    if len(every) < 2:
        return tuple(stretches)
    rarity = _rarity(sought, every)
    losses = [_losses(sought, rarity, each.span[0], tables[each.source]) for each in stretches]
    logs = [each.log_probability - loss for each, loss in zip(stretches, _over_the_least(losses), strict=True)]
    lost = _logsumexp([each.log_probability for each in stretches]) - _logsumexp(logs)
    found = [replace(each, log_probability=log + lost) for each, log in zip(stretches, logs, strict=True)]
    return tuple(sorted(found, key=lambda each: -each.log_probability))


def rows_of(text: str, known: Mapping[int, Names] = MappingProxyType({})) -> list[Row]:
    """Find the rows of a text; none if most of its lines are prose.

    The names of columns may be `known` from another passage of the document, by how many there are.

    >>> [sorted(row.words) for row in rows_of("Hive: H1\\tHoney: 9 kg\\nHive: H2\\tHoney: 4 kg")]
    [['9', 'h1', 'kg'], ['4', 'h2', 'kg']]
    """
    lines = _lines(text)
    rows = {line for line in lines if len(_cut(line[0])) > 1 or _NAMED.match(line[0]) or _BEGINS.match(line[0])}
    if len(rows) < 2 or len(rows) < MOST * len(lines):
        return []
    under = zip(lines, _headings(lines), _columns(text, lines, known), strict=True)
    return [
        Row(line.start(), line.end(), tuple(_cells(line, names)), above)
        for line, above, (names, begins) in under
        if line in rows and not begins
    ]


def names_of(text: str) -> dict[int, Names]:
    """Return the names of columns that a text has, by how many there are."""
    return {len(names): names for names, begins in _columns(text, _lines(text), {}) if begins}


def same_word(one: str, other: str) -> bool:
    """Say whether two words are forms of one.

    >>> same_word("owns", "owner"), same_word("honey", "hive"), same_word("h1", "h12")
    (True, False, False)
    """
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    common = next((n for n, letter in enumerate(short) if letter != long[n]), len(short))
    return common >= COMMON and one[:common].isalpha() and len(short) - common < ENDING >= len(long) - common


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(plain(text)))


def _cells(line: re.Match[str], names: Names) -> Iterator[Cell]:
    at = line.start() + (line[0][:1] == "|")
    if line[0].rstrip().endswith(("?", "？")):  # it asks, and tells nothing
        yield Cell(at, at, frozenset(), frozenset())
        return
    for number, text in enumerate(_cut(line[0])):
        named = _NAMED.match(text)
        column = names[number] if number < len(names) else frozenset[str]()
        value = text[named.end() :] if named else text
        yield Cell(at, at + len(text) - len(value), _words(named[1]) if named else column, _words(value))
        at += len(text) + 1


def _cut(line: str) -> list[str]:
    """Cut a line into its cells, empty ones included."""
    return _BORDER.split(line.removeprefix("|").removesuffix("|"))


def _columns(text: str, lines: Sequence[re.Match[str]], known: Mapping[int, Names]) -> Iterator[tuple[Names, bool]]:
    """Give each line the names of its table's columns, and say whether it is the row that has them.

    That row is above a rule, or begins a table with tabs and has no number in it, nor any name before a value.
    """
    names: Names = ()
    inside = False
    for line in lines:
        cells = _cut(line[0])
        bare = "\t" in line[0] and not any(_NAMED.match(cell) or any(map(str.isdigit, cell)) for cell in cells)
        begins = len(cells) > 1 and (_ruled(text, line) or (bare and not inside))
        if begins:
            names = tuple(map(_words, cells))
        elif not inside or len(cells) < 2:
            names = known.get(len(cells), ())
        inside = len(cells) > 1
        yield names, begins


def _ruled(text: str, line: re.Match[str]) -> bool:
    rule = _RULE.match(text, line.end())
    return rule is not None and "--" in rule[0]


def _lines(text: str) -> list[re.Match[str]]:
    return [line for line in _LINE.finditer(text) if not _RULE.fullmatch(line[0])]


def _headings(lines: Sequence[re.Match[str]]) -> Iterator[frozenset[str]]:
    """Give each line the words of the headings that it stands under: those that are set in less, or begin a section."""
    headings: list[tuple[int, frozenset[str]]] = []
    for line in lines:
        indent = len(line[0]) - len(line[0].lstrip())
        section = _SECTION.match(line[0])
        level = -1 if section and line[0].lstrip()[0] in "#[" else indent
        headings = [each for each in headings if each[0] < level]
        yield frozenset[str]().union(*(words for _, words in headings))
        if section:
            headings.append((level, _words(line[0])))


def _rarity(sought: Sought, rows: Sequence[Row]) -> dict[str, float]:
    """Say which share of what a question tells of its row each word has: the more, the fewer rows have it."""
    counts = Counter(word for row in rows for word in sought.among(row.words))
    telling = {word: math.log((len(rows) + 1) / count) for word, count in counts.items()}
    whole = math.fsum(telling.values())
    return {word: weight / whole for word, weight in telling.items()}


def _losses(sought: Sought, rarity: Mapping[str, float], place: int, rows: Sequence[Row]) -> tuple[float, ...] | None:
    """Say what speaks against a place: its row, its column, that the question has its words, that it is in a name.

    None outside of rows.
    """
    at = bisect_right([each.start for each in rows], place) - 1
    if at < 0 or place >= rows[at].end:
        return None
    row = rows[at]
    cell = row.cells[max(0, bisect_right([each.start for each in row.cells], place) - 1)]
    told = math.fsum(rarity[word] for word in sought.among(row.words))
    itself = math.fsum(rarity[word] for word in sought.among(cell.words)) if len(row.cells) > 1 else 0.0
    column = 1 - sought.names(cell.name)
    return ROW * (1 - told), COLUMN * column, SUBJECT * itself, NAME * (place < cell.value)


def _over_the_least(losses: Sequence[tuple[float, ...] | None]) -> Iterator[float]:
    """Sum the losses of each place, each kind over the least that there is; a place outside of rows loses nothing."""
    least = [min(kind) for kind in zip(*filter(None, losses), strict=True)]
    for each in losses:
        yield sum(loss - low for loss, low in zip(each, least, strict=True)) if each else 0.0


def _logsumexp(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(math.fsum(math.exp(log - most) for log in logs))
