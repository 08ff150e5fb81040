"""Clusters by distance, in two levels: few coarse ones, and fine ones within each.

Distance keeps the lengths of keys, where they differ: long keys get centroids of their own length, which inner products
find first. Two levels make training and assigning as cheap as the square root of one; a search compares with all fine
centroids, so it does not see the levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reatt_store.vectors.segments import Quantised

ROUNDS = 6  # of k-means
_BLOCK = 4096  # keys compared at a time, so that the products stay in the processor's cache
_SPREAD_BLOCK = 1 << 14
_COARSE_SAMPLE = 256  # keys for each coarse cluster

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Means:
    """Centroids. The fine ones of coarse cluster i are `fine[first[i]:first[i + 1]]`, at least one."""

    coarse: Floats  # (a, d)
    first: Integers  # (a + 1,)
    fine: Floats  # (K, d)
    spread: Floats  # (K,) the root mean square of an entry of key - centroid

    def assigned(self, keys: Floats) -> Integers:
        """Return the cluster of each key, (n, d) -> (n,)."""
        found = np.empty(len(keys), np.int64)
        for cell, rows in _groups(nearest(keys, self.coarse), len(self.coarse)):
            own = slice(*self.first[cell : cell + 2])
            found[rows] = own.start + nearest(keys[rows], self.fine[own])
        return found


def train(sample: Quantised, count: int) -> Means:
    """Cluster a sample of keys, at 8 bits to save memory, into about `count` clusters."""
    codes, scales = sample
    random = np.random.default_rng(1)
    coarse_count = max(1, round(count**0.5))
    rows = random.permutation(len(codes))[: coarse_count * _COARSE_SAMPLE]
    coarse = _means(_whole(codes[rows], scales[rows]), coarse_count, random)
    cells = np.concatenate(
        [nearest(_whole(codes[at : at + _BLOCK], scales[at : at + _BLOCK]), coarse)
         for at in range(0, len(codes), _BLOCK)]
    )  # fmt: skip
    fine = {
        cell: _means(_whole(codes[rows], scales[rows]), round(count * len(rows) / len(codes)), random)
        for cell, rows in _groups(cells, len(coarse))
    }
    parts = [fine.get(cell, coarse[cell : cell + 1]) for cell in range(len(coarse))]
    first = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    means = Means(coarse, first, np.concatenate(parts), np.ones(int(first[-1]), np.float32))
    return replace(means, spread=_spread(means, sample))


def _spread(means: Means, sample: Quantised) -> Floats:
    """Measure how far keys are from their centroids; a cluster of few keys counts as spread as half the others."""
    square, held = np.zeros((2, len(means.fine)))
    for at in range(0, len(sample[0]), _SPREAD_BLOCK):
        keys = _whole(sample[0][at : at + _SPREAD_BLOCK], sample[1][at : at + _SPREAD_BLOCK])
        owners = means.assigned(keys)
        square += np.bincount(owners, np.square(keys - means.fine[owners]).mean(1), len(means.fine))
        held += np.bincount(owners, minlength=len(means.fine))
    found = np.sqrt(square / np.maximum(held, 1))
    return np.maximum(found, max(found.mean() / 2, 1e-6)).astype(np.float32)


def nearest(keys: Floats, centroids: Floats) -> Integers:
    """Return the centroid (K, d) at the least distance from each key, (n, d) -> (n,).

    >>> nearest(np.array([[0.9, 0.0], [3.0, 0.0]], np.float32), np.array([[1.0, 0.0], [9.0, 0.0]], np.float32))
    array([0, 0])
    """
    half = np.square(centroids).sum(1) / 2  # |k - c|^2 is |k|^2 - 2 (<k, c> - |c|^2 / 2)
    found = np.empty(len(keys), np.int64)
    for at in range(0, len(keys), _BLOCK):
        found[at : at + _BLOCK] = (keys[at : at + _BLOCK] @ centroids.T - half).argmax(1)
    return found


def _means(keys: Floats, count: int, random: np.random.Generator) -> Floats:
    """Run k-means from random keys; a cluster that becomes empty starts again from another."""
    count = min(max(count, 1), len(keys))
    centroids = keys[random.permutation(len(keys))[:count]]
    for _ in range(ROUNDS if count > 1 else 1):
        owners = nearest(keys, centroids)
        held = np.bincount(owners, minlength=count)
        full = held > 0
        starts = (np.cumsum(held) - held)[full]
        centroids[full] = np.add.reduceat(keys[np.argsort(owners, kind="stable")], starts) / held[full, None]
        centroids[~full] = keys[random.integers(len(keys), size=count - int(full.sum()))]
    return centroids


def _groups(owners: Integers, count: int) -> Iterator[tuple[int, Integers]]:
    """Yield (owner, rows) for each owner of any rows."""
    order = np.argsort(owners, kind="stable")
    ends = np.cumsum(np.bincount(owners, minlength=count))
    for owner, rows in enumerate(np.split(order, ends[:-1])):
        if len(rows):
            yield owner, rows


def _whole(codes: NDArray[np.int8], scales: NDArray[np.float32]) -> Floats:
    return codes * scales[:, None]
