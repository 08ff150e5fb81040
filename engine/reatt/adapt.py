"""From a store to a better model of it: measure, learn, write, measure again, judge, and switch or keep (section 4.3).

What is trained, and on what, is a `Course`: ReAtt's encoder with its decoder (`adapt_encoder.py`), or INTRA's decoder
alone (`adapt_decoder.py`). Searches see no change before the verdict. Then one transaction switches everything, so the
store answers either with the old model and its keys or with the new ones.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from reatt.judging.comparison import Asked, Verdict, compare
from reatt.judging.report import Named, Report, saved
from reatt.progress import TrainingLog
from reatt.training import checkpoints
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.library import Generation, Library, Writer
from reatt_store.records import Outcome

ADAPTED = "training-model"  # a folder in the store, removed at the end of a run
TRAINING = "training"  # a folder in the store for checkpoints, removed at the end of a run
REPORTS = "reports"
DROPPED = "an interrupted run was discarded; --resume would have continued it"
ANEW = "there was no interrupted run to resume; this one started from the beginning"

RunSettings = Mapping[str, str | int | float | bool | None]


class _Model(Protocol):
    """What the run itself needs from a model."""

    device: torch.device


M = TypeVar("M", bound=_Model)


@dataclass(frozen=True)
class Trained:
    """The result of training: its log, and a function that writes the model to a folder."""

    log: TrainingLog
    write: Callable[[Path], ModelFolder]


@dataclass(frozen=True)
class Encoded:
    """The generation that the new model reads, and the number of new keys."""

    generation: int
    keys: int = 0


class Course(Protocol[M]):
    """A store, its model, the training, and how its result is judged."""

    library: Library
    folder: ModelFolder
    model: M
    began: float  # `time.monotonic()`

    @property
    def generation(self) -> Generation:
        """The current generation, which the model reads."""

    @property
    def mode(self) -> str:
        """Which kinds of supervision there are."""

    @property
    def settings(self) -> RunSettings:
        """The settings of the run as plain values, for its row and its report."""

    @property
    def examples(self) -> Mapping[str, int]:
        """The number of training examples of each kind."""

    @property
    def primary(self) -> str:
        """The figures that decide: a name in `comparison`."""

    @property
    def accept(self) -> str:
        """When the new model is used."""

    @property
    def seed(self) -> int:
        """The seed of learning, and of the comparison's intervals."""

    def begin(self, writer: Writer, resume: bool) -> None:
        """Discard an unfinished earlier run, or resume it; raises if this run cannot be done."""

    def measure(self, model: M, generation: int) -> list[Asked]:
        """Ask the held-out questions of a model that reads a generation."""

    def learn(self, measuring: float) -> Trained:
        """Train for the time that remains, if one measurement takes so many seconds."""

    def load(self, made: ModelFolder) -> M:
        """Load the model that was written."""

    def encode(self, writer: Writer, made: ModelFolder, learnt: M) -> Encoded:
        """Encode the store for the new model, unless it reads the current keys."""

    def warnings(self, log: TrainingLog) -> tuple[str, ...]:
        """Return what a user should know about a finished run."""

    def tidy(self) -> None:
        """Remove what only an unfinished run needs."""


def run(course: Course[Any], resume: bool = False) -> Report:
    """Measure, learn, write, measure again, judge, and switch or keep.

    Raises StoreLocked at once if another process writes, and KeyboardInterrupt if it is stopped before the first step.
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
    """Make a model that reads `generation` current, or drop it; return what was kept.

    `before` was current until now. Its model is kept for a rollback; earlier ones are dropped.
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


def clean(library: Library, writer: Writer, resume: bool) -> list[str]:
    """Discard an unfinished earlier run, unless this run resumes it; return what a user should know."""
    left = checkpoints.exists(library.folder / TRAINING)
    if resume and left:
        return []
    kept = {model.generation for model in library.models()}
    for made in library.generations():
        if made.id not in kept:
            writer.drop_generation(made.id)
    models.drop_unused(library)
    tidy(library)
    warning = {(False, True): DROPPED, (True, False): ANEW}.get((resume, left))
    return [warning] if warning else []


def tidy(library: Library) -> None:
    """Remove the checkpoints of a run, and a model that was not judged."""
    checkpoints.forget(library.folder / TRAINING)
    shutil.rmtree(library.folder / ADAPTED, ignore_errors=True)


def settings_of(*parts: Mapping[str, object]) -> dict[str, str | int | float | bool | None]:
    """Merge the plain values of several records; a later record wins."""
    plain = (str, int, float, bool, type(None))
    return {name: value for part in parts for name, value in part.items() if isinstance(value, plain)}


def _peak_bytes(device: torch.device) -> int | None:
    """Return the peak memory of the GPU; None without one."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
