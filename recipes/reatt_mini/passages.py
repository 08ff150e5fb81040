"""What a question is read with: its own chunk, near ones that do not answer it, and how much of each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from recipes.reatt_mini.batches import Batch, holds
from recipes.reatt_mini.data import Ids

NEAREST = 8  # of the chunks that retrieval prefers, those among which near ones are sought
UNCUT = 128  # tokens of a chunk that is always read whole
WHOLE = 0.5  # share of the longer ones that are read whole, too
NARROW, WIDE = 72, 112  # tokens of a window's text


@dataclass(frozen=True)
class Reading:
    """How questions are read."""

    near: float  # share of them that are read with near chunks
    others: int = 1  # near chunks of such a question, at most
    without: float = 0.0  # share of those whose own chunk is left out: nothing there answers them
    told: bool = False  # whether questions that yes or no answers are read, too


@dataclass(frozen=True)
class Passage:
    """What is read of a chunk: its number in the batch, the tokens kept, and where among those the answer stands."""

    chunk: int
    kept: Ids
    spans: tuple[tuple[int, int], ...] = ()


def evidence(
    batch: Batch, preferred: Sequence[Sequence[int]], reading: Reading, dice: random.Random
) -> dict[int, list[Passage]]:
    """Say for each question that is to be read with what; `preferred` are the chunks by its retrieval scores."""
    found = {}
    for row, asked in enumerate(batch.questions):
        if not asked.spans and not (asked.said and reading.told):
            continue
        near = near_chunks(batch, row, preferred[row], reading.others) if dice.random() < reading.near else []
        own = [] if near and dice.random() < reading.without else [asked.own]
        read = [asked.own, *asked.others] if asked.others else [*own, *near]
        found[row] = [passage(batch, row, chunk, dice) for chunk in read]
    return found


def near_chunks(batch: Batch, row: int, preferred: Sequence[int], most: int) -> list[int]:
    """Take the chunks that retrieval prefers, without those that answer the question or hold an answer's words."""
    asked = batch.questions[row]
    wrong = (
        chunk
        for chunk in preferred[:NEAREST]
        if batch.numbers[chunk] not in asked.positives and not holds(batch.chunks[chunk].ids, asked.answers)
    )
    return [chunk for chunk, _ in zip(wrong, range(most), strict=False)]


def passage(batch: Batch, row: int, number: int, dice: random.Random) -> Passage:
    """Take a chunk, or a window of it, which holds one of its answers."""
    chunk, asked = batch.chunks[number], batch.questions[row]
    spans = asked.spans if number == asked.own else ()
    kept = window(len(chunk.ids), chunk.head, dice.choice(spans) if spans else None, dice)
    place = {token: i for i, token in enumerate(kept)}
    inside = [(place[s], place[e]) for s, e in spans if s in place and e in place]
    return Passage(number, kept, tuple(inside))


def window(length: int, head: int, span: tuple[int, int] | None, dice: random.Random) -> Ids:
    """Keep all of a chunk, or its head, its end mark and a stretch around a span, or anywhere."""
    if length <= UNCUT or dice.random() < WHOLE:
        return tuple(range(length))
    first, last = span or (dice.randrange(head, length - 1),) * 2
    width = max(dice.randint(NARROW, WIDE), last - first + 1)
    latest = max(head, min(first, length - 1 - width))
    begin = min(first, dice.randint(min(latest, max(head, last + 1 - width)), latest))
    return (*range(head), *range(begin, min(begin + width, length - 1)), length - 1)
