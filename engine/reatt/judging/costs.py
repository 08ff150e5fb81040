"""Estimates the time of a run outside training, from some texts and questions, so that `--minutes` covers it all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from reatt.judging.measuring import measure
from reatt.lessons.close_chunks import CorpusSearch
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.reatt import ReAtt
from reatt.search.encode import ENCODE_CHUNKS

SOME = 128  # texts that are encoded to estimate the time for all
FEW = 8  # questions that are asked to estimate the time for all
LEAST_READ = 50  # held-out questions; fewer say nothing about reading


@dataclass(frozen=True)
class Costs:
    """Seconds for measuring and encoding."""

    find: float  # for all held-out questions
    read: float  # for one question
    encode: float  # for encoding the corpus again; 0 if its keys stay

    def readable(self, seconds: float) -> int:
        """Return how many questions can be read twice in so many seconds.

        Retrieval is cheap and measured for all. Reading takes about ten times as long.
        """
        return max(LEAST_READ, int(seconds / (2 * self.read)))

    def total(self, read: int) -> float:
        """Return the total: measuring before and after, with `read` questions read, and encoding."""
        return 2 * (self.find + read * self.read) + self.encode


def estimate(model: ReAtt, corpus: Corpus, search: CorpusSearch, held: Sequence[Example], encodes: bool) -> Costs:
    """Time a few held-out questions and, if the run `encodes` the corpus, some texts."""
    some = held[:: max(1, len(held) // FEW)]
    measure(model, corpus, search, some[:1], read=1)  # the first call is slower
    find = _seconds(model, corpus, search, some, 0)
    read = _seconds(model, corpus, search, some, len(some)) - find
    encode = _encoding(model, corpus) if encodes else 0.0
    return Costs(find * len(held) / len(some), max(read / len(some), 1e-6), encode)


def _seconds(model: ReAtt, corpus: Corpus, search: CorpusSearch, some: Sequence[Example], read: int) -> float:
    started = time.monotonic()
    measure(model, corpus, search, some, read)
    return time.monotonic() - started


def _encoding(model: ReAtt, corpus: Corpus) -> float:
    """Estimate the time for encoding the corpus again, from a few of its texts."""
    some = corpus.passages[:: max(1, len(corpus.passages) // SOME)][:SOME]
    started = time.monotonic()
    for at in range(0, len(some), ENCODE_CHUNKS):
        model.encode_chunks(some[at : at + ENCODE_CHUNKS])
    return (time.monotonic() - started) / len(some) * len(corpus.passages)
