"""For each cluster of keys, a list with an entry for each key in it.

A question's vectors are compared with the centroids, and only the lists of the nearest are read. Entries are coarse:
the chunks that they find are scored by their own keys, so a list decides what is found, never a score. Chunks are known
by the digests of their texts: their entries stay right when a segment is written anew.

Memory does not grow with the number of keys: entries of new keys wait in a file, and lists are merged in ranges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from reatt_store.clusters import entries as coded
from reatt_store.clusters.entries import Entries
from reatt_store.clusters.means import Integers, Means, train
from reatt_store.vectors.arrays import Stream, let_go
from reatt_store.vectors.segments import Quantised, Segment, quantise

SAMPLE = 16  # keys for each cluster to train on
FOREIGN = 1.0  # clusters are trained anew once more than so many keys came after for each that there was before
EVEN = 0.05  # by how much the squares of lengths differ in the median, relative to their median
PER_ROOT = 16  # clusters for each square root of the number of keys
_BLOCK = 1 << 14  # keys assigned at a time
_RANGES = 256  # in which lists are merged


@dataclass(frozen=True)
class Outline:
    """K clusters of the keys of some segments, with c chunks and n keys in all: all but the entries of their lists."""

    means: Means
    trained: int  # how many keys there were
    since: int  # how many have been assigned that were not there
    segments: Integers  # (s, 2) the id of each and the number of its chunks
    starts: Integers  # (K + 1,)
    digests: NDArray[np.uint8]  # (c, 16)


@dataclass(frozen=True)
class Clusters(Outline):
    """Clusters with their lists."""

    entries: Entries  # the list of cluster i is entries[starts[i]:starts[i + 1]]

    @cached_property
    def even(self) -> bool:
        """Whether most keys are about equally long, as those of unit length are."""
        squares = np.square(self.means.fine).sum(1) + self.means.fine.shape[1] * np.square(self.means.spread)  # (K,)
        middle = np.median(squares)
        return bool(np.median(np.abs(squares - middle)) <= EVEN * middle)

    @cached_property
    def rough(self) -> Quantised:
        """The centroids at 8 bits, which is enough to see which are near."""
        return quantise(self.means.fine)


def gathered(segments: Sequence[Segment], before: Clusters | None, waiting: BinaryIO) -> tuple[Outline, Stream]:
    """Make the lists of some segments: go on with those there were, unless most keys are not of their time.

    `waiting` is an empty file for entries that wait to be merged; it must stay open until they are read.
    """
    digests = np.concatenate([segment.digests for segment in segments])
    lengths = np.concatenate([np.diff(segment.offsets) for segment in segments])
    moved = np.zeros(0, np.int64) if before is None else _moved(before.digests, digests)
    fresh = np.ones(len(digests), np.bool_)
    fresh[moved[moved >= 0]] = False
    keys, since = int(lengths.sum()), int(lengths[fresh].sum()) + (0 if before is None else before.since)
    trained = keys if before is None else before.trained
    if before is None or since > FOREIGN * trained:
        means = train(_sample(segments, keys), max(1, round(PER_ROOT * keys**0.5)))
        before, fresh[:], trained, since = None, True, keys, 0
    else:
        means = before.means
    lists = _Lists(means, before, moved, waiting)
    for owners, rows in _keys(segments, fresh):
        lists.add(owners, rows)
    table = np.array([(segment.id, len(segment.digests)) for segment in segments], np.int64)
    return Outline(means, trained, since, table, lists.starts, digests), lists.merged()


class _Lists:
    """Lists in the making: those there were, and entries that wait in a file, sorted block by block."""

    def __init__(self, means: Means, before: Clusters | None, moved: Integers, waiting: BinaryIO) -> None:
        self._means, self._before, self._moved, self._waiting = means, before, moved, waiting
        self._cuts = np.linspace(0, len(means.fine), min(_RANGES, len(means.fine)) + 1).astype(np.int64)
        self._width = coded.width(means.fine.shape[1])
        self._record = np.dtype([("cluster", "<u4"), ("entry", np.uint8, (self._width,))])
        self._blocks: list[Integers] = []  # of each, where the ranges start among all records
        self._held = np.zeros(len(means.fine), np.int64)
        for low, high in pairwise(self._cuts.tolist()):
            self._held += np.bincount(self._kept(low, high)["cluster"], minlength=len(means.fine))

    @property
    def starts(self) -> Integers:
        """Where each list starts (K + 1,)."""
        return np.concatenate([[0], np.cumsum(self._held)]).astype(np.int64)

    def add(self, owners: Integers, keys: NDArray[np.float32]) -> None:
        """Assign keys (n, d) of the chunks `owners` (n,), and let their entries wait."""
        clusters = self._means.assigned(keys)
        order = np.argsort(clusters, kind="stable")
        clusters = clusters[order]
        records = np.empty(len(order), self._record)
        records["cluster"] = clusters
        records["entry"] = coded.encoded(keys[order], clusters, owners[order], self._means)
        self._waiting.write(records.tobytes())
        first = int(self._blocks[-1][-1]) if self._blocks else 0
        self._blocks.append(first + np.searchsorted(clusters, self._cuts))
        self._held += np.bincount(clusters, minlength=len(self._held))

    def merged(self) -> Stream:
        """Return all entries in the order of their lists."""
        return Stream((int(self._held.sum()), self._width), self._ranges())

    def _ranges(self) -> Iterator[Entries]:
        for number, (low, high) in enumerate(pairwise(self._cuts.tolist())):
            waiting = [self._read(*block[number : number + 2].tolist()) for block in self._blocks]
            records = np.concatenate([self._kept(low, high), *waiting])
            yield records["entry"][np.argsort(records["cluster"], kind="stable")]

    def _read(self, first: int, last: int) -> NDArray[np.void]:
        self._waiting.seek(first * self._record.itemsize)
        return np.frombuffer(self._waiting.read((last - first) * self._record.itemsize), self._record)

    def _kept(self, low: int, high: int) -> NDArray[np.void]:
        """Return the entries of some lists that there were, of chunks that are still there, under their new numbers."""
        if self._before is None:
            return np.empty(0, self._record)
        starts = self._before.starts[low : high + 1]
        entries = self._before.entries[starts[0] : starts[-1]]
        owners = self._moved[coded.owners(entries)]
        there = owners >= 0
        records = np.empty(int(there.sum()), self._record)
        records["cluster"] = np.repeat(np.arange(low, high), np.diff(starts))[there]
        records["entry"] = entries[there]
        records["entry"][:, : coded.OWNER] = owners[there].astype("<u4")[:, None].view(np.uint8)
        let_go(self._before.entries)
        return records


def _moved(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> Integers:
    """Return the new number of each chunk that there was (c,), -1 for those that are gone."""
    numbers = {digest.tobytes(): number for number, digest in enumerate(now)}
    return np.array([numbers.get(digest.tobytes(), -1) for digest in before], np.int64)


def _keys(segments: Sequence[Segment], fresh: NDArray[np.bool_]) -> Iterator[tuple[Integers, NDArray[np.float32]]]:
    """Yield the keys of the chunks that are fresh, in blocks, and the numbers of their chunks."""
    first = 0
    for segment in segments:
        last = first + len(segment.digests)
        lengths = np.diff(segment.offsets)
        rows = np.flatnonzero(np.repeat(fresh[first:last], lengths))
        owners = np.repeat(np.arange(first, last), lengths)[rows]
        for at in range(0, len(rows), _BLOCK):
            yield owners[at : at + _BLOCK], segment.keys(rows[at : at + _BLOCK])
        let_go(segment.codes)
        first = last


def _sample(segments: Sequence[Segment], keys: int) -> Quantised:
    """Draw keys evenly from all segments, as many as their clusters are trained on."""
    step = max(1, int(keys / (SAMPLE * PER_ROOT * keys**0.5)))
    codes, scales = list[NDArray[np.int8]](), list[NDArray[np.float32]]()
    for segment in segments:
        codes.append(segment.codes[::step].copy())
        scales.append(segment.scales[::step].copy())
        let_go(segment.codes)
    return np.concatenate(codes), np.concatenate(scales)
