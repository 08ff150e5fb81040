"""One adaptation of one store's copy, measured on people's questions; what was measured once is kept.

Every figure belongs to a name that says what was done. It is written down when it is known, so that a run of some hours
goes on where it was cut.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.kit.plan import Plan
from bench.quality import contrast, mini_reading, mini_sets
from bench.quality.mini_sets import Judged
from reatt import adapt, evaluate
from reatt.adapt_encoder import EncoderCourse, EncoderOptions, Material, Sources, gather
from reatt.adapt_keys import PASSAGES, KeysCourse, KeysOptions
from reatt.judging import metrics
from reatt.judging.report import Report
from reatt.lessons.close_chunks import WordSearch
from reatt.lessons.corpus import Corpus
from reatt.model.reatt import ReAtt
from reatt.search.retriever import NAMED, Retriever
from reatt.training import freezing
from reatt.training.plans import PRESETS
from reatt.training.query_projection import PLAN
from reatt.weights import models
from reatt.weights.folder import FUSION_WEIGHT, ModelFolder
from reatt.weights.write import write_reatt
from reatt_store.library import Library

MEASURE = "ndcg@10"
WAYS = ("attention", "hybrid")
READ = 2_000  # questions at most are read over the passage that answers them

Figures = dict[str, float | str | bool]


@dataclass(frozen=True)
class Lesson:
    """What an adaptation learns from, and how, where it is not as the command does by itself."""

    sources: Sources = field(default_factory=Sources)
    seed: int = 0
    accept: str = "if-better"
    freeze: str | None = None  # None: by what there is to learn from, as the command does
    rate: float | None = None
    steps: int | None = None  # instead of the minutes that all have
    change: Callable[[Material], Material] = lambda material: material
    words: Callable[[Corpus], WordSearch] = WordSearch

    @property
    def from_keys(self) -> bool:
        """Whether only the question's side learns, from stored keys."""
        return self.freeze in (None, "chunks") and not (self.sources.qa or self.sources.judged)


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    plan: Plan
    minutes: float

    @property
    def folder(self) -> Path:
        """Where stores, models and figures are kept."""
        return self.plan.work / "adapting"

    def once(self, name: str, measure: Callable[[], Figures]) -> Figures:
        """Measure, unless a run of the same model and minutes has."""
        file, key = self.folder / "figures.json", f"{self.plan.model.sha256[:8]} {self.minutes:g} min: {name}"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if key not in known:
            found = measure()
            known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text(json.dumps({**known, key: found}, indent=1) + "\n", encoding="utf-8")
            part.replace(file)
            known[key] = found
            print(f"{key}: {found}", flush=True)
        figures: Figures = known[key]
        return figures

    def store(self, judged: Judged) -> Path:
        """Ingest a set's documents with the model as it comes."""
        with mini_sets.library_of(mini_sets.open_store(self.plan, self.plan.backbone(), judged)) as library:
            return library.folder

    def adapt(self, base: Path, name: str, lesson: Lesson) -> tuple[Path, Report]:
        """Adapt a copy of a store; return the copy's folder and what became of it."""
        folder = self.folder / f"{base.name}-{name}-{lesson.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        with Library.open(folder) as library:
            began = time.monotonic()
            sources = replace(lesson.sources, passages=PASSAGES) if lesson.from_keys else lesson.sources
            material = lesson.change(gather(library, sources, lesson.seed))
            named = models.find(None, folder / "nowhere", library)
            parts = (library, named, models.load(named, self.plan.device), material)
            if lesson.from_keys:
                report = adapt.run(KeysCourse(*parts, self._keys_options(lesson), began=began))
            else:
                words = lesson.words(material.corpus)
                report = adapt.run(EncoderCourse(*parts, self._options(lesson, material), began=began, words=words))
        return folder, report

    def _keys_options(self, lesson: Lesson) -> KeysOptions:
        plan = replace(PLAN, seed=lesson.seed, rate=PLAN.rate if lesson.rate is None else lesson.rate)
        minutes = self.minutes if lesson.steps is None else None
        return KeysOptions(plan, accept=lesson.accept, minutes=minutes, steps=lesson.steps)

    def _options(self, lesson: Lesson, material: Material) -> EncoderOptions:
        usual = PRESETS["gpu" if self.plan.device == "cuda" else "laptop"]
        plan = replace(usual, seed=lesson.seed, rate=usual.rate if lesson.rate is None else lesson.rate)
        minutes = self.minutes if lesson.steps is None else None
        freeze = lesson.freeze or freezing.usual(material.split.train)
        return EncoderOptions(plan, freeze, "words", "auto", lesson.accept, minutes, lesson.steps)

    def found(self, folder: Path, judged: Judged) -> Figures:
        """Measure what a store finds, with the model that it has in force."""
        with Library.open(folder) as library:
            named = models.find(None, folder / "nowhere", library)
            model, weight = models.load(named, self.plan.device), models.fusion(named, FUSION_WEIGHT)
            names = models.named(named, NAMED)
            return self.score(Retriever(library, model, library.generation(), weight, named=names), judged)

    def score(self, retriever: Retriever, judged: Judged) -> Figures:
        """Measure what is found for a set's questions."""
        queries = judged.write_queries(self.folder)
        ways = {way: evaluate.evaluate(retriever, queries, judged.qrels, retriever_name=way) for way in WAYS}
        return {way: found.metrics[MEASURE] or 0.0 for way, found in ways.items()}

    def with_model(self, made: Path, judged: Judged) -> Figures:
        """Measure a set that was not adapted to, in a model's own keys; and what the model reads there."""
        plan = Plan(self.plan.data, self.folder, made, self.plan.device)
        retriever = mini_sets.open_store(plan, model := models.load(ModelFolder(made), plan.device), judged)
        with mini_sets.library_of(retriever) as library:
            figures = self.score(retriever, judged) | self._read(model, Corpus.of(library), judged)
        shutil.rmtree(library.folder)
        return figures

    def _read(self, model: ReAtt, corpus: Corpus, judged: Judged) -> Figures:
        questions = judged.questions(READ)
        said = [
            (mini_reading.read_gold(model, corpus, judged, question)[0], question.answers) for question in questions
        ]
        measures = {"exact match": metrics.exact_match, "F1": metrics.f1}
        return {name: sum(of(*each) for each in said) / max(1, len(said)) for name, of in measures.items()}

    def contrasted(self, base: Path, judged: Judged, name: str) -> Figures:
        """Train contrastively for the same minutes, encode the set anew, and measure."""
        with Library.open(base) as library:
            passages = gather(library, Sources(), 0).corpus.passages
        learnt = contrast.train(self.plan.backbone(), passages, contrast.VIEWS[name], self.minutes)
        made = write_reatt(learnt, self.plan.model, self.folder / f"{judged.name}-{name}")
        figures = self.with_model(made.path, judged)
        shutil.rmtree(made.path)
        return figures


def from_data(folder: Path) -> Judged:
    """Name a set's documents, of which nothing is asked."""
    return Judged(mini_sets.Dev(folder.name), folder, (), {})
