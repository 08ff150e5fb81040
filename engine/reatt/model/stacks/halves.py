"""A model's encoder in two halves, and the head between them by which ReAtt retrieves (Jiang et al., 2022, section 2).

- `lower_half`: blocks 0..B-1, each text alone; `alone`: on through B..R-1, for retrieval, where a model has R > B.
- `head_queries`, `head_keys`: one head of block B; `score = mean_i max_j <q_i, k_j>` is the retrieval attention
  (equation 1), without 1/sqrt(d), position bias or normalisation.
- `pack`, `upper_half`: blocks B..L-1 over each question-chunk pair, then fusion of all pairs in the decoder.

T5's position bias depends only on differences of positions, and a pair is contiguous. So halves that were encoded apart
and put together at block B are exactly what a joint encoding under a block mask would give.

Axes: B batch, C chunks, m question tokens, n positions, t memory tokens, h heads, d head width, D model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from reatt.model.projections import Projections
from reatt.model.t5 import T5

STRETCH, SLACK = 1.25, 8  # a group's longest sequence has at most 1.25 times the tokens of its shortest, and 8


@dataclass(frozen=True)
class Head:
    """The retrieval head: block B (0-based `retrieval_layer`), a head of it, and how far above B retrieval looks."""

    layer: int
    number: int
    further: int = 0  # R - B, blocks that a text goes on through alone, for projections of a model's own

    @property
    def depth(self) -> int:
        """R: the blocks below which keys depend on."""
        return self.layer + self.further

    @property
    def form(self) -> tuple[int, ...]:
        """What the states that a store keeps depend on beside weights, where keys do not lie at block B themselves."""
        return (self.layer, self.depth) if self.further else ()


@dataclass(frozen=True)
class Padded:
    """Sequences of different length in one tensor."""

    values: Tensor  # (B, n) ids or (B, n, D) states
    keep: Tensor  # (B, n) bool, False on padding


def pad(sequences: Sequence[Sequence[int]], device: torch.device) -> Padded:
    """Put token ids of different lengths into one tensor."""
    lengths = torch.tensor([len(ids) for ids in sequences], device=device)
    values = pad_sequence([torch.tensor(ids) for ids in sequences], batch_first=True).to(device)  # (B, n)
    return Padded(values, torch.arange(values.shape[1], device=device) < lengths[:, None])


def lower_half(t5: T5, layer: int, ids: Padded) -> Padded:
    """Encode each row alone through blocks 0..layer-1 -> states (B, n, D)."""
    states = t5.encode_range(t5.embed(ids.values), t5.encoder_bias(ids.keep), slice(0, layer))
    return Padded(states, ids.keep)


def alone(t5: T5, head: Head, lower: Padded) -> Padded:
    """Take each row of the lower half's states on alone through blocks B..R-1 -> (B, n, D), what retrieval projects."""
    if not head.further:
        return lower
    mask = t5.encoder_bias(lower.keep)
    return Padded(t5.encode_range(lower.values, mask, slice(head.layer, head.depth)), lower.keep)


def head_queries(t5: T5, head: Head, states: Tensor) -> Tensor:
    """Project states (..., D) that enter block R to the retrieval head's query vectors (..., d)."""
    return _one_head(t5, head, "q", states)


def head_keys(t5: T5, head: Head, states: Tensor) -> Tensor:
    """Project states (..., D) that enter block R to the retrieval head's key vectors (..., d)."""
    return _one_head(t5, head, "k", states)


def _one_head(t5: T5, head: Head, side: str, states: Tensor) -> Tensor:
    return formed(t5, side, F.linear(t5.encoder.reads(head.depth, states), projection(t5, head, side)))


def formed(t5: T5, side: str, vectors: Tensor) -> Tensor:
    """Bring projected states (..., d) into the form that scores are made of: as they are, unless a model says else."""
    return vectors if t5.retrieval is None else t5.retrieval.formed(side, vectors)


def loudness(t5: T5, head: Head) -> Tensor:
    """Return the weights that all scores grow with, in proportion."""
    return projection(t5, head, "q") if t5.retrieval is None else t5.retrieval.loudness


def projection(t5: T5, head: Head, side: str) -> Tensor:
    """Return what makes queries ("q") or keys ("k") of block B's normed states: (d, D).

    It is the head's own part of block B's attention (section 2.3), or, where finding was learnt apart from reading,
    projections that began as that and that reading never uses.
    """
    if t5.retrieval is not None:
        own: Tensor = getattr(t5.retrieval, side).weight
        return own
    whole: Tensor = getattr(t5.encoder.layers()[head.layer].attention, side).weight
    return torch.unflatten(whole, 0, (t5.encoder.head_count, -1))[head.number]


def learn_apart(t5: T5, head: Head) -> Projections:
    """Give retrieval projections of its own, equal to the head's, unless it has some."""
    if t5.retrieval is None:
        own = Projections(t5.config.d_model, len(projection(t5, head, "q"))).to(t5.shared.weight)
        for side in "qk":
            getattr(own, side).weight.data.copy_(projection(t5, head, side))
        t5.retrieval = own
    return t5.retrieval


def places(states: Padded, offset: int = 0) -> list[list[int]]:
    """Number the kept positions of each row, as rows of `states.values.flatten(0, 1)` from `offset` on."""
    width = states.keep.shape[1]
    lengths = states.keep.sum(1).tolist()
    return [list(range(offset + i * width, offset + i * width + n)) for i, n in enumerate(lengths)]


def pack(pool: Tensor, rows: Sequence[Sequence[int]]) -> Padded:
    """Put together rows of states by number out of `pool` (N, D): a question before a chunk, pairs before pairs.

    One gather forward and one scatter backward, however many rows there are.
    """
    index = pad(rows, pool.device)
    values = pool.index_select(0, index.values.flatten()).view(*index.values.shape, -1)  # (B, n, D)
    return Padded(values, index.keep)


def side_by_side(rows: Sequence[Tensor]) -> Padded:
    """Put states of different lengths (n, D) into one tensor."""
    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    values = pad_sequence(list(rows), batch_first=True)  # (B, n, D)
    return Padded(values, torch.arange(values.shape[1], device=values.device) < lengths[:, None])


def upper_half(t5: T5, layer: int, joined: Padded) -> Tensor:
    """Encode pairs jointly through blocks layer..L-1 and the final norm -> (C, m+n, D)."""
    return t5.finish(t5.encode_range(joined.values, t5.encoder_bias(joined.keep), slice(layer, None)))


def by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Group sequence numbers so that little is padded, shortest first: what is padded, is computed in vain.

    >>> by_length([30, 10, 32, 11])
    [[1, 3], [0, 2]]
    """
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not groups or lengths[number] > STRETCH * lengths[groups[-1][0]] + SLACK:
            groups.append([])
        groups[-1].append(number)
    return groups


def encode_apart(t5: T5, layer: int, texts: Sequence[Sequence[int]], device: torch.device) -> list[Tensor]:
    """Encode each text alone through blocks 0..layer-1 -> states (n, D) each."""
    found = dict[int, Tensor]()
    for numbers in by_length([len(ids) for ids in texts]):
        lower = lower_half(t5, layer, pad([texts[n] for n in numbers], device))
        found |= zip(
            numbers, (states[keep] for states, keep in zip(lower.values, lower.keep, strict=True)), strict=True
        )
    return [found[n] for n in range(len(texts))]


def encode_jointly(t5: T5, layer: int, pairs: Sequence[Tensor]) -> list[Tensor]:
    """Encode pairs (m+n, D) through blocks layer..L-1 and the final norm -> states (m+n, D) each."""
    found = dict[int, Tensor]()
    for numbers in by_length([len(pair) for pair in pairs]):
        joined = side_by_side([pairs[n] for n in numbers])
        upper = zip(upper_half(t5, layer, joined), joined.keep, strict=True)
        found |= zip(numbers, (states[keep] for states, keep in upper), strict=True)
    return [found[n] for n in range(len(pairs))]


def target_attention(scores: Tensor, owner: Tensor, chunks: int) -> Tensor:
    """Sum the target attention per chunk (section 3.1): softmax over all tokens of all pairs, mean over heads.

    `scores` (h, t) are the first decoder position's logits in the last block, `owner` (t,) names each token's chunk;
    returns (C,), which sums to 1.
    """
    per_token = scores.float().softmax(-1).mean(0)  # (t,)
    return torch.zeros(chunks, device=scores.device).index_add(0, owner, per_token)
