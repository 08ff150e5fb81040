"""Adding vectors to a store and removing them: first the file is put in place, then the rows that refer to it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reatt_store.connection import Connection, sync_folder, translated
from reatt_store.errors import StoreDamaged, StoreError
from reatt_store.vectors import segments
from reatt_store.vectors.segments import Draft, Memory, Segment

MOST = 1 << 53  # segments that a store may have had


@dataclass(frozen=True)
class Sealed:
    """A segment file in its final place, not yet named by any row."""

    name: str
    size: int
    blake2b: bytes


@contextmanager
def sealed(connection: Connection, folder: Path, draft: Draft, generation: int) -> Iterator[Sealed]:
    """Put a draft in place; the block adds a row that names it. If the block fails, the file is removed."""
    last = connection.value("SELECT seq FROM sqlite_sequence WHERE name = 'segments'") or 0
    if type(last) is not int or not 0 <= last < MOST:
        raise StoreDamaged(
            f"{connection.file} is damaged: its count of segments is {last!r:.40}", "reatt check --repair"
        )
    name = f"{generation:04d}-{last + 1:08d}.safetensors"  # ids are never reused, so no reader finds another file here
    passing, final = folder / "tmp" / f"{name}.{secrets.token_hex(8)}", folder / "segments" / name
    try:
        with translated(passing):
            size, digest = segments.write(passing, draft)
            os.replace(passing, final)
            sync_folder(final.parent)
        yield Sealed(name, size, digest)
    except BaseException:
        passing.unlink(missing_ok=True)
        with suppress(StoreError):
            # A commit whose last sync fails is reported as failed but may still be there.
            if not connection.rows("SELECT 1 FROM segments WHERE name = ?", [name]):
                final.unlink(missing_ok=True)
        raise


def insert(connection: Connection, file: Sealed, draft: Draft, generation: int) -> None:
    """Name a sealed file and what it encodes, inside the caller's transaction."""
    width = draft.codes.shape[1]
    row = (generation, file.name, file.size, file.blake2b, len(draft.digests), draft.tokens, width)
    columns = "generation, name, bytes, blake2b, chunks, tokens, width"
    sql = f"INSERT INTO segments ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    id = connection.execute(sql, row).lastrowid
    encodings = ((generation, digest, id, position) for position, digest in enumerate(draft.digests))
    connection.executemany("INSERT INTO encodings VALUES (?, ?, ?, ?)", encodings)


def delete(connection: Connection, segment: int) -> None:
    """Undo `insert`."""
    connection.execute("DELETE FROM encodings WHERE segment = ?", [segment])
    connection.execute("DELETE FROM segments WHERE id = ?", [segment])


def without(segment: Segment, dead: Sequence[int]) -> Draft:
    """Copy a segment without the chunks at some positions."""
    kept = np.ones(len(segment.digests), np.bool_)  # (c,)
    kept[list(dead)] = False
    rows, offsets = _left(segment.offsets, kept)
    memory = None
    if segment.memory is not None:
        states, ends = _left(segment.memory.offsets, kept)
        memory = Memory(ends, segment.memory.codes[states], segment.memory.scales[states])
    digests = [digest.tobytes() for digest in segment.digests[kept]]
    half = None if segment.half is None else segment.half[rows]
    return Draft(digests, offsets, segment.codes[rows], segment.scales[rows], half, memory)


def _left(offsets: NDArray[np.int64], kept: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return the rows that remain if some chunks are kept, and their new offsets."""
    lengths = np.diff(offsets)  # (c,)
    return np.repeat(kept, lengths), np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64)
