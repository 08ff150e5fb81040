"""Is there a teacher? How often what reading attends to most is the chunk that holds the answer (`teacher_hit@1`).

Among K close chunks, the gold one included. Until reading knows better than the words that found them, what it says
about them is noise, and nothing may be learnt from it: this is what the paper's warm-up on answers alone is for.
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

    `ask` returns how often the chunk that a teacher gives most is the gold one; `words_hit` how often the first one in
    the order of BM25 is.
    """

    questions: int
    words_hit: float
    ask: Callable[[ReAtt, Teacher], float]

    def passed(self, hit: float, lead: float) -> bool:
        """Say whether the teacher knows more than words do, by `lead`, or errs in no more than a share of `lead`.

        The latter for masked sentences: they stand in their chunk word for word, so words find nearly all of these
        chunks, and no one could know more. A teacher who says nothing hits one in twenty.

        >>> Exam(32, 0.6, lambda *_: 0.0).passed(0.64, 0.05), Exam(32, 0.98, lambda *_: 0.0).passed(0.96, 0.05)
        (False, True)
        """
        return hit >= min(self.words_hit + lead, 1 - lead)

    def chosen(self, model: ReAtt, lead: float) -> str:
        """Name the teacher to learn from: the first of all that passes, or the best where none does."""
        hits = {name: self.ask(model, teacher) for name, teacher in TEACHERS.items()}
        passed = (name for name, hit in hits.items() if self.passed(hit, lead))
        return next(passed, max(hits, key=hits.__getitem__))


def exam(
    examples: Sequence[Example], corpus: Corpus, chunks: ChunkIds, search: CorpusSearch, model: ReAtt
) -> Exam | None:
    """Set an exam from the first examples whose gold chunk is known; None where there is no such example."""
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
    """Name the close chunk whose text is the gold one's."""
    same = set(corpus.same(example.chunk if example.chunk is not None else close[0]))
    return next(chunk for chunk in close if chunk in same)


def _number(batch: TrainingBatch, ids: tuple[int, ...]) -> int:
    return batch.chunks.index(ids)
