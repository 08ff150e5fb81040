"""Search by words: BM25 over texts, headings and names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from reatt_store.lexical.index import spelt_out
from reatt_store.lexical.irregular import other_forms
from reatt_store.lexical.terms import terms
from reatt_store.selection import EVERYTHING, Selection

# Weights of a match in the columns of the index: best or close to it on the development sets.
PLACE, DOCUMENT, HEADING, TEXT = 1.0, 0.25, 1.5, 1.0
WEIGHTS = (PLACE, DOCUMENT, HEADING, TEXT)
COMMON = 5  # documents that are named as well as this are not meant
ALL_COLUMNS, _WORDS = "", "heading text"

Part = tuple[str, Sequence[str]]  # columns, with blanks between them, and the terms that are looked for there


class Index(Protocol):
    """The words of one store, or of several as one."""

    @property
    def old(self) -> bool:
        """Whether the index has titles and texts alone, as they are."""

    def best(
        self, parts: Sequence[Part], weights: Sequence[float], limit: int, among: Selection
    ) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the best chunks that have any of the terms, best first; ties go to the older."""

    def stands(self, columns: str, term: str) -> bool:
        """Return whether a term stands anywhere in some columns."""

    def owners(self, chunks: Sequence[int]) -> list[tuple[int, int]]:
        """Return (chunk id, document id) of chunks."""

    def ends(self) -> tuple[Any, Any]:
        """Return the first and the last path of all documents."""


def search(index: Index, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
    """Return (chunk id, BM25) of the best chunks, best first; ties go to the older chunk.

    Words are looked for in texts and in names apart: a word that all names share may be rare in texts.
    """
    asked = terms(question)
    if index.old:
        return index.best([(ALL_COLUMNS, asked)], (HEADING, TEXT), limit, among)
    parts = [(_WORDS, _with_forms(index, asked)), ("place document", _telling(index, asked))]
    return index.best(parts, WEIGHTS, limit, among)


def names(index: Index, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
    """Return (chunk id, score) of the chunks that the question's words name: the file, its folders, title or author.

    The score is how much more the names' BM25 is than that of the document in place COMMON, because words that many
    names share name none of them.
    """
    if index.old:
        return []
    parts = [("place document", _telling(index, terms(question)))]
    found = dict(index.best(parts, (1.0, 1.0, 0.0, 0.0), limit, among))
    best: dict[int, float] = {}
    for chunk, document in index.owners(list(found)):
        best[document] = max(found[chunk], best.get(document, 0.0))
    common = sum(sorted(best.values(), reverse=True)[COMMON - 1 : COMMON])
    return [(chunk, score - common) for chunk, score in found.items() if score > common]


def _with_forms(index: Index, asked: Sequence[str]) -> list[str]:
    """Put the other forms of an irregular word in its place if it stands nowhere; else it would find nothing."""
    found: list[str] = []
    for term in asked:
        forms = other_forms(term)
        found += forms if forms and not index.stands(_WORDS, term) else [term]
    return list(dict.fromkeys(found))


def _telling(index: Index, asked: Sequence[str]) -> list[str]:
    """Leave out the words of a folder that all documents lie in, which would find every document."""
    first, last = index.ends()
    shared = _shared(first, last) if isinstance(first, str) and isinstance(last, str) else ()
    return [term for term in asked if term not in shared]


@lru_cache(64)
def _shared(first: str, last: str) -> frozenset[str]:
    """Return the words of the folder that all documents lie in, by the first and the last of their paths."""
    folder = os.path.commonpath([os.path.dirname(first), os.path.dirname(last)]) if first[:1] == last[:1] == "/" else ""
    return frozenset(terms(spelt_out(folder)))
