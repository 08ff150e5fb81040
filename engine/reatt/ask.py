"""Question to reply: retrieve, read the best chunks jointly, answer or say that the documents hold no answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from reatt.model.backbone import Answer, Limits
from reatt.search.retriever import TOP, Hit, Retriever
from reatt.search.rounds import TokenPair


@dataclass(frozen=True)
class AskOptions:
    """How to look for evidence, and how to answer from it."""

    top: int = TOP
    retriever: str = "hybrid"
    search: str = "auto"
    only: str | None = None
    free: bool = False
    beams: int = 1
    max_tokens: int = 32
    rounds: int | None = None  # None: all rounds of the method
    rerank: bool = False
    abstain: float | None = None  # no answer below this confidence; None: the model's own threshold


@dataclass(frozen=True)
class Evidence:
    """A chunk that was found, its share of the target attention, and the token pairs that sum to its score."""

    hit: Hit
    share: float
    pairs: list[TokenPair]
    read: bool  # whether the model read it; it reads only as many as it reads well together


@dataclass(frozen=True)
class Reply:
    """An answer with its evidence, best first; `answer` is None if the model abstained."""

    id: str
    question: str
    answer: str | None
    abstained: bool
    confidence: float
    agreement: float
    evidence: list[Evidence]
    source: int | None  # number of the evidence that the answer was cut from
    char_start: int | None  # of the answer in that evidence's document
    char_end: int | None
    timing_ms: dict[str, float]
    warnings: list[str]


def ask(retriever: Retriever, question: str, options: AskOptions) -> Reply:
    """Answer a question from the store.

    Raises `BadQuestion` if it is blank, `ModelMismatch` if the store holds no vectors of the model.
    """
    timing: dict[str, float] = {}
    backbone = retriever.backbone
    with _timed(timing, "search"):
        how = (options.retriever, options.search, options.only, options.rounds, options.rerank)
        hits = retriever.search(question, options.top, *how)
        pairs = [retriever.explain(question, hit) for hit in hits]
    if not hits:
        return _nothing(question, timing)
    with _timed(timing, "read"):
        passages = retriever.passages([hit.chunk for hit in hits])
        scores = [sum(pair.weight for pair in terms) for terms in pairs]
        limits = Limits(options.max_tokens, options.beams, options.free)
        told = backbone.answer(question, passages, scores, limits)
    timing["total"] = sum(timing.values())
    rows = zip(hits, told.shares, pairs, strict=True)
    evidence = [Evidence(*row, read=number < told.read) for number, row in enumerate(rows)]
    return _reply(question, told, evidence, options.abstain, timing)


def _reply(
    question: str, told: Answer, evidence: list[Evidence], abstain: float | None, timing: dict[str, float]
) -> Reply:
    threshold = told.threshold if abstain is None else abstain
    abstained = not told.text or told.confidence < threshold
    start, end = _in_document(told, evidence)
    return Reply(
        id=_identity(question, told.text, [each.hit.chunk.id for each in evidence]),
        question=question,
        answer=None if abstained else told.text,
        abstained=abstained,
        confidence=told.confidence,
        agreement=told.agreement,
        evidence=evidence,
        source=None if abstained else told.source,
        char_start=None if abstained else start,
        char_end=None if abstained else end,
        timing_ms=timing,
        warnings=[],
    )


def _in_document(told: Answer, evidence: Sequence[Evidence]) -> tuple[int, int] | tuple[None, None]:
    if told.source is None or told.span is None:
        return None, None
    offset = evidence[told.source].hit.chunk.chunk.char_start
    return offset + told.span[0], offset + told.span[1]


def _nothing(question: str, timing: dict[str, float]) -> Reply:
    identity = _identity(question, "", [])
    return Reply(
        identity, question, None, True, 0.0, 0.0, [], None, None, None, timing | {"total": timing["search"]}, []
    )


def _identity(question: str, answer: str, chunks: Sequence[int]) -> str:
    """Return the id of a reply; the same answer from the same chunks has the same id."""
    content = repr((question, answer, list(chunks))).encode("utf-8", "surrogatepass")
    return "A-" + hashlib.blake2b(content, digest_size=5).hexdigest()


@contextmanager
def _timed(timing: dict[str, float], phase: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timing[phase] = (time.perf_counter() - started) * 1000
