"""Questions with all documents needed to answer them, for training INTRA (section 3).

Two files in BEIR's format hold questions and judgements. A document is named by its `_id`, its path, or its file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example, Labelled, Nearest
from reatt.lessons.judged import Question, read_qrels, read_queries
from reatt_store.errors import QueriesFormat

KIND = "evidence"


def evidence_examples(corpus: Corpus, qa: Path, qrels: Path) -> Labelled:
    """Make an example of each question whose evidence is in the store; `close` holds it, one chunk per document.

    A question without its complete evidence in the store is left out. Raises QueriesFormat if none is left.
    """
    questions, judged = read_queries(qa), read_qrels(qrels)
    nearest, made, lost = Nearest(corpus), list[Example](), 0
    for question in questions:
        named = [name for name, grade in judged.get(question.id, {}).items() if grade > 0]
        known = [name for name in named if name in corpus.by_name]
        lost += len(known) < len(named)
        if named and len(known) == len(named):
            made.append(_example(corpus, nearest, question, known))
    if not made:
        message = f"none of the {len(questions):,} questions in {qa} has all its evidence in the store"
        raise QueriesFormat(message, "ingest the documents that --qrels names by _id, path or file name", str(qrels))
    return Labelled(tuple(made), _warnings(qa, qrels, questions, judged, lost))


def _example(corpus: Corpus, nearest: Nearest, question: Question, named: list[str]) -> Example:
    asked = " ".join((question.text, *question.answers))
    numbers = dict.fromkeys(corpus.equal[nearest(asked, corpus.by_name[name])] for name in named)
    chunks = tuple(corpus.ids[number] for number in numbers)
    group = corpus.groups[next(iter(numbers))]
    return Example((question.text,), question.answers, group, chunks[0], KIND, chunks, id=question.id)


def _warnings(
    qa: Path, qrels: Path, questions: list[Question], judged: Mapping[str, Mapping[str, int]], lost: int
) -> tuple[str, ...]:
    alone = sum(not any(grade > 0 for grade in judged.get(question.id, {}).values()) for question in questions)
    strange = len(judged.keys() - {question.id for question in questions})
    counts = (
        (lost, f"questions of {qa} have evidence that is not in the store: left out"),
        (alone, f"questions of {qa} have no evidence in {qrels}: left out"),
        (strange, f"judged questions of {qrels} are not asked"),
    )
    return tuple(f"{count:,} {what}" for count, what in counts if count)
