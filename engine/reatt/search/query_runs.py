"""Runs of query vectors that ask as one: a head's retrieval tokens, side by side under one weight and one scale.

`max_j <sum_r q_r, k_j> <= sum_r max_j <q_r, k_j>`. What a run's sum scores is near what its vectors score while they
point much the same way, and costs a vector instead of many: it says which chunks are worth asking with all of them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from reatt.model.backbone import Queries

# Chunks that sums leave over. Of 136,309 by 18 heads of 64 tokens the ten best were found so for each of 363 questions,
# of the best 50 0.998 (docs/intra.md); with 150 left over, of the best 5 and 50 0.98 and 0.85 (24 questions).
GATHERED = 1500
# Where all runs together have less in common, all are asked vector by vector. reatt-mini's have 0.35 to 0.40. On random
# keys (20,000 chunks) recall@10 is 1.00 at 0.2 and 0.60 at 0.03; 64 unrelated vectors have 1/64.
ALIKE = 0.1


def gathered(queries: Queries) -> Queries:
    """Sum each run of vectors, with the weight, the scale, the head and the span that its vectors share.

    >>> vectors, weights = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([0.5, 0.5, 1.0])
    >>> one = Queries(vectors, weights, ((0, 9),) * 3, ((0, 0), (0, 0), (0, 1)))
    >>> gathered(one).vectors, gathered(one).weights
    (tensor([[3.],
            [4.]]), tensor([0.5000, 1.0000]))
    """
    ends = np.cumsum([0, *queries.runs]).tolist()
    first, scales = ends[:-1], queries.scaled_by
    sums = torch.stack([queries.vectors[start:end].sum(0) for start, end in pairwise(ends)])
    spans, heads = tuple(queries.spans[i] for i in first), tuple(queries.heads[i] for i in first)
    return Queries(sums, queries.weights[first], spans, heads, None if scales is None else scales[first])


def alike(queries: Queries) -> bool:
    """Say whether runs have so much in common that their sums may ask first.

    That is `sum_g |sum_r w q_r|^2 / sum_g R_g sum_r |w q_r|^2`: 1 for equal vectors, 1 / R for R unrelated ones.
    """
    runs = queries.runs
    if max(runs, default=1) == 1:
        return False
    lengths = torch.tensor(runs, device=queries.vectors.device)
    weighted = replace(queries, vectors=queries.vectors * queries.weights[:, None])
    most = (weighted.vectors.square().sum(1) * lengths.repeat_interleave(lengths)).sum()
    return bool(gathered(weighted).vectors.square().sum() >= ALIKE * most)
