"""A store of documents: its contents, and search by words. Reading needs neither a model nor write permission."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reatt_store import checking, generations, migrations, runs
from reatt_store.clusters import kept
from reatt_store.clusters.lists import Clusters
from reatt_store.connection import open_reader, open_writer
from reatt_store.errors import NoSuchId, UsageError
from reatt_store.lexical import search as words
from reatt_store.lexical.stored import ENDS, StoredWords
from reatt_store.records import (
    CheckReport,
    Chunk,
    Document,
    Generation,
    Problem,
    Run,
    Status,
    StoredChunk,
    StoredDocument,
    StoreModel,
    sound,
)
from reatt_store.selection import EVERYTHING, Selection
from reatt_store.vectors.segments import Draft, Segment
from reatt_store.writing import Writer, writing

__all__ = [
    "CheckReport",
    "Chunk",
    "Document",
    "Draft",
    "Generation",
    "Library",
    "Problem",
    "Segment",
    "Status",
    "StoredChunk",
    "StoredDocument",
    "Writer",
]

_PAGE = 500  # rows read at a time, so that memory does not grow with the corpus and no lock is held between pages
_CHUNK = """chunks.id, document_id, documents.path, external_id, ordinal, char_start, char_end, line, page,
            chunks.title, text"""
_CHUNKS = f"SELECT {_CHUNK} FROM chunks JOIN documents ON documents.id = document_id"  # noqa: S608


class Library:
    """One store folder, open for reading; a context manager that closes it."""

    def __init__(self, folder: Path, doubted: bool = False) -> None:
        self.folder = folder
        self._connection = open_reader(folder, doubted)

    @classmethod
    def create(cls, folder: Path) -> Library:
        """Open a store; create it if there is none."""
        open_writer(folder).close()
        return cls(folder)

    @classmethod
    def open(cls, folder: Path, doubted: bool = False) -> Library:
        """Open a store; raises NoStore, StoreNewer or StoreDamaged.

        One that is `doubted` may have a schema that is not ours. It can be checked and repaired, and nothing else.
        """
        return cls(folder, doubted)

    def close(self) -> None:
        """Close the connection; mapped segments stay valid."""
        self._connection.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def writing(self) -> AbstractContextManager[Writer]:
        """Hold the write lock for a block; raises StoreLocked at once if another process holds it."""
        return writing(self.folder)

    def version(self) -> int:
        """Return a number that changes with every commit of another connection."""
        return int(self._connection.value("PRAGMA data_version"))

    @contextmanager
    def still(self) -> Iterator[None]:
        """Read one state of the store for a block; commits wait for its end, up to a minute."""
        if self._connection.in_transaction:  # of a block around this one
            yield
            return
        with self._connection.translated():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def digests(self, path: str) -> dict[str | None, str]:
        """Return external id -> digest of what is stored under a path, to skip unchanged records."""
        rows = self._connection.rows("SELECT external_id, digest FROM documents WHERE path = ?", [path])
        return {id: digest for id, digest in (sound("documents", "Tt", row) for row in rows)}  # noqa: C416

    def documents(self, among: Selection = EVERYTHING) -> Iterator[StoredDocument]:
        """Yield the documents, oldest first."""
        for row in self._pages(self._documents, "documents.id", among):
            yield _stored_document(row)

    def every_chunk(self, among: Selection = EVERYTHING) -> Iterator[StoredChunk]:
        """Yield the chunks of all documents, oldest first."""
        for row in self._pages(_CHUNKS, "chunks.id", among):
            yield _stored_chunk(row)

    def unencoded(self, generation: int) -> Iterator[StoredChunk]:
        """Yield one chunk for each text that a generation has not encoded; publishing in between is safe."""
        lacking = """NOT EXISTS (SELECT 1 FROM encodings WHERE generation = ? AND encodings.digest = chunks.digest)
                     AND chunks.id = (SELECT min(id) FROM chunks AS equal WHERE equal.digest = chunks.digest)"""
        for row in self._pages(_CHUNKS, "chunks.id", EVERYTHING, lacking, [generation]):
            yield _stored_chunk(row)

    def paths(self) -> list[str]:
        """Return the paths that documents came from, each once."""
        rows = self._connection.rows("SELECT DISTINCT path FROM documents")
        return [path for (path,) in (sound("documents", "t", row) for row in rows)]

    def root(self) -> str:
        """Return the folder that all documents lie in; "" if there is none but the root of the file system."""
        return shared_folder(self.ends())

    def ends(self) -> list[str]:
        """Return the first and the last path of all documents; none where there are no documents."""
        return [path for path in sound("documents", "TT", self._connection.rows(ENDS)[0]) if path]

    @property
    def libraries(self) -> list[Library]:
        """The stores that are searched together: this one."""
        return [self]

    @property
    def leading(self) -> Library:
        """The store whose model asks: this one."""
        return self

    def parts(self, generation: int) -> list[tuple[Library, int]]:
        """Return the stores that a generation lies in, each with its own generation: this one."""
        return [(self, generation)]

    def repeated(self) -> set[str]:
        """Return the digests that more than one document has."""
        sql = "SELECT digest FROM documents GROUP BY digest HAVING count(*) > 1"
        return {digest for (digest,) in self._connection.rows(sql)}

    def document(self, id: int) -> StoredDocument:
        """Return a document; raises NoSuchId."""
        for row in self._connection.rows(f"{self._documents} WHERE documents.id = ?", [id]):
            return _stored_document(row)
        raise NoSuchId(f"no document has the id {id}", "reatt list")

    def at(self, path: str, external_id: str | None = None, limit: int = -1) -> list[StoredDocument]:
        """Return the documents of a path, or the one record of that id, oldest first."""
        sql = f"{self._documents} WHERE documents.path = ? AND (? IS NULL OR external_id = ?) ORDER BY documents.id"
        rows = self._connection.rows(f"{sql} LIMIT ?", [path, external_id, external_id, limit])
        return [_stored_document(row) for row in rows]

    def chunk(self, id: int) -> StoredChunk:
        """Return a chunk; raises NoSuchId."""
        for found in self.chunks([id]):
            return found
        raise NoSuchId(f"no chunk has the id {id}; ids change when a document changes", "reatt search QUESTION")

    def chunks_of(self, document_id: int) -> list[StoredChunk]:
        """Return a document's chunks in order; joined, their texts are the document's."""
        rows = self._connection.rows(f"{_CHUNKS} WHERE document_id = ? ORDER BY ordinal", [document_id])
        return [_stored_chunk(row) for row in rows]

    def chunks(self, ids: Sequence[int]) -> list[StoredChunk]:
        """Return chunks in the given order, without those that were removed since their ids were found."""
        sql = f"""SELECT {_CHUNK} FROM json_each(?) AS asked CROSS JOIN chunks ON chunks.id = asked.value
                  JOIN documents ON documents.id = document_id ORDER BY asked.key"""  # noqa: S608
        rows = self._connection.rows(sql, [json.dumps([int(id) for id in ids])])
        return [_stored_chunk(row) for row in rows]

    def words(self, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the chunks that best match the question's words, best first."""
        return words.search(self.index(among), question, limit, among)

    def names(self, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the chunks whose file, folders, title or author a question names, best first."""
        return words.names(self.index(among), question, limit, among)

    def index(self, among: Selection = EVERYTHING) -> StoredWords:
        """Return the word index, to look for words of some documents; raises like `words`."""
        self._dated(among)
        return StoredWords(self._connection)

    def generation(self) -> Generation | None:
        """Return the current generation."""
        return generations.current(self._connection)

    def generations(self) -> list[Generation]:
        """Return all generations, oldest first."""
        return generations.generations(self._connection)

    def models(self) -> list[StoreModel]:
        """Return the current model and those the store can switch back to, oldest first."""
        return generations.models(self._connection)

    def runs(self) -> list[Run]:
        """Return the training runs, oldest first."""
        return runs.every(self._connection)

    def run(self, id: int) -> Run:
        """Return a training run; raises NoSuchId."""
        for run in self.runs():
            if run.id == id:
                return run
        raise NoSuchId(f"no run has the id R-{id}", "reatt adapt")

    def missing(self, generation: int, digests: Iterable[bytes]) -> set[bytes]:
        """Return the digests that a generation has not encoded."""
        return generations.missing(self._connection, generation, digests)

    def lacking(self, generation: int) -> int:
        """Count the chunks that a generation has not encoded."""
        return generations.lacking(self._connection, generation)

    def segments(self, generation: int) -> list[Segment]:
        """Map all segments of a generation, oldest first."""
        return generations.open_segments(self._connection, self.folder, generation)

    def live(self, generation: int, among: Selection = EVERYTHING) -> dict[int, NDArray[np.bool_]] | None:
        """Return segment id -> (c,) which chunks a search may return; None if all may."""
        return generations.live(self._connection, generation, self._dated(among))

    def chunk_ids(
        self, generation: int, places: Sequence[tuple[int, int]], among: Selection = EVERYTHING
    ) -> list[list[int]]:
        """Return the ids of the chunks at each (segment id, position): several where texts are equal."""
        return generations.chunk_ids(self._connection, generation, places, among)

    def places(self, generation: int, chunk_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return chunk id -> (segment id, position) of the vectors of those chunks that are encoded."""
        return generations.places(self._connection, generation, chunk_ids)

    def cached(self, name: str) -> tuple[int, bytes] | None:
        """Return the size and BLAKE2b that a file in `cache/` must have."""
        for row in self._connection.rows("SELECT bytes, blake2b FROM caches WHERE name = ?", [name]):
            size, blake2b = sound("caches", "nb", row)
            return size, blake2b
        return None

    def clusters(self, generation: int) -> Clusters | None:
        """Map the clusters of a generation's keys; None if there are none that are sound."""
        return kept.open_clusters(self._connection, self.folder, generation)

    def all_clusters(self, generation: int) -> list[Clusters]:
        """Map the clusters of a generation's keys, each of some segments: here of all, or none."""
        made = self.clusters(generation)
        return [] if made is None else [made]

    def problems(self) -> list[Problem]:
        """Return the files that could not be read, by path."""
        rows = self._connection.rows("SELECT path, id, detail, fix, digest FROM problems ORDER BY path")
        return [Problem(*sound("problems", "ttttt", row)) for row in rows]

    def problem(self, path: str) -> Problem | None:
        """Return why a file could not be read at the last attempt."""
        for row in self._connection.rows("SELECT path, id, detail, fix, digest FROM problems WHERE path = ?", [path]):
            return Problem(*sound("problems", "ttttt", row))
        return None

    def status(self) -> Status:
        """Count what the store holds."""
        return checking.status(self._connection, self.folder)

    def check(self) -> CheckReport:
        """Verify everything that is stored against its checksums and against each other."""
        return checking.check(self._connection, self.folder)

    def _pages(
        self, sql: str, key: str, among: Selection, condition: str = "1", parameters: Sequence[Any] = ()
    ) -> Iterator[Any]:
        allowed, values = self._dated(among).condition()
        condition, parameters = f"{condition} AND {allowed}", [*parameters, *values]
        last = 0
        while True:
            page = f"{sql} WHERE {key} > ? AND {condition} ORDER BY {key} LIMIT {_PAGE}"
            rows = self._connection.rows(page, [last, *parameters])
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def _dated(self, among: Selection) -> Selection:
        """Return a selection by what the store knows; raises UsageError if it asks an old store for dates."""
        if (among.after or among.before) and not self._is_since(migrations.ORIGINS_SINCE):
            raise UsageError(
                "the store was made before dates were kept", "reatt ingest PATH, which brings it up to date"
            )
        return among

    @property
    def _documents(self) -> str:
        return migrations.documents(self._connection.value("PRAGMA user_version"))

    def _is_since(self, format: int) -> bool:
        return bool(self._connection.value("PRAGMA user_version") >= format)


def shared_folder(paths: Sequence[str]) -> str:
    """Return the folder that the first and the last of some paths lie in; "" if it is the root of the file system."""
    folders = [os.path.dirname(path) for path in paths]
    shared = os.path.commonpath(folders) if folders and all(map(os.path.isabs, folders)) else ""
    return "" if shared == os.sep else shared


def _stored_document(row: tuple[Any, ...]) -> StoredDocument:
    id, *document, chunks, added_at = sound("documents", "ntTtttnnnt", row[:10])
    known = [*sound("origins", "ttt", row[10:13]), *sound("scans", "nn", row[13:])]
    return StoredDocument(id, Document(*document, *known), chunks, added_at)


def _stored_chunk(row: tuple[Any, ...]) -> StoredChunk:
    id, document_id, path, external_id, *chunk = sound("chunks", "nntTnnnnNtt", row)
    return StoredChunk(id, document_id, path, external_id, Chunk(*chunk))
