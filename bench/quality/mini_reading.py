"""Reading, measured: answers from what was found and from the gold chunk, abstention, and what teachers look at first.

A question's gold chunks are those of its relevant documents in which an accepted answer stands; of a document in which
none does (evidence of two hops, yes or no), its first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.quality.mini_sets import Judged
from reatt.ask import ask
from reatt.judging import metrics
from reatt.lessons.batches import Ids, TrainingBatch, short
from reatt.lessons.close_chunks import WordSearch
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.lessons.judged import Question
from reatt.model.backbone import ChunkText, Limits
from reatt.model.confidence import UNCALIBRATED_THRESHOLD
from reatt.model.reatt import ReAtt
from reatt.model.t5 import T5
from reatt.search.query import TOP, Query
from reatt.search.retriever import Retriever
from reatt.training.pools import Pool
from reatt.training.teachers import TEACHERS, first, shares

CLOSE = 20  # chunks that a teacher is shown
BY_WORDS = "BM25's order"


@dataclass(frozen=True)
class Said:
    """Answers to some questions, in their order: what each is worth, and how sure the model was of it."""

    em: tuple[float, ...]
    f1: tuple[float, ...]
    confidences: tuple[float, ...]

    @classmethod
    def of(cls, told: Sequence[tuple[str, float]], questions: Sequence[Question]) -> Said:
        """Judge (answer, confidence) pairs."""
        rows = [(text, each.answers) for (text, _), each in zip(told, questions, strict=True)]
        return cls(
            tuple(metrics.exact_match(text, answers) for text, answers in rows),
            tuple(metrics.f1(text, answers) for text, answers in rows),
            tuple(sure for _, sure in told),
        )


@dataclass(frozen=True)
class Reading:
    """What one model made of one set."""

    found: Said  # from the best chunks of hybrid search
    gold: Said  # from the gold chunks alone, of more questions: it costs an eighth
    strange: tuple[float, ...]  # confidences in answers to questions of another set
    threshold: float  # the confidence below which the model's answer is withheld
    hits: dict[str, tuple[float, ...]]  # who orders the close chunks -> for each question, is a gold one first

    @property
    def auroc(self) -> float | None:
        """How often it is surer of a question that belongs here than of one that does not."""
        own = [*self.found.confidences, *self.strange]
        return metrics.auroc(own, [True] * len(self.found.confidences) + [False] * len(self.strange))

    def withheld(self, confidences: Sequence[float]) -> float:
        """Return the share of answers that the model would rather not give."""
        return sum(each < self.threshold for each in confidences) / max(1, len(confidences))


def read(retriever: Retriever, model: ReAtt, judged: Judged, strangers: Judged | None, count: int) -> Reading:
    """Ask `count` questions of a set and of the next one, four times as many on their gold chunks."""
    corpus = Corpus.of(retriever.library)
    asked, more = judged.questions(count), judged.questions(4 * count)
    strange = _strange(retriever, strangers.questions(count)) if strangers else ()
    threshold = model.calibration.threshold if model.calibration else UNCALIBRATED_THRESHOLD
    told = [_ask(retriever, question) for question in asked]
    on_gold = [read_gold(model, corpus, judged, question) for question in more]
    first_gold = hits(model, corpus, judged, asked)
    return Reading(Said.of(told, asked), Said.of(on_gold, more), strange, threshold, first_gold)


def gold_numbers(corpus: Corpus, judged: Judged, question: Question) -> list[list[int]]:
    """Return for each relevant document the numbers of its gold chunks in the corpus."""
    relevant = [name for name, grade in judged.relevant[question.id].items() if grade > 0]
    found = []
    for numbers in (corpus.by_name[name] for name in relevant if name in corpus.by_name):
        holding = [
            n for n in numbers if metrics.has_answer(metrics.words_of(corpus.passages[n].text), question.answers)
        ]
        found.append(holding or [numbers[0]])
    return found


def _ask(retriever: Retriever, question: Question) -> tuple[str, float]:
    reply = ask(retriever, Query(question.text, abstain=0.0))
    return reply.answer or "", reply.confidence


def _strange(retriever: Retriever, questions: Sequence[Question]) -> tuple[float, ...]:
    """Ask questions that nothing here answers; where by chance an answer stands in what is read, leave it out."""
    confidences = []
    for question in questions:
        reply = ask(retriever, Query(question.text, abstain=0.0))
        texts = (metrics.words_of(each.text) for each in reply.evidence)
        if not any(metrics.has_answer(text, question.answers) for text in texts):
            confidences.append(reply.confidence)
    return tuple(confidences)


def read_gold(model: ReAtt, corpus: Corpus, judged: Judged, question: Question) -> tuple[str, float]:
    """Read one gold chunk of each relevant document; search plays no part, so all score alike."""
    evidence = [corpus.passages[numbers[0]] for numbers in gold_numbers(corpus, judged, question)][:TOP]
    told = model.answer(question.text, evidence, [0.0] * len(evidence), Limits())
    return told.text, told.confidence


def hits(model: ReAtt, corpus: Corpus, judged: Judged, questions: Sequence[Question]) -> dict[str, tuple[float, ...]]:
    """Say of each question who puts a gold chunk first among its close ones: BM25, or a teacher shown them shuffled."""
    examples = [Example((question.text,), question.answers, "", None, "question") for question in questions]
    found = WordSearch(corpus)(examples, CLOSE)
    values: dict[str, list[float]] = {name: [] for name in (BY_WORDS, *TEACHERS)}
    for question, close in zip(questions, found, strict=True):
        gold = {corpus.equal[n] for numbers in gold_numbers(corpus, judged, question) for n in numbers}
        shown = close if gold & set(close) else [*close[:-1], min(gold)]
        values[BY_WORDS].append(float(shown[0] in gold))
        shown = random.Random(question.id).sample(shown, len(shown))
        batch = _batch(model, question, [corpus.passages[n] for n in shown])
        (told,) = shares(model.t5, model.head.layer, batch, _all_teachers)
        for name, values_of in zip(TEACHERS, told, strict=True):
            values[name].append(sum(first(values_of, place) for place, n in enumerate(shown) if n in gold))
    return {name: tuple(each) for name, each in values.items()}


def _all_teachers(t5: T5, memory: Pool, answer: Ids) -> Tensor:
    """Ask every teacher about one encoding of the chunks -> (teachers, C)."""
    return torch.stack([teacher(t5, memory, answer) for teacher in TEACHERS.values()])


def _batch(model: ReAtt, question: Question, passages: Sequence[ChunkText]) -> TrainingBatch:
    tokens = model.tokenizer
    chunks = tuple(each.ids for each in tokens.chunks(passages))
    answer = short(tokens.answer(question.answers[0]))
    return TrainingBatch((tokens.question(question.text).ids,), (answer,), chunks, (tuple(range(len(chunks))),))
