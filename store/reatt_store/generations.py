"""Generations of vectors, their segments, and the lookup from a place in a segment to its chunks.

A generation is one encoding of the corpus by one model. A new one is written beside the current one. Changing one row
makes it current, so a reader always sees all of one generation and nothing of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reatt_store.connection import Connection
from reatt_store.errors import StoreDamaged
from reatt_store.records import DIGEST_BYTES, MOST, Generation, StoreModel, sound
from reatt_store.selection import Selection
from reatt_store.vectors.segments import Segment, open_segment

_BATCH = 500  # parameters of one statement
_NAME = re.compile(r"[0-9]{4,20}-[0-9]{8,20}\.safetensors", re.ASCII)
_PLACE = np.dtype([("segment", np.int64), ("position", np.int64)])


def generations(connection: Connection) -> list[Generation]:
    """Return all generations, oldest first."""
    sql = """SELECT id, fingerprint, model_name, model_sha256, method, created_at,
             id IS (SELECT generation FROM current_generation) FROM generations ORDER BY id"""
    return [
        Generation(id, fingerprint, name, sha256, method, created_at, bool(now))
        for id, fingerprint, name, sha256, method, created_at, now in (
            sound("generations", "ntttttn", row) for row in connection.rows(sql)
        )
    ]


def current(connection: Connection) -> Generation | None:
    """Return the current generation; None if there is none yet."""
    return next((each for each in generations(connection) if each.current), None)


def models(connection: Connection) -> list[StoreModel]:
    """Return the current and earlier models whose vectors still exist, oldest first."""
    made = current(connection)
    if made is not None and connection.value("PRAGMA user_version") < 2:  # not written to since an upgrade
        return [StoreModel(1, made.id, made.model_name, made.model_sha256, made.created_at, True)]
    rows = connection.rows("SELECT id, generation, name, sha256, added_at FROM models ORDER BY id") if made else []
    now = (made.id, made.model_sha256) if made else None
    return [
        StoreModel(id, generation, name, sha256, added_at, (generation, sha256) == now)
        for id, generation, name, sha256, added_at in (sound("models", "nnttt", row) for row in rows)
    ]


def put_in_force(connection: Connection, generation: int, name: str, sha256: str, now: str) -> None:
    """Make a generation and the model that reads it current, inside the caller's transaction.

    The model need not be the one that encoded: all models with the same fingerprint make the same vectors.
    """
    sql = "INSERT OR IGNORE INTO models (generation, name, sha256, added_at) VALUES (?, ?, ?, ?)"
    connection.execute(sql, [generation, name, sha256, now])
    named = "UPDATE generations SET model_name = ?, model_sha256 = ? WHERE id = ?"
    connection.execute(named, [name, sha256, generation])
    connection.execute("INSERT OR REPLACE INTO current_generation VALUES (1, ?)", [generation])


def missing(connection: Connection, generation: int, digests: Iterable[bytes]) -> set[bytes]:
    """Return those of the digests that a generation has not encoded."""
    left = set(digests)
    remaining = iter(list(left))
    while batch := list(islice(remaining, _BATCH)):
        marks = ",".join("?" * len(batch))
        sql = f"SELECT digest FROM encodings WHERE generation = ? AND digest IN ({marks})"  # noqa: S608
        left.difference_update(digest for (digest,) in connection.rows(sql, [generation, *batch]))
    return left


def lacking(connection: Connection, generation: int) -> int:
    """Count the chunks that a generation has not encoded; it can become current when there are none."""
    sql = """SELECT count(*) FROM chunks WHERE NOT EXISTS (
                 SELECT 1 FROM encodings WHERE generation = ? AND encodings.digest = chunks.digest)"""
    return int(connection.value(sql, [generation]))


def open_segments(connection: Connection, folder: Path, generation: int) -> list[Segment]:
    """Map all segments of a generation, oldest first."""
    rows = _segment_rows(connection, generation)
    while True:
        try:
            paths = [folder / "segments" / name for _, name, _, _ in rows]
            opened = zip(paths, rows, strict=True)
            return [_whole(open_segment(path, id, size), chunks) for path, (id, _, size, chunks) in opened]
        except FileNotFoundError as error:
            again = _segment_rows(connection, generation)  # a writer may have dropped it meanwhile
            if again == rows:
                raise StoreDamaged(f"{error.filename} is missing", "reatt check --repair", error.filename) from error
            rows = again


def live(connection: Connection, generation: int, among: Selection) -> dict[int, NDArray[np.bool_]] | None:
    """Return for each segment which of its chunks (c,) a search may return; None if all may.

    Chunks are dead once their documents are removed or replaced; `among` keeps those of some documents.
    """
    if not among:
        # CROSS: SQLite would go through all encodings, and few are dead.
        dead = """SELECT segment, position FROM dead
                  CROSS JOIN encodings ON generation = ? AND encodings.digest = dead.digest"""
        places = _places(connection, dead, [generation])
        return _masks(connection, generation, places, found=False) if len(places) else None
    allowed, values = among.condition()
    chosen = f"""SELECT segment, position FROM documents JOIN chunks ON document_id = documents.id
                 JOIN encodings ON generation = ? AND encodings.digest = chunks.digest
                 WHERE {allowed}"""  # noqa: S608
    return _masks(connection, generation, _places(connection, chosen, [generation, *values]), found=True)


def chunk_ids(
    connection: Connection, generation: int, places: Sequence[tuple[int, int]], among: Selection
) -> list[list[int]]:
    """Return the chunks at each (segment, position): several if texts are equal, none if all were removed."""
    allowed, values = among.condition()
    sql = f"""SELECT place.key, chunks.id FROM json_each(?) AS place
              CROSS JOIN encodings ON segment = json_extract(place.value, '$[0]')
                                  AND position = json_extract(place.value, '$[1]') AND generation = ?
              CROSS JOIN chunks ON chunks.digest = encodings.digest
              CROSS JOIN documents ON documents.id = document_id AND {allowed}
              ORDER BY place.key, chunks.id"""  # noqa: S608
    asked = json.dumps([(int(segment), int(position)) for segment, position in places])
    found: list[list[int]] = [[] for _ in places]
    for index, id in connection.rows(sql, [asked, generation, *values]):
        found[index].append(id)
    return found


def places(connection: Connection, generation: int, chunk_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return chunk id -> (segment id, position) of the vectors of those chunks that a generation has encoded."""
    sql = f"""SELECT chunks.id, segment, position, coalesce(segments.chunks, {MOST})
              FROM json_each(?) AS asked CROSS JOIN chunks ON chunks.id = asked.value
              CROSS JOIN encodings ON encodings.generation = ? AND encodings.digest = chunks.digest
              LEFT JOIN segments ON segments.id = segment"""  # noqa: S608
    asked = json.dumps([int(id) for id in chunk_ids])
    rows = connection.rows(sql, [asked, generation]) if chunk_ids else []
    for id, _, position, most in (sound("encodings", "nnnn", row) for row in rows):
        if position >= most:
            raise StoreDamaged(f"the vectors of C-{id} are not where they should be", "reatt check --repair")
    return {id: (segment, position) for id, segment, position, _ in rows}


def segment_file(folder: Path, name: object) -> Path:
    """Name a segment's file; raise for a name that is not ours and could lead out of the store."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StoreDamaged("a segment has a name that reatt does not give", "reatt check --repair")
    return folder / "segments" / name


def _segment_rows(connection: Connection, generation: int) -> list[tuple[int, str, int, int]]:
    sql = "SELECT id, name, bytes, chunks FROM segments WHERE generation = ? ORDER BY id"
    rows = connection.rows(sql, [generation])
    for row in rows:
        _, name, size, chunks = sound("segments", "ntnn", row)
        segment_file(connection.file.parent, name)
        if chunks * DIGEST_BYTES > size:
            raise StoreDamaged("a row of segments is damaged", "reatt check --repair")
    return rows


def _whole(segment: Segment, chunks: int) -> Segment:
    if len(segment.digests) != chunks:
        raise StoreDamaged(f"segment {segment.id} has not as many chunks as it should", "reatt check --repair")
    return segment


def _places(connection: Connection, sql: str, parameters: Sequence[object]) -> NDArray[np.void]:
    with connection.translated():
        try:
            return np.fromiter(connection.execute(sql, parameters), dtype=_PLACE)  # 16 bytes per row, never a list
        except (TypeError, ValueError, OverflowError):
            raise StoreDamaged("a row of encodings is damaged", "reatt check --repair") from None


def _masks(
    connection: Connection, generation: int, places: NDArray[np.void], found: bool
) -> dict[int, NDArray[np.bool_]]:
    lengths = [(id, chunks) for id, name, size, chunks in _segment_rows(connection, generation)
               if _there(segment_file(connection.file.parent, name), size)]  # fmt: skip
    masks = {id: np.full(chunks, not found) for id, chunks in lengths}
    places.sort(order="segment")
    segments, starts = np.unique(places["segment"], return_index=True)
    for segment, positions in zip(segments, np.split(places["position"], starts[1:]), strict=False):
        if int(segment) in masks:  # else dropped between the two queries
            if positions.min() < 0 or positions.max() >= len(masks[int(segment)]):
                raise StoreDamaged("a row of encodings is damaged", "reatt check --repair")
            masks[int(segment)][positions] = found
    return masks


def _there(path: Path, size: int) -> bool:
    """Return whether a segment has its size, so that nothing is allocated for what a row merely claims."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False
