"""Repair: copy everything trusted to a fresh database, derive the rest from it, and swap both in one commit.

This handles every kind of damage: a flipped bit in a text, a page that SQLite cannot read, a lost segment. Documents
are trusted if their seals match, segments if their checksums match. Digests, the word index, places of vectors and
records of removed texts are derived from those. A document that fails its seal is copied unchanged, so that no text
is lost and `check` still names it. It gets the digest of no file, so the next ingest reads its file again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from reatt_store import gate
from reatt_store.connection import CACHE, Connection, connect, open_writer, translated
from reatt_store.errors import StoreDamaged, StoreError
from reatt_store.generations import segment_file
from reatt_store.lexical import index
from reatt_store.locking import locked
from reatt_store.migrations import migrate, tables
from reatt_store.opening import fresh
from reatt_store.records import Chunk, Document, Doubted, sealed_as
from reatt_store.vectors import segments
from reatt_store.vectors.arrays import checksum
from reatt_store.writing import sweep

# In the order of their references; columns are named so that stores of older formats can be copied as well.
_KEPT = {
    "generations": "id, fingerprint, model_name, model_sha256, method, created_at",
    "current_generation": "one, generation",
    "models": "id, generation, name, sha256, added_at",
    "runs": "id, started_at, ended_at, mode, settings, before, after, accepted, reason, parent_sha256, model_sha256",
    "problems": "path, id, detail, fix, digest",
}
_DOCUMENT = "id, path, external_id, title, kind, digest, size, pages, chunks, seal, added_at"
_CHUNK = "id, document_id, ordinal, char_start, char_end, line, page, title, text, digest"
_ORIGIN = "document_id, author, dated, modified"
_SCAN = "document_id, pages, confidence"
_SEGMENT = "id, generation, name, bytes, blake2b, chunks, tokens, width"
_COUNTED = ("documents", "chunks", "segments", "generations", "models", "runs")
_CHANGED = "damaged"  # the digest of no file
_GAP = 100_000  # ids in a row without a row
_IDS = 1 << 48  # more than any store will ever use


def repair(folder: Path) -> list[Doubted]:
    """Repair a damaged store under its lock; return the documents whose files must be read again.

    Afterwards, texts of damaged segments lack vectors. Readers see the store before or after the repair, even if it is
    killed. Raises StoreDamaged if the file is no longer a database.
    """
    for path in list(gate.odd(folder)):  # pipes and the like, which are of no use to a store
        os.unlink(path)
    with locked(folder, doubted=True), closing(open_writer(folder, doubted=True)) as old:
        with translated(folder), fresh(folder / "tmp") as (passing, _), closing(connect(passing, "mode=rw")) as new:
            new.rows(CACHE)
            migrate(new)
            with new.transaction():
                doubted = _copy(old, new, folder)
            new.backup(old)
        sweep(old, folder)
    return doubted


def _copy(old: Connection, new: Connection, folder: Path) -> list[Doubted]:
    for table, columns in _KEPT.items():
        _insert(new, table, columns, _readable(old, table, columns))
    doubted = [*_documents(old, new), *_unread(old, new)]
    _insert(new, "segments", _SEGMENT, _segments(old, new, folder))
    dead = """INSERT INTO dead SELECT DISTINCT digest FROM encodings
              WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.digest = encodings.digest)"""
    for table in ("current_generation", "models", "segments", "encodings"):
        new.execute(f"DELETE FROM {table} WHERE generation NOT IN (SELECT id FROM generations)")  # noqa: S608
    new.execute(dead)
    index.fill(new)
    for table in _COUNTED:  # ids are never reused, not even those of rows that could not be read
        given = max((id for id in _ids(old, table) if id < _IDS), default=0)
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
        new.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [table, given])
    return doubted


def _documents(old: Connection, new: Connection) -> Iterator[Doubted]:
    """Copy every document that can be read; yield those that differ from what was stored."""
    strays = None
    for row in _readable(old, "documents", _DOCUMENT):
        id, expected, fields = row[0], row[9], Document(*row[1:8], *_origin(old, row[0]), *_scan(old, row[0]))
        chunks = _rows(old, f"SELECT {_CHUNK} FROM chunks WHERE document_id = ? ORDER BY ordinal", [id])  # noqa: S608
        if not _sound(fields, chunks, row):
            strays = strays or _by_document(old)  # without an index, which may itself be damaged
            chunks = strays.get(id, [])
        sound = _sound(fields, chunks, row)
        digest = fields.digest if sound else _CHANGED
        kept = [each for each in chunks if sound or _usable(each)]
        _insert(new, "documents", _DOCUMENT, [(*row[:5], digest, *row[6:8], len(kept), expected, row[10])])
        _insert(new, "origins", _ORIGIN, [(id, *fields.origin)])
        _insert(new, "scans", _SCAN, [(id, *fields.scan)] if any(fields.scan) else [])
        _insert(new, "chunks", _CHUNK, [(*each[:9], Chunk(*each[2:9]).digest) for each in kept])
        if not sound:
            yield Doubted(id, str(fields.path), fields.external_id)


def _origin(old: Connection, id: int) -> Sequence[str]:
    rows = _rows(old, f"SELECT {_ORIGIN} FROM origins WHERE document_id = ?", [id]) if "origins" in tables(old) else []  # noqa: S608
    return [each if isinstance(each, str) else "" for each in rows[0][1:]] if rows else ("", "", "")


def _scan(old: Connection, id: int) -> Sequence[int]:
    rows = _rows(old, f"SELECT {_SCAN} FROM scans WHERE document_id = ?", [id]) if "scans" in tables(old) else []  # noqa: S608
    return [each if isinstance(each, int) else 0 for each in rows[0][1:]] if rows else (0, 0)


def _unread(old: Connection, new: Connection) -> Iterator[Doubted]:
    """Yield the documents of which only the names could be read, from the index of names."""
    copied = {id for (id,) in new.rows("SELECT id FROM documents")}
    if "documents" not in tables(old):
        return
    named = "SELECT id, path, external_id FROM documents INDEXED BY documents_records"
    for id, path, external_id in _rows(old, named, []):
        if id not in copied:
            yield Doubted(id, str(path), external_id)


def _segments(old: Connection, new: Connection, folder: Path) -> Iterator[Sequence[Any]]:
    """Yield the rows of sound segments; read from the files what they encode."""
    for row in _readable(old, "segments", _SEGMENT):
        id, generation, name, size, blake2b = row[:5]
        try:
            path = segment_file(folder, name)
            if checksum(path) != blake2b:
                continue
            digests = segments.open_segment(path, id, size).digests
        except (OSError, StoreDamaged):
            continue
        yield row
        places = ((generation, digest.tobytes(), id, position) for position, digest in enumerate(digests))
        _insert(new, "encodings", "generation, digest, segment, position", places)


def _insert(new: Connection, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows one by one; skip those that no sound store can hold."""
    marks = ", ".join("?" * len(columns.split(",")))
    sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    for row in rows:
        with suppress(sqlite3.IntegrityError):
            new.execute(sql, row)


def _readable(old: Connection, table: str, columns: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table, each fetched by its id, so that an unreadable page loses only its own rows.

    A damaged id may be any number: a gap that no page explains is passed over.
    """
    if table not in tables(old):  # a stranger's, which might never end
        return
    if table == "problems":  # keyed by path; unreadable rows return with the next ingest
        yield from _rows(old, f"SELECT {columns} FROM problems", [])  # noqa: S608
        return
    sql = f"SELECT {columns} FROM {table} WHERE rowid = ?"  # noqa: S608
    last, id, missed = min(_ids(old, table), default=0), 0, 0
    while id < last:
        id, missed = id + 1, missed + 1
        if missed > _GAP:
            [(following,)] = _rows(old, f"SELECT min(rowid) FROM {table} WHERE rowid >= ?", [id]) or [(id,)]  # noqa: S608
            id = following or last
        for row in _rows(old, sql, [id]):
            missed = 0
            yield row


def _by_document(old: Connection) -> dict[int, list[Sequence[Any]]]:
    """Collect all chunks by their document, without any index."""
    found: dict[int, list[Sequence[Any]]] = {}
    for row in _readable(old, "chunks", _CHUNK):
        found.setdefault(row[1], []).append(row)
    return {id: sorted(rows, key=lambda row: str(row[2]).zfill(12)) for id, rows in found.items()}


def _rows(old: Connection, sql: str, parameters: Sequence[Any]) -> list[Any]:
    try:
        return old.rows(sql, parameters)
    except (sqlite3.Error, StoreError):  # even if a text is not UTF-8
        return []


def _ids(old: Connection, table: str) -> list[int]:
    """Return the highest id in a table and the highest it ever used, which is not lower; damage hides at most one."""
    numbers = _rows(old, f"SELECT max(rowid) FROM {table}", [])  # noqa: S608
    numbers += _rows(old, "SELECT seq FROM sqlite_sequence WHERE name = ?", [table])
    return [number for (number,) in numbers if isinstance(number, int)]


def _sound(document: Document, chunks: Sequence[Sequence[Any]], row: Sequence[Any]) -> bool:
    return len(chunks) == row[8] and sealed_as(document, [Chunk(*each[2:9]) for each in chunks], row[9])


def _usable(chunk: Sequence[Any]) -> bool:
    return isinstance(chunk[7], str) and isinstance(chunk[8], str)
