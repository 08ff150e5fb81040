"""From a store to a better model of it: examples, close chunks, training, new keys, and a verdict (section 4.3).

Searches see no change before the verdict. Then one transaction switches everything, so the store answers either with
the old model and its keys or with the new ones. `--resume` continues a killed run; otherwise the next run discards
it.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from reatt import ingest
from reatt.judging import costs
from reatt.judging.comparison import READING, RETRIEVAL, Asked, Verdict, compare
from reatt.judging.conclusion import conclude
from reatt.judging.costs import Costs
from reatt.judging.measuring import StoredSearch, as_asked, measure
from reatt.judging.report import Named, Report, saved
from reatt.lessons.batches import ChunkIds
from reatt.lessons.close_chunks import CLOSE_FROM, FileSearch, Search, WordSearch, close_chunks, search_from, with_gold
from reatt.lessons.examples import Example
from reatt.lessons.material import Material, Sources, gather
from reatt.model.reatt import KEEPING, ReAtt
from reatt.progress import Progress
from reatt.training import checkpoints, exams, feasible, resources
from reatt.training.freezing import FREEZES
from reatt.training.objective import Objective
from reatt.training.plans import LEAD, Budget, Plan, Row, Seconds, Steps, TrainingLog
from reatt.training.ranks import ALONE, Ranks
from reatt.training.spread import PROBES, keep_part, keep_spread
from reatt.training.teachers import TEACHERS, Teacher
from reatt.training.trainer import Course, Trainer, train
from reatt.weights import adapted, models
from reatt.weights.folder import ModelFolder
from reatt_store.errors import UsageError
from reatt_store.library import Library, Writer

__all__ = ["Adapter", "Forecast", "Material", "Method", "Sources", "gather"]

TRAINING, ADAPTED = "training", "training-model"  # folders in a store, removed at the end of a run
REPORTS = "reports"

READING_SHARE = {True: 0.1, False: 0.3}  # share of the minutes, by whether retrieval decides
AUTO = "auto"  # the teacher that passes its exam
DROPPED = "an interrupted run was discarded; --resume would have continued it"
ANEW = "there was no interrupted run to resume; this one started from the beginning"
TOGETHER = 256  # examples searched between two progress reports

Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Method:
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
class Adapter:
    """A store, its model, and the training material. `run` trains; `forecast` estimates what a run would need."""

    library: Library
    folder: ModelFolder
    model: ReAtt
    material: Material
    method: Method
    tell: Tell = lambda _: None
    on_row: Callable[[Row, float], None] = lambda row, share: None
    stop: Callable[[], bool] = lambda: False
    began: float = field(default_factory=time.monotonic)
    ranks: Ranks = ALONE  # of several processes the first does everything except training alone
    words: WordSearch | None = None  # over the corpus; created if none is given

    def __post_init__(self) -> None:
        self._generation = feasible.read_by(self.library, self.model)
        feasible.check(self.material, self.method.freeze)
        self.model.keeps_states = self._generation.method == KEEPING
        self._chunks = ChunkIds(self.material.corpus, self.model.tokenizer)
        self._words = self.words or WordSearch(self.material.corpus)
        self._searches: dict[str, Search] = {"words": self._words}
        if (how := self.method.close_from) not in CLOSE_FROM:
            self._searches[how] = FileSearch(Path(how), self.material.corpus)
        self._training = self.library.folder / TRAINING

    def forecast(self) -> Forecast:
        """Time one discarded step, some chunks and some questions, to estimate the whole run."""
        trainer = self._trainer()
        step, costs = self._rehearse(trainer), self._costs()
        aside = costs.total(self._readable(costs))
        steps = self.method.steps or max(0, int((self._seconds() - aside) / step))
        return Forecast(steps, step, steps * step + aside, self._bytes(trainer))

    def run(self, resume: bool = False) -> Report | None:
        """Train, encode, compare, and switch or keep; raises StoreLocked at once if another process writes.

        Returns None in a process that only helps the first one to train.
        """
        if self.ranks.number:
            self._train(self._begin(self._trainer(), resume), 0.0)
            return None
        with self.library.writing() as writer:
            trainer = self._trainer()
            read, aside = self._plan_measuring()
            warnings = self._clean(writer, resume)
            self._begin(trainer, resume)
            run = writer.begin_run(self.material.mode, _settings(self.method))
            before, took = self._measured(self.model, self._generation.id, read)
            log = self._train(trainer, 1.1 * took + aside)
            made = adapted.write(self._learnt(trainer), self.folder, self.library.folder / ADAPTED)
            learnt = models.load(made, str(self.model.device))
            learnt.keeps_states = self.model.keeps_states
            generation, keys = self._encode(writer, made, learnt)
            after, _ = self._measured(learnt, generation, read)
            primary = RETRIEVAL if FREEZES[self.method.freeze].retrieves else READING
            verdict = compare(before, after, primary=primary, policy=self.method.accept, seed=self.method.plan.seed)
            kept = self._conclude(writer, run, verdict, made, generation)
        material = self.material
        file = self.library.folder / REPORTS / f"R-{run}.html"
        report = Report(
            run=run, store=str(self.library.folder), mode=material.mode, settings=_settings(self.method),
            examples=material.kinds, verdict=verdict, before=before, after=after, log=log,
            parent=Named(self.folder.name, self.folder.sha256), model=kept, reencoded=keys,
            seconds=time.monotonic() - self.began, peak_vram=_peak_bytes(self.model),
            warnings=(*material.warnings, *warnings, *feasible.untaught(self.method.freeze, log)), report=str(file),
        )  # fmt: skip
        return saved(report, file)

    def _begin(self, trainer: Trainer, resume: bool) -> Trainer:
        """Restore a trainer from an earlier run, after the first process has cleaned up."""
        self.ranks.same(0.0)
        if resume:
            trainer.resume(self._training)
        return trainer

    def _clean(self, writer: Writer, resume: bool) -> list[str]:
        """Discard an unfinished earlier run, unless this run resumes it."""
        left = checkpoints.exists(self._training)
        if resume and left:
            return []
        kept = {model.generation for model in self.library.models()}
        for made in self.library.generations():
            if made.id not in kept:
                writer.drop_generation(made.id)
        models.drop_unused(self.library)
        self._tidy()
        told = {(False, True): DROPPED, (True, False): ANEW}.get((resume, left))
        return [told] if told else []

    def _tidy(self) -> None:
        checkpoints.forget(self._training)
        shutil.rmtree(self.library.folder / ADAPTED, ignore_errors=True)

    def _trainer(self) -> Trainer:
        method = self.method
        freeze, model = FREEZES[method.freeze], self.model
        cloze_alone = freeze.apart and self.material.mode == "masked"  # nothing more to learn from reading
        objective = Objective(cross_document=not cloze_alone)
        trainer = Trainer(model, method.plan, objective, freeze, self._identity(), self.ranks)
        resources.check_disk(self.library.folder, self._bytes(trainer))
        resources.check_memory(model.device, resources.in_memory(trainer.weights))
        return trainer

    def _bytes(self, trainer: Trainer) -> int:
        keys = 0 if FREEZES[self.method.freeze].keeps_keys else self.library.status().bytes.vectors
        return resources.on_disk(self.model.t5, trainer.weights, keys)

    def _identity(self) -> str:
        """Identify what a checkpoint belongs to: model, method and training material."""
        method = replace(self.method, minutes=None, accept="")
        split = self.material.split
        learnt = (self.folder.sha256, asdict(method), self.material.corpus.ids, split.train, split.held)
        return hashlib.blake2b(repr(learnt).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _seconds(self) -> float:
        """Return the remaining share of the time."""
        return 60 * (self.method.minutes or 0) - (time.monotonic() - self.began)

    def _measured(self, model: ReAtt, generation: int, read: int | None) -> tuple[list[Asked], float]:
        """Ask the held-out questions and let `read` of them be answered; also return the seconds."""
        started = time.monotonic()
        search, held = StoredSearch(self.library, generation, model, self.material.corpus), self.material.split.held
        asked = measure(model, self.material.corpus, search, held, read, self.tell)
        return asked, time.monotonic() - started

    def _plan_measuring(self) -> tuple[int | None, float]:
        """Return how many held-out questions are read, and the estimated seconds for encoding.

        With --steps all are read. With --minutes a budget that is too short is reported before training.
        """
        if self.method.steps is not None:
            return None, 0.0
        read = self._readable(costs := self._costs())
        self._left(costs.total(read))
        return read, costs.encode

    def _costs(self) -> Costs:
        search = StoredSearch(self.library, self._generation.id, self.model, self.material.corpus)
        encodes = not FREEZES[self.method.freeze].keeps_keys
        return costs.estimate(self.model, self.material.corpus, search, self.material.split.held, encodes)

    def _readable(self, costs: Costs) -> int:
        held = len(self.material.split.held)
        if self.method.minutes is None:
            return held
        share = READING_SHARE[FREEZES[self.method.freeze].retrieves]
        return min(held, costs.readable(share * 60 * self.method.minutes))

    def _train(self, trainer: Trainer, aside: float) -> TrainingLog:
        """Train for the given steps, or for the time that remains after setting seconds aside."""
        examples = self.material.split.train
        enough = len(trainer.close) or self.ranks.same(self._enough(trainer))
        examples = examples[: int(enough)]  # the same number as before the interruption
        test = exams.exam(self.material.split.held, self.material.corpus, self._chunks, self._words, self.model)
        name = self._teacher(trainer, test)
        trainer.objective = replace(trainer.objective, teacher=TEACHERS[name])
        feasible.check_taught(self.material, self.method.freeze, lambda: self._passes(test, TEACHERS[name]))
        course, budget = replace(self._course(examples), exam=test), self._budget(trainer, aside)
        log = train(trainer, course, budget, self._training, self.on_row, self.stop)
        if not log.rows:
            raise KeyboardInterrupt  # nothing was learnt yet
        return replace(log, teacher=name)

    def _teacher(self, trainer: Trainer, test: exams.Exam | None) -> str:
        """Return the requested teacher, or the one that passes the exam with the original model."""
        if self.method.teacher != AUTO:
            return self.method.teacher
        names = list(TEACHERS)
        if test is None or not trainer.objective.cross_document:
            return names[0]
        lead = LEAD if self.method.plan.lead is None else self.method.plan.lead
        return names[int(self.ranks.same(0 if self.ranks.number else names.index(test.chosen(self.model, lead))))]

    def _passes(self, test: exams.Exam | None, teacher: Teacher) -> bool:
        lead = self.method.plan.lead
        return lead is None or (test is not None and test.passed(test.ask(self.model, teacher), lead))

    def _course(self, examples: Sequence[Example]) -> Course:
        return Course(examples, self._chunks, partial(self._mine, examples), self._words.near, None)

    def _learnt(self, trainer: Trainer) -> ReAtt:
        """Return the trained model. Of retrieval alone, keep part of the change and the old spread of scores."""
        learnt, corpus = trainer.current(), self.material.corpus
        if not FREEZES[self.method.freeze].apart:
            return learnt
        keep_part(self.model, learnt)
        known = [(example, example.chunk) for example in self.material.split.train if example.chunk is not None]
        if len(known) > 1:
            passages = [corpus.passages[corpus.number[chunk]] for _, chunk in known[:PROBES]]
            keep_spread(self.model, learnt, [as_asked(example).question for example, _ in known[:PROBES]], passages)
        return learnt

    def _budget(self, trainer: Trainer, aside: float) -> Budget:
        if self.method.steps is not None:
            return Steps(self.method.steps)
        if self.ranks.number:
            return Seconds(math.inf)  # the first one says
        return Seconds(
            max(trainer.spent + 1, self._seconds() - aside)
        )  # an interrupted run has the rest of its minutes

    def _left(self, aside: float) -> float:
        """Return the seconds that remain for training; raises UsageError if there are none."""
        minutes, left = self.method.minutes or 0, self._seconds() - aside
        if left <= 0:
            message = f"--minutes {minutes:g} is too short: encoding and measuring alone take longer"
            raise UsageError(message, f"--minutes {math.ceil(1.5 * (minutes - left / 60))}")
        return left

    def _enough(self, trainer: Trainer) -> int:
        """Return how many examples the budget can use; searching for more would be wasted."""
        steps = self.method.steps or 1.5 * self._seconds() / self._rehearse(trainer)
        return math.ceil(steps + 1) * self.method.plan.batch

    def _rehearse(self, trainer: Trainer) -> float:
        """Measure the time of a step, without applying it."""
        examples = self.material.split.train[: self.method.plan.batch]
        close = close_chunks(examples, self.material.corpus, self._words, self.method.plan.close)
        batch = trainer.lessons(self._course(examples), close).batch(0)
        if trainer.freeze.apart:
            trainer.rehearse(batch)  # chunks are encoded only the first time
        started = time.monotonic()
        trainer.rehearse(batch)
        return time.monotonic() - started

    def _mine(self, examples: Sequence[Example], number: int, model: ReAtt) -> list[list[int]]:
        """Find close chunks for a round: the first as requested, later ones with the current model's attention."""
        corpus, how = self.material.corpus, self.method.close_from if number == 0 else "attention"
        search = self._searches.get(how) or search_from(how, corpus, model, self.tell)
        close = []
        for at in range(0, len(examples), TOGETHER):
            self.tell(Progress("search", at, len(examples)))
            close += close_chunks(examples[at : at + TOGETHER], corpus, search, self.method.plan.close)
        self.tell(Progress("search", len(examples), len(examples)))
        return [with_gold(each, example, corpus) for each, example in zip(close, examples, strict=True)]

    def _encode(self, writer: Writer, made: ModelFolder, learnt: ReAtt) -> tuple[int, int]:
        """Return the generation that the new model reads, and the number of new keys.

        The model is saved first, because a generation must not name a missing model.
        """
        fingerprint = learnt.fingerprint()
        if fingerprint == self._generation.fingerprint:
            return self._generation.id, 0
        models.keep_in_store(made, self.library.folder)
        generation = writer.begin_generation(fingerprint, made.name, made.sha256, learnt.method)
        return generation, ingest.complete(self.library, writer, learnt, generation, self.tell)

    def _conclude(self, writer: Writer, run: int, verdict: Verdict, made: ModelFolder, generation: int) -> Named | None:
        """Make the new model current, or drop it, and clean up."""
        kept = conclude(self.library, writer, self._generation, run, verdict, made, generation)
        self._tidy()
        return kept


def _settings(method: Method) -> dict[str, str | int | float | bool | None]:
    """Return the settings of a run as plain values, for its row and its report."""
    settings = {**asdict(method), **asdict(method.plan)}
    return {name: value for name, value in settings.items() if name != "plan"}


def _peak_bytes(model: ReAtt) -> int | None:
    """Return the peak memory of the GPU; None without one."""
    return torch.cuda.max_memory_allocated(model.device) if model.device.type == "cuda" else None
