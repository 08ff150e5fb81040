"""How much is measured, on what, and where it is kept between runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.kit.machine import cores

if TYPE_CHECKING:
    from reatt.model.reatt import ReAtt
    from reatt.weights.folder import ModelFolder


@dataclass(frozen=True)
class Plan:
    """One run of the bench."""

    data: Path
    work: Path
    chosen: Path | None = None  # a model's folder; None is the bundled one
    device: str = "cpu"
    chunks: tuple[int, ...] = (10_000, 100_000)  # of the stores that are searched
    copies: int = 1  # of every passage of the largest store, perturbed, in one more store to search
    questions: int = 40
    ingest_bytes: int = 1_600_000  # some 2,500 chunks
    memory_bytes: tuple[int, ...] = (10_000_000, 100_000_000)
    rounds: int = 3
    starts: int = 7  # of each process
    asked: int = 20  # questions of one warm process

    @classmethod
    def quick(cls, data: Path, work: Path, chosen: Path | None, device: str) -> Plan:
        """Plan a run of some minutes: the same measurements, smaller."""
        return cls(
            data, work, chosen, device, chunks=(1_000, 3_000), questions=20, ingest_bytes=400_000,
            memory_bytes=(1_000_000, 5_000_000), starts=5, asked=8,
        )  # fmt: skip

    @cached_property
    def model(self) -> ModelFolder:
        """The model that encodes and reads."""
        from reatt.weights.folder import ModelFolder
        from reatt.weights.models import bundled

        return ModelFolder(self.chosen) if self.chosen else bundled()

    def backbone(self) -> ReAtt:
        """Load the model onto the device."""
        from reatt.weights.models import load

        return load(self.model, self.device)

    @property
    def fusion(self) -> float:
        """The weight of attention in hybrid search that the model comes with."""
        from reatt.weights.folder import FUSION_WEIGHT

        return float(self.model.settings.get("fusion", FUSION_WEIGHT))

    @property
    def home(self) -> Path:
        """An empty home for the processes that are started."""
        home = self.work / "home"
        home.mkdir(parents=True, exist_ok=True)
        return home

    @property
    def threads(self) -> tuple[int, ...]:
        """How many threads are measured: a GPU leaves the processor's unused."""
        return (1, cores()) if self.device == "cpu" and cores() > 1 else (cores(),)
