"""The two halves of a model's encoder, and the retrieval head between them (ReAtt: Jiang et al., 2022, section 2).

- `lower_half`: blocks 0..B-1, each text alone. `alone`: blocks B..R-1, also each text alone, for retrieval if R > B.
- `head_queries`, `head_keys`: one head of block B; `score = mean_i max_j <q_i, k_j>` is the retrieval attention
  (equation 1), without 1/sqrt(d), position bias or normalisation.
- `pack`, `upper_half`: blocks B..L-1 on each question-chunk pair.

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

STRETCH, SLACK = 1.25, 8  # the longest sequence of a group has at most 1.25 times the tokens of the shortest, plus 8


@dataclass(frozen=True)
class Head:
    """The retrieval head: its block B (`retrieval_layer`, from 0), its number, and R - B."""

    layer: int
    number: int
    further: int = 0  # R - B: further blocks that each text passes alone, before a model's own projections

    @property
    def depth(self) -> int:
        """R: the blocks below which keys depend on."""
        return self.layer + self.further

    @property
    def form(self) -> tuple[int, ...]:
        """What keys and stored states depend on beside weights, if keys are made above block B."""
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
    """Encode each row of the lower half's states alone through blocks B..R-1 -> (B, n, D), for retrieval."""
    if not head.further:
        return lower
    mask = t5.encoder_bias(lower.keep)
    return Padded(t5.encode_range(lower.values, mask, slice(head.layer, head.depth)), lower.keep)


def head_queries(t5: T5, head: Head, states: Tensor) -> Tensor:
    """Project states (..., D) at the entry of block R to query vectors (..., d) of the retrieval head."""
    return _one_head(t5, head, "q", states)


def head_keys(t5: T5, head: Head, states: Tensor) -> Tensor:
    """Project states (..., D) at the entry of block R to key vectors (..., d) of the retrieval head."""
    return _one_head(t5, head, "k", states)


def _one_head(t5: T5, head: Head, side: str, states: Tensor) -> Tensor:
    return formed(t5, side, F.linear(t5.encoder.reads(head.depth, states), projection(t5, head, side)))


def formed(t5: T5, side: str, vectors: Tensor) -> Tensor:
    """Normalise and scale projected states (..., d) if the model's own projections say so."""
    return vectors if t5.retrieval is None else t5.retrieval.formed(side, vectors)


def loudness(t5: T5, head: Head) -> Tensor:
    """Return the weights that all scores are proportional to."""
    return projection(t5, head, "q") if t5.retrieval is None else t5.retrieval.loudness


def projection(t5: T5, head: Head, side: str) -> Tensor:
    """Return the projection of normed states to queries ("q") or keys ("k"): (d, D).

    It is the head's part of block B's attention (section 2.3), or a separate projection if retrieval was learnt
    separately from reading. Such a projection starts as a copy of the head's, and reading never uses it.
    """
    if t5.retrieval is not None:
        own: Tensor = getattr(t5.retrieval, side).weight
        return own
    whole: Tensor = getattr(t5.encoder.layers()[head.layer].attention, side).weight
    return torch.unflatten(whole, 0, (t5.encoder.head_count, -1))[head.number]


def learn_apart(t5: T5, head: Head) -> Projections:
    """Give retrieval separate projections, equal to the head's, unless it has some already."""
    if t5.retrieval is None:
        own = Projections(t5.config.d_model, len(projection(t5, head, "q"))).to(t5.shared.weight)
        for side in "qk":
            getattr(own, side).weight.data.copy_(projection(t5, head, side))
        t5.retrieval = own
    return t5.retrieval


def places(states: Padded, offset: int = 0) -> list[list[int]]:
    """List the kept positions of each row, as row numbers of `states.values.flatten(0, 1)` plus `offset`."""
    width = states.keep.shape[1]
    lengths = states.keep.sum(1).tolist()
    return [list(range(offset + i * width, offset + i * width + n)) for i, n in enumerate(lengths)]


def pack(pool: Tensor, rows: Sequence[Sequence[int]]) -> Padded:
    """Gather sequences of states out of `pool` (N, D) by row number, for example a question followed by a chunk.

    It takes one gather forward and one scatter backward, however many sequences there are.
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
    """Group sequences of similar length, shortest first, because computing padding is a waste.

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
    """Sum the target attention per chunk (section 3.1).

    `scores` (h, t) are the logits of the first decoder position in the last block; `owner` (t,) is each token's chunk.
    Returns (C,), which sums to 1.
    """
    return torch.zeros(chunks, device=scores.device).index_add(0, owner, token_attention(scores))


def token_attention(scores: Tensor) -> Tensor:
    """Compute the target attention to each token from the same scores (h, t): (t,), which sums to 1.

    It is the softmax over all tokens of all pairs, mean over heads.
    """
    return scores.float().softmax(-1).mean(0)
