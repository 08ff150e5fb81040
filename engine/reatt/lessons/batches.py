"""What one training step sees: questions, their answers, and one pool of chunks that all questions share.

Which examples make a step, and which of its answers each is given, follows from the seed and the step's number alone.
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
Near = Callable[[str, int, int], Mapping[int, float]]  # (question, source, k) -> scores of chunks, of the source first
ANSWER_TOKENS = 64  # what is longer is cut
WINDOW = 16  # batches whose examples are sorted by length before they are cut


@dataclass(frozen=True)
class Cloze:
    """A question made of a chunk (`cloze`), and what is to be found for it."""

    ids: Ids  # with end mark
    close: tuple[int, ...]  # numbers in the pool, of its source first
    shares: tuple[float, ...]  # what each of these is worth


@dataclass(frozen=True)
class TrainingBatch:
    """Token ids of a step; row i of everything but the pool belongs to question i."""

    questions: tuple[Ids, ...]  # with end mark
    answers: tuple[Ids, ...]  # one sampled answer each, with end mark
    chunks: tuple[Ids, ...]  # the pool: every chunk of the batch once (close of anyone)
    close: tuple[tuple[int, ...], ...]  # per question numbers in `chunks`, best first; the rest is random to it
    cloze: tuple[Cloze, ...] = ()  # further questions, which no one reads for


class ChunkIds:
    """A corpus's chunks as token ids, encoded when first asked for and kept: four bytes a token."""

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
        """Return how long a chunk's text is."""
        return len(self._corpus.passages[self._corpus.number[chunk]].text)


@dataclass(frozen=True)
class Lessons:
    """All that is learnt from in one round: examples with their close chunks, best first."""

    examples: Sequence[Example]
    close: Sequence[Sequence[int]]  # store chunk ids, at least one for each example
    chunks: ChunkIds
    tokenizer: TextTokenizer
    size: int  # questions of a step
    seed: int
    masked: Mapping[int, Sequence[Example]] = field(default_factory=dict)  # by chunk: what cloze questions are made of
    near: Near | None = None  # what is close to a cloze question; None: only the chunk that it was made from
    widens: bool = False  # whether chunks join the pool to which only cloze questions are close

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> TrainingBatch:
        """Make the batch of a step; of several processes each has every `ranks`-th of its questions."""
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
        """Ask for each chunk that questions are close to by some of its own sentences."""
        draw = random.Random(f"{self.seed} cloze {step} {rank}")  # noqa: S311
        pool = {ids: number for number, ids in enumerate(batch.chunks)}
        asked: list[Cloze] = []
        for chunk in dict.fromkeys(chunk for own in close for chunk in own if chunk in self.masked):
            sentences = self.masked[chunk]
            for example in draw.sample(sentences, min(cloze.OF_A_CHUNK, len(sentences))):
                asked.append(self._cloze(cloze.question(example, draw), chunk, pool))
        return replace(batch, chunks=tuple(pool), cloze=tuple(asked))

    def _cloze(self, question: str, source: int, pool: dict[Ids, int]) -> Cloze:
        """Say what is to be found for a cloze question, and put it into the pool if need be and may be."""
        near = self.near(question, source, cloze.NEAR) if self.near else {source: 1.0}
        known = zip(self.chunks.of(list(near)), near.values(), strict=True)
        found = [(ids, score) for ids, score in known if self.widens or ids in pool]
        numbers = [pool.setdefault(ids, len(pool)) for ids, _ in found]
        worth = cloze.shares([score for _, score in found])
        return Cloze(self.tokenizer.masked((question,)).ids, tuple(numbers), tuple(worth))

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Say how much there is to read for each example, in characters."""
        return tuple(sum(map(self.chunks.characters, close)) for close in self.close)


def short(answer: Ids) -> Ids:
    """Cut an answer that is longer than a decoder is worth; its end mark stays."""
    return (*answer[:-1][: ANSWER_TOKENS - 1], answer[-1])


def gather(questions: Sequence[Ids], answers: Sequence[Ids], close: Sequence[Sequence[Ids]]) -> TrainingBatch:
    """Put the close chunks of all questions into one pool, equal ones once: a shared chunk is no one's negative twice.

    >>> gather([(5, 1)], [(6, 1)], [[(7, 1), (8, 1), (7, 1)]]).close
    ((0, 1),)
    """
    pool: dict[Ids, int] = {}
    numbers = [tuple(dict.fromkeys(pool.setdefault(ids, len(pool)) for ids in chunks)) for chunks in close]
    return TrainingBatch(tuple(questions), tuple(answers), tuple(pool), tuple(numbers))


def order(lengths: tuple[int, ...], size: int, seed: int, step: int) -> tuple[int, ...]:
    """Name the examples of a step: every epoch shuffles anew, batches hold like lengths, the odd ones wait an epoch."""
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
