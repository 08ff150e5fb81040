"""The batch of one training step: questions, their answers, and one pool of chunks that all questions share.

The examples of a step, and the answer sampled for each, depend only on the seed and the number of the step.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reatt.lessons import cloze
from reatt.lessons.corpus import Corpus
from reatt.model.tokens import TextTokenizer

if TYPE_CHECKING:
    from reatt.lessons.examples import Example

Ids = tuple[int, ...]
Near = Callable[[str, int, int], Mapping[int, float]]  # (question, source, k) -> scores of chunks, the source first
ANSWER_TOKENS = 64  # longer ones are cut
WINDOW = 16  # batches whose examples are sorted by length together


@dataclass(frozen=True)
class Cloze:
    """A question made from a chunk (`cloze`), and its target chunks."""

    ids: Ids  # with end mark
    close: tuple[int, ...]  # numbers in the pool, the source first
    shares: tuple[float, ...]  # the share of each


@dataclass(frozen=True)
class TrainingBatch:
    """Token ids of a step; row i of everything but the pool belongs to question i."""

    questions: tuple[Ids, ...]  # with end mark
    answers: tuple[Ids, ...]  # one sampled answer each, with end mark
    chunks: tuple[Ids, ...]  # the pool: every close chunk of any question, once
    close: tuple[
        tuple[int, ...], ...
    ]  # per question: numbers in `chunks`, best first; all other chunks are random for it
    cloze: tuple[Cloze, ...] = ()  # further questions, for retrieval only


class ChunkIds:
    """The chunks of a corpus as token ids, encoded on first use and kept: four bytes per token."""

    def __init__(self, corpus: Corpus, tokenizer: TextTokenizer) -> None:
        self._corpus, self._tokenizer = corpus, tokenizer
        self._known: dict[int, NDArray[np.int32]] = {}

    def of(self, chunks: Sequence[int]) -> list[Ids]:
        """Return the token ids of some chunks, by store id."""
        unknown = list({chunk for chunk in chunks if chunk not in self._known})
        encoded = self._tokenizer.chunks([self._corpus.passages[self._corpus.number[chunk]] for chunk in unknown])
        self._known |= {chunk: np.array(tokens.ids, np.int32) for chunk, tokens in zip(unknown, encoded, strict=True)}
        return [tuple(self._known[chunk].tolist()) for chunk in chunks]

    def characters(self, chunk: int) -> int:
        """Return the length of a chunk's text."""
        return len(self._corpus.passages[self._corpus.number[chunk]].text)


@dataclass(frozen=True)
class Lessons:
    """The material of one round: examples with their close chunks, best first."""

    examples: Sequence[Example]
    close: Sequence[Sequence[int]]  # store chunk ids, at least one for each example
    chunks: ChunkIds
    tokenizer: TextTokenizer
    size: int  # questions of a step
    seed: int
    masked: Mapping[int, Sequence[Example]] = field(default_factory=dict)  # by chunk: the sentences for cloze questions
    near: Near | None = None  # finds targets of a cloze question; None: only its source chunk
    widens: bool = False  # whether chunks that only cloze questions need are added to the pool

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> TrainingBatch:
        """Make the batch of a step; each of several processes gets every `ranks`-th question."""
        chosen = order(self.lengths, self.size, self.seed, step)
        draw = random.Random(f"{self.seed} answers {step}")  # noqa: S311
        drawn = [(number, draw.choice(self.examples[number].answers)) for number in chosen]
        own = drawn[rank::ranks]
        batch = gather(
            [self.tokenizer.masked(self.examples[number].question).ids for number, _ in own],
            [short(self.tokenizer.answer(answer)) for _, answer in own],
            [self.chunks.of(self.close[number]) for number, _ in own],
        )
        return self._with_cloze(batch, [self.close[number] for number, _ in own], step, rank)

    def _with_cloze(self, batch: TrainingBatch, close: Sequence[Sequence[int]], step: int, rank: int) -> TrainingBatch:
        """Make cloze questions for each close chunk from its own sentences."""
        draw = random.Random(f"{self.seed} cloze {step} {rank}")  # noqa: S311
        pool = {ids: number for number, ids in enumerate(batch.chunks)}
        asked: list[Cloze] = []
        for chunk in dict.fromkeys(chunk for own in close for chunk in own if chunk in self.masked):
            sentences = self.masked[chunk]
            for example in draw.sample(sentences, min(cloze.OF_A_CHUNK, len(sentences))):
                asked.append(self._cloze(cloze.question(example, draw), chunk, pool))
        return replace(batch, chunks=tuple(pool), cloze=tuple(asked))

    def _cloze(self, question: str, source: int, pool: dict[Ids, int]) -> Cloze:
        """Return the targets of a cloze question; add them to the pool if needed and allowed."""
        near = self.near(question, source, cloze.NEAR) if self.near else {source: 1.0}
        known = zip(self.chunks.of(list(near)), near.values(), strict=True)
        found = [(ids, score) for ids, score in known if self.widens or ids in pool]
        numbers = [pool.setdefault(ids, len(pool)) for ids, _ in found]
        worth = cloze.shares([score for _, score in found])
        return Cloze(self.tokenizer.masked((question,)).ids, tuple(numbers), tuple(worth))

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Return the amount to read for each example, in characters."""
        return tuple(sum(map(self.chunks.characters, close)) for close in self.close)


def short(answer: Ids) -> Ids:
    """Cut an answer that is too long; keep its end mark."""
    return (*answer[:-1][: ANSWER_TOKENS - 1], answer[-1])


def gather(questions: Sequence[Ids], answers: Sequence[Ids], close: Sequence[Sequence[Ids]]) -> TrainingBatch:
    """Put the close chunks of all questions into one pool, each once, so that none counts twice as a negative.

    >>> gather([(5, 1)], [(6, 1)], [[(7, 1), (8, 1), (7, 1)]]).close
    ((0, 1),)
    """
    pool: dict[Ids, int] = {}
    numbers = [tuple(dict.fromkeys(pool.setdefault(ids, len(pool)) for ids in chunks)) for chunks in close]
    return TrainingBatch(tuple(questions), tuple(answers), tuple(pool), tuple(numbers))


def order(lengths: tuple[int, ...], size: int, seed: int, step: int) -> tuple[int, ...]:
    """Return the examples of a step: epochs are shuffled, batches have similar lengths, leftovers wait an epoch."""
    size = min(size, len(lengths))
    epoch, number = divmod(step, len(lengths) // size)
    return _epoch(lengths, size, seed, epoch)[number]


@lru_cache(maxsize=1)
def _epoch(lengths: tuple[int, ...], size: int, seed: int, epoch: int) -> list[tuple[int, ...]]:
    draw = random.Random(f"{seed} order {epoch}")  # noqa: S311
    shuffled = draw.sample(range(len(lengths)), len(lengths))
    batches = []
    for at in range(0, len(shuffled), WINDOW * size):
        window = sorted(shuffled[at : at + WINDOW * size], key=lengths.__getitem__)
        batches += [tuple(window[i : i + size]) for i in range(0, len(window) - size + 1, size)]
    return draw.sample(batches, len(batches))
