"""Measure the teacher: how often it prefers the chunk that contains the answer (`teacher_hit@1`).

It chooses among K close chunks, including the gold one. As long as reading knows no more than the word search that
found them, its preferences are noise, and retrieval must not learn from it. The paper therefore starts with a warm-up
on answers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reatt.lessons.batches import ChunkIds, TrainingBatch, gather, short
from reatt.lessons.close_chunks import CorpusSearch, close_chunks, with_gold
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.reatt import ReAtt
from reatt.training.teachers import TEACHERS, Teacher, teacher_hit

QUESTIONS = 32
CLOSE = 20


@dataclass(frozen=True)
class Exam:
    """Questions whose gold chunk is known.

    `ask` returns how often a teacher's favourite is the gold chunk; `words_hit` is how often the first one of BM25 is.
    """

    questions: int
    words_hit: float
    ask: Callable[[ReAtt, Teacher], float]

    def passed(self, hit: float, lead: float) -> bool:
        """Return whether the teacher beats word search by `lead`, or is wrong at most in a share of `lead`.

        The second condition is for masked sentences: their chunks contain them word for word, so word search finds
        nearly all of them and can hardly be beaten. A teacher that guesses is right once in twenty.

        >>> Exam(32, 0.6, lambda *_: 0.0).passed(0.64, 0.05), Exam(32, 0.98, lambda *_: 0.0).passed(0.96, 0.05)
        (False, True)
        """
        return hit >= min(self.words_hit + lead, 1 - lead)

    def chosen(self, model: ReAtt, lead: float) -> str:
        """Return the name of the teacher to learn from: the first that passes, or the best if none does."""
        hits = {name: self.ask(model, teacher) for name, teacher in TEACHERS.items()}
        passed = (name for name, hit in hits.items() if self.passed(hit, lead))
        return next(passed, max(hits, key=hits.__getitem__))


def exam(
    examples: Sequence[Example], corpus: Corpus, chunks: ChunkIds, search: CorpusSearch, model: ReAtt
) -> Exam | None:
    """Make an exam of the first examples whose gold chunk is known; None if there is no such example."""
    known = [example for example in examples if example.chunk is not None][:QUESTIONS]
    if not known:
        return None
    found = close_chunks(known, corpus, search, CLOSE)
    close = [with_gold(each, example, corpus) for each, example in zip(found, known, strict=True)]
    gold = [_gold(each, example, corpus) for each, example in zip(close, known, strict=True)]
    batch = gather(
        [model.tokenizer.masked(example.question).ids for example in known],
        [short(model.tokenizer.answer(example.answers[0])) for example in known],
        [chunks.of(each) for each in close],
    )
    numbers = [_number(batch, chunks.of([chunk])[0]) for chunk in gold]
    first = sum(each[0] == chunk for each, chunk in zip(close, gold, strict=True))
    layer = model.head.layer

    def ask(now: ReAtt, teacher: Teacher) -> float:
        return teacher_hit(now.t5, layer, batch, numbers, teacher)

    return Exam(len(known), first / len(known), ask)


def _gold(close: Sequence[int], example: Example, corpus: Corpus) -> int:
    """Return the close chunk with the text of the gold one."""
    same = set(corpus.same(example.chunk if example.chunk is not None else close[0]))
    return next(chunk for chunk in close if chunk in same)


def _number(batch: TrainingBatch, ids: tuple[int, ...]) -> int:
    return batch.chunks.index(ids)
