"""Bulleted and numbered lists, steps, rules and headings with short sections, and questions on one item or value.

An answer is the whole quantity with its unit, the whole number, the whole name. What no thing named in it tells from
the same rule of another document stands below a line that names the place, and the question names it, too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reatt.model.tokens import TextTokenizer
from recipes.reatt_mini.made.cells import Cells, style
from recipes.reatt_mini.made.documents import Asked, Page, Span, add
from recipes.reatt_mini.made.texts import Made
from recipes.reatt_mini.made.words import Words

DOCUMENTS, QUESTIONS = 3000, 7  # questions on a document
HEARD = 0.1  # share of lists whose items are answers to questions that are written above them
THEMES = Path(__file__).with_name("lists.txt")
_PART = re.compile(r"\{(\w)(?:=([^}]*))?\}|\{([^}]+)\}|\[([^\]]+)\]")
_DEFINED = re.compile(r"\{(\w)=([^}]*)\}")
_OPENING = (
    "At {o}:|For {o}:|This applies at {o}.|{o} has agreed on this:|Rules of {o}|What holds at {o}:|{o}, in short:"
    "|The following is valid for {o} only.|Information from {o}|Dear friends of {o},|{o} lets you know:"
).split("|")
_ORDINALS = "first second third fourth fifth sixth seventh eighth".split()
_STEPS = "What is the {n} point?|What is the {n} item on the list?|What does point {i} say?|What is number {i}?".split(
    "|"
)


@dataclass(frozen=True)
class Fact:
    """A statement in one of several wordings, and the questions that its value answers."""

    wordings: tuple[str, ...]
    asking: tuple[str, ...]
    kinds: dict[str, str]  # of the things that it names

    @property
    def named(self) -> bool:
        """Whether all its questions name what it is about."""
        return all("{" in question for question in self.asking)


@dataclass(frozen=True)
class Section:
    """A section of a kind of documents."""

    headings: tuple[str, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Theme:
    """A kind of documents."""

    titles: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Item:
    """A statement that is filled in: its text, where the value stands in it, and a question."""

    text: str
    value: Span
    question: str
    named: bool
    heard: str = ""  # the question in other words


def themes(text: str) -> list[Theme]:
    """Read the kinds of documents."""
    found = []
    for block in text.partition("\n\n")[2].strip().split("\n\n"):
        first, *rest = block.split("\n# ")
        sections = [Section(tuple(h.split("|")), tuple(map(_fact, rows))) for h, *rows in map(str.splitlines, rest)]
        found.append(Theme(tuple(first.removeprefix("@ ").split("|")), tuple(sections)))
    return found


def _fact(line: str) -> Fact:
    said, asking = line.rsplit(" ; ", 1)
    return Fact(tuple(said.split(" | ")), tuple(asking.split("|")), dict(_DEFINED.findall(said)))


def make(words: Words, tokenizer: TextTokenizer, seed: int) -> Made:
    """Make the set."""
    made, known = Made(), themes(THEMES.read_text(encoding="utf-8"))
    for number in range(DOCUMENTS):
        dice = random.Random(f"list {seed} {number}")
        page, asked = document(known[number % len(known)], Cells(dice, words, style(dice)))
        add(made, page, dice.sample(asked, min(len(asked), QUESTIONS)), tokenizer, f"list {number}")
    return made


def document(theme: Theme, cells: Cells) -> tuple[Page, list[Asked]]:
    """Write a document of a kind, with the questions on it."""
    dice, place = cells.dice, cells.make("place")
    marked, headed = dice.random() < 0.5, dice.random() < 0.75  # Markdown; parts that have headings
    title = fill(dice.choice(theme.titles), {"o": place}, cells).text
    page = Page(title if place in title or headed else f"{title} ({place})", "markdown" if marked else "html")
    opening = page.put(f"# {page.title}\n\n" if marked else f"{page.title}\n\n")[0]
    if marked:
        page.headings.append((opening, page.title))
    asked: list[Asked] = []
    sections = dice.sample(theme.sections, min(len(theme.sections), dice.choice((1, 2, 2, 3, 4))))
    for section in sections:
        asked += _section(page, section, place, cells, headed=headed)
    return page, asked


def _section(page: Page, section: Section, place: str, cells: Cells, *, headed: bool) -> Iterator[Asked]:
    dice, known = cells.dice, {"o": place}
    known |= {name: cells.make(kind) for name, kind in _DEFINED.findall(" ".join(section.headings))}
    start, heading = page.length, fill(dice.choice(section.headings), known, cells).text
    if headed:
        page.heading(heading, "## " if page.kind == "markdown" else "", dice.choice(("\n", "\n\n")))
    elif dice.random() < 0.5:
        page.put(f"{heading}\n")
    items = list(_items(section, known, cells))
    if headed and any(not item.named for item in items):
        page.put(dice.choice(_OPENING).replace("{o}", place) + dice.choice(("\n", "\n\n")))
    yield from _listed(page, items, start if headed else 0, place, dice)
    page.put("\n")


def _items(section: Section, known: dict[str, str], cells: Cells) -> Iterator[Item]:
    """Fill in some of a section's facts, some of those that name things for several things."""
    dice = cells.dice
    for fact in dice.sample(section.facts, min(len(section.facts), dice.choice((2, 3, 4, 5)))):
        wording, kept = dice.choice(fact.wordings), dict(known)
        for _ in range(dice.choice((1, 1, 2, 3, 4)) if fact.kinds else 1):
            kept |= {name: cells.make(kind) for name, kind in fact.kinds.items()}
            filled = fill(wording, kept, cells)
            question, heard = (fill(dice.choice(fact.asking), kept, cells).text for _ in "12")
            yield Item(filled.text, filled.value, question, fact.named, heard)


def fill(text: str, known: dict[str, str], cells: Cells) -> Item:
    """Fill a text with the things that are known and new ones, and say where its value stands."""
    parts, length, at, value = list[str](), 0, 0, (0, 0)
    for found in _PART.finditer(text):
        name, _, kind, wanted = found.groups()
        made = known[name] if name else cells.make(kind or wanted)
        parts += [text[at : found.start()], made]
        length += found.start() - at
        if wanted:
            value = (length, length + len(made))
        length += len(made)
        at = found.end()
    return Item("".join(parts) + text[at:], value, "", named=False)


def _listed(page: Page, items: list[Item], start: int, place: str, dice: random.Random) -> Iterator[Asked]:
    """Write a section's items, as a list or as a paragraph, and ask for their values."""
    bullet = dice.choice(("- ", "* ", "• ", "{}. ", "{}. ", "{}) ", "", " "))
    bare, ordered, heard = dice.random() < 0.5 and bullet != " ", "{}" in bullet, dice.random() < HEARD
    for number, item in enumerate(items, 1):
        if heard and bullet != " ":
            page.put(f"{item.heard}\n")
        page.put(bullet.replace("{}", str(number)) if bullet != " " or number > 1 else "")
        text = item.text[:-1] if bare and item.text.endswith(".") else item.text
        if dice.random() < 0.9 and not (item.value[0] == 0 and item.value[1]):
            text = text[:1].upper() + text[1:]
        first, _ = page.put(text)
        page.put(("" if text[-1] in ".?!" else ".") if bullet == " " else "\n")
        near = (first if item.named else start, page.length)
        answer = (first + item.value[0], first + item.value[1])
        yield Asked(_spoken(item, place, dice), answer, near)
        if ordered and number <= len(_ORDINALS) and dice.random() < 0.06 and len(text) < 60:
            question = dice.choice(_STEPS).replace("{n}", _ORDINALS[number - 1]).replace("{i}", str(number))
            yield Asked(_at(question, place, dice), (first, first + len(text)), (start, page.length))
    page.put("\n" if bullet == " " else "")


def _spoken(item: Item, place: str, dice: random.Random) -> str:
    question = item.question if item.named or dice.random() < 0.1 else _at(item.question, place, dice)
    question = question[:1].upper() + question[1:]
    return question.lower() if dice.random() < 0.06 else question


def _at(question: str, place: str, dice: random.Random) -> str:
    """Let a question name the place."""
    if dice.random() < 0.3:
        return f"At {place}, {question[:1].lower()}{question[1:]}"
    return f"{question[:-1]} at {place}?"
