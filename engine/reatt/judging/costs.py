"""What a run takes beside learning, from some texts and a few questions: so that `--minutes` holds for all of it."""

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

SOME = 128  # texts that are encoded to see how long all take
FEW = 8  # questions that are asked to see how long all take
LEAST_READ = 50  # held-out questions: fewer tell nothing of reading


@dataclass(frozen=True)
class Costs:
    """Seconds that measuring and encoding take."""

    find: float  # of all held-out questions
    read: float  # of one
    encode: float  # of the corpus anew; 0 where its keys stay

    def readable(self, seconds: float) -> int:
        """Say how many questions can be read twice in so many seconds.

        Finding is cheap and asked of all; reading takes some ten times as long, and 300 questions would eat the run.
        """
        return max(LEAST_READ, int(seconds / (2 * self.read)))

    def total(self, read: int) -> float:
        """Add up: measuring before and after, `read` questions of it read, and encoding."""
        return 2 * (self.find + read * self.read) + self.encode


def estimate(model: ReAtt, corpus: Corpus, search: CorpusSearch, held: Sequence[Example], encodes: bool) -> Costs:
    """Ask a few of the held-out questions, and encode some of the corpus if it `encodes` all."""
    some = held[:: max(1, len(held) // FEW)]
    measure(model, corpus, search, some[:1], read=1)  # opens what is slow the first time
    find = _seconds(model, corpus, search, some, 0)
    read = _seconds(model, corpus, search, some, len(some)) - find
    encode = _encoding(model, corpus) if encodes else 0.0
    return Costs(find * len(held) / len(some), max(read / len(some), 1e-6), encode)


def _seconds(model: ReAtt, corpus: Corpus, search: CorpusSearch, some: Sequence[Example], read: int) -> float:
    started = time.monotonic()
    measure(model, corpus, search, some, read)
    return time.monotonic() - started


def _encoding(model: ReAtt, corpus: Corpus) -> float:
    """Estimate how long encoding the corpus anew takes, from a few of its texts."""
    some = corpus.passages[:: max(1, len(corpus.passages) // SOME)][:SOME]
    started = time.monotonic()
    for at in range(0, len(some), ENCODE_CHUNKS):
        model.encode_chunks(some[at : at + ENCODE_CHUNKS])
    return (time.monotonic() - started) / len(some) * len(corpus.passages)
