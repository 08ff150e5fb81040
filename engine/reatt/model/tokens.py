"""Turn text into token ids: the tokenizer file, and the rule for prefixes and end marks.

A question is read as `question: Q </s>`, a chunk as `title: T context: X </s>`, as in the released ReAtt models. Prefix
and end marks give ordinary query and key vectors. Offsets come from the tokenizer's encoding, never from decoded text,
so every token has an exact place in the document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from reatt.model.backbone import ChunkText, Span
from reatt_store.errors import ModelError

NOWHERE: Span = (0, 0)
# Line ends and tabs are read as single spaces: a word has the same token at the start of a line, and offsets do not
# change. Lone surrogates, which a command line may contain, cannot be encoded.
SPACES = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"), " ")
READ_AS = SPACES | dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
QUESTION, TITLE, CONTEXT = "question: ", "title: ", " context: "
MASK = "<extra_id_0>"  # T5's first sentinel, for words to guess
TITLE_TOKENS = 32  # longer titles are cut, so that they leave room for the text
HEAD_TOKENS = TITLE_TOKENS + 16  # the tokens of a chunk that are not its text: title, marks, end


@dataclass(frozen=True)
class Tokens:
    """Token ids, and the part of the text that each comes from; `NOWHERE` for prefix and end marks."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]


class TextTokenizer:
    """A model's tokenizer, and the largest number of tokens for a question and for a chunk."""

    asking = QUESTION  # before every question

    def __init__(self, file: Path, *, end: int, question_limit: int = 128, chunk_limit: int = 512) -> None:
        self._file = file
        with self._told():
            self._tokenizer = Tokenizer.from_file(str(file))
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            self._tokenizer.encode_special_tokens = True  # if it can: then </s> in a text is not an end mark
        self.end, self.question_limit, self.chunk_limit = end, question_limit, chunk_limit
        self.closing = end  # after every question and chunk
        empty = self._encode("", marks=True)
        marks = [id for id, mark in zip(empty.ids, empty.special_tokens_mask, strict=True) if mark]
        self.begin = tuple(id for id in marks if id != end)  # what the tokenizer puts before every text; T5's: nothing

    @property
    def size(self) -> int:
        """The number of token ids."""
        return self._tokenizer.get_vocab_size()

    @property
    def largest(self) -> int:
        """The largest token id that a text, its marks or an answer can have."""
        return max(self.end, self.closing, *self.begin, *self._tokenizer.get_vocab().values())

    def read_as(self, text: str) -> str:
        """Return what the tokenizer gets of a text."""
        return text.translate(READ_AS)

    def question(self, text: str) -> Tokens:
        """Encode a question as `question: Q </s>`."""
        encoding = self._encode(self.asking + self.read_as(text))
        return self._finish(encoding, text, len(self.asking), self.question_limit)

    def masked(self, parts: Sequence[str]) -> Tokens:
        """Encode a text with gaps as `question: A <extra_id_0> B </s>`; spans refer to the parts joined by `MASK`.

        The mask is inserted as a special id, so that no text can imitate it. A text that is too long loses words at the
        end that is further from the first mask. A single part is an ordinary question.
        """
        if len(parts) == 1:
            return self.question(parts[0])
        mask = self._mask()
        prefix = [*self.begin, *self._encode(self.asking.strip()).ids]
        ids: list[int] = []
        spans: list[Span] = []
        at = first = 0
        for number, part in enumerate(parts):
            if number:
                first = first or len(ids)
                ids.append(mask)
                spans.append((at, at + len(MASK)))
                at += len(MASK)
            margin = len(part) - len(part.lstrip())
            plain = self.read_as(part.strip().replace(MASK, " " * len(MASK)))
            encoding = self._encode(plain)
            ids += encoding.ids
            spans += [_moved(span, at) for span in self._places(encoding, part, -margin)]
            at += len(part)
        kept = _window(len(ids), first, self.question_limit - len(prefix) - 1)
        return Tokens((*prefix, *ids[kept], self.closing), (*[NOWHERE] * len(prefix), *spans[kept], NOWHERE))

    def chunks(self, passages: Sequence[ChunkText]) -> list[Tokens]:
        """Encode chunks as `title: T context: X </s>`."""
        heads = [TITLE + self._short(passage.title) + CONTEXT for passage in passages]
        whole = [self.read_as(head + passage.text.strip()) for head, passage in zip(heads, passages, strict=True)]
        encodings = self._encode_all(whole)
        margins = [len(passage.text) - len(passage.text.lstrip()) for passage in passages]
        rows = zip(encodings, passages, heads, margins, strict=True)
        return [
            self._finish(e, passage.text, len(head) - margin, self.chunk_limit) for e, passage, head, margin in rows
        ]

    def answer(self, text: str) -> tuple[int, ...]:
        """Encode an answer with its end mark, as the decoder should write it."""
        return (*self._encode(self.read_as(text)).ids, self.end)

    def decode(self, ids: Sequence[int]) -> str:
        """Turn generated ids back into text."""
        with self._told():
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def count(self, text: str) -> int:
        """Count a text's tokens without prefix and end marks."""
        return len(self._encode(self.read_as(text)).ids)

    def identity(self) -> str:
        """Hash the tokenizer itself, for fingerprints."""
        return hashlib.blake2b(self._tokenizer.to_str().encode(), digest_size=16).hexdigest()

    def _encode(self, text: str, marks: bool = False) -> Encoding:
        with self._told():
            return self._tokenizer.encode(text, add_special_tokens=marks)

    def _encode_all(self, texts: Sequence[str]) -> list[Encoding]:
        with self._told():
            return list(self._tokenizer.encode_batch(texts, add_special_tokens=False))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise ModelError for what the library does with a broken file: bare exceptions, and panics of Rust."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            message = f"cannot read {self._file}: {error!s:.200}"
            raise ModelError(message, "copy the model again", str(self._file)) from None

    def _short(self, title: str) -> str:
        if len(title.encode("utf-8", "replace")) <= TITLE_TOKENS:  # a token is a byte at least
            return title
        offsets = self._encode(self.read_as(title)).offsets
        return title if len(offsets) <= TITLE_TOKENS else title[: offsets[TITLE_TOKENS][0]]

    def spelt_as_in(self, text: str, evidence: Sequence[str]) -> str:
        """Give freely written text the evidence's spelling; this tokenizer keeps capitals, so nothing changes."""
        return text

    def _mask(self) -> int:
        """Return the id that stands for words to guess."""
        mask = self._tokenizer.token_to_id(MASK)
        if mask is None:
            raise ModelError(f"the model's tokenizer has no {MASK} to mask words with", "use a model of the T5 family")
        return int(mask)

    def _places(self, encoding: Encoding, text: str, before: int) -> list[Span]:
        """Return the part of `text` that each token comes from; `before` characters precede it in what was encoded."""
        return [inside(text, start - before, end - before) for start, end in encoding.offsets]

    def _finish(self, encoding: Encoding, text: str, prefix: int, limit: int) -> Tokens:
        kept = slice(limit - 1 - len(self.begin))
        spans = (*[NOWHERE] * len(self.begin), *self._places(encoding, text, prefix)[kept], NOWHERE)
        return Tokens((*self.begin, *encoding.ids[kept], self.closing), spans)


def inside(text: str, start: int, end: int) -> Span:
    """Cut a token's offsets to the text itself, without spaces; a prefix token is `NOWHERE`."""
    start = max(start, 0)
    while start < end and text[start].isspace():
        start += 1
    return (start, end) if end > start else NOWHERE


def _moved(span: Span, by: int) -> Span:
    return span if span == NOWHERE else (span[0] + by, span[1] + by)


def _window(length: int, mask: int, limit: int) -> slice:
    """Choose at most `limit` tokens around the mask, with all tokens before it if they fit into half of that."""
    start = max(0, min(mask - limit // 2, length - limit))
    return slice(start, start + limit)
