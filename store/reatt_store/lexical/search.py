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
PLACE, DOCUMENT, HEADING, TEXT = 1.0, 0.25, 1.5, 1.0
WEIGHTS = (PLACE, DOCUMENT, HEADING, TEXT)
COMMON = 5  # documents that are named as well as this are not meant


def search(connection: Connection, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
    """Return (chunk id, BM25) of the best chunks, best first; ties go to the older chunk.

    Terms consist of letters and digits and are quoted, so no question is a syntax error in FTS5's query language.
    Words are looked for in texts and in names apart: a word that all names share may be rare in texts.
    """
    asked = terms(question)
    if connection.value("PRAGMA user_version") <= OLD:
        return _best(connection, _any(asked), (HEADING, TEXT), limit, among)
    parts = [_within("heading text", asked), _within("place document", _telling(connection, asked))]
    return _best(connection, " OR ".join(filter(None, parts)), WEIGHTS, limit, among)


def names(connection: Connection, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
    """Return (chunk id, score) of the chunks that the question's words name: the file, its folders, title or author.

    The score is how much more the names' BM25 is than that of the document in place COMMON, because words that many
    names share name none of them.
    """
    if connection.value("PRAGMA user_version") <= OLD:
        return []
    asked = _telling(connection, terms(question))
    found = dict(_best(connection, _within("place document", asked), (1.0, 1.0, 0.0, 0.0), limit, among))
    marks = ", ".join("?" * len(found))
    owners = connection.rows(f"SELECT id, document_id FROM chunks WHERE id IN ({marks})", list(found))  # noqa: S608
    best: dict[int, float] = {}
    for chunk, document in owners:
        best[document] = max(found[chunk], best.get(document, 0.0))
    common = sum(sorted(best.values(), reverse=True)[COMMON - 1 : COMMON])
    return [(chunk, score - common) for chunk, score in found.items() if score > common]


def _best(
    connection: Connection, expression: str, weights: Sequence[float], limit: int, among: Selection
) -> list[tuple[int, float]]:
    if not expression or limit < 1:
        return []
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


def _within(columns: str, asked: Sequence[str]) -> str:
    return f"{{{columns}}} : ({_any(asked)})" if asked else ""


def _telling(connection: Connection, asked: Sequence[str]) -> list[str]:
    """Leave out the words of a folder that all documents lie in, which would find every document."""
    shared = _shared(connection)
    return [term for term in asked if term not in shared]


def _any(asked: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"*' if single(term) else f'"{term}"' for term in asked)


def _shared(connection: Connection) -> frozenset[str]:
    """Return the words of the folder that all documents lie in."""
    [(first, last)] = connection.rows("SELECT min(path), max(path) FROM documents")
    if not isinstance(first, str) or not isinstance(last, str):
        return frozenset()
    folder = os.path.commonpath([os.path.dirname(first), os.path.dirname(last)]) if first[:1] == last[:1] == "/" else ""
    return frozenset(terms(spelt_out(folder)))
