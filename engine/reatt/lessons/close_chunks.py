"""Close chunks: for each question the chunks that might answer it; the model reads them and learns to distinguish them
(section 3.2).

They are found by words (BM25, as in the paper's first iteration), then by the model's own attention with its current
weights, or read from a file with another retriever's results. Each text occurs once, even if several chunks hold it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from reatt.lessons.corpus import Corpus
from reatt.lessons.entities import tokens
from reatt.lessons.examples import Example
from reatt.lessons.labels import CloseLine, read_close
from reatt.model.backbone import Queries
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import alone, head_queries, lower_half, pad
from reatt.progress import OnProgress, Progress
from reatt.search import maxsim
from reatt.search.shards import Shard
from reatt_store.errors import QueriesFormat
from reatt_store.lexical.stopwords import STOP_WORDS
from reatt_store.vectors.segments import quantise

K1, B = 0.9, 0.4  # Pyserini's
SHARD_CHUNKS = 4096
TOGETHER = {"cpu": 16, "cuda": 256}  # texts encoded at once

Item = TypeVar("Item")


class CorpusSearch(Protocol):
    """Finds chunks: for each example the numbers of the best `k` in the corpus, best first."""

    def __call__(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        """Search for several examples at once."""


def close_chunks(examples: Sequence[Example], corpus: Corpus, search: CorpusSearch, k: int) -> list[list[int]]:
    """Return the store ids of `k` close chunks for each example, best first; fewer if the corpus has no more.

    Chunks that an example comes with are first; those that it must not read are left out.
    """
    spare = k + max((len(example.without) for example in examples), default=0)
    found = search(examples, spare)
    return [_close(example, corpus, numbers, k) for example, numbers in zip(examples, found, strict=True)]


def with_gold(close: Sequence[int], example: Example, corpus: Corpus) -> list[int]:
    """Replace the last chunk by the example's own one if no search found its text."""
    if example.chunk is None or not close or set(corpus.same(example.chunk)) & set(close):
        return list(close)
    return [*close[:-1], example.chunk]


def _close(example: Example, corpus: Corpus, found: Sequence[int], k: int) -> list[int]:
    never = set(example.without)
    brought = [id for id in example.close if id in corpus.number and id not in never]
    ids = dict.fromkeys([*brought, *(corpus.ids[number] for number in found if corpus.ids[number] not in never)])
    return list(ids)[:k]


class WordSearch:
    """BM25 over the whole corpus in memory, about a hundred times as fast as SQLite's."""

    def __init__(self, corpus: Corpus) -> None:
        import bm25s  # type: ignore[import-untyped]

        self._corpus = corpus
        self._first = [number for number, first in enumerate(corpus.equal) if number == first]
        self._vocabulary: dict[str, int] = {}
        texts = (corpus.passages[number] for number in self._first)
        rows = [self._ids(_words(f"{each.title} {each.text}"), grow=True) for each in texts]
        self._index = bm25s.BM25(k1=K1, b=B)
        self._index.index((rows, self._vocabulary), show_progress=False)

    def __call__(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        """Search by the words of each question, without its mask and answers."""
        return [self._one(" ".join(example.question), k) for example in examples]

    def near(self, question: str, source: int, k: int) -> dict[int, float]:
        """Return the scores of a chunk and of the best `k` others by store id, with that chunk first."""
        corpus, scores = self._corpus, self._scores(question)
        if scores is None:
            return {source: 0.0}
        first = corpus.equal[corpus.number[source]]
        others = [place for place in best(scores, k + 1) if self._first[place] != first]
        own = {source: float(scores[bisect_left(self._first, first)])}
        return own | {corpus.ids[self._first[place]]: float(scores[place]) for place in others[:k]}

    def _one(self, question: str, k: int) -> list[int]:
        scores = self._scores(question)
        return self._first[:k] if scores is None else [self._first[place] for place in best(scores, k)]

    def _scores(self, question: str) -> NDArray[np.float32] | None:
        """Score each distinct text; None if no word of the question is known."""
        asked = self._ids(dict.fromkeys(_words(question)), grow=False)
        return self._index.get_scores_from_ids(asked) if asked else None

    def _ids(self, words: Sequence[str] | Mapping[str, None], grow: bool) -> list[int]:
        known = self._vocabulary
        return [known.setdefault(w, len(known)) if grow else known[w] for w in words if grow or w in known]


class AttentionSearch:
    """The model's own search: every chunk is encoded with the current weights, then scored as in a store.

    Keys stay in memory, 68 bytes per token of a 64-wide head. Later training steps do not change them.
    """

    def __init__(self, corpus: Corpus, model: ReAtt, tell: OnProgress = lambda _: None) -> None:
        first = [number for number, first in enumerate(corpus.equal) if number == first]
        self._order = sorted(first, key=lambda number: len(corpus.passages[number].text))  # batches of similar length
        self._model = model
        with _resting(model):
            parts = range(0, len(self._order), SHARD_CHUNKS)
            self._shards = [self._shard(corpus, start, tell) for start in parts]

    def __call__(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        """Search with the current model; it sees masks as masks."""
        together = TOGETHER[self._model.device.type]
        with _resting(self._model):
            return list(chain.from_iterable(self._some(part, k) for part in _parts(examples, together)))

    @torch.inference_mode()
    def _some(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        found = []
        model = self._model
        asked = pad([model.tokenizer.masked(example.question).ids for example in examples], model.device)
        lower = lower_half(model.t5, model.head.layer, asked)
        queries = head_queries(model.t5, model.head, alone(model.t5, model.head, lower).values).float()  # (B, m, d)
        for row, keep in zip(queries, asked.keep, strict=True):
            places = maxsim.fast(Queries.mean(row[keep]), self._shards, k)
            found.append([self._order[place.segment + place.position] for place in places])
        return found

    def _shard(self, corpus: Corpus, start: int, tell: OnProgress) -> Shard:
        """Encode the chunks of one shard; its id is where it starts."""
        device = self._model.device
        keys: list[NDArray[np.float32]] = []
        for part in _parts(self._order[start : start + SHARD_CHUNKS], TOGETHER[device.type]):
            encoded = self._model.encode_chunks([corpus.passages[number] for number in part])
            keys += [code.keys.cpu().numpy() for code in encoded]
            tell(Progress("encode", start + len(keys), len(self._order)))
        full = np.concatenate(keys)  # (n, d)
        offsets = np.cumsum([0, *map(len, keys)])
        codes, scales = map(torch.from_numpy, quantise(full))
        return Shard(start, None, codes.to(device), scales.to(device), offsets)


class FileSearch:
    """Another retriever's results, from a file; questions that are not in it are searched by words."""

    def __init__(self, path: Path, corpus: Corpus) -> None:
        self._corpus, self._lines = corpus, read_close(path)
        self._found = {key: numbers for key, line in self._lines.items() if (numbers := self._numbers(line))}
        if not self._found:
            raise QueriesFormat(
                f"no chunk or document named in {path} is in the store",
                'name chunks as `reatt search` shows them ("C-12"), documents by _id, path or file name',
                str(path),
            )

    def __call__(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        """Look each example up by its `_id` or its text, in which `<extra_id_0>` stands for a mask."""
        found = [self._found.get(example.id or "") or self._found.get(example.text, []) for example in examples]
        unnamed = [example for example, numbers in zip(examples, found, strict=True) if not numbers]
        by_words = iter(WordSearch(self._corpus)(unnamed, k) if unnamed else [])
        return [numbers[:k] or next(by_words) for numbers in found]

    def _numbers(self, line: CloseLine) -> list[int]:
        chunks = (self._corpus.number[id] for id in line.chunks if id in self._corpus.number)
        documents = chain.from_iterable(self._corpus.by_name.get(name, ()) for name in line.documents)
        return list(dict.fromkeys(self._corpus.equal[number] for number in (*chunks, *documents)))


CLOSE_FROM: Mapping[str, Callable[[Corpus, ReAtt, OnProgress], CorpusSearch]] = {
    "words": lambda corpus, model, tell: WordSearch(corpus),
    "attention": AttentionSearch,
}


def search_from(how: str, corpus: Corpus, model: ReAtt, tell: OnProgress = lambda _: None) -> CorpusSearch:
    """Choose the search for `--close-from`: a name of `CLOSE_FROM`, or else a file of results."""
    return CLOSE_FROM[how](corpus, model, tell) if how in CLOSE_FROM else FileSearch(Path(how), corpus)


def _parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))


@contextmanager
def _resting(model: ReAtt) -> Iterator[None]:
    """Switch dropout off for a block."""
    training = model.t5.training
    model.t5.eval()
    try:
        yield
    finally:
        model.t5.train(training)


def _words(text: str) -> list[str]:
    """Cut a text into words to search by: no stop words, plurals as singulars."""
    return [_singular(token.word) for token in tokens(text) if token.word not in STOP_WORDS]


def _singular(word: str) -> str:
    """Drop an English plural's ending (Harman's s-stemmer, 1991).

    >>> [_singular(word) for word in ("studies", "horses", "class", "bus")]
    ['study', 'horse', 'class', 'bus']
    """
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word


def best(scores: NDArray[np.float32], k: int) -> list[int]:
    """Return the positions of the `k` best scores, best first; of equal ones the first."""
    k = min(k, len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    among = np.flatnonzero(scores >= least)
    order: list[int] = among[np.argsort(-scores[among], kind="stable")][:k].tolist()
    return order
