"""A question with everything that decides its answer: made once, by whoever asks, and passed on unchanged."""

from __future__ import annotations

from dataclasses import dataclass

TOP = 8  # chunks read jointly


@dataclass(frozen=True)
class Query:
    """A question, how to look for evidence, and how to answer from it."""

    question: str
    top: int = TOP  # how many chunks
    retriever: str = "hybrid"  # or "attention", or "words"
    search: str = "auto"  # how attention searches: or "exact", "fast", "two-stage"
    only: str | None = None  # a glob on the documents' paths, or on the end of them
    rounds: int | None = None  # None: all rounds of the method
    rerank: bool = False  # let the last round order what the one before has found, and find nothing itself
    abstain: float | None = None  # no answer below this confidence; None: the model's own threshold
    free: bool = False  # whether the answer may be words that are not in the evidence
    beams: int = 1  # answers kept in mind while writing
    max_tokens: int = 32  # of the answer
