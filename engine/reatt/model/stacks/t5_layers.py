"""The layers of a T5: root-mean-square norms, attention without 1/sqrt(d), feed-forward maps, and their blocks.

Axes: B batch, m query positions, n key positions, h heads, d head width, D model width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Shape(Protocol):
    """The part of a model's shape that the layers need."""

    @property
    def d_model(self) -> int: ...  # noqa: D102
    @property
    def d_kv(self) -> int: ...  # noqa: D102
    @property
    def d_ff(self) -> int: ...  # noqa: D102
    @property
    def num_heads(self) -> int: ...  # noqa: D102
    @property
    def layer_norm_epsilon(self) -> float: ...  # noqa: D102
    @property
    def dropout_rate(self) -> float: ...  # noqa: D102
    @property
    def gated(self) -> bool: ...  # noqa: D102
    @property
    def activation(self) -> Callable[[Tensor], Tensor]: ...  # noqa: D102


class Norm(nn.Module):
    """Root-mean-square norm with a learnt scale, computed in float32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Scale each vector of `x` (..., D) to unit mean square."""
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.epsilon).to(x.dtype)


class Attention(nn.Module):
    """Multi-head attention without 1/sqrt(d)."""

    def __init__(self, config: Shape) -> None:
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.head_count, self.dropout = config.num_heads, config.dropout_rate
        self.q = nn.Linear(config.d_model, inner, bias=False)
        self.k = nn.Linear(config.d_model, inner, bias=False)
        self.v = nn.Linear(config.d_model, inner, bias=False)
        self.o = nn.Linear(inner, config.d_model, bias=False)

    def split(self, x: Tensor) -> Tensor:
        """(B, n, h*d) -> (B, h, n, d)."""
        return x.view(*x.shape[:-1], self.head_count, -1).transpose(1, 2)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Project a memory (B, n, D) to keys and values, (B, h, n, d) each."""
        return self.split(self.k(memory)), self.split(self.v(memory))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        """Attend from `x` (B, m, D) to keys and values (B, h, n, d); `bias` broadcasts to (B, h, m, n)."""
        queries = self.split(self.q(x))
        mask = None if bias is None else bias.to(queries.dtype)
        dropout = self.dropout if self.training else 0.0
        if torch.is_grad_enabled() and x.device.type == "cpu" and mask is not None and not dropout:
            mixed = plain_attention(queries, keys, values, mask)
        else:
            mixed = F.scaled_dot_product_attention(queries, keys, values, mask, dropout, scale=1.0)  # (B, h, m, d)
        out: Tensor = self.o(mixed.transpose(1, 2).flatten(2))
        return out


def plain_attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attend without 1/sqrt(d) by three batched products, for training on a CPU.

    The fused kernel recomputes its weights in the backward pass, which takes four times as long at our lengths.
    """
    batch, heads, m, n = *queries.shape[:3], keys.shape[2]
    added = mask.expand(batch, heads, m, n).reshape(-1, m, n)
    scores = torch.baddbmm(added, queries.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))  # (B*h, m, n)
    return (scores.softmax(-1) @ values.flatten(0, 1)).view(batch, heads, m, -1)


class FeedForward(nn.Module):
    """Two or three projections around a nonlinearity."""

    def __init__(self, config: Shape) -> None:
        super().__init__()
        self.activation, self.dropout = config.activation, nn.Dropout(config.dropout_rate)
        self.wi = nn.ModuleList(nn.Linear(config.d_model, config.d_ff, bias=False) for _ in range(1 + config.gated))
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map each vector of `x` (..., D)."""
        inner = self.activation(self.wi[0](x))
        if len(self.wi) == 2:
            inner = inner * self.wi[1](x)
        out: Tensor = self.wo(self.dropout(inner))
        return out


class Block(nn.Module):
    """Self-attention, cross-attention in a decoder, feed-forward; each runs on its normed input and is added to it."""

    def __init__(self, config: Shape, *, decoder: bool) -> None:
        super().__init__()
        norms = [Norm(config.d_model, config.layer_norm_epsilon) for _ in range(2 + decoder)]
        self.attention_norm, self.attention = norms[0], Attention(config)
        if decoder:
            self.cross_norm, self.cross = norms[1], Attention(config)
        self.feed_forward_norm, self.feed_forward = norms[-1], FeedForward(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Run an encoder's block on states (B, n, D)."""
        return self.think(self.attend(x, bias))

    def attend(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Add self-attention over `x` (B, n, D)."""
        normed = self.attention_norm(x)
        mixed: Tensor = self.dropout(self.attention(normed, *self.attention.keys_values(normed), bias))
        return x + mixed

    def read(self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        """Add cross-attention from `x` (B, m, D) to a memory's keys and values."""
        mixed: Tensor = self.dropout(self.cross(self.cross_norm(x), keys, values, bias))
        return x + mixed

    def think(self, x: Tensor) -> Tensor:
        """Add the feed-forward layer."""
        mapped: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return x + mapped
