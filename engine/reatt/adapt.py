"""From a store to a better model of it: measure, learn, write, measure again, judge, and switch or keep (section 4.3).

What learns, and from what, is a `Course`: ReAtt's encoder with its decoder (`adapt_encoder.py`), or INTRA's decoder
alone (`adapt_decoder.py`). Nothing that a search sees changes before the verdict, and then one transaction changes it
all: the store answers with the old model and its keys or with the new one and its own.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from reatt.judging.comparison import Asked, Verdict, compare
from reatt.judging.report import Named, Report, saved
from reatt.training.plans import TrainingLog
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.library import Generation, Library, Writer
from reatt_store.records import Outcome

ADAPTED = "training-model"  # a folder of the store, gone when a run has ended
REPORTS = "reports"

RunSettings = Mapping[str, str | int | float | bool | None]


class _Model(Protocol):
    """What the run itself asks of a model."""

    device: torch.device


M = TypeVar("M", bound=_Model)


@dataclass(frozen=True)
class Trained:
    """What training has ended with: its log, and what writes the model to a folder."""

    log: TrainingLog
    write: Callable[[Path], ModelFolder]


@dataclass(frozen=True)
class Encoded:
    """The generation that a new model reads, and how many keys had to be made for it."""

    generation: int
    keys: int = 0


class Course(Protocol[M]):
    """A store, its model, what the model is to learn, and how it is judged."""

    library: Library
    folder: ModelFolder
    model: M
    began: float  # `time.monotonic()`

    @property
    def generation(self) -> Generation:
        """The generation in force, which the model reads."""

    @property
    def mode(self) -> str:
        """Which supervisions there are."""

    @property
    def settings(self) -> RunSettings:
        """What was asked for, as plain values: for the run's row and its report."""

    @property
    def examples(self) -> Mapping[str, int]:
        """How many examples of each kind there are to learn from."""

    @property
    def primary(self) -> str:
        """The figure that decides: a name in `comparison`."""

    @property
    def accept(self) -> str:
        """When the new model is used."""

    @property
    def seed(self) -> int:
        """The seed of learning, and of the comparison's intervals."""

    def begin(self, writer: Writer, resume: bool) -> None:
        """Drop what an earlier run has left, or go on from it; raises what makes a run impossible."""

    def measure(self, model: M, generation: int) -> list[Asked]:
        """Ask a model that reads a generation the held-out questions."""

    def learn(self, measuring: float) -> Trained:
        """Learn for as long as there is, when one measuring takes so many seconds."""

    def load(self, made: ModelFolder) -> M:
        """Load what was written."""

    def encode(self, writer: Writer, made: ModelFolder, learnt: M) -> Encoded:
        """Make the keys that the new model reads, where it does not read those in force."""

    def warnings(self, log: TrainingLog) -> tuple[str, ...]:
        """Say what a person should know of a run that has ended."""

    def tidy(self) -> None:
        """Drop what only an unfinished run needs."""


def run(course: Course[M], resume: bool = False) -> Report:
    """Measure, learn, write, measure again, judge, and switch or keep.

    Raises StoreLocked at once if another process writes, and KeyboardInterrupt if a person stops it before a step.
    """
    library = course.library
    with library.writing() as writer:
        course.begin(writer, resume)
        number = writer.begin_run(course.mode, dict(course.settings))
        started = time.monotonic()
        before = course.measure(course.model, course.generation.id)
        learnt = course.learn(time.monotonic() - started)
        if not learnt.log.rows:
            raise KeyboardInterrupt
        made = learnt.write(library.folder / ADAPTED)
        model = course.load(made)
        encoded = course.encode(writer, made, model)
        after = course.measure(model, encoded.generation)
        verdict = compare(before, after, primary=course.primary, policy=course.accept, seed=course.seed)
        kept = conclude(library, writer, course.generation, number, verdict, made, encoded.generation)
        course.tidy()
        shutil.rmtree(made.path, ignore_errors=True)
    file = library.folder / REPORTS / f"R-{number}.html"
    report = Report(
        run=number, store=str(library.folder), mode=course.mode, settings=course.settings, examples=course.examples,
        verdict=verdict, before=before, after=after, log=learnt.log,
        parent=Named(course.folder.name, course.folder.sha256), model=kept, reencoded=encoded.keys,
        seconds=time.monotonic() - course.began, peak_vram=_peak_bytes(course.model.device),
        warnings=course.warnings(learnt.log), report=str(file),
    )  # fmt: skip
    return saved(report, file)


def conclude(
    library: Library, writer: Writer, before: Generation, run: int, verdict: Verdict, made: ModelFolder, generation: int
) -> Named | None:
    """Bring a model into force that reads `generation`, or drop it; return what was kept.

    `before` was in force until now. Its model is the one to go back to; earlier ones go.
    """
    outcome = Outcome(
        {name: change.before for name, change in verdict.figures.items()},
        {name: change.after for name, change in verdict.figures.items()},
        verdict.accepted, verdict.reason, made.sha256,
    )  # fmt: skip
    if verdict.accepted:
        models.keep_in_store(made, library.folder)
        writer.end_run(run, outcome, generation, made.name)
        for earlier in library.models():
            if not earlier.current and earlier.sha256 != before.model_sha256:
                writer.forget_model(earlier.id)
    else:
        writer.end_run(run, outcome)
        if generation not in {model.generation for model in library.models()}:
            writer.drop_generation(generation)
    models.drop_unused(library)
    if not verdict.accepted:
        return None
    return Named(made.name, made.sha256, str(models.in_store(library, made.name, made.sha256).path))


def settings_of(*parts: Mapping[str, object]) -> dict[str, str | int | float | bool | None]:
    """Lay the settings of several records side by side; of two of one name the later one holds."""
    plain = (str, int, float, bool, type(None))
    return {name: value for part in parts for name, value in part.items() if isinstance(value, plain)}


def _peak_bytes(device: torch.device) -> int | None:
    """Return the most memory of the GPU that was used at once; None without one."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
