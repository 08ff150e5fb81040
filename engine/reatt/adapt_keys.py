"""The course of a store's own keys: only the question's side of retrieval learns, and nothing is encoded again.

It learns from the keys that the store keeps (`training/query_projection.py`), fits anew how hybrid search weighs
attention and names, and judges by hybrid search, which is what people use. Making choices, and each of the two
measurements, has at most a quarter of the minutes.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from reatt.adapt import TRAINING, Encoded, RunSettings, Trained, clean, settings_of, tidy
from reatt.adapt_encoder import Forecast
from reatt.judging.comparison import RETRIEVAL, Asked
from reatt.judging.fusion import Blend, HybridSearch, blend_of, by_words
from reatt.judging.measuring import as_asked, measure
from reatt.lessons.choices import Choice, Chooser
from reatt.lessons.examples import Example
from reatt.lessons.material import Material
from reatt.model.reatt import ReAtt
from reatt.progress import OnProgress, Progress, TrainingLog, TrainingRow
from reatt.search.index import AttentionIndex
from reatt.search.retriever import TOKEN_CANDIDATES
from reatt.training import feasible, resources
from reatt.training.plans import Budget, Plan, Seconds, Shorter, Steps
from reatt.training.query_projection import EPOCHS, PLAN, QueryProjection, learn, projecting, started_with
from reatt.training.ranks import ALONE, Ranks
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.write import write_reatt
from reatt_store.errors import UsageError
from reatt_store.library import Generation, Library, Writer

TOGETHER = 32  # questions encoded at once
FIT = 150  # questions at most that hybrid's weights are fitted on; they are not learnt from
LEAST_HELD, LEAST_LEARNT = 50, 64  # questions; with fewer, nothing can be told from chance
PASSAGES = 600  # that questions are made of: some hundred questions teach all that can be learnt
ASKING, FITTING, CHOOSING = (
    0.2,
    0.08,
    0.2,
)  # shares of the time; the questions are asked twice, the rest is for learning
SOME = 8  # questions that are timed


@dataclass(frozen=True)
class KeysOptions:
    """How long to learn, and when to use the result."""

    plan: Plan = PLAN
    freeze: str = "chunks"
    accept: str = "if-better"
    minutes: float | None = 20.0  # all included, at most
    steps: int | None = None  # instead of minutes


@dataclass(frozen=True)
class Pace:
    """Seconds for one question, or one step, in each stage."""

    choice: float
    find: float
    step: float
    rest: float  # for loading and writing the new model


@dataclass(frozen=True)
class Sizes:
    """How many questions each stage has, and how many steps there are at most."""

    held: int
    fit: int
    learnt: int
    steps: int

    def seconds(self, pace: Pace) -> float:
        """Return how long all stages take, from now on."""
        asking = (2 * self.held + self.fit) * pace.find
        return asking + self.learnt * pace.choice + self.steps * pace.step + pace.rest


@dataclass
class KeysCourse:
    """A store, its model, and the examples."""

    library: Library
    folder: ModelFolder
    model: ReAtt
    material: Material
    options: KeysOptions
    tell: OnProgress = lambda _: None
    on_row: Callable[[TrainingRow, float], None] = lambda row, share: None
    stop: Callable[[], bool] = lambda: False
    began: float = field(default_factory=time.monotonic)
    ranks: Ranks = ALONE  # of several processes the first one does everything: there is little to do

    def __post_init__(self) -> None:
        self.generation: Generation = feasible.read_by(self.library, self.model)
        feasible.check(self.material, self.options.freeze)
        self.mode, self.primary, self.accept = self.material.mode, RETRIEVAL, self.options.accept
        self.seed = self.options.plan.seed
        self._index = AttentionIndex(self.library, self.generation.id, TOKEN_CANDIDATES)
        self._chooser = Chooser(self.library, self._index, self.model, self.material.corpus)
        self._words = by_words(self.library)
        self._usual = self._blend = blend_of(self.folder, self.generation.method)
        self._starting = time.monotonic() - self.began
        self._warnings = self.material.warnings

    @property
    def settings(self) -> RunSettings:
        """The settings of the run as plain values."""
        return settings_of(asdict(self.options), asdict(self.options.plan))

    @property
    def examples(self) -> Mapping[str, int]:
        """The number of training examples of each kind."""
        return self.material.kinds

    @cached_property
    def _known(self) -> list[Example]:
        return [example for example in self.material.split.train if example.chunk is not None]

    def forecast(self) -> Forecast:
        """Time a few questions and a step, to estimate the whole run; raises UsageError if the minutes are too few."""
        pace = self._pace()
        sizes = self._sizes(pace)
        return Forecast(sizes.steps, pace.step, sizes.seconds(pace), self._bytes())

    def help(self, resume: bool = False) -> None:
        """Return at once, as one of the other processes of `torchrun`."""

    def begin(self, writer: Writer, resume: bool) -> None:
        """Check disk and time, and discard an unfinished earlier run or resume it."""
        resources.check_disk(self.library.folder, self._bytes())
        self._paced = self._pace()
        self._planned = self._sizes(self._paced)
        self._choosing = None if self.options.minutes is None else 1.2 * self._planned.learnt * self._paced.choice
        self._warnings = (*self._warnings, *clean(self.library, writer, resume))
        self._resumes = resume

    def measure(self, model: ReAtt, generation: int) -> list[Asked]:
        """Ask the held-out questions as people ask: by hybrid search, with the weights that belong to the model."""
        held = self.material.split.held[: self._planned.held]
        return measure(model, self.material.corpus, self._search(model, self._blend), held, 0, self.tell)

    def learn(self, measuring: float) -> Trained:
        """Learn until only the time for the rest remains, then fit the weights of hybrid search."""
        folder, sizes = self.library.folder / TRAINING, self._planned
        fit, rest = self._known[: sizes.fit], self._known[sizes.fit :]
        kept = started_with(folder) if self._resumes else None
        choices = self._choices(rest[: kept or sizes.learnt], None if kept else self._choosing)
        keys = self._index.views(sorted({chunk for choice in choices for chunk in choice.chunks}))
        learner = QueryProjection(self.model, choices, keys, self.options.plan, self._identity())
        if kept:
            learner.resume(folder)
        budget = self._budget(learner, len(choices), measuring)
        log = learn(learner, self.options.plan, budget, folder, self.on_row, self.stop)
        learnt = projecting(self.model, learner.learnt())
        self._blend = self._search(learnt, self._usual).fitted([as_asked(example) for example in fit])
        settings = {"fusion": self._blend.attention, "named": self._blend.names}
        return Trained(log, lambda made: write_reatt(learnt, self.folder, made, settings))

    def load(self, made: ModelFolder) -> ReAtt:
        """Load the model that was written, for the method of the store."""
        return models.load(made, str(self.model.device), keeps_states=self.model.keeps_states)

    def encode(self, writer: Writer, made: ModelFolder, learnt: ReAtt) -> Encoded:
        """Encode nothing: the keys stay."""
        assert learnt.fingerprint() == self.generation.fingerprint, "keys do not depend on the question's side"
        return Encoded(self.generation.id)

    def warnings(self, log: TrainingLog) -> tuple[str, ...]:
        """Return warnings about the files, and a discarded run."""
        return self._warnings

    def tidy(self) -> None:
        """Remove the checkpoints, and a model that was not judged."""
        tidy(self.library)

    def _search(self, model: ReAtt, blend: Blend) -> HybridSearch:
        return HybridSearch(self.library, self.generation.id, model, self.material.corpus, blend, self._words)

    def _choices(self, examples: Sequence[Example], seconds: float | None) -> list[Choice]:
        """Make choices of examples, as many as so many seconds allow."""
        started, made = time.monotonic(), list[Choice]()
        for at in range(0, len(examples), TOGETHER):
            self.tell(Progress("search", at, len(examples)))
            if seconds is not None and at >= LEAST_LEARNT and time.monotonic() - started > seconds:
                break
            made += self._chooser.choices(examples[at : at + TOGETHER], self.seed)
        return made

    def _pace(self) -> Pace:
        """Time some questions in each stage; the first of a kind is slower and does not count."""
        some, search = self._known[: 1 + SOME], self._search(self.model, self._usual)
        choices = self._chooser.choices(some[:1], self.seed)
        choice = _each(lambda: choices.extend(self._chooser.choices(some[1:], self.seed)), SOME)
        held = [as_asked(example) for example in self.material.split.held[: 1 + SOME]]
        search(held[:1], 1)
        find = _each(lambda: search(held[1:], 1), max(1, len(held) - 1))
        keys = self._index.views([chunk for choice in choices for chunk in choice.chunks])
        learner = QueryProjection(self.model, choices, keys, PLAN)
        step = _each(lambda: learner.gradient(range(len(choices))), len(choices)) * self.options.plan.batch
        return Pace(choice, find, step, 2 * self._starting)

    def _sizes(self, pace: Pace) -> Sizes:
        """Decide how much each stage does; raises UsageError if the minutes are too few."""
        held, fit = len(self.material.split.held), min(FIT, len(self._known) // 4)
        learnt = len(self._known) - fit
        if self.options.steps is not None:
            return Sizes(held, fit, min(learnt, self.options.steps * self.options.plan.batch), self.options.steps)
        least_held, least_learnt = min(held, LEAST_HELD), min(learnt, LEAST_LEARNT)
        asking, choosing = least_held * pace.find / ASKING, least_learnt * pace.choice / CHOOSING
        needed = max(asking, choosing, 2 * (self._starting + pace.rest))
        if needed > 60 * (self.options.minutes or 0):
            message = f"--minutes {self.options.minutes or 0:g} is too short to judge what was learnt"
            raise UsageError(message, f"--minutes {math.ceil(needed / 6) / 10:g}")
        free = self._left() - pace.rest
        held = max(least_held, min(held, int(ASKING * free / pace.find)))
        fit = max(0, min(fit, int(FITTING * free / pace.find)))
        learnt = max(least_learnt, min(learnt, int(CHOOSING * free / pace.choice)))
        sizes = Sizes(held, fit, learnt, 0)
        left = self._left() - sizes.seconds(pace)
        steps = min(self._enough(learnt), max(1, int(left / pace.step)))
        return replace(sizes, steps=steps)

    def _left(self) -> float:
        return 60 * (self.options.minutes or 0) - (time.monotonic() - self.began)

    def _enough(self, questions: int) -> int:
        """Return the number of steps after which more would not help."""
        return max(1, EPOCHS * questions // self.options.plan.batch)

    def _budget(self, learner: QueryProjection, choices: int, measuring: float) -> Budget:
        """Return the steps that were asked for; or the seconds that are left, but no more steps than help."""
        if self.options.steps is not None:
            return Steps(self.options.steps)
        aside = 1.1 * measuring + self._planned.fit * self._paced.find + self._paced.rest
        return Shorter((Seconds(learner.spent + max(1.0, self._left() - aside)), Steps(self._enough(choices))))

    def _identity(self) -> str:
        """Identify what a checkpoint belongs to: model, options and examples."""
        options = replace(self.options, minutes=None, accept="")
        learnt = (self.folder.sha256, asdict(options), self.material.corpus.ids, self._known)
        return hashlib.blake2b(repr(learnt).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _bytes(self) -> int:
        return resources.on_disk(self.model.t5, [], 0)


def _each(work: Callable[[], object], count: int) -> float:
    """Return the seconds of a piece of work, for each of its parts."""
    started = time.monotonic()
    work()
    return (time.monotonic() - started) / max(1, count)
