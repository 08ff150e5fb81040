"""Trains the decoder of an `intra` store to retrieve, from questions with evidence, and decides whether to use it.

The encoder is frozen. States and keys stay the same, so the new model reads the old generation and nothing is encoded.
A warm start also trains the rest of the decoder. The decision is made as for ReAtt: held-out questions, whole groups
resampled, one transaction at the end.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from reatt.judging.comparison import RETRIEVAL, Asked, compare
from reatt.judging.conclusion import conclude
from reatt.judging.report import Named, Report, saved
from reatt.lessons.corpus import Corpus
from reatt.lessons.evidence import KIND, evidence_examples
from reatt.lessons.examples import Example, Split, hold_out
from reatt.model.backbone import Limits
from reatt.model.intra import Intra
from reatt.progress import Progress
from reatt.search.index import AttentionIndex
from reatt.search.retriever import TOKEN_CANDIDATES, Retriever
from reatt.training import warm_start as warm_starting
from reatt.training.decoder import Learner, Material, first_round, learn
from reatt.training.plans import Budget, Plan, Row, Seconds, Steps
from reatt.training.warm_start import AnswerLearner, Warmed
from reatt.weights import intra_files, models
from reatt.weights.folder import ModelFolder
from reatt_store.errors import ModelMismatch, UsageError
from reatt_store.library import Generation, Library

MADE = "training-model"  # a folder in the store, removed at the end of a run
DEPTH, FOUND = 50, 10  # depth of the figures, in chunks and in distinct texts


@dataclass(frozen=True)
class Sources:
    """The training material."""

    qa: Path
    qrels: Path
    hold_out: float = 0.05


@dataclass(frozen=True)
class Course:
    """How to train, and when to use the result."""

    plan: Plan
    accept: str = "if-better"
    minutes: float | None = 20.0
    steps: int | None = None  # instead of minutes; with a warm start, this many for each part
    warm_start: bool = False  # whether the decoder first learns to answer


@dataclass
class DecoderAdapter:
    """A store, its model, and the training material; `run` does everything."""

    library: Library
    folder: ModelFolder
    model: Intra
    sources: Sources
    course: Course
    tell: Callable[[Progress], None] = lambda _: None
    on_row: Callable[[Row, float], None] = lambda row, share: None
    stop: Callable[[], bool] = lambda: False
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._generation = encoded_for_intra(self.library)
        if self._generation.fingerprint != self.model.fingerprint():
            message = f"the store's vectors were made by {self._generation.model_name}, not by this model"
            raise ModelMismatch(message, "leave out --model, or convert the store first: reatt ingest --reencode")
        self._corpus = Corpus.of(self.library)
        labelled = evidence_examples(self._corpus, self.sources.qa, self.sources.qrels)
        self._warnings = labelled.warnings
        seed, share = self.course.plan.seed, self.sources.hold_out
        self.split: Split = hold_out(labelled.examples, self._corpus, share=share, seed=seed)

    def run(self) -> Report:
        """Train, compare, and switch or keep; raises StoreLocked at once if another process writes."""
        settings = {**asdict(self.course.plan), **asdict(self.course), "method": self.model.method}
        settings.pop("plan")
        with self.library.writing() as writer:
            run = writer.begin_run(KIND, settings)
            before = self._measured(self.model)
            material = self._material()
            warmed = self._warmed(material) if self.course.warm_start else Warmed(self.model)
            learner = self._learner(warmed.model, material)
            log = warmed.then(learn(learner, self.course.plan, self._budget(warmed), self.on_row, self.stop))
            if not log.rows:
                raise KeyboardInterrupt  # nothing was learnt yet
            made = intra_files.write(learner.tokens, self.folder, self.library.folder / MADE, warmed.asker)
            after = self._measured(models.load_intra(made, str(self.model.device)))
            verdict = compare(before, after, primary=RETRIEVAL, policy=self.course.accept, seed=self.course.plan.seed)
            number = self._generation.id
            kept = conclude(self.library, writer, self._generation, run, verdict, made, number)
            shutil.rmtree(made.path)
        file = self.library.folder / "reports" / f"R-{run}.html"
        report = Report(
            run=run, store=str(self.library.folder), mode=KIND, settings=settings,
            examples={KIND: len(self.split.train)}, verdict=verdict, before=before, after=after, log=log,
            parent=Named(self.folder.name, self.folder.sha256), model=kept, reencoded=0,
            seconds=time.monotonic() - self.began, warnings=self._warnings, report=str(file),
        )  # fmt: skip
        return saved(report, file)

    def _material(self) -> Material:
        index = AttentionIndex(self.library, self._generation.id, TOKEN_CANDIDATES)
        examples = self.split.train

        def on_each(number: int) -> None:
            self.tell(Progress("search", number, len(examples)))

        return Material(examples, self._corpus, index, first_round(self.model, index, examples, on_each))

    def _warmed(self, material: Material) -> Warmed:
        """Train a copy of the decoder to answer, for half of the time."""
        plan = replace(warm_starting.USUAL, seed=self.course.plan.seed)
        learner = AnswerLearner(self.model, material, plan)
        return Warmed(learner.model, learn(learner, plan, self._budget(None), self.on_row, self.stop), learner.asker)

    def _learner(self, model: Intra, material: Material) -> Learner:
        learner = Learner(model, material, self.course.plan)
        if not self.folder.retrieval_tokens.is_file():
            learner.temper()
        return learner

    def _budget(self, warmed: Warmed | None) -> Budget:
        """Reserve as much time for the second measurement as the first one and the search took.

        None: a warm start comes first and has half of the time.
        """
        if self.course.steps is not None:
            return Steps(self.course.steps)
        warming = warmed.seconds if warmed else 0.0
        minutes, spent = self.course.minutes or 0, time.monotonic() - self.began - warming
        left = 60 * minutes - 2 * spent - warming
        if left <= 0:
            message = f"--minutes {minutes:g} is too short: searching and measuring alone take longer"
            raise UsageError(message, f"--minutes {4 * spent / 60:.1f}")
        return Seconds(left if warmed else left / 2)

    def _measured(self, model: Intra) -> list[Asked]:
        """Ask a model all held-out questions; let it answer those with known answers."""
        retriever, asked = Retriever(self.library, model, self._generation), list[Asked]()
        for number, example in enumerate(self.split.held):
            self.tell(Progress("compare", number, len(self.split.held)))
            asked.append(_ask(retriever, model, self._corpus, example))
        return asked


def encoded_for_intra(library: Library) -> Generation:
    """Return the current generation; raises ModelMismatch if it was not encoded for `intra`."""
    made = library.generation()
    if made is None:
        raise UsageError("the store has no vectors yet", "reatt ingest --method intra PATH", str(library.folder))
    if made.method != "intra":
        fix = "convert it: reatt ingest --reencode --method intra PATH"
        raise ModelMismatch(f"the store was encoded for {made.method} and has no encoder states", fix)
    return made


def _ask(retriever: Retriever, model: Intra, corpus: Corpus, example: Example) -> Asked:
    hits = retriever.search(example.text, DEPTH, "attention")
    found = _texts(corpus, [hit.chunk.id for hit in hits])[:FOUND]
    right, *also = _texts(corpus, example.close)
    answer = None
    if example.answers:
        read = hits[: model.reads]
        passages = retriever.passages([hit.chunk for hit in read])
        answer = model.answer(example.text, passages, [hit.score for hit in read], Limits()).text
    return Asked(example.text, example.answers, example.group, KIND, found, right, answer, tuple(also))


def _texts(corpus: Corpus, chunks: Sequence[int]) -> tuple[str, ...]:
    known = (corpus.equal[corpus.number[chunk]] for chunk in chunks if chunk in corpus.number)
    return tuple(dict.fromkeys(f"text {first}" for first in known))
