"""What a store holds, counted; and the full check: every checksum and reference, and whether every chunk is found."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from reatt_store import gate, generations
from reatt_store.clusters import kept
from reatt_store.connection import Connection, open_writer
from reatt_store.errors import ReadOnly, StoreDamaged, SystemRefused
from reatt_store.gate import DATABASE
from reatt_store.generations import segment_file
from reatt_store.lexical import index as words
from reatt_store.locking import holder
from reatt_store.migrations import ORIGINS_SINCE, SCANS_SINCE, foreign
from reatt_store.records import (
    DIGEST_BYTES,
    CheckReport,
    Chunk,
    Damage,
    Document,
    Scans,
    Sizes,
    Status,
    sealed_as,
    sound,
)
from reatt_store.vectors import segments
from reatt_store.vectors.arrays import checksum
from reatt_store.writing import orphans

_PAGE = 100
_DOCUMENT = "id, seal, chunks, path, external_id, title, kind, digest, size, pages"
_ORIGIN = "SELECT author, dated, modified FROM origins WHERE document_id = ?"
_SCAN = "SELECT pages, confidence FROM scans WHERE document_id = ?"
_CHUNK = "digest, ordinal, char_start, char_end, line, page, title, text"
# By the highest id and not by the latest time: a clock may go back.
_LATEST = """SELECT coalesce((SELECT added_at FROM chunks JOIN documents ON documents.id = document_id
             ORDER BY chunks.id DESC LIMIT 1), (SELECT max(added_at) FROM documents))"""


def check(connection: Connection, folder: Path) -> CheckReport:
    """Verify a store. Memory use is constant, and a writer may continue meanwhile."""
    started = time.monotonic()
    checked = 0
    damaged: list[Damage] = []
    strays = 0
    try:
        for found in _findings(connection, folder):
            checked += 1
            damaged += found
        strays = len(orphans(connection, folder))
    except (StoreDamaged, sqlite3.Error, TypeError, ValueError, OverflowError) as error:
        # SQLite does not hold a column to its type: damage can make a number of a name.
        damaged.append(Damage("database", DATABASE, str(error), repairable=True))
    return CheckReport(checked, tuple(damaged), strays, time.monotonic() - started)


def _findings(connection: Connection, folder: Path) -> Iterator[list[Damage]]:
    """Yield the damage of each part, an empty list for a sound part.

    A schema that is not ours comes first and alone, for any statement could then set off a stranger's.
    """
    yield [Damage("file", path, "it is not a regular file", repairable=True) for path in gate.odd(folder)]
    strange = foreign(connection, connection.value("PRAGMA user_version"))
    yield [Damage("database", DATABASE, strange, repairable=True)] if strange else []
    if strange:
        return
    yield _structure(connection)
    yield _references(connection)
    yield from _documents(connection)
    yield _words(connection, folder)
    yield from _segments(connection, folder)
    yield from _clusters(connection, folder)
    yield _unencoded(connection)
    yield _dead(connection)


def _structure(connection: Connection) -> list[Damage]:
    rows = connection.rows("PRAGMA integrity_check(10)")
    return [Damage("database", DATABASE, text, repairable=True) for (text,) in rows if text != "ok"]


def _references(connection: Connection) -> list[Damage]:
    rows = connection.rows("PRAGMA foreign_key_check")
    return [
        Damage("database", f"{table}:{row}", f"refers to a missing row of {parent}", True)
        for table, row, parent, _ in rows
    ]


def _documents(connection: Connection) -> Iterator[list[Damage]]:
    last = 0
    while rows := connection.rows(
        f"SELECT {_DOCUMENT} FROM documents WHERE id > ? ORDER BY id LIMIT {_PAGE}",  # noqa: S608
        [last],
    ):
        for row in rows:
            yield _document(connection, row)
        last = rows[-1][0]


def _document(connection: Connection, row: tuple[Any, ...]) -> list[Damage]:
    id, expected, count, *fields = row
    format = connection.value("PRAGMA user_version")
    origin = connection.rows(_ORIGIN, [id]) if format >= ORIGINS_SINCE else []
    scan = connection.rows(_SCAN, [id]) if format >= SCANS_SINCE else []
    document = Document(*fields, *(origin[0] if origin else ("", "", "")), *(scan[0] if scan else ()))
    try:
        rows = connection.rows(f"SELECT {_CHUNK} FROM chunks WHERE document_id = ? ORDER BY ordinal", [id])  # noqa: S608
    except StoreDamaged as error:
        return [Damage("document", f"D-{id}", f"{document.path}: {error}", repairable=False)]
    chunks = [Chunk(*row[1:]) for row in rows]
    if not sealed_as(document, chunks, expected) or len(chunks) != count:
        if not connection.rows("SELECT 1 FROM documents WHERE id = ? AND seal = ?", [id, expected]):
            return []  # it was replaced or removed since its row was read
        return [Damage("document", f"D-{id}", f"{document.path} differs from what was stored", repairable=False)]
    if any(digest != chunk.digest for (digest, *_), chunk in zip(rows, chunks, strict=True)):
        return [Damage("document", f"D-{id}", f"chunks of {document.path} have wrong digests", repairable=True)]
    return []


def _words(connection: Connection, folder: Path) -> list[Damage]:
    if words.differing(connection):
        return [Damage("words", "words", "the word index does not match the stored chunks", repairable=True)]
    try:
        with closing(open_writer(folder)) as writer:  # FTS5 spells this comparison as an INSERT; it writes nothing
            writer.rows("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
    except (ReadOnly, SystemRefused):  # the second: a pipe in the folder, which was found before
        return []
    except StoreDamaged as error:
        return [Damage("words", "words", f"the word index differs from the texts: {error}", repairable=True)]
    return []


def _segments(connection: Connection, folder: Path) -> Iterator[list[Damage]]:
    for id, name, size, blake2b in connection.rows("SELECT id, name, bytes, blake2b FROM segments ORDER BY id"):
        found = _segment(connection, folder, name, id, size, blake2b)
        if found and not connection.rows("SELECT 1 FROM segments WHERE id = ?", [id]):
            found = []  # it was dropped since its row was read
        yield found


def _clusters(connection: Connection, folder: Path) -> Iterator[list[Damage]]:
    """Look at the clusters of every generation; a store without them is sound, only slower to search."""
    for (generation,) in connection.rows("SELECT id FROM generations"):
        for name, _, blake2b in kept.rows(connection, generation):
            with suppress(OSError):
                if checksum(folder / "cache" / name) != blake2b:
                    yield [Damage("clusters", name, "its bytes differ from what was written", repairable=True)]


def _segment(connection: Connection, folder: Path, name: object, id: int, size: int, blake2b: bytes) -> list[Damage]:
    path = folder / "segments" / "?"
    try:
        path = segment_file(folder, name)
        if checksum(path) != blake2b:
            return [Damage("segment", path.name, "its bytes differ from what was written", repairable=True)]
        digests = segments.open_segment(path, id, size).digests
    except (OSError, StoreDamaged) as error:
        return [Damage("segment", path.name, str(error), repairable=True)]
    rows = connection.rows("SELECT position, digest FROM encodings WHERE segment = ? ORDER BY position", [id])
    stored = np.frombuffer(b"".join(digest for _, digest in rows), np.uint8).reshape(-1, DIGEST_BYTES)
    if [position for position, _ in rows] != list(range(len(digests))) or not np.array_equal(stored, digests):
        return [Damage("encoding", path.name, "its rows do not match its contents", repairable=True)]
    return []


def _unencoded(connection: Connection) -> list[Damage]:
    sql = """SELECT count(*) FROM current_generation JOIN chunks WHERE NOT EXISTS (
                 SELECT 1 FROM encodings WHERE encodings.generation = current_generation.generation
                 AND encodings.digest = chunks.digest)"""
    count = connection.value(sql)
    return [Damage("encoding", "encodings", f"{count} chunks have no vectors", repairable=True)] if count else []


def _dead(connection: Connection) -> list[Damage]:
    hidden = "SELECT count(*) FROM dead JOIN chunks USING (digest)"
    risen = """SELECT count(*) FROM encodings WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE digest = encodings.digest)
               AND NOT EXISTS (SELECT 1 FROM dead WHERE digest = encodings.digest)"""
    count = connection.value(hidden) + connection.value(risen)
    return [Damage("encoding", "dead", f"{count} wrong records of removed texts", repairable=True)] if count else []


def status(connection: Connection, folder: Path) -> Status:
    """Count what a store holds."""

    def value(sql: str, parameters: Sequence[Any] = (), kind: str = "n") -> Any:
        return sound("the database", kind, [connection.value(sql, parameters)])[0]

    generation = generations.current(connection)
    current = [generation.id if generation else 0]
    encoded = "SELECT count(*) FROM chunks JOIN encodings ON generation = ? AND encodings.digest = chunks.digest"
    tokens = "SELECT coalesce(sum(tokens), 0) FROM segments WHERE generation = ?"
    chunks = value("SELECT count(*) FROM chunks")
    return Status(
        folder=str(folder),
        format=value("PRAGMA user_version"),
        generation=generation,
        documents=value("SELECT count(*) FROM documents"),
        chunks=chunks,
        pending=max(0, chunks - value(encoded, current)) if generation else 0,
        tokens=value(tokens, current),
        bytes=_sizes(folder),
        problems=value("SELECT count(*) FROM problems"),
        scans=_scans(connection),
        last_ingest=value(_LATEST, kind="T"),
        holder=holder(folder),
    )


def _scans(connection: Connection) -> Scans:
    if connection.value("PRAGMA user_version") < SCANS_SINCE:
        return Scans(0, 0, 0.0)
    sums = "SELECT count(*), coalesce(sum(pages), 0), coalesce(sum(pages * confidence), 0) FROM scans"
    documents, pages, weighed = sound("scans", "nnn", connection.rows(sums, [])[0])
    return Scans(documents, pages, weighed / 1000 / max(pages, 1))


def _sizes(folder: Path) -> Sizes:
    parts = ("segments", "cache", "models")
    vectors, cache, models = (
        sum(path.stat().st_size for path in (folder / part).rglob("*") if path.is_file()) for part in parts
    )
    return Sizes((folder / DATABASE).stat().st_size, vectors, cache, models)
