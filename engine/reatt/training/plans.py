"""How to learn, for how long, and what is written down about it: plain values, which need no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LEAD = 0.05  # of a teacher over words
SEEDS = 1 << 20  # between the seeds of two runs: more than any run has steps


@dataclass(frozen=True)
class Plan:
    """How to learn; the defaults are the paper's for T5-large (section 4.1 and appendix A)."""

    batch: int = 64  # |Q|: questions of a step
    close: int = 100  # K: close chunks of a question
    micro: int = 1  # questions read at a time; no step depends on it but by rounding
    rate: float = 5e-5
    warm_up: float = 0.1  # share of the run
    clip: float = 1.0  # norm of the gradient
    rounds: int = 4  # each but the first begins with close chunks that the model's own attention finds
    learn_head: bool = True  # else the model's retrieval head is kept
    lead: float | None = LEAD  # of the teacher over the words' order, before it may teach; None: from the start
    half: bool = True  # multiply in bfloat16 where the device can
    recompute: bool = True  # keep one state a block for the backward pass
    seed: int = 0


PRESETS = {
    "paper": Plan(),
    "gpu": Plan(close=20, micro=4, rate=1e-4, rounds=1, learn_head=False, recompute=False),
    "laptop": Plan(batch=8, close=4, micro=4, rate=1e-4, rounds=1, learn_head=False, recompute=False),
}


def rate(plan: Plan, share: float) -> float:
    """Return the learning rate at a share of the run: up in a line while it warms up, then down in a line to 0.

    >>> [round(rate(Plan(rate=1.0), share), 2) for share in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    up = share < plan.warm_up
    return plan.rate * (share / plan.warm_up if up else (1 - share) / (1 - plan.warm_up))


class Budget(Protocol):
    """How long to learn."""

    def share(self, steps: int, seconds: float) -> float:
        """Say where in the run the middle of the next step lies; 1 and more: there is none."""


@dataclass(frozen=True)
class Steps:
    """So many steps, however long they take."""

    total: int

    def share(self, steps: int, seconds: float) -> float:
        """Count steps alone."""
        return (steps + 0.5) / self.total


@dataclass(frozen=True)
class Seconds:
    """So much time, however many steps it gives; the last one may not end after it."""

    total: float

    def share(self, steps: int, seconds: float) -> float:
        """Take the next step to last as long as the mean one."""
        mean = seconds / max(1, steps)
        return (seconds + mean / 2) / self.total if seconds + mean < self.total else 1.0


@dataclass(frozen=True)
class Row:
    """One step in the log."""

    step: int
    seconds: float  # since the run began, pauses left out
    rate: float
    tokens: int  # read, of pairs of question and chunk
    tokens_per_second: float
    answer: float | None  # None where only retrieval learns
    cross_document: float | None  # None while the teacher may not teach
    agreement: float | None  # questions for which retrieval prefers what the teacher, or given evidence, does
    teacher_hit: float | None  # at the last look: how often the teacher prefers the gold chunk
    cloze: float | None = None  # loss of finding what cloze questions were made from; None where none are asked


@dataclass(frozen=True)
class TrainingLog:
    """What a run was, step by step."""

    rows: tuple[Row, ...]
    words_hit: float | None  # what the teacher has to be better than
    stopped: bool  # before its end, by a person
    teacher: str | None = None  # its name, where one was asked
