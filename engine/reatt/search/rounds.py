"""Search in rounds: each is a weighted MaxSim over all keys; a later one sees what the one before has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reatt.model.backbone import DecoderHead, Queries, Round, Span


@dataclass(frozen=True)
class Heard:
    """The queries of the last round, and what the round before has found, best first."""

    queries: Queries
    round: Round
    before: tuple[int, ...] = ()  # chunk ids


@dataclass(frozen=True)
class TokenPair:
    """One term of an attention score: a question token or a head, and the best matching part of the chunk."""

    question_span: Span
    chunk_span: Span
    weight: float
    head: DecoderHead | None = None  # the decoder head, if the decoder asks


def carried(found: Sequence[int], before: Sequence[int], round: Round) -> list[int]:
    """Insert the best chunks of the round before after the first ones of this round, unless they are among those.

    >>> carried([1, 2, 3, 4], [2, 9, 4], Round(lambda question, found: None, carry=1, after=2))
    [1, 2, 9, 3, 4]
    """
    first = list(found[: round.after])
    first += [chunk for chunk in before if chunk not in first][: round.carry]
    return [*first, *(chunk for chunk in found if chunk not in first)]


def by_head(pairs: Sequence[TokenPair], heads: Sequence[DecoderHead]) -> list[TokenPair]:
    """Sum the weights of a head's queries for each part of a chunk: hundreds of terms are too many to read."""
    sums: dict[tuple[DecoderHead, Span, Span], float] = {}
    for pair, head in zip(pairs, heads, strict=True):
        key = head, pair.question_span, pair.chunk_span
        sums[key] = sums.get(key, 0.0) + pair.weight
    return [TokenPair(asked, span, weight, head) for (head, asked, span), weight in sums.items()]
