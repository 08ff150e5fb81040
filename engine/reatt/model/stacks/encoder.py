"""What a model asks of its encoder, whichever it is: T5's own (`t5.Stack`) or BERT's (`bert.BertStack`).

Positions may enter with the words (BERT) or as a bias on every attention (T5); a pair of texts, each encoded apart and
put one after the other, is in both exactly what a joint encoding under a block mask gives.

Axes: B batch, n positions, h heads, D model width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor, nn


class HeadMaps(Protocol):
    """The maps of a block's attention that a head can retrieve by."""

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
        """The `model_type` of folders that hold it."""

    @property
    def head_count(self) -> int:
        """Say how many heads a block has."""

    @property
    def form(self) -> tuple[object, ...]:
        """What its states depend on beside weights."""

    def enter(self, words: Tensor, ids: Tensor) -> Tensor:
        """Make the states that enter block 0 of embedded words (B, n, D) and their ids (B, n)."""

    def mask(self, keep: Tensor) -> Tensor:
        """Say what is added to attention's logits where `keep` (B, n) are no padding: broadcasts to (B, h, n, n)."""

    def layers(self, which: slice = slice(None)) -> Sequence[EncoderBlock]:
        """Name the blocks, or some of them."""

    def finish(self, x: Tensor) -> Tensor:
        """Turn the last block's states (B, n, D) into the memory that a decoder reads."""

    def reads(self, layer: int, x: Tensor) -> Tensor:
        """Give what the heads of a block see of the states (..., D) that enter it, or above the last."""

    def below(self, layer: int) -> Sequence[nn.Module]:
        """Name what `reads` depends on, beside the embedded words: the blocks below and what they share."""

    def paired(self, question: tuple[int, ...]) -> tuple[int, ...]:
        """Say which ids of a question stand before a chunk where both are read jointly."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """List all weights."""
