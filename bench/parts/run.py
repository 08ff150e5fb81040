"""One run of `make eval-mini`: which models, which sets, how much of them, and where what is known is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.kit.kept import Clock, Kept, code
from bench.kit.plan import Plan
from bench.quality import mini_sets
from bench.quality.mini_sets import SETS, Judged
from reatt.model.reatt import ReAtt
from reatt.search.retriever import Retriever

MAIN = "reatt-mini"


@dataclass(frozen=True)
class Subject:
    """A model that is measured; loaded once, and only where something of it is not known yet."""

    name: str
    plan: Plan

    @cached_property
    def model(self) -> ReAtt:
        """The model itself."""
        return self.plan.backbone()

    def kept(self, part: str, name: str) -> Kept:
        """Name the records of a part: another model or another engine has others."""
        folder = self.plan.work / "mini" / "known" / f"{self.plan.model.sha256[:12]}-{code()}"
        return Kept(folder / f"{part}-{name}.jsonl")


@dataclass(frozen=True)
class Sizes:
    """How many questions are asked; evenly spaced, or all where there are fewer."""

    limit: int | None = None  # of a set, to find by; None: all judged ones
    read: int = 300  # of a set, to read
    read_beside: int = 100  # by the other models
    doubt: int = 100  # of a set, and as many of the next one, for the confidence
    teach: int = 100  # of a set, for the teachers
    tables: int = 150  # about tables and settings
    pool: int | None = None  # documents of INTRA's pool; None: all


@dataclass(frozen=True)
class Run:
    """All that the parts need."""

    data: Path
    work: Path
    subjects: Sequence[Subject]  # the one that the page is about comes first
    names: Sequence[str]  # of sets
    sizes: Sizes
    minilm: Path  # the folder that MiniLM was fetched to, if it was
    clock: Clock
    _stores: dict[tuple[str, str], Retriever] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    @property
    def main(self) -> Subject:
        """The model that the page is about."""
        return self.subjects[0]

    @cached_property
    def sets(self) -> list[Judged]:
        """The judged sets with the questions that they are searched by."""
        chosen = [dev for dev in SETS if dev.name in self.names]
        return [mini_sets.load(self.data, dev, self.sizes.limit, every=True) for dev in chosen]

    def of(self, names: Sequence[str]) -> list[Judged]:
        """Name some of the sets, all of their questions, as far as they are measured at all."""
        chosen = [dev for dev in SETS if dev.name in names and dev.name in self.names]
        return [mini_sets.load(self.data, dev, None, every=True) for dev in chosen]

    def store(self, subject: Subject, judged: Judged) -> Retriever:
        """Open a set's store in a model's keys; ingesting goes on where an earlier run was stopped."""
        key = (subject.name, judged.name)
        if key not in self._stores:
            made = mini_sets.open_store(subject.plan, subject.model, judged, self.told(f"encode {judged.name}"))
            self._opened.callback(mini_sets.library_of(made).close)
            self._stores[key] = made
        return self._stores[key]

    def told(self, what: str) -> Callable[[object], None]:
        """Tell of a progress whose figures do not matter."""
        return lambda _: self.clock.tell(what)

    def close(self) -> None:
        """Close the stores."""
        self._opened.close()
