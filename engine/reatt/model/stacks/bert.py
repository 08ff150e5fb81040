"""BERT's encoder, block by block (Devlin et al., 2019; equal to transformers' `BertModel`), as an `EncoderStack`.

Norms come after the layers; every map has an offset. Positions, and the kind of text (question or chunk), enter only
with the words. So texts that were encoded alone can simply be put one after the other.

Axes: B batch, n positions, h heads, d head width, D model width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.stacks.t5_layers import plain_attention
from reatt.model.t5 import hide

KEYS = "bert-1"  # in the fingerprint


@dataclass(frozen=True)
class BertConfig:
    """The shape of a BERT's encoder, under the names of its published `config.json`."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    dropout_rate: float = 0.0
    sep_token_id: int = 102  # ends a title and a text; a text with two of them is a chunk


class Embeddings(nn.Module):
    """Adds position and kind to the words of a text, then norms."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.separator = config.sep_token_id
        self.position = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.kind = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, words: Tensor, ids: Tensor) -> Tensor:
        """Turn embedded words (B, n, D) of texts with these ids (B, n), each from position 0, into states."""
        chunk = ((ids == self.separator).sum(1, keepdim=True) > 1).long()  # (B, 1) a title's separator, and the end
        states = words + self.kind(chunk) + self.position.weight[: ids.shape[1]]
        out: Tensor = self.dropout(self.norm(states))
        return out


class BertAttention(nn.Module):
    """Multi-head self-attention with offsets."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.head_count, self.dropout = config.num_attention_heads, config.dropout_rate
        self.q, self.k, self.v, self.o = (nn.Linear(config.hidden_size, config.hidden_size) for _ in "qkvo")

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Attend within `x` (B, n, D); `bias` broadcasts to (B, h, n, n)."""
        queries, keys, values = (self._split(side(x)) for side in (self.q, self.k, self.v))
        mask = None if bias is None else bias.to(queries.dtype)
        dropout = self.dropout if self.training else 0.0
        if torch.is_grad_enabled() and x.device.type == "cpu" and mask is not None and not dropout:
            mixed = plain_attention(queries / math.sqrt(queries.shape[-1]), keys, values, mask)
        else:
            mixed = F.scaled_dot_product_attention(queries, keys, values, mask, dropout)  # (B, h, n, d)
        out: Tensor = self.o(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.head_count, -1).transpose(1, 2)


class BertBlock(nn.Module):
    """Self-attention and feed-forward maps, each added to its input and then normed."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = BertAttention(config)
        self.attention_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.wi = nn.Linear(config.hidden_size, config.intermediate_size)
        self.wo = nn.Linear(config.intermediate_size, config.hidden_size)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Run on states (B, n, D)."""
        x = self.attention_norm(x + self.dropout(self.attention(x, bias)))
        out: Tensor = self.feed_forward_norm(x + self.dropout(self.wo(F.gelu(self.wi(x)))))
        return out


class BertStack(nn.Module):
    """The blocks, and the embeddings before them except those of words."""

    kind = "bert-t5"

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.head_count = config.num_attention_heads
        self.form = (KEYS, config.layer_norm_eps, config.sep_token_id)
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(BertBlock(config) for _ in range(config.num_hidden_layers))

    def enter(self, words: Tensor, ids: Tensor) -> Tensor:
        """Add positions and kind to embedded words (B, n, D) of texts with these ids (B, n)."""
        out: Tensor = self.embeddings(words, ids)
        return out

    def mask(self, keep: Tensor) -> Tensor:
        """Hide only padding: (B, 1, 1, n) for `keep` (B, n)."""
        return hide(keep, self.embeddings.norm.weight.dtype)

    def layers(self, which: slice = slice(None)) -> Sequence[BertBlock]:
        """List the blocks, or some of them, with their type."""
        return [cast(BertBlock, block) for block in self.blocks[which]]

    def finish(self, x: Tensor) -> Tensor:
        """Return the last states (B, n, D) as they are; they are normed."""
        return x

    def reads(self, layer: int, x: Tensor) -> Tensor:
        """Return states (..., D) as they are; they enter a block normed."""
        return x

    def below(self, layer: int) -> Sequence[nn.Module]:
        """List the embeddings and the blocks below `layer`."""
        return [self.embeddings, *self.layers(slice(layer))]

    def paired(self, question: tuple[int, ...]) -> tuple[int, ...]:
        """Return the whole question: it is encoded once, for retrieval and for reading."""
        return question
