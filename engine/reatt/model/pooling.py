"""Pool the encoder states of a chunk into a few keys, each the mean of a stretch of tokens (INTRA, section 3).

A short chunk has as many keys as tokens. It is never padded with zeros: a zero vector scores 0, which would be the
maximum when all products are negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from reatt.model.backbone import Span


def edges(length: int, parts: int) -> list[int]:
    """Cut a length into at most `parts` stretches whose lengths differ by at most one.

    >>> edges(10, 4), edges(2, 7)
    ([0, 3, 5, 8, 10], [0, 1, 2])
    """
    parts = min(length, parts)
    return [(2 * i * length + parts) // (2 * parts) for i in range(parts + 1)]


def pooled(states: Tensor, parts: int) -> Tensor:
    """Average a chunk's states (t, D), which have no padding, into keys (n, D), n = min(t, parts)."""
    return torch.stack([states[start:end].mean(0) for start, end in pairwise(edges(len(states), parts))])


def pooled_spans(spans: Sequence[Span], parts: int) -> tuple[Span, ...]:
    """Return the part of the text that each key comes from, first token to last; (0, 0) for prefix and end marks.

    >>> pooled_spans([(0, 0), (0, 0), (0, 4), (5, 7)], 2)
    ((0, 0), (0, 7))
    """
    rows = (spans[start:end] for start, end in pairwise(edges(len(spans), parts)))
    inside = [[span for span in row if span[1] > span[0]] for row in rows]
    return tuple((row[0][0], row[-1][1]) if row else (0, 0) for row in inside)
