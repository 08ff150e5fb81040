"""MaxSim, in its plain form; the faster forms must give equal scores.

    score(question, chunk) = sum_i w_i * max_j <q_i, k_j>        (ReAtt section 2.2, equation 1, where w_i = 1 / m)

`maxsim.py` scans a whole store with it, in blocks and in int8. `training/scores.py` computes its gradients without
storing the products. Keys do not have unit length and products may be negative, so padding is -inf before the maximum.

Axes: C chunks of n keys each, d entries of a vector; `...` and m are axes of the query vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def products(vectors: Tensor, keys: Tensor, keep: Tensor | None = None, scaled_by: Tensor | None = None) -> Tensor:
    """Multiply vectors (..., d) with keys (C, n, d) -> (..., C, n); -inf where `keep` (C, n) says there is no key.

    `scaled_by` (...), or what broadcasts to it, names the entry of a key that scales its product with each vector.
    """
    found = torch.unflatten(vectors @ keys.flatten(0, 1).T, -1, keys.shape[:2])  # (..., C, n)
    if scaled_by is not None:
        found = found * keys[..., scaled_by].movedim((0, 1), (-2, -1))
    return found if keep is None else found.masked_fill(~keep, -torch.inf)


def maxima(vectors: Tensor, keys: Tensor, keep: Tensor | None = None, scaled_by: Tensor | None = None) -> Tensor:
    """Take each vector's best product with each chunk, `max_j <q_i, k_j>`: (..., d), (C, n, d) -> (..., C)."""
    return products(vectors, keys, keep, scaled_by).amax(-1)


def maxsim(
    vectors: Tensor, weights: Tensor, keys: Tensor, keep: Tensor | None = None, scaled_by: Tensor | None = None
) -> Tensor:
    """Score chunks, `sum_i w_i * max_j <q_i, k_j>`: vectors (..., m, d), weights (..., m), keys (C, n, d) -> (..., C).

    Every chunk has a key, so a vector of weight 0 counts for nothing: padding of a question.

    >>> maxsim(torch.eye(2), torch.tensor([0.5, 0.5]), torch.tensor([[[4.0, 1.0], [2.0, 3.0]]]))
    tensor([3.5000])
    """
    return (weights[..., None] * maxima(vectors, keys, keep, scaled_by)).sum(-2)


def pairs(vectors: Tensor, weights: Tensor, keys: Tensor, scaled_by: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Explain one chunk's score: each query vector's best key (m,) and its share of the score (m,), which sum to it.

    >>> pairs(torch.eye(2), torch.tensor([0.5, 0.5]), torch.tensor([[4.0, 1.0], [2.0, 3.0]]))
    (tensor([0, 1]), tensor([2.0000, 1.5000]))
    """
    best = products(vectors, keys.float()[None], scaled_by=scaled_by)[:, 0].max(dim=1)  # (m,)
    return best.indices, best.values * weights


def mean_by_question(best: Tensor, asked: Tensor) -> Tensor:
    """Take the mean over each question's tokens: (t, C) -> (Q, C); `asked` (Q, m) marks the t tokens of Q questions.

    >>> mean_by_question(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([[True, True], [True, False]]))
    tensor([[2.],
            [5.]])
    """
    owner = asked.nonzero()[:, 0]  # (t,)
    total = best.new_zeros(len(asked), best.shape[1]).index_add(0, owner, best)
    return total / asked.sum(1, keepdim=True)
