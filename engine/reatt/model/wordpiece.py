"""Turn text into ids as BERT does: word pieces without capitals and accents, between marks that no text can imitate.

A question is `[CLS] Q [SEP]`, a chunk `[CLS] T [SEP] X [SEP]`. A chunk without a title keeps the title's separator. So
every chunk has two separators and every question has one, and the encoder can tell them apart.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding

from reatt.model.answers.source import Source, source_of
from reatt.model.backbone import ChunkText, Span
from reatt.model.tokens import NOWHERE, TITLE_TOKENS, TextTokenizer, Tokens, inside
from reatt_store.lexical.characters import origins, plain

NEVER = -1  # in place of the unknown id: two unknown words need not be the same


@dataclass(frozen=True)
class TextMarks:
    """The ids that open a text, close its parts, and stand for words to guess."""

    opening: int  # [CLS]
    separator: int  # [SEP]
    mask: int  # [MASK]


class WordPieceTokenizer(TextTokenizer):
    """A BERT's tokenizer; `end` closes only answers."""

    asking = ""

    def __init__(
        self,
        file: Path,
        marks: TextMarks,
        *,
        end: int,
        question_limit: int = 128,
        chunk_limit: int = 512,
        plain_characters: bool = False,
    ) -> None:
        super().__init__(file, end=end, question_limit=question_limit, chunk_limit=chunk_limit)
        self.marks, self.begin, self.closing = marks, (marks.opening,), marks.separator
        self.plain_characters = plain_characters  # whether ligatures and other disguises of characters are undone
        self.unknown = self._tokenizer.token_to_id(getattr(self._tokenizer.model, "unk_token", None) or "")

    @property
    def largest(self) -> int:
        """The largest token id that a text, its marks or an answer can have."""
        return max(super().largest, self.marks.mask)

    def chunks(self, passages: Sequence[ChunkText]) -> list[Tokens]:
        """Encode chunks as `[CLS] T [SEP] X [SEP]`."""
        titles = self._encoded([passage.title for passage in passages])
        texts = self._encoded([passage.text for passage in passages])
        return [self._chunk(*row) for row in zip(titles, texts, passages, strict=True)]

    def identity(self) -> str:
        """Hash the tokenizer itself and its marks, for fingerprints."""
        parts = (super().identity(), self.marks, *(("plain",) if self.plain_characters else ()))
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    def read_as(self, text: str) -> str:
        """Return what the tokenizer gets of a text: characters that a model of letters knows, if it was made so."""
        return super().read_as(plain(text) if self.plain_characters else text)

    def spelt_as_in(self, text: str, evidence: Sequence[str]) -> str:
        """Give words the capitals and accents that the same sequence of words has in the evidence.

        The longest sequence counts, in its most frequent spelling. Other words stay as they are.
        """
        asked, *known = self._encoded([text, *evidence])
        places = [self._places(each, written, 0) for each, written in zip(known, evidence, strict=True)]
        ids = [[NEVER if id == self.unknown else id for id in each.ids] for each in known]
        own, stands = source_of([asked.ids], [self._places(asked, text, 0)], [text]), source_of(ids, places, evidence)
        made, at, done = list[str](), 0, 0
        while at < len(own.ids):
            rows = Counter(
                (count, _spelling(stands, place, count, evidence)) for place, count in _rows(own, at, stands)
            )
            count, spelling = max(rows, key=lambda row: (row[0], rows[row]), default=(1, None))
            if spelling is not None:
                made += [text[done : own.spans[at][0]], spelling]
                done = own.spans[at + count - 1][1]
            at += count
        return "".join([*made, text[done:]])

    def _mask(self) -> int:
        return self.marks.mask

    def _encoded(self, texts: Sequence[str]) -> list[Encoding]:
        return self._encode_all([self.read_as(text) for text in texts])

    def _chunk(self, title: Encoding, text: Encoding, passage: ChunkText) -> Tokens:
        room = self.chunk_limit - 3  # its marks
        head = title.ids[: min(TITLE_TOKENS, room)]
        kept = slice(room - len(head))
        ids = (self.marks.opening, *head, self.marks.separator, *text.ids[kept], self.marks.separator)
        spans = self._places(text, passage.text, 0)[kept]
        return Tokens(ids, (*[NOWHERE] * (len(head) + 2), *spans, NOWHERE))

    def _places(self, encoding: Encoding, text: str, before: int) -> list[Span]:
        """Extend each piece by the combining marks after it, which the tokenizer removes before it looks words up."""
        if self.plain_characters and not text.isascii():
            spans = self._undisguised(encoding, text, -before)
        else:
            spans = super()._places(encoding, text, before)
        after = [*(start for start, _ in spans[1:]), len(text)]
        return [(start, _past_marks(text, end, next)) for (start, end), next in zip(spans, after, strict=False)]

    def _undisguised(self, encoding: Encoding, text: str, margin: int) -> list[Span]:
        """Return the part of a text, behind its margin, that each piece of its plain form comes from."""
        at = [margin + place for place in origins(text[margin:])]
        return [inside(text, at[start], at[end - 1] + 1) if end > start else NOWHERE for start, end in encoding.offsets]


def _past_marks(text: str, end: int, limit: int) -> int:
    while 0 < end < limit and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return end


def _rows(own: Source, at: int, stands: Source) -> Iterator[tuple[int, int]]:
    """Find the whole words from token `at` on in the evidence: the first place there, and the number of tokens."""
    for place in sorted(stands.begins) if at in own.begins else ():
        count = longest = 0
        while _same(own, at + count, stands, place + count) and (not count or stands.following[place + count - 1] > 0):
            count += 1
            if own.until_end[at + count - 1] == stands.until_end[place + count - 1] == 0:
                longest = count
        if longest:
            yield place, longest


def _same(own: Source, at: int, stands: Source, place: int) -> bool:
    return at < len(own.ids) and place < len(stands.ids) and own.ids[at] == stands.ids[place]


def _spelling(stands: Source, place: int, count: int, evidence: Sequence[str]) -> str:
    start, end = stands.spans[place][0], stands.spans[place + count - 1][1]
    return " ".join(evidence[stands.owner[place]][start:end].split())
