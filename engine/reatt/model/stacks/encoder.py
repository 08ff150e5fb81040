"""The interface of a model's encoder: T5's own (`t5.Stack`) or BERT's (`bert.BertStack`).

Positions enter with the words (BERT) or as a bias on every attention (T5). In both, two texts that are encoded alone
and then put one after the other give exactly what a joint encoding under a block mask would give.

Axes: B batch, n positions, h heads, D model width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor, nn


class HeadMaps(Protocol):
    """The maps of a block's attention that retrieval uses."""

    @property
    def q(self) -> nn.Linear:
        """States to the queries of all heads."""

    @property
    def k(self) -> nn.Linear:
        """States to the keys of all heads."""


class EncoderBlock(Protocol):
    """One layer."""

    @property
    def attention(self) -> HeadMaps:
        """Its self-attention."""

    def __call__(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Run on states (B, n, D)."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """List its weights."""


class EncoderStack(Protocol):
    """The blocks of an encoder, and what comes before and after them."""

    @property
    def kind(self) -> str:
        """The `model_type` of its model folders."""

    @property
    def head_count(self) -> int:
        """The number of heads in a block."""

    @property
    def form(self) -> tuple[object, ...]:
        """Everything except weights that its states depend on."""

    def enter(self, words: Tensor, ids: Tensor) -> Tensor:
        """Turn embedded words (B, n, D) and their ids (B, n) into the states that enter block 0."""

    def mask(self, keep: Tensor) -> Tensor:
        """Return what is added to attention logits; broadcasts to (B, h, n, n). `keep` (B, n) is False on padding."""

    def layers(self, which: slice = slice(None)) -> Sequence[EncoderBlock]:
        """List the blocks, or some of them."""

    def finish(self, x: Tensor) -> Tensor:
        """Turn the last block's states (B, n, D) into the memory that a decoder reads."""

    def reads(self, layer: int, x: Tensor) -> Tensor:
        """Turn states (..., D) at the entry of a block, or above the last, into what the heads there see."""

    def below(self, layer: int) -> Sequence[nn.Module]:
        """List what `reads` depends on, beside the embedded words: the blocks below and what they share."""

    def paired(self, question: tuple[int, ...]) -> tuple[int, ...]:
        """Return the ids of a question that stand before a chunk when both are read jointly."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """List all weights."""
