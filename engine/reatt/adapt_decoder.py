"""The course of INTRA: trains the decoder of an `intra` store to retrieve, from questions with evidence.

The encoder is frozen. States and keys stay the same, so the new model reads the old generation and nothing is encoded.
A warm start also trains the rest of the decoder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from reatt.adapt import Encoded, RunSettings, Trained, settings_of
from reatt.judging.comparison import RETRIEVAL, Asked
from reatt.judging.measuring import FOUND, FOUND_CHUNKS
from reatt.lessons.corpus import Corpus
from reatt.lessons.evidence import KIND, evidence_examples
from reatt.lessons.examples import Example, Split, hold_out
from reatt.model.backbone import Limits
from reatt.model.intra import Intra
from reatt.progress import OnProgress, Progress, TrainingLog, TrainingRow
from reatt.search.index import AttentionIndex
from reatt.search.retriever import TOKEN_CANDIDATES, Retriever
from reatt.training.decoder import EvidenceMaterial, Learner, first_round, learn
from reatt.training.plans import Budget, Plan, Seconds, Steps
from reatt.training.warm_start import ANSWER_PLAN, AnswerLearner, Warmed
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.write import write_intra
from reatt_store.errors import ModelMismatch, UsageError
from reatt_store.library import Generation, Library, Writer


@dataclass(frozen=True)
class EvidenceFiles:
    """The training material: questions, and the documents that answer each."""

    qa: Path
    qrels: Path
    hold_out: float = 0.05


@dataclass(frozen=True)
class DecoderOptions:
    """How to train, and when to use the result."""

    plan: Plan
    accept: str = "if-better"
    minutes: float | None = 20.0
    steps: int | None = None  # instead of minutes; with a warm start, this many for each part
    warm_start: bool = False  # whether the decoder first learns to answer


@dataclass
class DecoderCourse:
    """A store, its model, and the training material."""

    library: Library
    folder: ModelFolder
    model: Intra
    files: EvidenceFiles
    options: DecoderOptions
    tell: OnProgress = lambda _: None
    on_row: Callable[[TrainingRow, float], None] = lambda row, share: None
    stop: Callable[[], bool] = lambda: False
    began: float = field(default_factory=time.monotonic)
    mode: ClassVar[str] = KIND
    primary: ClassVar[str] = RETRIEVAL

    def __post_init__(self) -> None:
        self.generation: Generation = encoded_for_intra(self.library)
        if self.generation.fingerprint != self.model.fingerprint():
            message = f"the store's vectors were made by {self.generation.model_name}, not by this model"
            raise ModelMismatch(message, "leave out --model, or convert the store first: reatt ingest --reencode")
        self._corpus = Corpus.of(self.library)
        labelled = evidence_examples(self._corpus, self.files.qa, self.files.qrels)
        self._warnings = labelled.warnings
        self.accept, self.seed = self.options.accept, self.options.plan.seed
        self.split: Split = hold_out(labelled.examples, self._corpus, share=self.files.hold_out, seed=self.seed)

    @property
    def settings(self) -> RunSettings:
        """The settings of the run as plain values."""
        return settings_of(asdict(self.options.plan), asdict(self.options), {"method": self.model.method})

    @property
    def examples(self) -> Mapping[str, int]:
        """The number of training examples, all of one kind."""
        return {KIND: len(self.split.train)}

    def begin(self, writer: Writer, resume: bool) -> None:
        """Do nothing: there are no checkpoints to resume."""

    def measure(self, model: Intra, generation: int) -> list[Asked]:
        """Ask a model all held-out questions; let it answer those with known answers."""
        assert generation == self.generation.id, "what encodes is frozen"
        retriever, asked = Retriever(self.library, model, self.generation), list[Asked]()
        for number, example in enumerate(self.split.held):
            self.tell(Progress("compare", number, len(self.split.held)))
            asked.append(_ask(retriever, model, self._corpus, example))
        return asked

    def learn(self, measuring: float) -> Trained:
        """Train the decoder to answer if a warm start is requested, then the retrieval tokens and head weights."""
        material = self._material()
        warmed = self._warmed(material) if self.options.warm_start else Warmed(self.model)
        learner = self._learner(warmed.model, material)
        log = warmed.then(learn(learner, self.options.plan, self._budget(warmed), self.on_row, self.stop))
        return Trained(log, lambda folder: write_intra(learner.tokens, self.folder, folder, warmed.asker))

    def load(self, made: ModelFolder) -> Intra:
        """Load the model that was written."""
        return models.load_intra(made, str(self.model.device))

    def encode(self, writer: Writer, made: ModelFolder, learnt: Intra) -> Encoded:
        """Encode nothing: the encoder is frozen."""
        return Encoded(self.generation.id)

    def warnings(self, log: TrainingLog) -> tuple[str, ...]:
        """Return warnings about questions that were left out."""
        return self._warnings

    def tidy(self) -> None:
        """Do nothing: there are no checkpoints."""

    def _material(self) -> EvidenceMaterial:
        index = AttentionIndex(self.library, self.generation.id, TOKEN_CANDIDATES)
        examples = self.split.train

        def on_each(number: int) -> None:
            self.tell(Progress("search", number, len(examples)))

        return EvidenceMaterial(examples, self._corpus, index, first_round(self.model, index, examples, on_each))

    def _warmed(self, material: EvidenceMaterial) -> Warmed:
        """Train a copy of the decoder to answer, for half of the time."""
        plan = replace(ANSWER_PLAN, seed=self.options.plan.seed)
        learner = AnswerLearner(self.model, material, plan)
        return Warmed(learner.model, learn(learner, plan, self._budget(None), self.on_row, self.stop), learner.asker)

    def _learner(self, model: Intra, material: EvidenceMaterial) -> Learner:
        learner = Learner(model, material, self.options.plan)
        if not self.folder.retrieval_tokens.is_file():
            learner.temper()
        return learner

    def _budget(self, warmed: Warmed | None) -> Budget:
        """Reserve as much time for the second measurement as the first one and the search took.

        None: a warm start comes first and has half of the time.
        """
        if self.options.steps is not None:
            return Steps(self.options.steps)
        warming = warmed.seconds if warmed else 0.0
        minutes, spent = self.options.minutes or 0, time.monotonic() - self.began - warming
        left = 60 * minutes - 2 * spent - warming
        if left <= 0:
            message = f"--minutes {minutes:g} is too short: searching and measuring alone take longer"
            raise UsageError(message, f"--minutes {4 * spent / 60:.1f}")
        return Seconds(left if warmed else left / 2)


def encoded_for_intra(library: Library) -> Generation:
    """Return the current generation; raises ModelMismatch if it was not encoded for `intra`."""
    made = library.generation()
    if made is None:
        raise UsageError("the store has no vectors yet", "reatt ingest --method intra PATH", str(library.folder))
    if made.method != "intra":
        fix = "convert it: reatt ingest --reencode --method intra"
        raise ModelMismatch(f"the store was encoded for {made.method} and has no encoder states", fix)
    return made


def _ask(retriever: Retriever, model: Intra, corpus: Corpus, example: Example) -> Asked:
    hits = retriever.search(example.text, FOUND_CHUNKS, "attention")
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
