"""The writer. Every change of a store is one transaction, and files are written before the rows that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reatt_store import generations, runs
from reatt_store.clusters import kept
from reatt_store.connection import Connection, open_writer, translated
from reatt_store.errors import DiskFull, ReadOnly, StoreDamaged
from reatt_store.lexical import index as words
from reatt_store.locking import locked
from reatt_store.records import Chunk, Document, Outcome, Problem, seal
from reatt_store.vectors import sealing
from reatt_store.vectors.segments import Draft, open_segment

_OFTEN = 500  # rows between two words about a long document


def _silent() -> None:
    """Say nothing."""


@contextmanager
def writing(folder: Path, keep: Path | None = None) -> Iterator[Writer]:
    """Hold the store's lock and delete what a killed writer left, except a file to `keep`.

    Raises StoreLocked at once if another process holds it.
    """
    with locked(folder):
        connection = open_writer(folder)
        try:
            sweep(connection, folder, keep)
            writer = Writer(folder, connection)
            yield writer
            writer.keep_words()
            if made := generations.current(connection):
                writer.keep_clusters(made.id)
        finally:
            connection.close()


def sweep(connection: Connection, folder: Path, keep: Path | None = None) -> None:
    """Delete the files that no row names."""
    for path in orphans(connection, folder):
        if path != keep:
            path.unlink(missing_ok=True)


def orphans(connection: Connection, folder: Path) -> list[Path]:
    """Return the files of the store that no row names."""
    named = {folder / "segments" / name for (name,) in connection.rows("SELECT name FROM segments NOT INDEXED")}
    named |= {folder / "cache" / name for (name,) in connection.rows("SELECT name FROM caches NOT INDEXED")}
    with translated(folder):
        found = (path for part in ("segments", "cache", "tmp") for path in (folder / part).glob("*"))
        return sorted(path for path in found if path not in named)


class Writer:
    """Changes a store. Created by `Library.writing` and valid inside that block."""

    def __init__(self, folder: Path, connection: Connection) -> None:
        self._folder = folder
        self._connection = connection
        self._removed: set[bytes] = set()  # digests of chunks that this writer removed
        self._published = 0  # chunks with new vectors, since the clusters were last looked at

    def publish(
        self,
        documents: Sequence[tuple[Document, Sequence[Chunk]]],
        segment: Draft | None,
        generation: int,
        on_rows: Callable[[], None] = _silent,
    ) -> None:
        """Make documents and vectors findable, all or none; replace documents of the same identity.

        Every chunk must be encoded in the generation, by this segment or an earlier one; generation 0 is for a store
        without vectors. For a document too large for one segment, segments are published first, without it. After a
        kill they are found by digest, so nothing is encoded twice. `on_rows` is called now and then; what it raises
        undoes the call.
        """
        newest = {(document.path, document.external_id): (document, chunks) for document, chunks in documents}
        draft = segment if segment is not None and segment.digests else None
        put = nullcontext() if draft is None else sealing.sealed(self._connection, self._folder, draft, generation)
        with put as file, self._connection.transaction():
            stored = [self._replace(document, chunks, on_rows) for document, chunks in newest.values()]
            for id in stored:  # in one go: after any other statement FTS5 would begin a new part of the index
                words.put(self._connection, id, on_rows)
            if draft is not None and file is not None:
                sealing.insert(self._connection, file, draft, generation)
                self._bury(draft.digests)  # of a document that is not complete yet
            if generation:
                digests = [chunk.digest for _, chunks in newest.values() for chunk in chunks]
                if lost := generations.missing(self._connection, generation, digests):
                    raise ValueError(f"{len(lost)} chunks have no vectors in generation {generation}")
        if draft is not None:
            self._published += len(draft.digests)
            if self._published >= kept.FIRST and 2 * self._published > kept.count(self._connection, generation):
                self.keep_clusters(generation)  # a search that meets a long run must not scan most of the store

    def remove(self, document_ids: Iterable[int]) -> int:
        """Remove documents; unknown ids are ignored. Returns the number removed."""
        removed = 0
        with self._connection.transaction():
            for id in document_ids:
                self._remove_from_use(self._clear(id))
                self._connection.execute("DELETE FROM origins WHERE document_id = ?", [id])
                self._connection.execute("DELETE FROM scans WHERE document_id = ?", [id])
                removed += self._connection.execute("DELETE FROM documents WHERE id = ?", [id]).rowcount
        return removed

    def forget_path(self, path: str, keep: Iterable[str | None] = ()) -> int:
        """Remove the records under a path that are no longer in the file: all except the given external ids."""
        kept = set(keep)
        rows = self._connection.rows("SELECT id, external_id FROM documents WHERE path = ?", [path])
        gone = [id for id, external_id in rows if external_id not in kept]
        if not kept:
            self.clear_problem(path)
        return self.remove(gone) if gone else 0

    def record_problem(self, problem: Problem) -> None:
        """Record that a file could not be read; replaces an earlier record."""
        row = (problem.path, problem.id, problem.detail, problem.fix, problem.digest)
        with self._connection.transaction():
            self._connection.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?, ?)", row)

    def clear_problem(self, path: str) -> None:
        """Delete the record that a file could not be read; publishing a whole file also does this."""
        if self._connection.rows("SELECT 1 FROM problems WHERE path = ?", [path]):
            with self._connection.transaction():
                self._connection.execute("DELETE FROM problems WHERE path = ?", [path])

    def begin_generation(self, fingerprint: str, model_name: str, model_sha256: str, method: str = "reatt") -> int:
        """Return the generation of a fingerprint; create it if there is none. An interrupted one is continued."""
        known = "SELECT id FROM generations WHERE fingerprint = ? AND method = ?"
        found = self._connection.value(known, [fingerprint, method])
        if found is not None:
            return int(found)
        row = (fingerprint, model_name, model_sha256, method, _now())
        columns = "fingerprint, model_name, model_sha256, method, created_at"
        with self._connection.transaction():
            sql = f"INSERT INTO generations ({columns}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
            return int(self._connection.execute(sql, row).lastrowid or 0)

    def switch(self, generation: int) -> None:
        """Make a generation current, with the model that made it."""
        [made] = (each for each in generations.generations(self._connection) if each.id == generation)
        with self._connection.transaction():
            self._put_in_force(generation, made.model_name, made.model_sha256)

    def use(self, model: int) -> None:
        """Switch back to an earlier model, with its vectors; raises ValueError if texts lack vectors."""
        [chosen] = (each for each in generations.models(self._connection) if each.id == model)
        with self._connection.transaction():
            if lacking := generations.lacking(self._connection, chosen.generation):
                raise ValueError(f"{lacking} chunks have no vectors in generation {chosen.generation}")
            self._put_in_force(chosen.generation, chosen.name, chosen.sha256)

    def forget_model(self, model: int) -> None:
        """Drop an earlier model, and its vectors if no other model reads them; the current one cannot be dropped."""
        [gone] = (each for each in generations.models(self._connection) if each.id == model)
        if gone.current:
            raise ValueError(f"model {model} is in force")
        with self._connection.transaction():
            self._connection.execute("DELETE FROM models WHERE id = ?", [model])
            if not self._connection.rows("SELECT 1 FROM models WHERE generation = ?", [gone.generation]):
                self._drop(gone.generation)
        sweep(self._connection, self._folder)

    def begin_run(self, mode: str, settings: Mapping[str, Any]) -> int:
        """Record the start of a training run and its settings; return its id."""
        with self._connection.transaction():
            return runs.begin(self._connection, mode, settings, _now())

    def end_run(self, run: int, outcome: Outcome, generation: int | None = None, name: str = "") -> None:
        """Record how a run ended; if a generation is given, its model becomes current in the same transaction.

        `name` is the model's name; its hash is the outcome's. If a run is ended twice, the first end is kept.
        """
        with self._connection.transaction():
            ended = runs.end(self._connection, run, outcome, _now())
            if ended and generation is not None and outcome.model_sha256 is not None:
                if lacking := generations.lacking(self._connection, generation):
                    raise ValueError(f"{lacking} chunks have no vectors in generation {generation}")
                self._put_in_force(generation, name, outcome.model_sha256)

    def drop_generation(self, generation: int) -> None:
        """Remove a generation and its vectors; the current one cannot be dropped."""
        if self._connection.rows("SELECT 1 FROM current_generation WHERE generation = ?", [generation]):
            raise ValueError(f"generation {generation} is in force")
        with self._connection.transaction():
            self._drop(generation)
        sweep(self._connection, self._folder)

    def compact(self, *, unfinished: bool = False) -> int:
        """Delete the remains of removed texts from vectors and word index; return the bytes freed.

        Call it after a removal, not after every ingest: it rewrites the word index, and segments one at a time.
        `unfinished`: only what this writer removed, because other vectors without a text wait for their document.
        """
        sql = "SELECT segment, position, digest FROM dead JOIN encodings USING (digest) ORDER BY segment, position"
        remains: dict[int, list[int]] = {}
        for segment, position, digest in self._connection.rows(sql):
            if not unfinished or digest in self._removed:
                remains.setdefault(segment, []).append(position)
        freed = sum(self._compact(segment, positions) for segment, positions in remains.items())
        with self._connection.transaction():
            self._forget_dead()
            self._connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        sweep(self._connection, self._folder)
        return freed

    def keep_words(self) -> None:
        """Put the parts of the word index together if much of it lies in small ones.

        A search looks for every word in every part. It is right all the same, so no change fails because of this.
        """
        with suppress(StoreDamaged, DiskFull, ReadOnly):
            merging = words.scattered(self._connection)
            while merging:
                with self._connection.transaction():
                    merging = words.merge(self._connection)

    def keep_clusters(self, generation: int) -> None:
        """Bring the clusters of a generation up to date if too many chunks are not covered.

        A search is right without them, only slower. So no change fails because they cannot be made: nothing is said of
        a damaged segment here, because `check` does, nor of a full disk, because the next change would find it.
        """
        self._published = 0
        with suppress(StoreDamaged, DiskFull, ReadOnly), translated(self._folder):
            made = kept.update(self._connection, self._folder, generation)
            if made is not None:
                self.add_cache(generation, made.name, made.path, made.blake2b)

    def add_cache(self, generation: int, name: str, path: Path, blake2b: bytes) -> None:
        """Move a file to `cache/` and replace the generation's earlier one of its kind, which its name ends with.

        Not synced: a cache damaged by a power cut fails its checksum and is built again.
        """
        with translated(path):
            row = [name, generation, path.stat().st_size, blake2b]
            path.replace(self._folder / "cache" / name)
        with self._connection.transaction():
            kind = "DELETE FROM caches WHERE generation = ? AND name LIKE '%' || ?"
            self._connection.execute(kind, [generation, Path(name).suffix])
            self._connection.execute("INSERT INTO caches VALUES (?, ?, ?, ?)", row)
        sweep(self._connection, self._folder)

    def _drop(self, generation: int) -> None:
        for table in ("encodings", "segments", "caches", "models"):
            self._connection.execute(f"DELETE FROM {table} WHERE generation = ?", [generation])  # noqa: S608
        self._connection.execute("DELETE FROM generations WHERE id = ?", [generation])
        self._forget_dead()

    def _put_in_force(self, generation: int, name: str, sha256: str) -> None:
        generations.put_in_force(self._connection, generation, name, sha256, _now())

    def _replace(self, document: Document, chunks: Sequence[Chunk], on_rows: Callable[[], None]) -> int:
        """Store a document and its chunks, but for the word index; return its id."""
        identity = [document.path, document.external_id]
        known = self._connection.value("SELECT id FROM documents WHERE path = ? AND external_id IS ?", identity)
        # A changed document keeps its id, because people may have written it down.
        row = [known, *identity, document.title, document.kind, document.digest, document.size, document.pages]
        buried = self._clear(known) if known is not None else []
        sql = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        id = self._connection.execute(sql, [*row, len(chunks), seal(document, chunks), _now()]).lastrowid or 0
        self._connection.executemany(
            "INSERT INTO chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (id, c.ordinal, c.char_start, c.char_end, c.line, c.page, c.title, c.text, c.digest)  # table order
                for c in _announced(chunks, on_rows)
            ),
        )
        self._connection.execute("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?)", [id, *document.origin])
        self._connection.execute("DELETE FROM scans WHERE document_id = ?", [id])
        if any(document.scan):
            self._connection.execute("INSERT INTO scans VALUES (?, ?, ?)", [id, *document.scan])
        alive = ([chunk.digest] for chunk in _announced(chunks, on_rows))
        self._connection.executemany("DELETE FROM dead WHERE digest = ?", alive)
        self._remove_from_use(buried)
        if document.external_id is None:
            self._connection.execute("DELETE FROM problems WHERE path = ?", [document.path])
        return id

    def _clear(self, document_id: int) -> list[bytes]:
        """Remove a document's chunks and return their digests."""
        digests = "SELECT DISTINCT digest FROM chunks WHERE document_id = ?"
        cleared = [digest for (digest,) in self._connection.rows(digests, [document_id])]
        words.take_out(self._connection, document_id)
        self._connection.execute("DELETE FROM chunks WHERE document_id = ?", [document_id])
        return cleared

    def _remove_from_use(self, digests: Sequence[bytes]) -> None:
        self._removed.update(digests)
        self._bury(digests)

    def _bury(self, digests: Iterable[bytes]) -> None:
        """Record which of some digests belong to no chunk, so that their vectors are dead."""
        sql = "INSERT OR IGNORE INTO dead SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE digest = ?1)"
        self._connection.executemany(sql, ([digest] for digest in digests))

    def _forget_dead(self) -> None:
        """Delete the records of digests that no generation encodes any more."""
        self._connection.execute(
            """DELETE FROM dead WHERE NOT EXISTS (
                   SELECT 1 FROM generations CROSS JOIN encodings
                   ON encodings.generation = generations.id AND encodings.digest = dead.digest)"""
        )

    def _compact(self, id: int, dead: Sequence[int]) -> int:
        [(generation, name, size)] = self._connection.rows(
            "SELECT generation, name, bytes FROM segments WHERE id = ?", [id]
        )
        old = open_segment(generations.segment_file(self._folder, name), id, size)
        kept = sealing.without(old, dead)
        if not kept.digests:
            with self._connection.transaction():
                sealing.delete(self._connection, id)
            return int(size)
        with sealing.sealed(self._connection, self._folder, kept, generation) as file, self._connection.transaction():
            sealing.delete(self._connection, id)
            sealing.insert(self._connection, file, kept, generation)
        return int(size - file.size)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _announced(chunks: Sequence[Chunk], on_rows: Callable[[], None]) -> Iterator[Chunk]:
    """Yield chunks, and say so now and then."""
    for number, chunk in enumerate(chunks):
        if not number % _OFTEN:
            on_rows()
        yield chunk
