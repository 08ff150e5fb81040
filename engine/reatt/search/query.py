"""A question with all options that decide its answer: made once, and passed on unchanged."""

from __future__ import annotations

from dataclasses import dataclass

from reatt_store.selection import EVERYTHING, Selection

TOP = 8  # chunks read jointly


@dataclass(frozen=True)
class Query:
    """A question, how to look for evidence, and how to answer from it."""

    question: str
    top: int = TOP  # the number of chunks
    retriever: str = "hybrid"  # or "attention", or "words"
    search: str = "auto"  # how attention searches: or "exact", "fast", "clusters", "two-stage"
    only: Selection | str | None = None  # which documents; a text is a glob that their paths, or the ends, must match
    rounds: int | None = None  # None: all rounds of the method
    rerank: bool = False  # the last round only reorders what the round before has found
    abstain: float | None = None  # no answer below this confidence; None: the model's own threshold
    free: bool = False  # whether the answer may contain words that are not in the evidence
    beams: int = 1  # of the beam search that writes the answer
    max_tokens: int = 32  # of a span
    answer: str = "auto"  # how it is answered: "auto" as the question asks for, or by a "span", or by a "sentence"

    @property
    def among(self) -> Selection:
        """The documents that are searched."""
        if isinstance(self.only, str):
            return Selection(only=(self.only,))
        return self.only or EVERYTHING
