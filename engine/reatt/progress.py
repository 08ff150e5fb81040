"""The progress of a long run, which every long function reports to its caller, and the log of a training run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

_MOMENT = 0.25  # seconds between words about work that goes on


@dataclass(frozen=True)
class Progress:
    """The progress of a long run."""

    phase: str
    done: int
    total: int | None
    note: str = ""

    def __str__(self) -> str:
        """Write it for a person.

        >>> print(Progress("read", 3, 12, "leave.md"))
        read 3 of 12  leave.md
        """
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.phase} {self.done:,}{of}  {self.note}".rstrip()


OnProgress = Callable[[Progress], None]


class Pace:
    """How far an ingest is: the file, the share of its text, the passages of all. What it tells may stop the run."""

    def __init__(self, tell: OnProgress) -> None:
        self._tell = tell
        self._at = Progress("read", 0, None)
        self._passages, self._share, self._told = 0, 1.0, 0.0

    def at(self, step: Progress) -> None:
        """Tell of a step, such as the next file."""
        self.now_at(step)
        self._say(step)

    def now_at(self, step: Progress) -> None:
        """Take a step that need not be told."""
        self._at, self._share = step, 1.0

    def page(self, done: int, total: int) -> None:
        """Tell of a page of the file; of 0 pages where they are not counted."""
        pages = f"  page {min(done + 1, total):,} of {total:,}" if total else ""
        self._say(replace(self._at, note=self._at.note + pages))

    def encoded(self, passages: int) -> None:
        """Tell of passages that were encoded."""
        self._passages += passages
        share = f", {self._share:.0%} of the text" if self._share < 1 else ""
        self._say(replace(self._at, note=f"{self._at.note}  {self._passages:,} passages{share}".strip()))

    def goes_on(self, share: float = 1.0) -> None:
        """Tell some times a second that the work goes on, and which share of a text is done."""
        self._share = share
        if time.monotonic() - self._told > _MOMENT:
            self.encoded(0)

    def _say(self, step: Progress) -> None:
        self._told = time.monotonic()
        self._tell(step)


@dataclass(frozen=True)
class TrainingRow:
    """One step of a training run."""

    step: int
    seconds: float  # since the run began, without pauses
    rate: float
    tokens: int  # of the question-chunk pairs that were read
    tokens_per_second: float
    answer: float | None  # loss; None if only retrieval learns
    cross_document: float | None  # loss; None while the teacher may not teach
    agreement: float | None  # share of questions for which retrieval's best chunk is that of the teacher or evidence
    teacher_hit: float | None  # at the last exam: how often the teacher prefers the gold chunk
    cloze: float | None = None  # loss of the cloze questions; None without such questions


@dataclass(frozen=True)
class TrainingLog:
    """The log of a training run."""

    rows: tuple[TrainingRow, ...]
    words_hit: float | None  # the hit rate of word search, which the teacher must beat
    stopped: bool  # whether a person stopped it early
    teacher: str | None = None  # the teacher's name, if one was used
