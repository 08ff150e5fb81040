"""Differentiable scores of all chunks for all questions: r = sum_h P_h mean_i max_j <q_i, k_j> (equation 1).

The gradient of a question token comes from only one token of each chunk, the best. So the forward pass computes the
products of one block of chunks at a time and keeps only the positions of the best; the backward pass gathers those. No
product is computed twice or kept, and chunks are padded only to the longest of their block.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reatt.search.score import mean_by_question
from reatt.training.pools import at_least_float

BLOCK = 1 << 23  # products <q, k> in memory at once


def retrieval_scores(queries: Tensor, asked: Tensor, keys: Tensor, kept: Tensor, head_weights: Tensor) -> Tensor:
    """Score all chunks for all questions -> (Q, C).

    `queries` (Q, m, h, d), `keys` (C, n, h, d), `head_weights` (h,). `asked` (Q, m) and `kept` (C, n) are False on
    padding, which in `keys` is at the end of each row.
    """
    with torch.autocast(queries.device.type, enabled=False):  # half precision would blur a softmax over scores
        best: Tensor = _Best.apply(at_least_float(queries)[asked], at_least_float(keys), kept.sum(1))  # type: ignore[no-untyped-call]
        return mean_by_question((best * head_weights).sum(-1), asked)


class _Best(torch.autograd.Function):
    """max_j <q_i, k_j> for queries (t, h, d) and the first `lengths` (C,) of keys (C, n, h, d) -> (t, C, h)."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, lengths: Tensor) -> Tensor:
        tokens, heads, _ = queries.shape
        best = queries.new_empty(tokens, len(keys), heads)
        places = torch.empty(best.shape, dtype=torch.int32, device=queries.device)
        by_head = queries.transpose(0, 1)  # (h, t, d)
        for chunks, longest in _blocks(lengths, BLOCK // max(1, tokens * heads)):
            block = keys[chunks, :longest]  # (c, n, h, d)
            products = by_head @ block.permute(2, 3, 0, 1).flatten(2)  # (h, t, c*n)
            products = torch.unflatten(products, 2, block.shape[:2])
            padding = torch.arange(longest, device=keys.device) >= lengths[chunks, None]  # (c, n)
            values, at = products.masked_fill_(padding, -torch.inf).max(-1)  # (h, t, c)
            best[:, chunks], places[:, chunks] = values.permute(1, 2, 0), at.int().permute(1, 2, 0)
        ctx.save_for_backward(queries, keys, lengths, places)
        return best

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        queries, keys, lengths, places = ctx.saved_tensors
        (gradient,) = gradients  # (t, C, h)
        heads = torch.arange(queries.shape[1], device=queries.device)
        for_queries, for_keys = torch.zeros_like(queries), keys.new_zeros(keys.shape)
        flat, for_flat = (each.flatten(0, 2) for each in (keys, for_keys))  # (C*n*h, d)
        for chunks, _ in _blocks(lengths, BLOCK // max(1, queries.numel())):
            given = gradient[:, chunks, :, None]  # (t, c, h, 1)
            rows = (chunks[:, None] * keys.shape[1] + places[:, chunks]) * len(heads) + heads  # (t, c, h)
            for_queries += (given * flat[rows]).sum(1)
            for_flat.index_add_(0, rows.flatten(), (given * queries[:, None]).flatten(0, 2))  # in a fixed order
        return for_queries, for_keys, None


def _blocks(lengths: Tensor, tokens: int) -> list[tuple[Tensor, int]]:
    """Cut chunks into blocks of at most `tokens` tokens with padding (or one chunk): their numbers, the longest."""
    found: list[tuple[Tensor, int]] = []
    order, sizes = lengths.argsort(), sorted(lengths.tolist())
    start = 0
    for end, longest in enumerate(sizes, 1):
        following = sizes[end] if end < len(sizes) else 0
        if not following or (end - start + 1) * following > tokens:
            found.append((order[start:end], longest))
            start = end
    return found
