"""Search by words: SQLite's FTS5 with Porter stems and BM25, in the same transaction as the chunks."""

from __future__ import annotations

import math
import re
import unicodedata

from reatt_store.connection import MATCHES_PATH, Connection
from reatt_store.errors import StoreDamaged
from reatt_store.stopwords import STOP_WORDS

TITLE_WEIGHT = 1.5  # weight of a match in the title (the text has 1): best or close to it on nine sets of questions
TERM_LIMIT = 128  # words; a pasted page is not a question

_TERM = re.compile(r"[^\W_]+")


def terms(question: str) -> list[str]:
    """Return the distinct words of a question, without stop words unless there are no others."""
    every = list(dict.fromkeys(_TERM.findall(unicodedata.normalize("NFC", question).lower())))
    telling = [term for term in every if term not in STOP_WORDS]
    return (telling or every)[:TERM_LIMIT]


def search(connection: Connection, question: str, limit: int, only: str | None) -> list[tuple[int, float]]:
    """Return (chunk id, BM25) of the best chunks, best first; ties go to the older chunk.

    Terms consist of letters and digits and are quoted, so no question is a syntax error in FTS5's query language.
    """
    expression = " OR ".join(f'"{term}"' for term in terms(question))
    if not expression or limit < 1:
        return []
    rank = f"bm25({TITLE_WEIGHT}, 1.0)"
    condition = ""
    parameters: list[object] = [expression, rank]
    if only is not None:
        chosen = f"SELECT chunks.id FROM documents JOIN chunks ON document_id = documents.id WHERE {MATCHES_PATH}"  # noqa: S608
        condition = f"AND rowid IN ({chosen})"
        parameters += [only, only]
    sql = f"""SELECT rowid, -rank FROM words WHERE words MATCH ? AND rank MATCH ? {condition}
              ORDER BY rank, rowid LIMIT ?"""  # noqa: S608
    found = connection.rows(sql, [*parameters, limit])
    if not all(isinstance(score, float) and math.isfinite(score) for _, score in found):
        raise StoreDamaged("the word index is damaged", "reatt check --repair")
    return found
