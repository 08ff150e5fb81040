"""The file of a generation's clusters: made by a writer, read by searches, never needed for a right answer.

It is a cache of the segments. One that is missing, damaged or behind makes a search slower: what it does not cover is
scanned. So a writer brings it up to date only once enough is not covered, and may be killed at any moment.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from reatt_store.clusters import entries as coded
from reatt_store.clusters.lists import Clusters, Outline, gathered
from reatt_store.clusters.means import Means
from reatt_store.connection import Connection
from reatt_store.errors import StoreDamaged
from reatt_store.generations import open_segments
from reatt_store.records import DIGEST_BYTES, sound
from reatt_store.vectors import arrays
from reatt_store.vectors.arrays import Layout, require

FORMAT = "reatt-clusters/1"
SUFFIX = ".clusters"
# Chunks from which on a store has clusters. Below, a scan takes no longer than what else a search does.
FIRST = 4000
BEHIND = 1000  # chunks that a writer leaves to be scanned, some milliseconds of a search
_NAME = re.compile(r"[0-9]{4,20}-[0-9a-f]{16}\.clusters", re.ASCII)
_LAYOUT: Layout = {
    "segments": ("I64", np.int64),
    "trained": ("I64", np.int64),
    "first": ("I64", np.int64),
    "starts": ("I64", np.int64),
    "coarse": ("F32", np.float32),
    "fine": ("F32", np.float32),
    "spread": ("F32", np.float32),
    "digests": ("U8", np.uint8),
    "entries": ("U8", np.uint8),
}


@dataclass(frozen=True)
class Made:
    """A new file, not yet in its place."""

    name: str
    path: Path
    blake2b: bytes


def open_clusters(connection: Connection, folder: Path, generation: int) -> Clusters | None:
    """Map the clusters of a generation; None if there are none, or none that are sound."""
    for name, size, blake2b in rows(connection, generation):
        path = folder / "cache" / name
        with suppress(OSError, StoreDamaged):
            if arrays.checksum(path) == blake2b:
                return _read(path, size)
    return None


def rows(connection: Connection, generation: int) -> list[tuple[str, int, bytes]]:
    """Return name, size and BLAKE2b of the file that a generation's row names; none with a name that is not ours."""
    found = connection.rows("SELECT name, bytes, blake2b FROM caches WHERE generation = ?", [generation])
    named = [(str(name), size, blake2b) for name, size, blake2b in (sound("caches", "tnb", row) for row in found)]
    return [row for row in named if _NAME.fullmatch(row[0])]


def update(connection: Connection, folder: Path, generation: int) -> Made | None:
    """Make new clusters if those there are cover too few chunks; a small store needs none."""
    if count(connection, generation) < FIRST:
        return None
    before = open_clusters(connection, folder, generation)
    if before is not None and _uncovered(connection, generation, before) <= BEHIND:
        return None
    name = f"{generation:04d}-{secrets.token_hex(8)}{SUFFIX}"
    path = folder / "tmp" / name
    with TemporaryFile(dir=folder / "tmp") as waiting:
        made, entries = gathered(open_segments(connection, folder, generation), before, waiting)
        _, blake2b = arrays.write(path, FORMAT, _LAYOUT, {**_arrays(made), "entries": entries})
    return Made(name, path, blake2b)


def count(connection: Connection, generation: int) -> int:
    """Count the chunks of a generation's segments."""
    return int(connection.value("SELECT coalesce(sum(chunks), 0) FROM segments WHERE generation = ?", [generation]))


def _uncovered(connection: Connection, generation: int, clusters: Clusters) -> int:
    covered = set(clusters.segments[:, 0].tolist())
    found = connection.rows("SELECT id, chunks FROM segments WHERE generation = ?", [generation])
    return sum(chunks for id, chunks in (sound("segments", "nn", row) for row in found) if id not in covered)


def _arrays(made: Outline) -> dict[str, Any]:
    means = made.means
    return {
        "segments": made.segments, "trained": np.array([made.trained, made.since], np.int64), "first": means.first,
        "starts": made.starts, "coarse": means.coarse, "fine": means.fine, "spread": means.spread,
        "digests": made.digests,
    }  # fmt: skip


def _read(path: Path, size: int) -> Clusters:
    try:
        found = arrays.read(arrays.mapped(path, size), FORMAT, _layout)
        means = Means(found["coarse"], found["first"], found["fine"], found["spread"])
        trained, since = found["trained"].tolist()
        rest = (found[name] for name in ("segments", "starts", "digests", "entries"))
        made = Clusters(means, trained, since, *rest)
        _require_sound(made)
    except (*arrays.WRONG, IndexError) as error:
        raise arrays.damaged(path, f"it is not what it should be: {error}") from error
    return made


def _require_sound(made: Clusters) -> None:
    """Check what a stranger's file could have wrong although its checksum is right."""
    means, entries = made.means, made.entries
    coarse, first, fine = means.coarse, means.first, means.fine
    require(coarse.ndim == fine.ndim == made.segments.ndim == made.digests.ndim == 2, "tables")
    require(coarse.shape[1] == fine.shape[1], "centroids of one width")
    require(made.segments.shape[1] == 2 and made.digests.shape[1] == DIGEST_BYTES, "segments and digests")
    require(_tiles(first, len(coarse), len(fine)) and bool((np.diff(first) > 0).all()), "centroids in every cluster")
    require(means.spread.shape == (len(fine),), "a spread of every cluster")
    require(_tiles(made.starts, len(fine), len(entries)), "lists that tile the entries")
    require(entries.shape[1:] == (coded.width(fine.shape[1]),), "entries of one width")
    counts = made.segments[:, 1].tolist()  # Python integers cannot overflow
    require(min(counts, default=0) >= 0 and sum(counts) == len(made.digests), "a digest of every chunk")


def _tiles(offsets: np.ndarray, parts: int, whole: int) -> bool:
    if offsets.shape != (parts + 1,) or offsets[0] != 0 or offsets[-1] != whole:
        return False
    return bool((np.diff(offsets) >= 0).all())


def _layout(named: Container[str]) -> Layout:
    return _LAYOUT
