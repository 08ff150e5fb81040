"""Reading, measured: answers from what was found and from the gold chunk, and what teachers look at first.

A question's gold chunks are those of its relevant documents in which an accepted answer stands; of a document in which
none does (evidence of two hops, yes or no), its first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from bench.kit.kept import Kept, Record
from bench.quality.mini_sets import Judged, library_of
from reatt.answering.chains import chain
from reatt.answering.comparison_words import comparison
from reatt.answering.comparisons import Step, Told, decide, value
from reatt.ask import ask
from reatt.judging import metrics
from reatt.lessons.batches import Ids, TrainingBatch, short
from reatt.lessons.close_chunks import WordSearch
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.lessons.judged import Question
from reatt.model.backbone import Answer, ChunkText, Limits, Reader
from reatt.model.reatt import ReAtt
from reatt.model.t5 import T5
from reatt.search.query import TOP, Query
from reatt.search.retriever import Retriever
from reatt.training.pools import Pool
from reatt.training.teachers import TEACHERS, first, shares

Tell = Callable[[str], None]
CLOSE = 20  # chunks that a teacher is shown
BY_WORDS = "BM25's order"


def answered(
    store: Callable[[], Retriever], questions: Mapping[str, Question], kept: Kept, tell: Tell
) -> dict[str, Record]:
    """Ask so that nothing is withheld: the best chunks of hybrid search, read together."""

    def make(some: Sequence[Question]) -> Iterator[Record]:
        for question in some:
            reply = ask(store(), Query(question.text, abstain=0.0, answer="span"))
            yield judge(reply.answer or "", reply.confidence, question)

    return kept.fill(questions, make, tell)


def on_gold(
    store: Callable[[], Retriever], judged: Judged, questions: Mapping[str, Question], kept: Kept, tell: Tell
) -> dict[str, Record]:
    """Let the store's model read one gold chunk of each relevant document."""
    corpora: list[Corpus] = []  # read into memory when something is not known yet

    def make(some: Sequence[Question]) -> Iterator[Record]:
        retriever = store()
        if not corpora:
            corpora.append(Corpus.of(library_of(retriever)))
        for question in some:
            yield judge(*read_gold(retriever.backbone, corpora[0], judged, question), question)

    return kept.fill(questions, make, tell)


def judge(answer: str, confidence: float, question: Question) -> Record:
    """Say what an answer is worth."""
    return {
        "answer": answer,
        "confidence": confidence,
        "em": metrics.exact_match(answer, question.answers),
        "f1": metrics.f1(answer, question.answers),
    }


def by_id(questions: Sequence[Question]) -> dict[str, Question]:
    """Name questions by their ids."""
    return {question.id: question for question in questions}


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


def read_gold(model: Reader, corpus: Corpus, judged: Judged, question: Question) -> tuple[str, float]:
    """Read one gold chunk of each relevant document; search plays no part, so all score alike.

    A comparison is answered by the values of both things, and a question about someone who is described by who that is,
    as `ask` does.
    """
    evidence = [corpus.passages[numbers[0]] for numbers in gold_numbers(corpus, judged, question)][:TOP]

    def read(text: str, numbers: Sequence[int]) -> Answer:
        return model.answer(text, [evidence[number] for number in numbers], [0.0] * len(numbers), Limits())

    def found(step: Step, thing: str) -> Told | None:
        return value(step, thing, evidence, read)

    every = range(len(evidence))
    compared, described = comparison(question.text), chain(question.text)
    if compared and (decision := decide(compared, found)):
        return decision.text, decision.confidence
    if described and (who := described.follow(found)):
        told = read(described.about(who[-1].text), every)
        return told.text, min(told.confidence, *(each.confidence for each in who))
    told = read(question.text, every)
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
