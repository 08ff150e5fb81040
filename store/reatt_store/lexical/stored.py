"""The word index of one store, asked through FTS5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from reatt_store.connection import Connection
from reatt_store.errors import StoreDamaged
from reatt_store.lexical.index import OLD
from reatt_store.lexical.search import Part
from reatt_store.lexical.terms import single
from reatt_store.selection import Selection

# Each by itself is one look into the index of paths; both in one SELECT would read all of it.
ENDS = "SELECT (SELECT min(path) FROM documents), (SELECT max(path) FROM documents)"


class StoredWords:
    """The words of one store; FTS5 scores them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def old(self) -> bool:
        """Whether the index has titles and texts alone, as they are."""
        return bool(self.connection.value("PRAGMA user_version") <= OLD)

    def best(
        self, parts: Sequence[Part], weights: Sequence[float], limit: int, among: Selection
    ) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the best chunks that have any of the terms, best first; ties go to the older."""
        expression = " OR ".join(filter(None, (_within(columns, asked) for columns, asked in parts)))
        if not expression or limit < 1:
            return []
        condition, parameters = "", [expression, bm25(weights)]
        if among:
            chosen, values = self.chosen(among)
            condition, parameters = f"AND rowid IN ({chosen})", [*parameters, *values]
        sql = f"""SELECT rowid, -rank FROM words WHERE words MATCH ? AND rank MATCH ? {condition}
                  ORDER BY rank, rowid LIMIT ?"""  # noqa: S608
        found = self.connection.rows(sql, [*parameters, limit])
        if not all(isinstance(score, float) and math.isfinite(score) for _, score in found):
            raise damaged()
        return found

    def stands(self, columns: str, term: str) -> bool:
        """Return whether a term stands anywhere in some columns."""
        return bool(self.connection.rows("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", [phrase(columns, term)]))

    def owners(self, chunks: Sequence[int]) -> list[tuple[int, int]]:
        """Return (chunk id, document id) of chunks."""
        marks = ", ".join("?" * len(chunks))
        return self.connection.rows(f"SELECT id, document_id FROM chunks WHERE id IN ({marks})", list(chunks))  # noqa: S608

    def ends(self) -> tuple[Any, Any]:
        """Return the first and the last path of all documents."""
        [(first, last)] = self.connection.rows(ENDS)
        return first, last

    @staticmethod
    def chosen(among: Selection) -> tuple[str, list[str]]:
        """Return the SQL that selects the chunks of some documents, and its parameters."""
        allowed, values = among.condition()
        sql = f"SELECT chunks.id FROM documents JOIN chunks ON document_id = documents.id WHERE {allowed}"  # noqa: S608
        return sql, values


def bm25(weights: Sequence[float]) -> str:
    """Write FTS5's ranking function with a weight for each column."""
    return f"bm25({', '.join(map(str, weights))})"


def phrase(columns: str, term: str) -> str:
    """Write the FTS5 query for one term in some columns.

    Terms consist of letters and digits and are quoted, so no question is a syntax error in FTS5's query language.
    """
    return _within(columns, [term])


def damaged() -> StoreDamaged:
    """Return the error for an index that cannot be right."""
    return StoreDamaged("the word index is damaged", "reatt check --repair")


def _within(columns: str, asked: Sequence[str]) -> str:
    if not asked or not columns:
        return _any(asked)
    return f"{{{columns}}} : ({_any(asked)})"


def _any(asked: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"*' if single(term) else f'"{term}"' for term in asked)
