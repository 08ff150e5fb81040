"""Encoding without padding: rows of different lengths lie one after the other, and only attention sees a table.

It gathers rows of like length into a few tables, so that little of them is padding. Everything else, nine tenths of the
work, runs over tokens alone. Equal to the engine's stack, and about twice as fast on a CPU.

Axes: B rows, n positions of the longest, N tokens of all rows, h heads, d head width, D model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.model.reatt import Padded
from reatt.model.stacks.bert import BertAttention, BertBlock, BertStack
from reatt.model.t5 import T5

GROUPS, FEW, SHORT = 4, 6, 64  # fewer rows than FEW, or none longer than SHORT, are one group
HIDDEN = -1e4  # added to the logits of padding


@dataclass(frozen=True)
class Layout:
    """Where rows of these lengths lie among all tokens."""

    lengths: tuple[int, ...]
    device: torch.device

    @cached_property
    def keep(self) -> Tensor:
        """What of a table is no padding: (B, n)."""
        lengths = torch.tensor(self.lengths, device=self.device)
        return torch.arange(max(self.lengths), device=self.device) < lengths[:, None]

    @cached_property
    def hidden(self) -> Tensor:
        """What is added to attention's logits: (B, 1, 1, n)."""
        return torch.zeros(self.keep.shape, device=self.device).masked_fill(~self.keep, HIDDEN)[:, None, None]

    @cached_property
    def full(self) -> bool:
        """Whether a table of the rows has no padding."""
        return len(set(self.lengths)) == 1

    @cached_property
    def starts(self) -> list[int]:
        """The number of each row's first token."""
        starts = [0]
        for length in self.lengths:
            starts.append(starts[-1] + length)
        return starts[:-1]

    @cached_property
    def owner(self) -> Tensor:
        """The row of each token: (N,)."""
        lengths = torch.tensor(self.lengths, device=self.device)
        return torch.arange(len(self.lengths), device=self.device).repeat_interleave(lengths)

    @cached_property
    def places(self) -> Tensor:
        """The number of each token in its row: (N,)."""
        return self.keep.nonzero()[:, 1]

    def table(self, tokens: Tensor) -> Tensor:
        """Lay tokens (N, ...) out as a table (B, n, ...), zero where it is padding."""
        if self.full:
            return tokens.view(*self.keep.shape, *tokens.shape[1:])
        flat = tokens.new_zeros(self.keep.numel(), *tokens.shape[1:]).index_copy(0, self._flat, tokens)
        return flat.view(*self.keep.shape, *tokens.shape[1:])

    def tokens(self, table: Tensor) -> Tensor:
        """Take the tokens (N, ...) out of a table (B, n, ...)."""
        flat = table.flatten(0, 1)
        return flat if self.full else flat.index_select(0, self._flat)

    @cached_property
    def by_length(self) -> Groups:
        """Sort the rows by length, and cut them into groups."""
        order = sorted(range(len(self.lengths)), key=self.lengths.__getitem__)
        count = GROUPS if len(order) >= FEW and max(self.lengths) > SHORT else 1
        cuts = [order[len(order) * g // count : len(order) * (g + 1) // count] for g in range(count)]
        rows = [torch.arange(self.starts[i], self.starts[i] + self.lengths[i]) for i in order]
        index = torch.cat(rows).to(self.device)
        layouts = [Layout(tuple(self.lengths[i] for i in cut), self.device) for cut in cuts]
        return Groups(index, index.argsort(), layouts)

    @cached_property
    def _flat(self) -> Tensor:
        return self.keep.flatten().nonzero()[:, 0]


@dataclass(frozen=True)
class Groups:
    """An order of tokens in which rows of like length are neighbours."""

    order: Tensor  # (N,)
    back: Tensor  # (N,)
    layouts: list[Layout]  # of the groups, one after the other


@dataclass(frozen=True)
class Packed:
    """Rows without padding."""

    values: Tensor  # (N, D)
    layout: Layout

    def padded(self) -> Padded:
        """Lay them out as the engine has them."""
        return Padded(self.layout.table(self.values), self.layout.keep)


def layout_of(rows: Sequence[Sequence[object]], device: torch.device) -> Layout:
    """Describe lists."""
    return Layout(tuple(map(len, rows)), device)


def embed(t5: T5, stack: BertStack, rows: Sequence[Sequence[int]], kind: int) -> Packed:
    """Embed texts of one kind, question (0) or chunk (1), each from position 0."""
    layout = layout_of(rows, t5.shared.weight.device)
    ids = torch.tensor([id for row in rows for id in row], device=layout.device)
    embeddings = stack.embeddings
    states = t5.shared(ids) + embeddings.position(layout.places) + embeddings.kind.weight[kind]
    return Packed(embeddings.norm(states), layout)


def encode(blocks: Sequence[BertBlock], packed: Packed) -> Packed:
    """Run blocks over rows of states."""
    groups = packed.layout.by_length
    x = packed.values.index_select(0, groups.order)
    for block in blocks:
        x = block.attention_norm(x + _attend(block.attention, x, groups.layouts))
        x = block.feed_forward_norm(x + block.wo(F.gelu(block.wi(x))))
    return Packed(x.index_select(0, groups.back), packed.layout)


def _attend(attention: BertAttention, x: Tensor, layouts: Sequence[Layout]) -> Tensor:
    weight = torch.cat((attention.q.weight, attention.k.weight, attention.v.weight))
    bias = torch.cat((attention.q.bias, attention.k.bias, attention.v.bias))
    sizes = [sum(layout.lengths) for layout in layouts]
    projected = torch.split(F.linear(x, weight, bias), sizes)
    mixed = [_mix(each, layout, attention.head_count) for each, layout in zip(projected, layouts, strict=True)]
    out: Tensor = attention.o(torch.cat(mixed))
    return out


def _mix(projected: Tensor, layout: Layout, heads: int) -> Tensor:
    """Let rows of like length attend: queries, keys and values (N, 3*D) side by side -> (N, D)."""
    batch, n = layout.keep.shape
    table = layout.table(projected).view(batch, n, 3, heads, -1).permute(2, 0, 3, 1, 4)  # (3, B, h, n, d)
    queries, keys, values = table.reshape(3, batch * heads, n, -1).unbind(0)
    with torch.autocast(layout.device.type, enabled=False):
        # Not fused: a fused kernel on a CPU keeps no weights and computes them again backward.
        logits = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(1, 2)  # (B*h, n, n)
        if not layout.full:
            logits = (logits.view(batch, heads, n, n) + layout.hidden.to(logits.dtype)).flatten(0, 1)
        mixed = logits.softmax(-1) @ values
    return layout.tokens(mixed.view(batch, heads, n, -1).transpose(1, 2).flatten(2))


def joined(parts: Sequence[Packed], rows: Sequence[Sequence[int]]) -> Packed:
    """Put together rows of states by their numbers among the tokens of all parts."""
    layout = layout_of(rows, parts[0].layout.device)
    index = torch.tensor([place for row in rows for place in row], device=layout.device)
    return Packed(torch.cat([part.values for part in parts]).index_select(0, index), layout)
