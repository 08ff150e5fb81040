"""How far a long run is: what every long function tells its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a long run is."""

    phase: str
    done: int
    total: int | None
    note: str = ""


OnProgress = Callable[[Progress], None]  # what hears of it
