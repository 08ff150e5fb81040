"""Runs of query vectors: the consecutive vectors of a head's retrieval tokens, which share a weight and a scale.

`max_j <sum_r q_r, k_j> <= sum_r max_j <q_r, k_j>`. If the vectors of a run have similar directions, the score of their
sum is close to the sum of their scores, and costs only one product. So sums select the chunks that are worth scoring
with all vectors.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from reatt.model.backbone import Queries

# The number of chunks that sums select. With 136,309 chunks and 18 heads of 64 tokens, these contained the ten best for
# all of 363 questions, and 0.998 of the best 50 (docs/intra.md). With 150 they contained 0.98 of the best 5 and 0.85 of
# the best 50 (24 questions).
GATHERED = 1500
# Sums are used only if `alike` is at least this. reatt-mini's queries have 0.35 to 0.40. On random keys (20,000 chunks)
# recall@10 is 1.00 at 0.2 and 0.60 at 0.03; 64 unrelated vectors have 1/64.
ALIKE = 0.1


def gathered(queries: Queries) -> Queries:
    """Sum each run of vectors; the sum has the weight, scale, head and span that the vectors share.

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
    """Return whether the vectors of each run are so similar that a search by their sums is reliable.

    The measure is `sum_g |sum_r w q_r|^2 / sum_g R_g sum_r |w q_r|^2`: 1 for equal vectors, 1 / R for R unrelated ones.
    """
    runs = queries.runs
    if max(runs, default=1) == 1:
        return False
    lengths = torch.tensor(runs, device=queries.vectors.device)
    weighted = replace(queries, vectors=queries.vectors * queries.weights[:, None])
    most = (weighted.vectors.square().sum(1) * lengths.repeat_interleave(lengths)).sum()
    return bool(gathered(weighted).vectors.square().sum() >= ALIKE * most)
