"""What a retrieval method gives to the rest: queries, keys, answers. One shape for all methods.

Every method scores a chunk as `sum_i w_i * max_j <q_i, k_j>`: a weighted MaxSim (ReAtt section 2.2, equation 1). A
key may end in scales, where a query is 0 and of which it names the one that its products are multiplied by.
Methods differ in data, never in an `if` outside their own file.

Axes: B batch, C chunks, m query vectors, n key vectors, L layers, h heads, d head width, D model width, t memory
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from reatt.model.confidence import Signs

PLAIN, KEEPING = "reatt", "reatt-states"  # the names of the method ReAtt, without kept states and with them
Span = tuple[int, int]  # [start, end) in characters
DecoderHead = tuple[int, int]  # layer and head of the decoder, both from 0


@dataclass(frozen=True)
class ChunkText:
    """What the encoder reads of one chunk: its title and its text; and what it has made of them, where that is kept."""

    title: str
    text: str
    memory: Tensor | None = field(default=None, compare=False, repr=False)  # (t, D) float32 states


@dataclass(frozen=True)
class Queries:
    """A question as weighted query vectors."""

    vectors: Tensor  # (m, d) float32
    weights: Tensor  # (m,) float32; the score is the weighted sum of maxima
    spans: tuple[Span, ...]  # (m) where in the question each vector comes from; (0, 0) for prefix and end marks
    heads: tuple[DecoderHead, ...] = ()  # (m) which head of the decoder asks; () where the question's tokens do
    scaled_by: Tensor | None = None  # (m,) which entry of a key scales this vector's products with it; None: none does

    @classmethod
    def mean(cls, vectors: Tensor, spans: tuple[Span, ...] = ()) -> Queries:
        """Ask with vectors (m, d) that all weigh alike: equation 1."""
        return cls(vectors, vectors.new_full((len(vectors),), 1 / len(vectors)), spans)

    @property
    def runs(self) -> tuple[int, ...]:
        """How many vectors each head asks with, side by side under one weight and one scale; () where tokens ask."""
        return tuple(len(list(each)) for _, each in groupby(self.heads))


@dataclass(frozen=True)
class ChunkCode:
    """A chunk as key vectors."""

    keys: Tensor  # (n, d) float32
    memory: Tensor | None = None  # (t, D) float32 states that reading can start from


@dataclass(frozen=True)
class Limits:
    """How long to write, how many answers to keep in mind, and whether to leave the evidence's words."""

    max_tokens: int = 32
    beams: int = 1
    free: bool = False


@dataclass(frozen=True)
class Answer:
    """What the model says to a question, and what it looked at while saying it."""

    text: str
    log_probability: float  # mean over the answer's tokens
    confidence: float  # in [0, 1], calibrated
    threshold: float  # confidence below which the model itself would rather not answer
    source: int | None  # which evidence the answer was cut from; None for free or yes/no answers
    span: Span | None  # characters in that evidence's text
    shares: tuple[float, ...]  # (C) target attention per evidence, sums to 1
    read: int  # how many of the evidence, the best first, were read; the others have no share
    agreement: float  # KL(target attention || retrieval attention) over the evidence, in nats
    signs: Signs  # what the confidence was made of


@dataclass(frozen=True)
class Round:
    """One way of asking. A later round sees what the round before has found, and may leave a place to it."""

    ask: Callable[[str, Sequence[ChunkText]], Queries]  # question, and the best `feed` of the round before
    feed: int = 0
    carry: int = 0  # how many of the round before stand behind the first `after` of this one
    after: int = 0


class Encoder(Protocol):
    """What turns chunks into keys."""

    @property
    def method(self) -> str:
        """A name in `models.METHODS`."""

    @property
    def max_chunk_tokens(self) -> int:
        """How long a chunk may be, with its title and end mark."""

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text without prefix and end marks."""

    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode chunks apart into the keys that the store keeps."""

    def fingerprint(self) -> str:
        """Name exactly what the stored keys depend on; equal fingerprints mean equal keys."""


class Backbone(Encoder, Protocol):
    """A model that encodes chunks and questions apart, and answers from chunks jointly."""

    key_width: int  # d

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The ways of asking, in order; the first one needs nothing but the question."""

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Say where in `passage.text` each key comes from; (0, 0) for title, prefix and end marks."""

    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Read the evidence jointly and answer; `scores` are the evidence's retrieval scores."""
