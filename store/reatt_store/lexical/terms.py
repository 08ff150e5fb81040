"""The words of questions and texts, as the word index knows them.

Scripts without spaces are cut into overlapping pairs of characters, in texts and in questions alike. So the pairs of a
word stand in every text that has the word. The last character of a stretch also stands alone: every single character
begins a pair or stands alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from reatt_store.lexical.characters import UNSPACED, folded, folded_character
from reatt_store.lexical.irregular import other_forms
from reatt_store.lexical.stopwords import STOP_WORDS

TERM_LIMIT = 128  # words; a pasted page is not a question
ENDINGS = 3  # letters by which a marked word may be longer than the question's
_SHORTEST = 3  # letters of a word whose longer forms are marked too

_UNSPACED = re.compile(f"[{UNSPACED}]+")
_PARTS = re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")


def indexed(text: str) -> str:
    """Return a text as the word index takes it in.

    >>> indexed("图书馆 opens")
    ' 图书 书馆 馆  opens'
    """
    text = folded(text)
    return text if text.isascii() else _UNSPACED.sub(lambda found: f" {' '.join(_pairs(found[0]))} ", text)


def terms(question: str) -> list[str]:
    """Return the distinct words of a question, without stop words unless there are no others.

    >>> terms("Who is 李娜娜?"), terms("猫")
    (['李娜', '娜娜'], ['猫'])
    """
    every = list(dict.fromkeys(term for word in _words(folded(question).lower()) for term in _cut(word)))
    telling = [term for term in every if term not in STOP_WORDS]
    return (telling or every)[:TERM_LIMIT]


def single(term: str) -> bool:
    """Return whether a term is one character of a script without spaces, which may begin any pair."""
    return len(term) == 1 and _UNSPACED.fullmatch(term) is not None


def marked(question: str, text: str) -> list[tuple[int, int]]:
    """Return where a text has words of the question, [start, end) in its characters as they are.

    >>> marked("finance officer", "Chief finance o\\ufb03cers")
    [(6, 13), (14, 20)]
    """
    asked = [form for term in terms(question) for form in (term, *other_forms(term))]
    pieces = [(piece, at) for at, character in enumerate(text) for piece in folded_character(character)]
    comparable = "".join(piece for piece, _ in pieces)
    places = [*(at for _, at in pieces), len(text)]
    return [(places[start], max(places[end - 1] + 1, places[end])) for start, end in _found(asked, comparable)]


def _found(asked: list[str], text: str) -> Iterator[tuple[int, int]]:
    whole = tuple(term for term in asked if not _UNSPACED.match(term))
    longer = tuple(term for term in whole if len(term) >= _SHORTEST)
    pairs = {term for term in asked if _UNSPACED.match(term)}
    for start, end in _stretches(text):
        for part in _PARTS.finditer(text, start, end):
            if _UNSPACED.match(part[0]):
                places = ((at, at + size) for at in range(part.start(), part.end()) for size in (1, 2))
                yield from ((at, to) for at, to in places if to <= part.end() and text[at:to] in pairs)
            elif part[0] in whole or any(_form_of(part[0], term) for term in longer):
                yield part.span()


def _form_of(word: str, term: str) -> bool:
    return word.startswith(term) and len(word) <= len(term) + ENDINGS


def _cut(word: str) -> Iterator[str]:
    for part in _PARTS.findall(word):
        if _UNSPACED.match(part) and len(part) > 1:
            yield from _pairs(part)[:-1]
        else:
            yield part


def _pairs(stretch: str) -> list[str]:
    return [stretch[at : at + 2] for at in range(len(stretch))]


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in _stretches(text)]


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Yield the stretches of letters, digits and the marks that belong to them, as FTS5 cuts a text."""
    start = None
    for at, character in enumerate(text):
        if character.isalnum() or unicodedata.category(character).startswith("M"):
            start = at if start is None else start
        elif start is not None:
            yield start, at
            start = None
    if start is not None:
        yield start, len(text)
