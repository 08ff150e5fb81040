"""How well documents are found, on all judged questions of a set: words, bm25s, MiniLM, and a model's attention.

One pass a question gives a model's `words`, `attention` and `hybrid`: the product's own candidates, 100 of each side,
their scores and their fusion. Equal to `reatt eval` but for what lies deeper than a hundred chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from bench.kit.kept import Kept, Record
from bench.parts.minilm import Known, MiniLM
from bench.parts.scorer import TOGETHER, Keys, best, scores
from bench.quality.mini_sets import Bm25s, Judged, library_of
from reatt.judging import metrics
from reatt.lessons.judged import Question
from reatt.search.retriever import CANDIDATES, Retriever, fuse

DEEP = 10  # documents
MEASURES: dict[str, Callable[[Sequence[str], Mapping[str, int]], float]] = {
    "ndcg@10": lambda ranking, judged: metrics.ndcg(ranking, judged, DEEP),
    "hit@1": lambda ranking, judged: metrics.hit(ranking, judged, 1),
    "hit@5": lambda ranking, judged: metrics.hit(ranking, judged, 5),
}
BM25S, WHOLE, TOKENS = "bm25s", "MiniLM", "MiniLM tokens"
OWN = ("words", "attention", "hybrid")
Rankings = Mapping[str, Sequence[str]]  # way -> documents, best first


class Finder(Protocol):
    """What ranks documents for questions, in one way or several."""

    def __call__(self, questions: Sequence[Question]) -> Iterable[Rankings]:
        """Rank for each question."""


def find(kept: Kept, judged: Judged, finder: Finder, tell: Callable[[str], None]) -> dict[str, dict[str, list[float]]]:
    """Ask what is not known yet: way -> measure -> value of each question, in their order."""

    def make(questions: Sequence[Question]) -> Iterable[Record]:
        for question, rankings in zip(questions, finder(questions), strict=True):
            yield {way: judge(ranking, judged.relevant[question.id]) for way, ranking in rankings.items()}

    known = kept.fill({each.id: each for each in judged.asked}, make, tell, TOGETHER)
    ways = [way for way in next(iter(known.values())) if way != "id"]
    return {way: {name: [known[each.id][way][name] for each in judged.asked] for name in MEASURES} for way in ways}


def judge(ranking: Sequence[str], relevant: Mapping[str, int]) -> dict[str, float]:
    """Measure one ranking."""
    return {name: round(measure(ranking, relevant), 6) for name, measure in MEASURES.items()}


class ByBm25s:
    """BM25 with stemming, over whole documents."""

    def __init__(self, corpus: Path) -> None:
        self._corpus = corpus

    @cached_property
    def _bm25s(self) -> Bm25s:
        return Bm25s(self._corpus)

    def __call__(self, questions: Sequence[Question]) -> Iterable[Rankings]:
        """Rank for each question."""
        for question in questions:
            yield {BM25S: [str(hit.external_id) for hit in self._bm25s.search(question.text, DEEP)]}


class ByMiniLM:
    """MiniLM as it is meant, and its states as keys; a document ranks by its best chunk."""

    def __init__(self, encoder: MiniLM, corpus: Path) -> None:
        self._encoder, self._corpus = encoder, corpus

    @cached_property
    def _known(self) -> Known:
        return self._encoder.know(self._corpus)

    def __call__(self, questions: Sequence[Question]) -> Iterable[Rankings]:
        """Rank for each question."""
        tokens, whole = self._encoder.ask([each.text for each in questions])
        ways = {WHOLE: scores(self._known.whole, whole), TOKENS: scores(self._known.tokens, tokens)}
        for number in range(len(questions)):
            yield {
                way: _documents(self._known.names[place] for place in best(of[number], CANDIDATES))
                for way, of in ways.items()
            }


class ByModel:
    """A model over its store."""

    def __init__(self, open_store: Callable[[], Retriever], *, alone: bool = False) -> None:
        self._open, self._alone = open_store, alone  # attention alone, for a model that stands beside

    @cached_property
    def _store(self) -> Retriever:
        return self._open()

    @cached_property
    def _names(self) -> dict[int, str]:
        chunks = library_of(self._store).every_chunk()
        return {each.id: each.external_id or each.path for each in chunks}

    @cached_property
    def _keys(self) -> tuple[Keys, list[list[int]]]:
        """All keys in float32, and the ids of the chunks that have them: several where texts are equal."""
        library, made = library_of(self._store), self._store.generation
        assert made is not None, "an ingested store has a generation"
        segments = library.segments(made.id)
        values = [torch.from_numpy(each.keys()) for each in segments]
        ends = np.cumsum([0, *(len(each) for each in values)])
        offsets = [np.asarray(each.offsets[:-1]) + start for each, start in zip(segments, ends, strict=False)]
        places = [(each.id, position) for each in segments for position in range(len(each.digests))]
        return Keys(torch.cat(values), np.concatenate([*offsets, ends[-1:]])), library.chunk_ids(made.id, places)

    def __call__(self, questions: Sequence[Question]) -> Iterable[Rankings]:
        """Rank for each question."""
        keys, ids = self._keys
        asking = self._store.backbone.rounds[0].ask
        scored = scores(keys, [asking(each.text, ()) for each in questions])
        for question, of in zip(questions, scored, strict=True):
            attention = {id: float(of[place]) for place in best(of, CANDIDATES) for id in ids[place]}
            if self._alone:
                yield {"attention": self._ranked(attention)}
                continue
            words = dict(self._store.library.words(question.text, CANDIDATES))
            every = attention | {id: float(of[self._place[id]]) for id in words if id not in attention}
            hybrid = fuse(every, words, self._store.fusion)
            yield dict(zip(OWN, map(self._ranked, (words, attention, hybrid)), strict=True))

    @cached_property
    def _place(self) -> dict[int, int]:
        return {id: place for place, every in enumerate(self._keys[1]) for id in every}

    def _ranked(self, chunks: Iterable[int]) -> list[str]:
        return _documents(self._names[chunk] for chunk in chunks)


def _documents(names: Iterable[str]) -> list[str]:
    """Rank documents by their best chunk."""
    return list(dict.fromkeys(names))[:DEEP]
