"""How well a store finds and reads: the figures of `reatt eval`, on judged questions in BEIR's form.

Judgements name documents by their `_id`, ordinary files by their path. Documents are ranked by their best chunk, as
deep as 100 documents need, which for long ones is more than 100 chunks. Nothing here abstains, and a figure that the
files cannot give is None.
"""

from __future__ import annotations

import gzip
import json
import lzma
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from reatt_engine import metrics
from reatt_engine.indexing import Progress
from reatt_store.errors import QueriesFormat

if TYPE_CHECKING:
    from reatt_engine.retrieval import Hit

DEPTH = 100  # documents, and chunks, that the deepest figures look at
SHOWN = 5  # wrong lines named in an error

Judgements = Mapping[str, Mapping[str, int]]  # question id -> document id -> grade; above 0 is relevant

_EXAMPLE = 'a line looks like {"_id": "q1", "text": "How long is parental leave?", "answers": ["49 weeks"]}'
_JUDGED_EXAMPLE = "a line looks like: q1 <tab> d1 <tab> 1"
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
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
        self, question: str, k: int = ..., retriever: str = ..., search: str = ..., only: str | None = ...
    ) -> list[Hit]:
        """Return the best k chunks, best first."""


@dataclass(frozen=True)
class Question:
    """One line of a queries file."""

    id: str
    text: str
    answers: tuple[str, ...]  # those accepted; () where none is known


@dataclass(frozen=True)
class Evaluation:
    """Means over the questions that each measure can be computed for."""

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
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Evaluation:
    """Ask every question that has judgements or answers, or `limit` of them evenly spaced, and average.

    `read` answers a question (None counts as wrong), and makes exact match and F1 possible.
    """
    started = time.monotonic()
    questions, judged = read_queries(queries), read_qrels(qrels) if qrels else {}
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


def read_queries(path: Path) -> list[Question]:
    """Read questions from JSON Lines (.gz, .xz); raises QueriesFormat with file, line and field of what is wrong."""
    wrong: list[str] = []
    questions: dict[str, Question] = {}
    for number, line in _lines(path):
        problem = _problem(line, questions)
        if problem:
            wrong.append(f"{path}:{number}: {problem}")
        else:
            record = json.loads(line)
            id = str(record["_id"])
            questions[id] = Question(id, record["text"], tuple(record.get("answers") or ()))
    if wrong or not questions:
        raise _bad(path, wrong or [f"{path}: no question in it"], _EXAMPLE)
    return list(questions.values())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements from tab-separated `query-id corpus-id score` lines, with BEIR's header or without."""
    wrong: list[str] = []
    judged: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        fields = line.rstrip("\r\n").split("\t")
        if number == 1 and fields[-1].strip().lower() == "score":
            continue
        if len(fields) != 3:
            wrong.append(f"{path}:{number}: {len(fields)} tab-separated fields, not 3")
        elif not fields[2].strip().lstrip("-").isdecimal():
            wrong.append(f"{path}:{number}: score: {fields[2]!r} is not a whole number")
        else:
            judged.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    if wrong or not judged:
        raise _bad(path, wrong or [f"{path}: no judgement in it"], _JUDGED_EXAMPLE)
    return judged


class _Finder:
    """Searches as deep as 100 documents need, and starts as deep at the next question."""

    def __init__(self, search: Callable[[str, int], list[Hit]]) -> None:
        self._search = search
        self._depth = DEPTH
        self._words_of = lru_cache(20_000)(metrics.words_of)  # questions meet the same chunks again and again

    def __call__(self, question: str) -> list[Hit]:
        hits = self._search(question, self._depth)
        while len(hits) == self._depth and len(ranked_documents(hits)) < DEPTH:
            self._depth *= 2
            hits = self._search(question, self._depth)
        return hits

    def rank_of_answer(self, hits: Sequence[Hit], answers: Sequence[str]) -> float:
        """Return the rank of the first chunk, of 100, that holds an answer; infinite if none does."""
        holding = (metrics.has_answer(self._words_of(hit.chunk.chunk.text), answers) for hit in hits[:DEPTH])
        return next((rank for rank, holds in enumerate(holding, 1) if holds), math.inf)


def ranked_documents(hits: Sequence[Hit]) -> list[str]:
    """Rank documents by their best chunk, each by its external id or else its path."""
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
    told = (
        (left_out, "questions have neither judgement nor answer: left out"),
        (unknown, "judged questions are not asked"),
    )
    return tuple(f"{count:,} {what}" for count, what in told if count)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, with their numbers."""
    opener = _OPENERS.get(path.suffix, open)
    try:
        with cast(IO[str], opener(path, "rt", encoding="utf-8-sig")) as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueriesFormat(
            f"{path} cannot be read: {reason}", "pass JSON Lines or .tsv, plain, .gz or .xz", str(path)
        ) from error


def _problem(line: str, known: Mapping[str, Question]) -> str | None:
    """Say what is wrong with a line of a queries file."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(record, dict):
        return "not a JSON object"
    for field, kinds in (("_id", str | int), ("text", str)):
        if field not in record:
            return f"{field}: missing"
        if not isinstance(record[field], kinds) or not str(record[field]).strip():
            return f"{field}: {record[field]!r:.40} is not a text"
    answers = record.get("answers") or []
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        return "answers: not a list of strings"
    return f"_id: {record['_id']!r} again" if str(record["_id"]) in known else None


def _bad(path: Path, wrong: Sequence[str], example: str) -> QueriesFormat:
    more = f"\n… and {len(wrong) - SHOWN:,} more wrong lines" if len(wrong) > SHOWN else ""
    return QueriesFormat("\n".join(wrong[:SHOWN]) + more, example, str(path))
