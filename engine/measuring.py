"""What a model finds and says when it is asked held-out questions: the material of a comparison.

The right thing to find is the text that an example was made from or whose answer stands in it, wherever equal texts
stand; of a judgement it is the document; where none is known, the first text found that holds an answer. Retrieval is
by attention alone, which is what learns; reading sees the best chunks that were found, whether or not they are right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from reatt_engine import metrics
from reatt_engine.attention import AttentionIndex
from reatt_engine.comparison import Asked
from reatt_engine.corpus import Corpus
from reatt_engine.decoding import Limits, generate
from reatt_engine.examples import Example
from reatt_engine.indexing import Progress
from reatt_engine.mining import Search, close_chunks
from reatt_engine.reading import TOP
from reatt_engine.reatt import ReAtt
from reatt_engine.retrieval import TOKEN_CANDIDATES
from reatt_store.library import Library

DEPTH = 50  # chunks found for a question: enough for ten different documents
FOUND = 10  # texts or documents that figures look at


class StoredSearch:
    """Attention search over the keys that a generation of a store holds."""

    def __init__(self, library: Library, generation: int, model: ReAtt, corpus: Corpus) -> None:
        self._index = AttentionIndex(library, generation, TOKEN_CANDIDATES)
        self._model, self._corpus = model, corpus

    def __call__(self, examples: Sequence[Example], k: int) -> list[list[int]]:
        """Return for each example the numbers of the best `k` texts in the corpus, best first, each text once."""
        return [self._one(example, k) for example in examples]

    def _one(self, example: Example, k: int) -> list[int]:
        queries = self._model.queries(self._model.tokenizer.masked(example.question))
        number = self._corpus.number
        ids = [id for id, _ in self._index.search(queries, k, "auto", None) if id in number]  # others came since
        return list(dict.fromkeys(self._corpus.equal[number[id]] for id in ids))[:k]


def measure(
    model: ReAtt,
    corpus: Corpus,
    search: Search,
    held: Sequence[Example],
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> list[Asked]:
    """Ask a model all held-out questions; `search` finds chunks with its keys, from a store or from memory."""
    alone = [replace(example, close=()) for example in held]  # what a file brought along is not to be found for it
    found = close_chunks(alone, corpus, search, DEPTH)
    asked = []
    for number, (example, ids) in enumerate(zip(held, found, strict=True)):
        on_progress(Progress("compare", number, len(held)))
        asked.append(_ask(model, corpus, example, [corpus.number[id] for id in ids]))
    on_progress(Progress("compare", len(held), len(held)))
    return asked


def _ask(model: ReAtt, corpus: Corpus, example: Example, numbers: Sequence[int]) -> Asked:
    read = _says if example.source in _READ else _silent
    names = _NAMED[example.source](corpus, numbers)
    found = tuple(dict.fromkeys(names))[:FOUND]
    right = _right(corpus, example, numbers, found)
    answer = read(model, corpus, example, numbers[:TOP])
    return Asked(example.text, example.answers, example.group, example.kind, found, right, answer)


def _right(corpus: Corpus, example: Example, numbers: Sequence[int], found: Sequence[str]) -> str | None:
    """Name what should have been found first."""
    if example.chunk is not None:
        return _NAMED[example.source](corpus, [corpus.number[example.chunk]])[0]
    texts = zip(_NAMED[example.source](corpus, numbers), numbers, strict=True)
    words = ((name, metrics.words_of(corpus.passages[number].text)) for name, number in texts if name in found)
    return next((name for name, text in words if metrics.has_answer(text, example.answers)), None)


def _says(model: ReAtt, corpus: Corpus, example: Example, numbers: Sequence[int]) -> str:
    evidence = [corpus.passages[number] for number in numbers]
    if not evidence:
        return ""
    reading = model.read(model.tokenizer.masked(example.question), evidence)
    written = generate(model.t5, reading.cache, Limits(), model.source(example.text, evidence, reading))
    return model.tokenizer.decode(written[0].ids) if written else ""


def _silent(model: ReAtt, corpus: Corpus, example: Example, numbers: Sequence[int]) -> None:
    """Read nothing: the answer to a judgement is a whole document, which no one asks for."""


def _texts(corpus: Corpus, numbers: Sequence[int]) -> list[str]:
    return [f"text {corpus.equal[number]}" for number in numbers]


def _documents(corpus: Corpus, numbers: Sequence[int]) -> list[str]:
    return [f"document {corpus.documents[number]}" for number in numbers]


# By source of an example: what its ranking names, and whether it is read for.
_NAMED = {"masked": _texts, "question": _texts, "relevance": _documents}
_READ = frozenset({"masked", "question"})
