"""The course of ReAtt: examples, close chunks, training of retrieval and reading, new keys (sections 3 and 4.3).

`--resume` continues a killed run; otherwise the next run discards it.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from reatt import ingest
from reatt.adapt import TRAINING, Encoded, RunSettings, Trained, clean, settings_of, tidy
from reatt.judging import costs
from reatt.judging.comparison import READING, RETRIEVAL, Asked
from reatt.judging.costs import Costs
from reatt.judging.fusion import HybridSearch, blend_of, by_words
from reatt.judging.measuring import as_asked, measure
from reatt.lessons.batches import ChunkIds
from reatt.lessons.close_chunks import (
    CLOSE_FROM,
    CorpusSearch,
    FileSearch,
    WordSearch,
    close_chunks,
    search_from,
    with_gold,
)
from reatt.lessons.examples import Example
from reatt.lessons.material import Material, Sources, gather
from reatt.model.reatt import ReAtt
from reatt.progress import OnProgress, Progress, TrainingLog, TrainingRow
from reatt.training import checkpoints, exams, feasible, resources
from reatt.training.freezing import FREEZES
from reatt.training.objective import Objective
from reatt.training.plans import LEAD, Budget, Plan, Seconds, Steps
from reatt.training.ranks import ALONE, Ranks
from reatt.training.spread import PROBES, keep_part, keep_spread
from reatt.training.teachers import TEACHERS, Teacher
from reatt.training.trainer import Trainer, TrainingData, train
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.write import write_reatt
from reatt_store.errors import UsageError
from reatt_store.library import Generation, Library, Writer

__all__ = ["EncoderCourse", "EncoderOptions", "Forecast", "Material", "Sources", "gather"]

READING_SHARE = {True: 0.1, False: 0.3}  # share of the minutes, by whether retrieval decides
AUTO = "auto"  # the teacher that passes its exam
SEARCHED_TOGETHER = 256  # examples searched between two progress reports


@dataclass(frozen=True)
class EncoderOptions:
    """How to train, and when to use the result."""

    plan: Plan
    freeze: str = "none"
    close_from: str = "words"  # a name in CLOSE_FROM, or a file
    teacher: str = "auto"  # or a name in TEACHERS
    accept: str = "if-better"
    minutes: float | None = 20.0  # all included
    steps: int | None = None  # instead of minutes


@dataclass(frozen=True)
class Forecast:
    """What a run would need."""

    steps: int
    step_seconds: float
    seconds: float  # of training, encoding and measuring
    bytes: int  # on the disk, for a while


@dataclass
class EncoderCourse:
    """A store, its model, and the training material. `forecast` estimates what `adapt.run` would need."""

    library: Library
    folder: ModelFolder
    model: ReAtt
    material: Material
    options: EncoderOptions
    tell: OnProgress = lambda _: None
    on_row: Callable[[TrainingRow, float], None] = lambda row, share: None
    stop: Callable[[], bool] = lambda: False
    began: float = field(default_factory=time.monotonic)
    ranks: Ranks = ALONE  # of several processes the first does everything except training alone
    words: WordSearch | None = None  # over the corpus; created if none is given

    def __post_init__(self) -> None:
        self.generation: Generation = feasible.read_by(self.library, self.model)
        feasible.check(self.material, self.options.freeze)
        self._chunks = ChunkIds(self.material.corpus, self.model.tokenizer)
        self._words = self.words or WordSearch(self.material.corpus)
        self._searches: dict[str, CorpusSearch] = {"words": self._words}
        if (how := self.options.close_from) not in CLOSE_FROM:
            self._searches[how] = FileSearch(Path(how), self.material.corpus)
        self._training = self.library.folder / TRAINING
        self.accept, self.seed = self.options.accept, self.options.plan.seed
        self._warnings = self.material.warnings
        self._by_words, self._blend = by_words(self.library), blend_of(self.folder, self.generation.method)
        self._read: int | None = None  # held-out questions that are answered, too; None: all
        self._encoding = 0.0  # seconds that are put aside for it

    @property
    def mode(self) -> str:
        """Which kinds of supervision there are."""
        return self.material.mode

    @property
    def settings(self) -> RunSettings:
        """The settings of the run as plain values."""
        return settings_of(asdict(self.options), asdict(self.options.plan))

    @property
    def examples(self) -> Mapping[str, int]:
        """The number of training examples of each kind."""
        return self.material.kinds

    @property
    def primary(self) -> str:
        """What decides: retrieval, unless it is frozen."""
        return RETRIEVAL if FREEZES[self.options.freeze].retrieves else READING

    def forecast(self) -> Forecast:
        """Time one discarded step, some chunks and some questions, to estimate the whole run."""
        trainer = self._make_trainer()
        step, costs = self._rehearse(trainer), self._costs()
        aside = costs.total(self._readable(costs))
        steps = self.options.steps or max(0, int((self._seconds() - aside) / step))
        return Forecast(steps, step, steps * step + aside, self._bytes(trainer))

    def help(self, resume: bool = False) -> None:
        """Train as one of the other processes of `torchrun`; the first one does the rest."""
        if not self._train(self._started(self._make_trainer(), resume), 0.0).rows:
            raise KeyboardInterrupt  # before a step

    def begin(self, writer: Writer, resume: bool) -> None:
        """Check memory, disk and time, and discard an unfinished earlier run or resume it."""
        self._trainer = self._make_trainer()
        self._read, self._encoding = self._plan_measuring()
        self._warnings = (*self._warnings, *clean(self.library, writer, resume))
        self._started(self._trainer, resume)

    def measure(self, model: ReAtt, generation: int) -> list[Asked]:
        """Ask the held-out questions as people ask, and have as many answered as there is time for."""
        search, held = self._search(model, generation), self.material.split.held
        return measure(model, self.material.corpus, search, held, self._read, self.tell)

    def learn(self, measuring: float) -> Trained:
        """Train until only the time for encoding and the second measurement remains."""
        log = self._train(self._trainer, 1.1 * measuring + self._encoding)
        return Trained(log, lambda folder: write_reatt(self._learnt(self._trainer), self.folder, folder))

    def load(self, made: ModelFolder) -> ReAtt:
        """Load the model that was written, for the method of the store; searches take its weights of hybrid search."""
        self._blend = blend_of(made, self.generation.method)
        return models.load(made, str(self.model.device), keeps_states=self.model.keeps_states)

    def encode(self, writer: Writer, made: ModelFolder, learnt: ReAtt) -> Encoded:
        """Encode a new generation, unless the new model makes the current keys.

        The model is saved first, because a generation must not name a missing model.
        """
        fingerprint = learnt.fingerprint()
        if fingerprint == self.generation.fingerprint:
            return Encoded(self.generation.id)
        models.keep_in_store(made, self.library.folder)
        generation = writer.begin_generation(fingerprint, made.name, made.sha256, learnt.method)
        return Encoded(generation, ingest.complete(self.library, writer, learnt, generation, self.tell))

    def warnings(self, log: TrainingLog) -> tuple[str, ...]:
        """Return warnings about the files, a discarded run, and retrieval that had no teacher."""
        return (*self._warnings, *feasible.untaught(self.options.freeze, log))

    def tidy(self) -> None:
        """Remove the checkpoints, and a model that was not judged."""
        tidy(self.library)

    def _search(self, model: ReAtt, generation: int) -> HybridSearch:
        return HybridSearch(self.library, generation, model, self.material.corpus, self._blend, self._by_words)

    def _started(self, trainer: Trainer, resume: bool) -> Trainer:
        """Restore a trainer from an earlier run, after the first process has cleaned up."""
        self.ranks.same(0.0)
        if resume:
            trainer.resume(self._training)
            chunks, examples = len(self.material.corpus.passages), len(self.material.split.train)
            if len(trainer.close) > examples or any(chunk >= chunks for row in trainer.close for chunk in row):
                raise checkpoints.unreadable(self._training, "its close chunks are of another corpus")
        return trainer

    def _make_trainer(self) -> Trainer:
        freeze, model = FREEZES[self.options.freeze], self.model
        cloze_alone = freeze.apart and self.material.mode == "masked"  # nothing more to learn from reading
        objective = Objective(cross_document=not cloze_alone)
        trainer = Trainer(model, self.options.plan, objective, freeze, self._identity(), self.ranks)
        resources.check_disk(self.library.folder, self._bytes(trainer))
        resources.check_memory(model.device, resources.in_memory(trainer.weights))
        return trainer

    def _bytes(self, trainer: Trainer) -> int:
        keys = 0 if FREEZES[self.options.freeze].keeps_keys else self.library.status().bytes.vectors
        return resources.on_disk(self.model.t5, trainer.weights, keys)

    def _identity(self) -> str:
        """Identify what a checkpoint belongs to: model, options and training material."""
        options = replace(self.options, minutes=None, accept="")
        split = self.material.split
        learnt = (self.folder.sha256, asdict(options), self.material.corpus.ids, split.train, split.held)
        return hashlib.blake2b(repr(learnt).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _seconds(self) -> float:
        """Return the remaining share of the time."""
        return 60 * (self.options.minutes or 0) - (time.monotonic() - self.began)

    def _plan_measuring(self) -> tuple[int | None, float]:
        """Return how many held-out questions are read, and the estimated seconds for encoding.

        With --steps all are read. With --minutes a budget that is too short is reported before training.
        """
        if self.options.steps is not None:
            return None, 0.0
        read = self._readable(costs := self._costs())
        self._left(costs.total(read))
        return read, costs.encode

    def _costs(self) -> Costs:
        search = self._search(self.model, self.generation.id)
        encodes = not FREEZES[self.options.freeze].keeps_keys
        return costs.estimate(self.model, self.material.corpus, search, self.material.split.held, encodes)

    def _readable(self, costs: Costs) -> int:
        held = len(self.material.split.held)
        if self.options.minutes is None:
            return held
        share = READING_SHARE[FREEZES[self.options.freeze].retrieves]
        return min(held, costs.readable(share * 60 * self.options.minutes))

    def _train(self, trainer: Trainer, aside: float) -> TrainingLog:
        """Train for the given steps, or for the time that remains after setting seconds aside."""
        examples = self.material.split.train
        enough = len(trainer.close) or self.ranks.same(self._enough(trainer))
        examples = examples[: int(enough)]  # the same number as before the interruption
        test = exams.exam(self.material.split.held, self.material.corpus, self._chunks, self._words, self.model)
        name = self._teacher(trainer, test)
        feasible.check_taught(self.material, self.options.freeze, lambda: self._passes(test, TEACHERS[name]))
        data, budget = replace(self._data(examples), exam=test, teacher=TEACHERS[name]), self._budget(trainer, aside)
        log = train(trainer, data, budget, self._training, self.on_row, self.stop)
        return replace(log, teacher=name)

    def _teacher(self, trainer: Trainer, test: exams.Exam | None) -> str:
        """Return the requested teacher, or the one that passes the exam with the original model."""
        if self.options.teacher != AUTO:
            return self.options.teacher
        names = list(TEACHERS)
        if test is None or not trainer.objective.cross_document:
            return names[0]
        lead = LEAD if self.options.plan.lead is None else self.options.plan.lead
        return names[int(self.ranks.same(0 if self.ranks.number else names.index(test.chosen(self.model, lead))))]

    def _passes(self, test: exams.Exam | None, teacher: Teacher) -> bool:
        lead = self.options.plan.lead
        return lead is None or (test is not None and test.passed(test.ask(self.model, teacher), lead))

    def _data(self, examples: Sequence[Example]) -> TrainingData:
        return TrainingData(examples, self._chunks, partial(self._mine, examples), self._words.near, None)

    def _learnt(self, trainer: Trainer) -> ReAtt:
        """Return the trained model. Of retrieval alone, keep part of the change and the old spread of scores."""
        learnt, corpus = trainer.current(), self.material.corpus
        if not FREEZES[self.options.freeze].apart:
            return learnt
        keep_part(self.model, learnt)
        known = [(example, example.chunk) for example in self.material.split.train if example.chunk is not None]
        if len(known) > 1:
            passages = [corpus.passages[corpus.number[chunk]] for _, chunk in known[:PROBES]]
            keep_spread(self.model, learnt, [as_asked(example).question for example, _ in known[:PROBES]], passages)
        return learnt

    def _budget(self, trainer: Trainer, aside: float) -> Budget:
        if self.options.steps is not None:
            return Steps(self.options.steps)
        if self.ranks.number:
            return Seconds(math.inf)  # the first one says
        return Seconds(
            max(trainer.spent + 1, self._seconds() - aside)
        )  # an interrupted run has the rest of its minutes

    def _left(self, aside: float) -> float:
        """Return the seconds that remain for training; raises UsageError if there are none."""
        minutes, left = self.options.minutes or 0, self._seconds() - aside
        if left <= 0:
            message = f"--minutes {minutes:g} is too short: encoding and measuring alone take longer"
            raise UsageError(message, f"--minutes {math.ceil(1.5 * (minutes - left / 60))}")
        return left

    def _enough(self, trainer: Trainer) -> int:
        """Return how many examples the budget can use; searching for more would be wasted."""
        steps = self.options.steps or 1.5 * self._seconds() / self._rehearse(trainer)
        return math.ceil(steps + 1) * self.options.plan.batch

    def _rehearse(self, trainer: Trainer) -> float:
        """Measure the time of a step, without applying it."""
        examples = self.material.split.train[: self.options.plan.batch]
        close = close_chunks(examples, self.material.corpus, self._words, self.options.plan.close)
        batch = trainer.lessons(self._data(examples), close).batch(0)
        if trainer.freeze.apart:
            trainer.rehearse(batch)  # chunks are encoded only the first time
        started = time.monotonic()
        trainer.rehearse(batch)
        return time.monotonic() - started

    def _mine(self, examples: Sequence[Example], number: int, model: ReAtt) -> list[list[int]]:
        """Find close chunks for a round: the first as requested, later ones with the current model's attention."""
        corpus, how = self.material.corpus, self.options.close_from if number == 0 else "attention"
        search = self._searches.get(how) or search_from(how, corpus, model, self.tell)
        close = []
        for at in range(0, len(examples), SEARCHED_TOGETHER):
            self.tell(Progress("search", at, len(examples)))
            close += close_chunks(examples[at : at + SEARCHED_TOGETHER], corpus, search, self.options.plan.close)
        self.tell(Progress("search", len(examples), len(examples)))
        return [with_gold(each, example, corpus) for each, example in zip(close, examples, strict=True)]
