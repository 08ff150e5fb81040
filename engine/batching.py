"""What one training step sees: questions, their answers, and one pool of chunks that all questions share."""

from __future__ import annotations

from dataclasses import dataclass

Ids = tuple[int, ...]


@dataclass(frozen=True)
class TrainingBatch:
    """Token ids of a step; row i of everything but the pool belongs to question i."""

    questions: tuple[Ids, ...]  # with end mark
    answers: tuple[Ids, ...]  # one sampled answer each, with end mark
    chunks: tuple[Ids, ...]  # the pool: every chunk of the batch once (close of anyone)
    close: tuple[tuple[int, ...], ...]  # per question numbers in `chunks`, best first; the rest is random to it
