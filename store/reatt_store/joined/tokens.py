"""The token indexes of several stores as one; each store caches its own, whatever it is searched with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reatt_store.joined.library import JoinedLibrary
from reatt_store.library import Library
from reatt_store.records import PER_STORE
from reatt_store.vectors.nearest import TokenIndex, open_index
from reatt_store.vectors.segments import Segment

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


class TokenIndexes:
    """The indexes of the stores that a generation lies in; rows are numbered through."""

    def __init__(self, indexes: Sequence[TokenIndex]) -> None:
        self._indexes = indexes
        self._starts = np.cumsum([0, *map(len, indexes)])  # of the rows of each

    def search(self, vectors: Floats, k: int, live: Mapping[int, NDArray[np.bool_]] | None) -> tuple[Floats, Integers]:
        """Return scores and rows (m, k) of the nearest keys to each vector (m, d), best first, like `TokenIndex`."""
        found = []
        for number, (index, start) in enumerate(zip(self._indexes, self._starts, strict=False)):
            own = None if live is None else {int(id): live[number * PER_STORE + int(id)] for id in index.rows.ids}
            scores, rows = index.search(vectors, k, own)
            found.append((scores, np.where(rows < 0, rows, rows + start)))
        scores, rows = (np.concatenate(axis, axis=1) for axis in zip(*found, strict=True))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)

    def chunk_of(self, rows: Integers) -> tuple[Integers, Integers]:
        """Return the segment ids and the positions in them of the chunks that own some rows (all >= 0)."""
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        segments, positions = np.zeros((2, len(rows)), np.int64)
        for number, (index, start) in enumerate(zip(self._indexes, self._starts, strict=False)):
            own = owners == number
            segments[own], positions[own] = index.chunk_of(rows[own] - start)
            segments[own] += number * PER_STORE
        return segments, positions


def open_indexes(library: Library | JoinedLibrary, generation: int, segments: Sequence[Segment]) -> TokenIndexes:
    """Return the indexes of all segments, from the stores' caches where they are sound."""
    indexes = []
    for number, (store, own) in enumerate(library.parts(generation)):
        held = [segment for segment in segments if segment.id // PER_STORE == number]
        indexes.append(open_index(store, own, [replace(each, id=each.id % PER_STORE) for each in held]))
    return TokenIndexes(indexes)
