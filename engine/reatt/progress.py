"""The progress of a long run, which every long function reports to its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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
