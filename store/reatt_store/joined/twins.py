"""Texts that several stores hold: in one store each would be encoded once, and take one place among what is found."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reatt_store.records import PER_STORE
from reatt_store.vectors.segments import Segment

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Twins:
    """The places of texts that more than one store holds, text by text, in the order of the stores."""

    segments: Integers  # (t,) ids
    positions: Integers  # (t,)
    texts: Integers  # (t,) rising

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.texts)

    @cached_property
    def _by_place(self) -> tuple[Integers, Integers, Integers]:
        """The rows in the order of their places, and those places: segments and positions."""
        order = np.lexsort((self.positions, self.segments))
        return order, self.segments[order], self.positions[order]

    def of(self, segment: int, position: int) -> list[tuple[int, int]]:
        """Return the places of the text that has this one, in the order of the stores; most have no other."""
        order, segments, positions = self._by_place
        first, last = np.searchsorted(segments, [segment, segment + 1])
        at = first + np.searchsorted(positions[first:last], position)
        if at == last or positions[at] != position:
            return [(segment, position)]
        text = self.texts[order[at]]
        rows = slice(*np.searchsorted(self.texts, [text, text + 1]))
        return list(zip(self.segments[rows].tolist(), self.positions[rows].tolist(), strict=True))

    def keep_first(self, masks: MutableMapping[int, NDArray[np.bool_]]) -> None:
        """Of the places of a text that may be found, leave the first alone in the masks, segment id -> (c,)."""
        found = np.zeros(len(self), np.bool_)
        here = [(masks[id], rows) for id, rows in self._by_segment.items() if id in masks]
        for mask, rows in here:
            found[rows] = mask[self.positions[rows]]
        before: Integers = np.cumsum(found) - found
        first: NDArray[np.bool_] = before == before[np.searchsorted(self.texts, self.texts)]
        for mask, rows in here:
            mask[self.positions[rows[~first[rows]]]] = False

    @cached_property
    def _by_segment(self) -> dict[int, Integers]:
        """The rows of each segment."""
        order, segments, _ = self._by_place
        ids, starts = np.unique(segments, return_index=True)
        return dict(zip(ids.tolist(), np.split(order, starts[1:]), strict=False))


def twins(segments: Sequence[Segment]) -> Twins:
    """Find the texts that segments of different stores hold, by their digests."""
    lengths = [len(segment.digests) for segment in segments]
    owners = np.repeat(np.arange(len(segments)), lengths)  # (c,) of all chunks
    positions = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    halves = np.concatenate([*map(_halves, segments), np.empty((0, 2), np.uint64)])  # (c, 2)
    alike = _repeated(halves[:, 0])  # half a digest says that texts differ, both halves that they are equal
    ids = np.array([segment.id for segment in segments], np.int64)[owners[alike]]
    _, texts = np.unique(halves[alike], axis=0, return_inverse=True)
    texts = texts.reshape(-1)
    once = np.unique(np.stack([texts, ids // PER_STORE], 1), axis=0)[:, 0]  # each text once for each of its stores
    rows = np.flatnonzero(np.isin(texts, once[1:][once[1:] == once[:-1]]))
    rows = rows[np.argsort(texts[rows], kind="stable")]
    return Twins(ids[rows], positions[alike[rows]], texts[rows])


def _repeated(values: NDArray[np.uint64]) -> Integers:
    """Return where values stand that stand more than once, rising."""
    order = np.argsort(values, kind="stable")
    same = np.flatnonzero(values[order[1:]] == values[order[:-1]])
    return np.unique(order[np.concatenate([same, same + 1])])


def _halves(segment: Segment) -> NDArray[np.uint64]:
    """Return the digests (c, 16) as pairs of numbers (c, 2)."""
    return np.ascontiguousarray(segment.digests).view(np.uint64).reshape(-1, 2)
