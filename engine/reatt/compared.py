"""Answer a question that compares two things: search and read for the value of each, then let the values decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reatt.answering.comparisons import Comparison, Decision, Step, Told, decide, value
from reatt.answering.quoting import Shown
from reatt.model.backbone import Answer, ChunkText
from reatt.search.retriever import Hit

Searching = Callable[[str], Sequence[Hit]]
Reading = Callable[[str, Sequence[Hit]], Answer]


@dataclass(frozen=True)
class Found:
    """The value of a thing, and the chunks that were read for it."""

    told: Told
    hits: tuple[Hit, ...]

    @property
    def text(self) -> str:
        """The value."""
        return self.told.text

    @property
    def confidence(self) -> float:
        """How sure the model is of it."""
        return self.told.confidence

    @property
    def hit(self) -> Hit:
        """The chunk that gives it."""
        return self.hits[self.told.quote.source]


@dataclass(frozen=True)
class Compared:
    """A decision, with the evidence of both values: first the passages that give them."""

    shown: Shown  # its quotes are the two values, each in its sentence
    threshold: float
    agreement: float  # mean of both readings, in nats
    evidence: tuple[Hit, ...]  # `share` is the mean of both readings


def compare(comparison: Comparison, search: Searching, read: Reading) -> Compared | None:
    """Compare two things; None if the evidence does not give a value of each, or if these cannot be compared."""

    decision = decide(comparison, lambda step, thing: find(step, thing, search, read))
    return _compared(decision) if decision else None


def find(step: Step, thing: str, search: Searching, read: Reading) -> Found | None:
    """Search and read for the answer of a step about a thing."""
    hits = search(step.about(thing))
    passages = [ChunkText(hit.title, hit.text) for hit in hits]
    told = value(step, thing, passages, lambda question, numbers: read(question, [hits[n] for n in numbers]))
    return Found(told, tuple(hits)) if told else None


def _compared(decision: Decision[Found]) -> Compared:
    """Put the evidence of both readings together."""
    shares: dict[int, float] = {}
    every: dict[int, Hit] = {}
    answers = [found.told.answer for found in decision.values]
    for found, answer in zip(decision.values, answers, strict=True):
        for number, (hit, share) in enumerate(zip(found.hits, answer.shares, strict=True)):
            shares[hit.chunk.id] = shares.get(hit.chunk.id, 0.0) + share / 2
            every.setdefault(hit.chunk.id, replace(hit, read=number < answer.read))
    quoted = {found.hit.chunk.id for found in decision.values}
    best = sorted(every, key=lambda chunk: (chunk not in quoted, -shares[chunk]))
    evidence = [replace(every[chunk], rank=rank, share=shares[chunk]) for rank, chunk in enumerate(best, 1)]
    quotes = tuple(replace(each.told.quote, source=best.index(each.hit.chunk.id)) for each in decision.values)
    return Compared(
        shown=Shown(decision.text, quotes, decision.confidence),
        threshold=max(answer.threshold for answer in answers),
        agreement=sum(answer.agreement for answer in answers) / 2,
        evidence=tuple(evidence),
    )
