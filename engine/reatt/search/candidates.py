"""Candidates for a question from the clusters of a store's keys: most of the keys are never read.

A question's vector i is compared with all centroids, and with the keys on the lists of the nearest, which are coarse.
A chunk's estimate is that of MaxSim with those keys in place of its own,

    estimate(chunk) = sum_i w_i * (max of <q_i, k> over the chunk's keys k on the lists that q_i reads)

where a vector that reads none of the chunk's keys counts as its last centroid would. The best by estimate are the
candidates; their scores come from their own keys (`maxsim.among`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reatt.model.backbone import Queries
from reatt.search import maxsim
from reatt.search.maxsim import Live
from reatt_store.clusters import entries as coded
from reatt_store.clusters.entries import STEP
from reatt_store.clusters.lists import Clusters

CANDIDATES = 1000  # chunks whose keys are read, at least
PER_RESULT = 20  # of them for each result, if many are asked for
_BLOCK = 64  # centroids of which at first only the best counts
_ENTRIES = 1 << 13  # decoded at a time, so that they stay in the processor's cache

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Reach(NamedTuple):
    """How much a search reads."""

    probes: int  # lists of each vector of a question
    per_root: int  # chunks whose keys are read, for each square root of the number of chunks


EVEN, UNEVEN = Reach(48, 6), Reach(128, 18)  # long keys win many products although their centroids are not the nearest


@dataclass(frozen=True)
class Candidates:
    """Which chunks a search should score: some, each by its segment and position, and all of some segments."""

    segments: Integers  # (n,)
    positions: Integers  # (n,)
    whole: frozenset[int]  # ids of segments that no cluster covers


def suits(queries: Queries, clusters: Clusters) -> bool:
    """Return whether clusters can find candidates: an estimate knows nothing of scales, nor of runs of vectors.

    A GPU scans all keys before it could be told where to look.
    """
    plain = queries.vectors.is_cpu and queries.scaled_by is None and max(queries.runs, default=1) == 1
    return plain and queries.vectors.shape[1] == clusters.means.fine.shape[1]


def find(queries: Queries, every: Sequence[Clusters], segments: Collection[int], k: int, live: Live) -> Candidates:
    """Find candidates for the best k chunks of the segments that there are; `live` says which chunks may be found."""
    found = [_places(queries, clusters, segments, k, live) for clusters in every]
    ids, positions = (np.concatenate(axis) for axis in zip(*found, strict=True))
    covered = {id for clusters in every for id in clusters.segments[:, 0].tolist()}
    return Candidates(ids, positions, frozenset(segments) - covered)


def _places(
    queries: Queries, clusters: Clusters, segments: Collection[int], k: int, live: Live
) -> tuple[Integers, Integers]:
    """Return the segments and positions of the candidates that clusters find (n,)."""
    reach = EVEN if clusters.even else UNEVEN
    count = max(CANDIDATES, int(reach.per_root * len(clusters.digests) ** 0.5), PER_RESULT * k)
    allowed = _allowed(clusters, segments, live)
    if int(np.count_nonzero(allowed)) <= count:
        numbers = np.flatnonzero(allowed)
    else:
        numbers = _best(np.where(allowed, estimates(queries, clusters, reach.probes), -1), count)
    ends = np.cumsum(clusters.segments[:, 1])
    rows = np.searchsorted(ends, numbers, side="right")
    ids, lengths = clusters.segments[rows].T
    return ids, numbers - (ends[rows] - lengths)


def _allowed(clusters: Clusters, segments: Collection[int], live: Live) -> NDArray[np.bool_]:
    """Return which chunks of the clusters may be found (c,)."""
    none = [(id, np.zeros(count, np.bool_)) for id, count in clusters.segments.tolist()]
    masks = ((~gone if live is None else live.get(id, gone)) if id in segments else gone for id, gone in none)
    return np.concatenate(list(masks))


def _best(scores: Floats, count: int) -> Integers:
    """Return where the best scores stand; most are not above 0, and those come in only if there are too few."""
    above = np.flatnonzero(scores > 0)
    if len(above) < count:
        above = np.flatnonzero(scores >= 0)
    return above[np.argpartition(-scores[above], count - 1)[:count]] if len(above) > count else above


def estimates(queries: Queries, clusters: Clusters, probes: int) -> Floats:
    """Estimate every chunk's score (c,), above what it would be on none of the lists; 0 for those on none."""
    vectors, weights = queries.vectors.cpu(), queries.weights.cpu().numpy()
    near = _near(vectors, clusters)
    best, lists = nearest(near, probes)  # (m, p) both
    read, where = np.unique(lists, return_inverse=True)  # (u,) (m, p)
    lengths = clusters.starts[read + 1] - clusters.starts[read]  # (u,)
    entries = np.concatenate([clusters.entries[slice(*clusters.starts[list : list + 2])] for list in read.tolist()])
    half_steps = np.repeat(clusters.means.spread[read] * (STEP / 2), lengths)  # (n,)
    products = np.repeat(near.numpy()[:, read], lengths, axis=1)  # (m, n)
    dots = _dots(torch.from_numpy(coded.ordered(vectors.numpy())))
    for block in (slice(at, at + _ENTRIES) for at in range(0, len(entries), _ENTRIES)):
        products[:, block] += dots(torch.from_numpy(coded.decoded(entries[block]))).numpy() * half_steps[block]
    owners, starts = coded.owners(entries), np.cumsum(lengths) - lengths
    total, most = np.zeros((2, len(clusters.digests)), np.float32)
    for product, weight, least, own in zip(products, weights, best.min(1), where.reshape(lists.shape), strict=True):
        columns = ranges(starts[own], lengths[own])
        chunks = owners[columns]
        np.maximum.at(most, chunks, product[columns] - least)
        total += weight * most
        most[chunks] = 0
    return total


def _near(vectors: Tensor, clusters: Clusters) -> Tensor:
    """Multiply vectors (m, d) with all centroids -> (m, K)."""
    if not maxsim.INT8:
        return vectors @ torch.from_numpy(clusters.means.fine).T
    codes, scales = clusters.rough
    return _dots(vectors)(torch.from_numpy(codes)).mul_(torch.from_numpy(scales))


def _dots(vectors: Tensor) -> Callable[[Tensor], Tensor]:
    """Return how vectors (m, d) are multiplied with codes (n, d) of 8 bits -> (m, n)."""
    if not maxsim.INT8:
        return lambda codes: vectors @ codes.float().T
    factors = vectors.abs().amax(dim=1, keepdim=True).clamp_min(1e-30) / 127  # (m, 1)
    rounded = (vectors / factors).round().to(torch.int8)
    return lambda codes: torch._int_mm(rounded, codes.T).float().mul_(factors)


def ranges(starts: Integers, lengths: Integers) -> Integers:
    """Join ranges of whole numbers.

    >>> ranges(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1])


def nearest(products: Tensor, count: int) -> tuple[Floats, Integers]:
    """Return the best products of each row (m, K) and where they stand, (m, count) both, in no order.

    They stand in the blocks with the best maxima, so that only those have to be looked through.
    """
    columns = products.shape[1]
    blocks = torch.nn.functional.pad(products, (0, -columns % _BLOCK), value=-torch.inf).view(len(products), -1, _BLOCK)
    chosen = blocks.amax(2).topk(min(count, blocks.shape[1]), sorted=False).indices  # (m, b)
    within = blocks.gather(1, chosen[:, :, None].expand(-1, -1, _BLOCK)).flatten(1)  # (m, b * _BLOCK)
    best = within.topk(min(count, columns), sorted=False)
    places = chosen.gather(1, best.indices // _BLOCK) * _BLOCK + best.indices % _BLOCK
    return best.values.numpy(), places.numpy()
