"""What a search has found, best first, and what is said of it: how long it took, and what was not understood."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reatt.documents.languages import foreign, known_to
from reatt.search.query import Query
from reatt.search.retriever import Hit, Retriever
from reatt.weights.folder import ModelFolder
from reatt_store.errors import Notice
from reatt_store.library import Generation

FOREIGN = 0.9  # confidence that an answer in a language needs that the model does not know
SHOWN_END = 30  # characters, of what was read of a question that was cut


@dataclass(frozen=True)
class Hits:
    """What a search has found, best first; it can be read like a list."""

    question: str
    found: list[Hit]
    generation: Generation | None  # whose vectors were searched; None for a search by words
    timing_ms: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, rank: int) -> Hit:
        return self.found[rank]


def search(retriever: Retriever, query: Query) -> Hits:
    """Find the chunks that match a question best, and explain their attention scores; raises as `Retriever.find`."""
    timing: dict[str, float] = {}
    with timed(timing, "search"):
        hits = retriever.distinct(query)
    scored = [hit.attention_score is not None for hit in hits]
    hits = [explain(retriever, query.question, hit) if by else hit for hit, by in zip(hits, scored, strict=True)]
    used = None if query.retriever == "words" else retriever.generation
    return Hits(query.question, hits, used, timing, unread(query.question, hits))


def in_known_language(query: Query, model: ModelFolder) -> tuple[Query, list[str]]:
    """Search by words alone if the model does not know the language of the question, and say so.

    Its confidence was fitted on languages that it knows: an answer has to be surer then, unless a threshold is given.
    """
    language = foreign(query.question, known_to(model.settings)) if query.retriever == "hybrid" else None
    if language is None:
        return query, []
    told = f"{model.name} does not know {language}; searched by words (--retriever attention overrides this)"
    abstain = FOREIGN if query.abstain is None else query.abstain
    return replace(query, retriever="words", abstain=abstain), [Notice("LANGUAGE", told)]


def explain(retriever: Retriever, question: str, hit: Hit) -> Hit:
    """Give a chunk the terms of its score for a question."""
    return replace(hit, tokens=tuple(retriever.explain(question, hit)))


def unread(question: str, hits: Sequence[Hit]) -> list[str]:
    """Warn if the model read only the beginning of the question; its pairs cover all that was read."""
    seen = max((pair.question_span[1] for hit in hits[:1] for pair in hit.tokens), default=len(question))
    if left := question[seen:].split():
        end = question[:seen][-SHOWN_END:]
        return [Notice("TRUNCATED", f"the question is too long; it was cut after {end!r}, {len(left)} words")]
    return []


@contextmanager
def timed(timing: dict[str, float], phase: str) -> Iterator[None]:
    """Add the milliseconds of a block to a phase."""
    started = time.perf_counter()
    yield
    timing[phase] = timing.get(phase, 0.0) + (time.perf_counter() - started) * 1000
