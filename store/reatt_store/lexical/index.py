"""The word index: SQLite's FTS5 with Porter stems, in the same transaction as the chunks.

It has its own copy of every text, as `terms.indexed` writes it: FTS5 cannot compare characters as we do. Beside the
text, a chunk is found by its heading, and by names: of its file, its folders, its document and who wrote that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from sqlite3 import Connection
from typing import Any

from reatt_store.lexical.terms import indexed

WORDS = """CREATE VIRTUAL TABLE words USING fts5 (
        place, document, heading, text,
        tokenize="porter unicode61 remove_diacritics 0 categories 'L* M* N* Co'")"""
FOLDERS = 4  # nearest folders whose names are words of a document

OLD = 2  # the last format whose word index has titles and texts alone, as they are
_LARGEST = 0.9  # of the index: if its largest part is less, the parts are put together
_MERGED = 100  # pages, of 4 KiB, that are written in one go: so little is free in the file afterwards
_PAGE = 500
_ROW = """SELECT chunks.id, documents.path, documents.title, author, dated, chunks.title, text
          FROM documents JOIN chunks ON chunks.document_id = documents.id
          LEFT JOIN origins ON origins.document_id = documents.id"""
_UNEQUAL = """SELECT count(*) FROM (SELECT id FROM chunks EXCEPT SELECT id FROM words_docsize
              UNION ALL SELECT * FROM (SELECT id FROM words_docsize EXCEPT SELECT id FROM chunks))"""
# Between the words that a name is written together of: boilerLog2024.
_INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_MONTHS = "January February March April May June July August September October November December".split()


def put(connection: Connection, document_id: int, on_rows: Callable[[], None] = lambda: None) -> None:
    """Enter a document's chunks, inside the caller's transaction; `on_rows` is called now and then."""
    for rows in _pages(connection, "documents.id = ?", document_id):
        _insert(connection, rows)
        on_rows()


def take_out(connection: Connection, document_id: int) -> None:
    """Remove a document's chunks; call it while they are still stored."""
    connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM chunks WHERE document_id = ?)", [document_id])


def fill(connection: Connection) -> None:
    """Enter every chunk into an empty index."""
    for rows in _pages(connection):
        _insert(connection, rows)


def scattered(connection: Connection) -> bool:
    """Return whether much of the index lies outside its largest part; to put it together then costs little in all."""
    parts: list[int] = [pages for (pages,) in connection.execute("SELECT count(*) FROM words_idx GROUP BY segid")]
    return max(parts, default=0) < _LARGEST * sum(parts)


def merge(connection: Connection) -> bool:
    """Put some parts of the index together, inside the caller's transaction; return whether more are left."""
    before = connection.total_changes
    connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", [-_MERGED])
    return connection.total_changes - before > 1  # FTS5 counts one change if there was nothing to do


def differing(connection: Connection) -> bool:
    """Return whether the index has other words than the stored chunks; FTS5's own check sees to the rest."""
    if _value(connection, "PRAGMA user_version") <= OLD:
        return bool(_value(connection, _UNEQUAL))
    chunks = 0
    for rows in _pages(connection):
        chunks += len(rows)
        marks = ", ".join("?" * len(rows))
        sql = f"SELECT rowid, place, document, heading, text FROM words WHERE rowid IN ({marks})"  # noqa: S608
        kept = {id: tuple(words) for id, *words in connection.execute(sql, [row[0] for row in rows])}
        if kept != {row[0]: _words(*row[1:]) for row in rows}:
            return True
    return bool(_value(connection, "SELECT count(*) FROM words_docsize") != chunks)


def _insert(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    sql = "INSERT INTO words (rowid, place, document, heading, text) VALUES (?, ?, ?, ?, ?)"
    connection.executemany(sql, ((row[0], *_words(*row[1:])) for row in rows))


def _words(*row: object) -> tuple[str, str, str, str]:
    """Return a chunk's row of the index. Names that say the same are entered once; a damaged column has no words."""
    path, title, author, dated, heading, text = (each if isinstance(each, str) else "" for each in row)
    place = _place(path)
    named = [title] if title != heading and spelt_out(title) not in place else []
    document = " ".join([*named, author, *_date(dated)]).strip()
    return indexed(place), indexed(document), indexed(heading), indexed(text)


def _place(path: str) -> str:
    """Return the words of a file's name and of its nearest folders."""
    name = PurePosixPath(path)
    return spelt_out(" ".join([*name.parent.parts[-FOLDERS:], name.stem]))


def spelt_out(name: str) -> str:
    """Write words apart that a name has together, beside the name."""
    words = re.sub(r"[-_/\s]+", " ", name).strip()
    apart = _INSIDE.sub(" ", words)
    return words if apart == words else f"{words} {apart}"


def _date(dated: str) -> Iterator[str]:
    """Write a date as people do: 2024-03-05, 5 March 2024."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)", dated)
    if found and 1 <= int(found[2]) <= len(_MONTHS):
        yield f"{found[0]} {int(found[3])} {_MONTHS[int(found[2]) - 1]} {found[1]}"


def _pages(connection: Connection, which: str = "1", *values: int) -> Iterator[list[Any]]:
    last = 0
    page = f"{_ROW} WHERE {which} AND chunks.id > ? ORDER BY chunks.id LIMIT {_PAGE}"
    while rows := connection.execute(page, [*values, last]).fetchall():
        yield rows
        last = rows[-1][0]


def _value(connection: Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]
