"""Encode and read a training batch in few large pieces: sequences of similar length together, without their padding.

The stages exchange a `Pool`: the states of many sequences, one after another without padding, and the rows of each. So
pairs, fused memories and teachers all pick rows out of one tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.lessons.batches import Ids
from reatt.model.stacks.halves import Head, Padded, alone, by_length, lower_half, pack, pad, upper_half
from reatt.model.t5 import T5, Cache

IGNORE = -100
KEPT_BYTES = 1 << 31  # the most bytes of chunks' states to keep


@dataclass(frozen=True)
class Pool:
    """States of many sequences in one tensor, and which of its rows belong to each."""

    states: Tensor  # (N, D)
    rows: tuple[range, ...]

    def part(self, numbers: slice) -> Pool:
        """Return some of the sequences, with the same states."""
        return Pool(self.states, self.rows[numbers])

    def with_more(self, sequences: Sequence[Tensor]) -> Pool:
        """Append sequences (n, D)."""
        ends = list(accumulate(map(len, sequences), initial=len(self.states)))
        return Pool(torch.cat([self.states, *sequences]), (*self.rows, *map(range, ends, ends[1:])))

    def joined(self) -> Tensor:
        """Concatenate the sequences -> (t, D)."""
        return pick(self.states, self.rows)


def pick(states: Tensor, rows: Sequence[range]) -> Tensor:
    """Concatenate some sequences of `states` (N, D) -> (t, D), in a single gather."""
    return states.index_select(0, torch.cat([torch.arange(row.start, row.stop) for row in rows]).to(states.device))


def apart(t5: T5, layer: int, sequences: Sequence[Ids]) -> Pool:
    """Encode each sequence alone through blocks 0..layer-1."""
    device = t5.shared.weight.device

    def run(numbers: list[int]) -> Padded:
        return lower_half(t5, layer, pad([sequences[n] for n in numbers], device))

    return _in_groups(run, [len(ids) for ids in sequences])


def onward(t5: T5, head: Head, pool: Pool) -> Pool:
    """Encode each sequence of a pool alone through blocks B..R-1."""

    def run(numbers: list[int]) -> Padded:
        return alone(t5, head, pack(pool.states, [pool.rows[n] for n in numbers]))

    return _in_groups(run, [len(row) for row in pool.rows])


class ChunkStates:
    """The states of chunks at block B and at block R, kept while the blocks below do not learn.

    Each chunk is encoded once, as long as there is room. It is encoded in a batch of its own, so that its states do not
    depend on other chunks, not even by rounding.
    """

    def __init__(self, t5: T5, head: Head) -> None:
        self._t5, self._head = t5, head
        self._known: dict[tuple[int, Ids], Tensor] = {}  # by block and chunk
        self._bytes = 0

    def of(self, ids: Ids) -> Tensor:
        """Return the states (n, D) of a chunk at the entry of block B, where reading starts."""
        return self._kept(self._head.layer, ids, lambda: apart(self._t5, self._head.layer, [ids]))

    def alone(self, ids: Ids) -> Tensor:
        """Return its states at the entry of block R, which retrieval projects."""
        row = range(len(ids))
        return self._kept(self._head.depth, ids, lambda: onward(self._t5, self._head, Pool(self.of(ids), (row,))))

    def _kept(self, block: int, ids: Ids, encode: Callable[[], Pool]) -> Tensor:
        if (block, ids) not in self._known:
            with torch.no_grad(), without_dropout(self._t5):
                states = encode().states
            if self._bytes + states.nbytes > KEPT_BYTES:
                return states
            self._bytes += states.nbytes
            self._known[block, ids] = states
        return self._known[block, ids]


def together(t5: T5, layer: int, states: Tensor, pairs: Sequence[Sequence[int]]) -> Pool:
    """Encode pairs, each given as rows of `states` (N, D), through blocks layer..L-1 and the final norm."""

    def run(numbers: list[int]) -> Padded:
        joined = pack(states, [pairs[n] for n in numbers])
        return Padded(upper_half(t5, layer, joined), joined.keep)

    return _in_groups(run, [len(pair) for pair in pairs])


def fuse(memory: Pool, counts: Sequence[int]) -> Padded:
    """Concatenate the first `counts[0]` sequences to the first question's memory, and so on: (B, t, D)."""
    parts, start = [], 0
    for count in counts:
        parts.append([row for place in memory.rows[start : start + count] for row in place])
        start += count
    return pack(memory.states, parts)


def answer_losses(t5: T5, cache: Cache, answers: Sequence[Ids]) -> Tensor:
    """Sum the negative log likelihood of each answer's tokens and end mark, given its own memory -> (B,)."""
    device = t5.shared.weight.device
    padded = pad(answers, device)
    wanted = padded.values.masked_fill(~padded.keep, IGNORE)  # (B, T)
    start = torch.full_like(padded.values[:, :1], t5.config.decoder_start_token_id)
    states = t5.decode(torch.cat((start, padded.values[:, :-1]), 1), cache)  # (B, T, D)
    logits = at_least_float(t5.logits(states))  # (B, T, V)
    each = F.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=IGNORE, reduction="none")  # (B, T)
    return each.sum(1)


def at_least_float(values: Tensor) -> Tensor:
    """Convert half precision to float32, for sums and softmaxes that need it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@contextmanager
def without_dropout(t5: T5) -> Iterator[None]:
    """Compute as in inference: no dropout, no gradients."""
    before = t5.training
    t5.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        t5.train(before)


def _in_groups(run: Callable[[list[int]], Padded], lengths: Sequence[int]) -> Pool:
    states, rows, start = [], {}, 0
    for numbers in by_length(lengths):
        done = run(numbers)
        states.append(done.values[done.keep])  # rows in the order of `numbers`
        for number in numbers:
            rows[number] = range(start, start + lengths[number])
            start += lengths[number]
    return Pool(torch.cat(states), tuple(rows[number] for number in range(len(lengths))))
