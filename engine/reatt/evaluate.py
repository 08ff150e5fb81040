"""How well a store finds and reads: the figures of `reatt eval`, on judged questions in BEIR's format.

Judgements name documents by their `_id`, ordinary files by their path. Documents are ranked by their best chunk, as
deep as 100 documents need, which for long ones is more than 100 chunks. Nothing here abstains, and a figure that the
files cannot give is None.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reatt.documents.files import storable
from reatt.judging import metrics
from reatt.lessons.judged import Judgements, Question, read_qrels, read_queries
from reatt.progress import OnProgress, Progress
from reatt.search.query import TOP, Query
from reatt_store.errors import QueriesFormat

if TYPE_CHECKING:
    from reatt.search.retriever import Hit, Retriever
    from reatt_store.joined.library import JoinedLibrary
    from reatt_store.library import Library
    from reatt_store.selection import Selection

_NAMED = 3  # missing documents that are named in an error
DEEPEST = 100  # depth of the figures, in documents and in chunks


_RANKED: dict[str, Callable[[Sequence[str], Mapping[str, int]], float]] = {
    **{f"hit@{k}": partial(metrics.hit, k=k) for k in (1, 5, 20, 100)},
    "recall@20": partial(metrics.recall, k=20),
    "ndcg@10": partial(metrics.ndcg, k=10),
    "mrr@10": partial(metrics.reciprocal_rank, k=10),
    **{f"complete@{k}": partial(metrics.complete, k=k) for k in (2, 5, 10, 20)},
}
_FOUND = {f"answer_hit@{k}": k for k in (1, 5, 20, 100)}
_ANSWERED = {"em": metrics.exact_match, "f1": metrics.f1}
MEASURES = (*_RANKED, *_FOUND, *_ANSWERED)


class Searcher(Protocol):
    """What finds chunks; `Retriever` does."""

    def search(
        self, question: str, k: int = ..., retriever: str = ..., search: str = ..., only: Selection | str | None = ...
    ) -> list[Hit]:
        """Return the best k chunks, best first."""


@dataclass(frozen=True)
class Held:
    """A retriever limited to one way of looking."""

    finder: Retriever
    how: Query

    def search(
        self, question: str, k: int = TOP, retriever: str = "", search: str = "", only: Selection | str | None = None
    ) -> list[Hit]:
        """Return the best k chunks, best first."""
        return self.finder.find(replace(self.how, question=question, top=k))


@dataclass(frozen=True)
class Evaluation:
    """Means over the questions for which each measure can be computed."""

    queries: int
    metrics: dict[str, float | None]  # one of each of MEASURES
    intervals: dict[str, tuple[float, float]]  # 95 %, of those that are not None
    per_question: dict[str, dict[str, float]]  # measure -> question id -> value, for paired comparisons
    seconds: float
    warnings: tuple[str, ...]


def evaluate(
    retriever: Searcher,
    queries: Path,
    qrels: Path | None,
    *,
    retriever_name: str = "hybrid",
    search: str = "auto",
    limit: int | None = None,
    read: Callable[[str], str | None] | None = None,
    stored: Callable[[Sequence[str]], Mapping[str, str]] | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Evaluation:
    """Ask every question that has judgements or answers, or `limit` of them evenly spaced, and average.

    `read` answers a question (None counts as wrong); exact match and F1 need it. `stored` says which of the judged ids
    the store has, and what it calls them; others raise `QueriesFormat`.
    """
    started = time.monotonic()
    questions, judged = read_queries(queries), read_qrels(qrels) if qrels else {}
    if stored is not None and qrels is not None:
        judged = _as_stored(judged, stored, qrels)
    usable = [q for q in questions if _relevant(judged, q) or q.answers]
    if not usable:
        raise QueriesFormat(
            f"no question of {queries} has an answer" + (f" or a judgement in {qrels}" if qrels else ""),
            "pass --qrels FILE whose first column holds the questions' _id",
            str(queries),
        )
    chosen = [usable[i * len(usable) // limit] for i in range(limit)] if limit and limit < len(usable) else usable
    find = _Finder(partial(retriever.search, retriever=retriever_name, search=search))
    values: dict[str, dict[str, float]] = {name: {} for name in MEASURES}
    for done, question in enumerate(chosen):
        on_progress(Progress("evaluate", done, len(chosen)))
        for name, value in _figures(question, judged, find, read):
            values[name][question.id] = value
    on_progress(Progress("evaluate", len(chosen), len(chosen)))
    means = {name: sum(of.values()) / len(of) if of else None for name, of in values.items()}
    intervals = {name: metrics.interval(list(of.values())) for name, of in values.items() if of}
    warnings = _warnings(questions, usable, judged)
    return Evaluation(len(chosen), means, intervals, values, time.monotonic() - started, warnings)


def names_in(library: Library | JoinedLibrary, ids: Sequence[str]) -> dict[str, str]:
    """Return what a store calls the documents of some ids, which may be paths as `reatt list` prints them."""
    documents = (stored.document for stored in library.documents())
    known = {document.external_id or document.path for document in documents}
    root = library.root()
    names = {id: (id, *_places(id, root)) for id in dict.fromkeys(ids)}
    return {id: next(name for name in may if name in known) for id, may in names.items() if known.intersection(may)}


def _places(id: str, root: str) -> list[str]:
    """Return the files that an id may be the path of: from this folder, or from a store's root, as JSON has it."""
    path = os.path.expanduser(id)
    return [storable(os.path.abspath(path)), *([storable(os.path.join(root, path))] if root else [])]


def _as_stored(
    judged: Judgements, stored: Callable[[Sequence[str]], Mapping[str, str]], qrels: Path
) -> dict[str, dict[str, int]]:
    """Name the judged documents as the store does; raises QueriesFormat if it lacks one that is relevant."""
    relevant = dict.fromkeys(id for grades in judged.values() for id, grade in grades.items() if grade > 0)
    names = stored([id for grades in judged.values() for id in grades])
    missing = [id for id in relevant if id not in names]
    if missing:
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        are = "is" if len(missing) == 1 else "are"
        told = f"{len(missing):,} of {len(relevant):,} judged documents {are} not in the store"
        raise QueriesFormat(
            f"{told}: {', '.join(missing[:_NAMED])}{more}",
            "name them by their _id or by their path, as reatt list prints it, or ingest them first",
            str(qrels),
        )
    return {question: {names.get(id, id): grade for id, grade in grades.items()} for question, grades in judged.items()}


class _Finder:
    """Searches deep enough for 100 documents, and starts at that depth for the next question."""

    def __init__(self, search: Callable[[str, int], list[Hit]]) -> None:
        self._search = search
        self._depth = DEEPEST
        self._words_of = lru_cache(20_000)(metrics.words_of)  # many questions find the same chunks

    def __call__(self, question: str) -> list[Hit]:
        hits = self._search(question, self._depth)
        while len(hits) == self._depth and len(ranked_documents(hits)) < DEEPEST:
            self._depth *= 2
            hits = self._search(question, self._depth)
        return hits

    def rank_of_answer(self, hits: Sequence[Hit], answers: Sequence[str]) -> float:
        """Return the rank of the first of 100 chunks that contains an answer; infinite if none does."""
        holding = (metrics.has_answer(self._words_of(hit.chunk.chunk.text), answers) for hit in hits[:DEEPEST])
        return next((rank for rank, holds in enumerate(holding, 1) if holds), math.inf)


def ranked_documents(hits: Sequence[Hit]) -> list[str]:
    """Rank documents by their best chunk; each is named by its external id or else its path."""
    return list(dict.fromkeys(hit.chunk.external_id or hit.chunk.path for hit in hits))


def _figures(
    question: Question, judged: Judgements, find: _Finder, read: Callable[[str], str | None] | None
) -> Iterator[tuple[str, float]]:
    hits = find(question.text)
    if _relevant(judged, question):
        ranking = ranked_documents(hits)
        for name, measure in _RANKED.items():
            yield name, measure(ranking, judged[question.id])
    if question.answers:
        rank = find.rank_of_answer(hits, question.answers)
        for name, k in _FOUND.items():
            yield name, float(rank <= k)
    if question.answers and read:
        answer = read(question.text) or ""
        for name, compare in _ANSWERED.items():
            yield name, compare(answer, question.answers)


def _relevant(judged: Judgements, question: Question) -> bool:
    return any(grade > 0 for grade in judged.get(question.id, {}).values())


def _warnings(questions: Sequence[Question], usable: Sequence[Question], judged: Judgements) -> tuple[str, ...]:
    left_out = len(questions) - len(usable)
    unknown = len(judged.keys() - {question.id for question in questions})
    counts = (
        (left_out, "questions have neither judgement nor answer: left out"),
        (unknown, "judged questions are not asked"),
    )
    return tuple(f"{count:,} {what}" for count, what in counts if count)
