"""Which chunks a question is read with beside its own, and how much of each: close ones, so that reading compares.

They are those of the batch that share most rare words with the question: what BM25 would bring. Of long paragraphs a
window of joint length is read, with the beginning that holds the title: five windows cost what three paragraphs would.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.reatt_mini.data import Ids

HEADER = 12  # tokens of a chunk's beginning that a window keeps: prefix and title
SATURATION, LENGTH = 0.9, 0.4  # BM25's k1 and b


@dataclass(frozen=True)
class Close:
    """For a share of the questions: how many chunks are read, and how wide a window of each."""

    share: float
    chunks: int
    narrow: int | None = None  # tokens; None: the chunks are read whole
    wide: int = 0


@dataclass(frozen=True)
class Passage:
    """What is read of a chunk: its number in the batch, and the positions of the tokens kept, in order."""

    chunk: int
    kept: Ids


def word_scores(questions: Sequence[Ids], chunks: Sequence[Ids], rarity: Tensor) -> Tensor:
    """BM25 of every question (Q) and chunk (C) over token ids -> (Q, C); `rarity` (V,) is each token's IDF."""
    words = torch.tensor(sorted({t for ids in questions for t in ids}))
    counts = torch.stack([_counts(ids, words) for ids in chunks])  # (C, W)
    lengths = torch.tensor([float(len(ids)) for ids in chunks])[:, None]
    room = SATURATION * (1 - LENGTH + LENGTH * lengths / lengths.mean())
    weights = rarity[words] * counts * (SATURATION + 1) / (counts + room)
    asked = torch.stack([_counts(ids, words) for ids in questions])  # (Q, W)
    return asked @ weights.T


def _counts(ids: Ids, words: Tensor) -> Tensor:
    found = torch.tensor(ids)
    at = torch.searchsorted(words, found).clamp(max=len(words) - 1)
    return torch.bincount(at[words[at] == found], minlength=len(words)).float()


def closest(scores: Tensor, own: Sequence[int], counts: Sequence[int]) -> list[list[int]]:
    """For each question its own chunk, then those that score best (Q, C), `counts` (Q) in all."""
    orders = scores.argsort(1, descending=True).tolist()
    return [list(dict.fromkeys([n, *order]))[:count] for n, order, count in zip(own, orders, counts, strict=True)]


def passages(
    numbers: Sequence[int], lengths: Sequence[int], answer: tuple[int, int], close: Close, draw: random.Random
) -> list[Passage]:
    """Say what is read of a question's chunks, its own first, which keeps its answer (first and last token)."""
    if close.narrow is None:
        return [Passage(n, tuple(range(lengths[n]))) for n in numbers]
    width = draw.randint(close.narrow, close.wide)
    spans = [answer, *[None] * (len(numbers) - 1)]
    return [Passage(n, window(lengths[n], width, span, draw)) for n, span in zip(numbers, spans, strict=True)]


def window(length: int, width: int, span: tuple[int, int] | None, draw: random.Random) -> Ids:
    """Keep a chunk's beginning, its end mark and `width` tokens, or more, around a span, or anywhere."""
    first, last = span or (length, 0)
    width = min(max(width, last - first + 1), length - 1)
    begin = draw.randint(max(0, last + 1 - width), min(first, length - 1 - width))
    return tuple(sorted({*range(min(HEADER, length - 1)), *range(begin, begin + width), length - 1}))
