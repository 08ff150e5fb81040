"""MaxSim of many questions against all chunks of a corpus at once, in memory: equation 1, nothing left out.

The product asks one question at a time and keeps its keys in files; a study asks thousands of the same keys.

Axes: t query vectors of all questions, n keys, C chunks, Q questions, d width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reatt.model.backbone import Queries

BLOCK = 16_384  # keys whose products with some questions are made together
TOGETHER = 8  # questions


@dataclass(frozen=True)
class Keys:
    """All keys of a corpus; chunk i has those from offsets[i] up to offsets[i + 1], at least one."""

    values: Tensor  # (n, d)
    offsets: NDArray[np.int64]  # (C + 1,)

    @classmethod
    def of(cls, chunks: Sequence[Tensor]) -> Keys:
        """Put the keys (n_i, d) of chunks one after the other."""
        return cls(torch.cat(list(chunks)), np.concatenate(([0], np.cumsum([len(each) for each in chunks]))))


def scores(keys: Keys, asked: Sequence[Queries]) -> NDArray[np.float32]:
    """Score every chunk for each question: (Q, C)."""
    vectors = torch.cat([each.vectors for each in asked]).to(keys.values.dtype)  # (t, d)
    weights = torch.cat([each.weights for each in asked]).float().numpy()[:, None]
    starts = np.cumsum([0, *(len(each.vectors) for each in asked)])[:-1]
    found = np.empty((len(asked), len(keys.offsets) - 1), np.float32)
    for chunks in _blocks(keys.offsets):
        first, last = (int(keys.offsets[at]) for at in (chunks.start, chunks.stop))
        products = (vectors @ keys.values[first:last].T).float().numpy()  # (t, n)
        maxima = np.maximum.reduceat(products, keys.offsets[chunks] - first, axis=1)  # (t, c)
        found[:, chunks] = np.add.reduceat(maxima * weights, starts, axis=0)
    return found


def best(scored: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Number the best chunks of one question (C,), best first; equal ones by their number."""
    count = min(count, len(scored))
    least = np.partition(scored, len(scored) - count)[len(scored) - count]
    tied = np.flatnonzero(scored >= least)
    return tied[np.argsort(-scored[tied], kind="stable")][:count]


def _blocks(offsets: NDArray[np.int64]) -> Iterator[slice]:
    """Cut the chunks into runs of about so many keys; one chunk is never split."""
    start, count = 0, len(offsets) - 1
    while start < count:
        stop = int(np.searchsorted(offsets, offsets[start] + BLOCK, side="right")) - 1
        yield slice(start, start := min(max(stop, start + 1), count))
