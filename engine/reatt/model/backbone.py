"""The interface of a retrieval method: queries, keys and answers have the same shape for all methods.

Every method scores a chunk as `sum_i w_i * max_j <q_i, k_j>`: a weighted MaxSim (ReAtt section 2.2, equation 1). The
last entries of a key may be scales. A query is 0 there, and names the scale that its products are multiplied by.
Methods differ in data; no other file tests which method it is.

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

    from reatt.model.confidence import Calibration, Signs

PLAIN, KEEPING = "reatt", "reatt-states"  # the two names of the method ReAtt: without and with stored states
Span = tuple[int, int]  # [start, end) in characters
Weights = tuple[tuple[Span, float], ...]  # parts of a text, and how much of the answer's probability each holds
DecoderHead = tuple[int, int]  # layer and head of the decoder, both from 0


@dataclass(frozen=True)
class ChunkText:
    """The title and text of a chunk, as the encoder reads them; and the chunk's states, if the store keeps them."""

    title: str
    text: str
    memory: Tensor | None = field(default=None, compare=False, repr=False)  # (t, D) float32 states


@dataclass(frozen=True)
class Queries:
    """A question as weighted query vectors."""

    vectors: Tensor  # (m, d) float32
    weights: Tensor  # (m,) float32; the score is the weighted sum of maxima
    spans: tuple[Span, ...]  # (m) the part of the question each vector comes from; (0, 0) for prefix and end marks
    heads: tuple[DecoderHead, ...] = ()  # (m) the decoder head of each vector; () if they come from question tokens
    scaled_by: Tensor | None = None  # (m,) the entry of a key that scales this vector's products; None: no scales

    @classmethod
    def mean(cls, vectors: Tensor, spans: tuple[Span, ...] = ()) -> Queries:
        """Make queries of vectors (m, d) with equal weights, as in equation 1."""
        return cls(vectors, vectors.new_full((len(vectors),), 1 / len(vectors)), spans)

    @property
    def runs(self) -> tuple[int, ...]:
        """The number of consecutive vectors that share a head, its weight and its scale; () if tokens ask."""
        return tuple(len(list(each)) for _, each in groupby(self.heads))


@dataclass(frozen=True)
class ChunkCode:
    """A chunk as key vectors."""

    keys: Tensor  # (n, d) float32
    memory: Tensor | None = None  # (t, D) float32 states that reading can start from


@dataclass(frozen=True)
class Limits:
    """The longest answer, the number of beams, and whether words outside the evidence are allowed."""

    max_tokens: int = 32
    beams: int = 1
    free: bool = False


@dataclass(frozen=True)
class Stretch:
    """A stretch of the evidence that may be an answer."""

    source: int  # the number of the evidence
    span: Span  # characters in its text
    log_probability: float


@dataclass(frozen=True)
class Answer:
    """The model's answer to a question, and which evidence it attended to."""

    text: str
    log_probability: float  # mean over the answer's tokens
    confidence: float  # in [0, 1], calibrated
    threshold: float  # the confidence below which the model should not answer
    source: int | None  # the number of the evidence that the answer was cut from; None for free or yes/no answers
    span: Span | None  # characters in that evidence's text
    shares: tuple[float, ...]  # (C) target attention per evidence, sums to 1
    read: int  # how many pieces of evidence were read, the best first; the others have no share
    agreement: float  # KL(target attention || retrieval attention) over the evidence, in nats
    signs: Signs  # what the confidence was computed from
    calibration: Calibration | None = None  # how it was computed from them
    stretches: tuple[Stretch, ...] = ()  # that may be the answer, the best first
    weights: tuple[Weights, ...] = ()  # of each evidence that was read


@dataclass(frozen=True)
class Round:
    """One way to make queries. A later round sees the chunks that the round before found, and may keep some of them."""

    ask: Callable[[str, Sequence[ChunkText]], Queries]  # from the question and the best `feed` of the round before
    feed: int = 0
    carry: int = 0  # how many chunks of the round before are placed after the first `after` of this round
    after: int = 0


class Encoder(Protocol):
    """The part of a model that turns chunks into keys."""

    @property
    def method(self) -> str:
        """A name in `models.METHODS`."""

    @property
    def max_chunk_tokens(self) -> int:
        """The longest chunk in tokens, including its title and end mark."""

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text without prefix and end marks."""

    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode each chunk alone into the keys that the store keeps."""

    def fingerprint(self) -> str:
        """Hash everything that stored keys depend on; equal fingerprints mean equal keys."""


class Reader(Protocol):
    """The part of a model that asks, and reads chunks jointly to answer."""

    def fingerprint(self) -> str:
        """Hash everything that stored keys depend on; equal fingerprints mean equal keys."""

    @property
    def method(self) -> str:
        """A name in `models.METHODS`."""

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of a search, in order; the first one needs only the question."""

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Return the part of `passage.text` that each key comes from; (0, 0) for title, prefix and end marks."""

    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Read the evidence jointly and answer; `scores` are the evidence's retrieval scores."""


class Backbone(Encoder, Reader, Protocol):
    """A whole model: it encodes chunks and questions alone, and reads chunks jointly to answer."""

    key_width: int  # d
