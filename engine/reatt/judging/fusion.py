"""Hybrid search over any generation of a store, and its two weights fitted on questions whose chunk is known.

`Retriever` searches only the current generation. A run must know what people will find before it switches. Both add the
same candidates' scores with the same function (`retriever.fuse`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from reatt.judging import metrics
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.reatt import ReAtt
from reatt.search.index import AttentionIndex
from reatt.search.retriever import CANDIDATES, NAMED, TOKEN_CANDIDATES, fuse
from reatt.weights import models
from reatt.weights.folder import FUSION_WEIGHT, ModelFolder
from reatt_store.library import Library

Scores = Mapping[int, float]  # by chunk id
ByWords = Callable[[str], tuple[Scores, Scores]]  # of a question: scores of texts, scores of names

Texts = Callable[[Sequence[int]], list[int]]  # from chunks to texts, each once

ATTENTION = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
SURELY = 1.25  # more than one question alone can amount to
NAMES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Blend:
    """The weights of attention and of names in hybrid search; words have the rest."""

    attention: float
    names: float


def blend_of(folder: ModelFolder, method: str) -> Blend:
    """Return the weights that a model comes with."""
    return Blend(models.fusion(folder, FUSION_WEIGHT, method), models.named(folder, NAMED))


def by_words(library: Library) -> ByWords:
    """Return a search by words that remembers: they find the same for every model."""

    @cache
    def search(question: str) -> tuple[Scores, Scores]:
        return dict(library.words(question, CANDIDATES)), dict(library.names(question, CANDIDATES))

    return search


@dataclass(frozen=True)
class Found:
    """What attention and words found for a question."""

    attention: Scores
    words: Scores
    names: Scores

    def blended(self, blend: Blend) -> list[int]:
        """Return the chunks in the order of hybrid search, best first."""
        return list(fuse(self.attention, self.words, blend.attention, self.names, blend.names))


class HybridSearch:
    """Hybrid search, the default of a question, over the keys of a generation."""

    def __init__(
        self, library: Library, generation: int, model: ReAtt, corpus: Corpus, blend: Blend, words: ByWords
    ) -> None:
        self._index = AttentionIndex(library, generation, TOKEN_CANDIDATES)
        self._model, self._corpus, self._blend, self._words = model, corpus, blend, words

    def __call__(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        """Return for each example the numbers of the best `k` texts in the corpus, best first, each text once."""
        return [self._texts(self.find(example).blended(self._blend))[:k] for example in examples]

    def find(self, example: Example) -> Found:
        """Search by attention and by words."""
        queries = self._model.encode_question(self._model.tokenizer.masked(example.question))
        words, names = self._words(" ".join(example.question))
        attention = dict(self._index.search(queries, CANDIDATES, "auto"))
        attention |= self._index.scores(queries, [id for id in {**words, **names} if id not in attention])
        return Found(attention, words, names)

    def fitted(self, examples: Sequence[Example]) -> Blend:
        """Fit the weights on examples whose chunk is known."""
        known = [(self.find(example), example.chunk) for example in examples if example.chunk is not None]
        return fitted([(found, self._texts([chunk])[0]) for found, chunk in known], self._texts, self._blend)

    def _texts(self, chunks: Sequence[int]) -> list[int]:
        known = self._corpus.number
        return list(dict.fromkeys(self._corpus.equal[known[id]] for id in chunks if id in known))


def fitted(asked: Sequence[tuple[Found, int]], texts: Callable[[Sequence[int]], list[int]], usual: Blend) -> Blend:
    """Return the weights nearest to the usual ones that are not certainly worse than the best ones.

    A weight that is better only by chance changes nothing: it must be so by `SURELY` standard errors.
    """
    if len(asked) < 2:
        return usual
    blends = dict.fromkeys([usual, *(Blend(*each) for each in product(ATTENTION, NAMES))])
    figures = {
        blend: np.array(
            [
                metrics.ndcg([str(n) for n in texts(found.blended(blend))[:10]], {str(right): 1})
                for found, right in asked
            ]
        )
        for blend in blends
    }
    best = max(blends, key=lambda blend: figures[blend].mean())
    return min(
        (blend for blend in blends if not _beaten(figures[blend], figures[best])),
        key=lambda blend: abs(blend.attention - usual.attention) + abs(blend.names - usual.names),
    )


def _beaten(ours: np.ndarray, best: np.ndarray) -> bool:
    """Return whether the best is better beyond chance, by the paired difference."""
    gains = best - ours
    return bool(gains.mean() > SURELY * gains.std(ddof=1) / len(gains) ** 0.5)
