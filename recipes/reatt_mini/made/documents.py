"""Made-up documents: a text of which every value's place is known, cut into chunks as `reatt add` would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reatt.documents.chunking import split
from reatt.documents.reader import Text
from reatt.model.tokens import HEAD_TOKENS, TextTokenizer
from recipes.reatt_mini.data import CHUNK_LIMIT
from recipes.reatt_mini.made.texts import Made

Span = tuple[int, int]


@dataclass
class Page:
    """A document in the making."""

    title: str  # "" where only headings say what it is
    kind: str = "text"
    headings: list[tuple[int, str]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    length: int = 0
    top: int | None = None  # where the line begins that names the columns, if each row does not

    def put(self, text: str) -> Span:
        """Add text, and say where it stands."""
        start, self.length = self.length, self.length + len(text)
        self.parts.append(text)
        return start, self.length

    def heading(self, text: str, before: str = "", after: str = "\n", says: str = "") -> None:
        """Add a heading; `says`: what the chunks below are to be titled instead."""
        self.headings.append((self.length, says or text))
        self.put(before + text + after)


@dataclass(frozen=True)
class Asked:
    """A question on a document: where its answer stands, and what else has to stand in the same chunk."""

    text: str
    answer: Span
    near: Span

    @property
    def first(self) -> int:
        """Where what has to be in the chunk begins."""
        return min(self.answer[0], self.near[0])

    @property
    def last(self) -> int:
        """Where it ends."""
        return max(self.answer[1], self.near[1])


def add(made: Made, page: Page, asked: Sequence[Asked], tokenizer: TextTokenizer, article: str) -> int:
    """Add a document's chunks and the questions whose answer and its surroundings are in one chunk; count those."""
    source = "".join(page.parts)
    whole = Text("", None, page.title, page.kind, source, (), tuple(page.headings), "", 0)
    count = 0
    for chunk in split(whole, tokenizer.count, CHUNK_LIMIT - HEAD_TOKENS):
        inside = [
            a
            for a in asked
            if chunk.char_start <= min(*a.answer, *a.near) and max(*a.answer, *a.near) <= chunk.char_end
        ]
        name = made.document(chunk.title, chunk.text.rstrip(), article)
        for each in inside:
            start, end = each.answer
            made.ask(each.text, [source[start:end]], name, places=[start - chunk.char_start])
        count += len(inside)
    return count
