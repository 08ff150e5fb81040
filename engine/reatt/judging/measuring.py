"""A model's results and answers for held-out questions: the input of a comparison.

The right result is the text that an example was made from, or that contains its answer; equal texts count as one. For a
judgement it is the document. If none is known, it is the first text found that contains an answer. The search is the
caller's: hybrid search (`fusion.py`), as people search. Reading gets the best chunks found, whether or not they are
right.

A masked sentence stands word for word in its text. Finding that text is too easy to show a gain, and copying the words
beside the gap is not reading. So a cloze question is asked instead: a few words of the sentence, the same ones before
and after. nDCG@10:

                      whole sentence    cloze question  people's questions
    FairytaleQA       0.982  1.000      0.755  0.796    0.732  0.724

(BM25, then attention; people's questions with FTS5.) A change is visible here, but not how much people gain.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from reatt.judging import metrics
from reatt.judging.comparison import Asked
from reatt.lessons import cloze
from reatt.lessons.close_chunks import CorpusSearch, close_chunks
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.reatt import ReAtt
from reatt.progress import OnProgress, Progress
from reatt.search.query import TOP

FOUND_CHUNKS = 50  # per question; enough for ten different documents
FOUND = 10  # texts or documents that the figures use


Says = Callable[[ReAtt, Corpus, Example, Sequence[int]], str | None]


def as_asked(example: Example) -> Example:
    """Return the question to ask; for a masked sentence a cloze question, always the same one."""
    if example.source != "masked":
        return example
    return replace(example, question=(cloze.question(example, random.Random(example.text)),))  # noqa: S311


def measure(
    model: ReAtt,
    corpus: Corpus,
    search: CorpusSearch,
    held: Sequence[Example],
    read: int | None = None,
    on_progress: OnProgress = lambda _: None,
) -> list[Asked]:
    """Ask a model all held-out questions, and let it answer the first `read` of them.

    `search` finds chunks with the model's keys, from a store or from memory.
    """
    held = [as_asked(example) for example in held]
    alone = [
        replace(example, close=()) for example in held
    ]  # documents that came with the question file do not count as found
    found = close_chunks(alone, corpus, search, FOUND_CHUNKS)
    asked = []
    for number, (example, ids) in enumerate(zip(held, found, strict=True)):
        on_progress(Progress("compare", number, len(held)))
        says = _says if example.source in _READ and (read is None or number < read) else _silent
        asked.append(_ask(model, corpus, example, [corpus.number[id] for id in ids], says))
    on_progress(Progress("compare", len(held), len(held)))
    return asked


def _ask(model: ReAtt, corpus: Corpus, example: Example, numbers: Sequence[int], says: Says) -> Asked:
    names = _NAMED[example.source](corpus, numbers)
    found = tuple(dict.fromkeys(names))[:FOUND]
    right = _right(corpus, example, numbers, found)
    answer = says(model, corpus, example, numbers[:TOP])
    return Asked(example.text, example.answers, example.group, example.kind, found, right, answer)


def _right(corpus: Corpus, example: Example, numbers: Sequence[int], found: Sequence[str]) -> str | None:
    """Return the name of the right result."""
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
    return model.says(example.text, evidence, reading)


def _silent(model: ReAtt, corpus: Corpus, example: Example, numbers: Sequence[int]) -> None:
    """Return no answer: there is no time, or the answer would be a whole document."""


def _texts(corpus: Corpus, numbers: Sequence[int]) -> list[str]:
    return [f"text {corpus.equal[number]}" for number in numbers]


def _documents(corpus: Corpus, numbers: Sequence[int]) -> list[str]:
    return [f"document {corpus.documents[number]}" for number in numbers]


# By source of an example: what its ranking names, and whether it is read.
_NAMED = {"masked": _texts, "question": _texts, "relevance": _documents}
_READ = frozenset({"masked", "question"})
