"""How far a long run is: what every long function tells its caller."""

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


OnProgress = Callable[[Progress], None]  # what hears of it
