"""Asking in rounds: each a weighted MaxSim over the keys of all chunks, a later one with what the one before found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reatt.model.backbone import DecoderHead, Queries, Round, Span


@dataclass(frozen=True)
class Heard:
    """What the last round asks, and what the round before had found, best first."""

    queries: Queries
    round: Round
    before: tuple[int, ...] = ()  # chunk ids


@dataclass(frozen=True)
class TokenPair:
    """One term of an attention score: a question token or a head, and the part of the chunk that answers to it best."""

    question_span: Span
    chunk_span: Span
    weight: float
    head: DecoderHead | None = None  # of the decoder, where it asks after reading the whole question


def carried(found: Sequence[int], before: Sequence[int], round: Round) -> list[int]:
    """Let the best of the round before that are not among the first of this one stand right behind those.

    >>> carried([1, 2, 3, 4], [2, 9, 4], Round(lambda question, found: None, carry=1, after=2))
    [1, 2, 9, 3, 4]
    """
    first = list(found[: round.after])
    first += [chunk for chunk in before if chunk not in first][: round.carry]
    return [*first, *(chunk for chunk in found if chunk not in first)]


def by_head(pairs: Sequence[TokenPair], heads: Sequence[DecoderHead]) -> list[TokenPair]:
    """Add up what a head's queries give to one part of a chunk: a score has hundreds of terms, a person reads ten."""
    sums: dict[tuple[DecoderHead, Span, Span], float] = {}
    for pair, head in zip(pairs, heads, strict=True):
        key = head, pair.question_span, pair.chunk_span
        sums[key] = sums.get(key, 0.0) + pair.weight
    return [TokenPair(asked, span, weight, head) for (head, asked, span), weight in sums.items()]
