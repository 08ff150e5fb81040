"""Search by words: BM25 over texts, headings and names."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from reatt_store.connection import Connection
from reatt_store.errors import StoreDamaged
from reatt_store.lexical.index import OLD, spelt_out
from reatt_store.lexical.terms import single, terms
from reatt_store.selection import EVERYTHING, Selection

# Weights of a match in the columns of the index: best or close to it on the development sets.
PLACE, DOCUMENT, HEADING, TEXT = 0.5, 0.5, 1.5, 1.0
WEIGHTS: tuple[float, ...] = (PLACE, DOCUMENT, HEADING, TEXT)
_OLD_WEIGHTS = (HEADING, TEXT)


def search(connection: Connection, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
    """Return (chunk id, BM25) of the best chunks, best first; ties go to the older chunk.

    Terms consist of letters and digits and are quoted, so no question is a syntax error in FTS5's query language.
    """
    asked = terms(question)
    if not asked or limit < 1:
        return []
    if connection.value("PRAGMA user_version") > OLD:
        expression, weights = _expression(asked, _shared(connection)), WEIGHTS
    else:
        expression, weights = _any(asked), _OLD_WEIGHTS
    rank = f"bm25({', '.join(map(str, weights))})"
    condition, parameters = "", [expression, rank]
    if among:
        allowed, values = among.condition()
        chosen = f"SELECT chunks.id FROM documents JOIN chunks ON document_id = documents.id WHERE {allowed}"  # noqa: S608
        condition = f"AND rowid IN ({chosen})"
        parameters += values
    sql = f"""SELECT rowid, -rank FROM words WHERE words MATCH ? AND rank MATCH ? {condition}
              ORDER BY rank, rowid LIMIT ?"""  # noqa: S608
    found = connection.rows(sql, [*parameters, limit])
    if not all(isinstance(score, float) and math.isfinite(score) for _, score in found):
        raise StoreDamaged("the word index is damaged", "reatt check --repair")
    return found


def _expression(asked: Sequence[str], shared: frozenset[str]) -> str:
    """Look for words in texts and in names apart: a word that all names share may be rare in texts.

    Words of a folder that all documents lie in would find every document.
    """
    named = [term for term in asked if term not in shared]
    parts = [f"{{heading text}} : ({_any(asked)})"]
    return " OR ".join([*parts, f"{{place document}} : ({_any(named)})"] if named else parts)


def _any(asked: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"*' if single(term) else f'"{term}"' for term in asked)


def _shared(connection: Connection) -> frozenset[str]:
    """Return the words of the folder that all documents lie in."""
    [(first, last)] = connection.rows("SELECT min(path), max(path) FROM documents")
    if not isinstance(first, str) or not isinstance(last, str):
        return frozenset()
    folder = os.path.commonpath([os.path.dirname(first), os.path.dirname(last)]) if first[:1] == last[:1] == "/" else ""
    return frozenset(terms(spelt_out(folder)))
