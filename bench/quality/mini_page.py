"""The tables of mini.md and mini.json out of what was measured: both say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.kit.sheets import Cell, Figure, Sheet
from bench.kit.table import at_least
from bench.quality.mini_reading import BY_WORDS, Reading, Said
from bench.quality.mini_sets import Judged
from reatt.evaluate import Evaluation
from reatt.judging import metrics
from reatt.training.teachers import TEACHERS

RANKED = {"ndcg@10": "nDCG@10", "hit@1": "hit@1", "hit@5": "hit@5"}
PUBLISHED = {"minilm": "MiniLM", "rrf": "RRF"}  # keys of baselines.json -> columns: means, no single questions
BESIDE = "bm25s"
MEAN = "**mean**"


@dataclass
class Measured:
    """All that was measured, by set and by column or model."""

    main: str  # the model whose columns are `attention` and `hybrid`
    sets: list[Judged]
    columns: list[str]  # ways of searching, in the order of the table
    published: Mapping[str, Mapping[str, Mapping[str, float]]]
    found: dict[str, dict[str, Evaluation]] = field(default_factory=dict)  # set -> way
    read: dict[str, dict[str, Reading]] = field(default_factory=dict)  # set -> model

    def counted(self) -> list[Judged]:
        """Return the sets of the means."""
        return [judged for judged in self.sets if judged.dev.counts]

    def of(self, judged: Judged, way: str, measure: str) -> float | None:
        """Return one mean; None where it was not measured."""
        key = next((key for key, column in PUBLISHED.items() if column == way), None)
        if key is not None:
            return self.published.get(judged.name, {}).get(key, {}).get(measure)
        return self.found[judged.name][way].metrics[measure]

    def mean(self, way: str, measure: str = "ndcg@10") -> float | None:
        """Average over the sets that count; None unless all are known."""
        values = [self.of(judged, way, measure) for judged in self.counted()]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known and len(known) == len(values) else None

    def ahead(self, judged: Judged, way: str, measure: str = "ndcg@10", beside: str = BESIDE) -> list[float]:
        """Subtract, question by question."""
        now, then = (self.found[judged.name][each].per_question[measure] for each in (way, beside))
        return [now[id] - then[id] for id in now]


def mean_interval(sets: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """Bound the mean over sets of the mean over questions: the questions of each set are drawn anew, the sets stay."""
    random = np.random.default_rng(seed)
    drawn = [
        np.mean(np.asarray(values)[random.integers(0, len(values), (metrics.RESAMPLES, len(values)))], axis=1)
        for values in sets
    ]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return float(low), float(high)


def sheets(measured: Measured) -> list[Sheet]:
    """Make all tables; reading is left out where nothing was read."""
    found = [*(_ranked(measured, name, title) for name, title in RANKED.items()), _answers(measured), _ahead(measured)]
    read = [_reading(measured), _abstention(measured), _teachers(measured)] if measured.read else []
    return [*found, *read, _goals(measured)]


def _ranked(measured: Measured, measure: str, title: str) -> Sheet:
    rows: list[list[Cell]] = [
        [_name(each), len(each.asked), *(measured.of(each, way, measure) for way in measured.columns)]
        for each in measured.sets
    ]
    means = [measured.mean(way, measure) for way in measured.columns]
    return Sheet(title, ["set", "questions", *measured.columns], [*rows, [MEAN, len(measured.counted()), *means]])


def _answers(measured: Measured) -> Sheet:
    ways = [way for way in measured.columns if way not in PUBLISHED.values()]
    rows: list[list[Cell]] = []
    for each in (each for each in measured.sets if each.dev.stands):
        rows.append([each.name, *(measured.of(each, way, "answer_hit@5") for way in ways)])
    text = "An accepted answer stands in one of the five best chunks; for bm25s, of the five best whole documents."
    return Sheet("answer-hit@5", ["set", *ways], rows, text)


def _ahead(measured: Measured) -> Sheet:
    ways = [way for way in measured.columns if way not in (*PUBLISHED.values(), BESIDE)]
    rows: list[list[Cell]] = []
    for each in measured.sets:
        rows.append([_name(each), *(_difference([measured.ahead(each, way)]) for way in ways)])
    means = [_difference([measured.ahead(each, way) for each in measured.counted()]) for way in ways]
    text = "Each question against itself; 95 % of 1,000 resamples of the questions of every set."
    return Sheet("nDCG@10 less that of bm25s", ["set", *ways], [*rows, [MEAN, *means]], text)


def _reading(measured: Measured) -> Sheet:
    columns = ["model", "set", "open: asked", "EM", "F1", "gold chunk: asked", "EM alone", "F1 alone"]

    def cells(readings: Sequence[Reading]) -> list[Cell]:
        parts: list[list[Said]] = [[each.found for each in readings], [each.gold for each in readings]]
        shown: list[Cell] = []
        for said in parts:
            shown.append(sum(len(each.em) for each in said))
            shown += [_figure([each.em for each in said]), _figure([each.f1 for each in said])]
        return shown

    text = "Open: the 8 best chunks of hybrid search, never withheld. Alone: one gold chunk of each relevant document."
    return Sheet("reading", columns, _by_model(measured, cells), text)


def _abstention(measured: Measured) -> Sheet:
    columns = ["model", "set", "own", "of the next set", "AUROC", "withheld of own", "withheld of the others"]

    def cells(readings: Sequence[Reading]) -> list[Cell]:
        own = [each.found.confidences for each in readings]
        others = [each.strange for each in readings]
        withheld = [
            float(np.mean([each.withheld(part) for each, part in zip(readings, of, strict=True)]))
            for of in (own, others)
        ]
        ranked = [each.auroc for each in readings]
        known = [each for each in ranked if each is not None]
        return [sum(map(len, own)), sum(map(len, others)), float(np.mean(known)) if known else None, *withheld]

    text = (
        "Questions of the next set are asked of this set's corpus; one whose answer by chance stands in what is read "
        "is left out. The confidence was fitted on questions of three of these sets."
    )
    return Sheet("abstention", columns, _by_model(measured, cells), text)


def _teachers(measured: Measured) -> Sheet:
    columns = ["model", "set", "questions", BY_WORDS, *TEACHERS, *(f"{name} less BM25's" for name in TEACHERS)]

    def cells(readings: Sequence[Reading]) -> list[Cell]:
        shown: list[Cell] = [sum(len(each.hits[BY_WORDS]) for each in readings)]
        shown += [float(np.mean([np.mean(each.hits[name]) for each in readings])) for name in (BY_WORDS, *TEACHERS)]
        return shown + [_difference([_taught(each, name) for each in readings]) for name in TEACHERS]

    text = (
        "Who puts a gold chunk first among the 20 that BM25 finds (a gold one among them); teachers see them shuffled. "
        "The likelihood teacher is shown the answer, the others are not. Chance gives 0.05."
    )
    return Sheet("teacher_hit@1", columns, _by_model(measured, cells), text)


def _taught(reading: Reading, name: str) -> list[float]:
    return [a - b for a, b in zip(reading.hits[name], reading.hits[BY_WORDS], strict=True)]


def _by_model(measured: Measured, cells: Callable[[Sequence[Reading]], list[Cell]]) -> list[list[Cell]]:
    """Make the rows of every model: one of each set, and their mean."""
    rows: list[list[Cell]] = []
    for model in next(iter(measured.read.values())):
        every = {name: by_model[model] for name, by_model in measured.read.items()}
        rows += [[model, name, *cells([each])] for name, each in every.items()]
        rows.append([model, MEAN, *cells(list(every.values()))])
    return rows


def _goals(measured: Measured) -> Sheet:
    """Compare with what was asked for; means are over the sets that were measured."""
    of = {way: mean for way in measured.columns if (mean := measured.mean(way)) is not None}
    bm25, hybrid, attention = (of.get(way, 0.0) for way in (BESIDE, "hybrid", "attention"))
    asked = [
        ("floor: attention less bm25s, nDCG@10", attention - bm25, -0.03),
        ("floor: hybrid less the better of its parts", hybrid - max(of.get("words", 0.0), attention), 0.0),
        ("floor: hybrid less bm25s", hybrid - bm25, 0.01),
    ]
    if all(way in of for way in PUBLISHED.values()):
        best = max(bm25, *(of[way] for way in PUBLISHED.values()))
        asked.append(("goal: hybrid less the best of bm25s, MiniLM, RRF", hybrid - best, 0.03))
        low = mean_interval([measured.ahead(each, "hybrid") for each in measured.counted()])[0]
        asked.append(("goal: hybrid less bm25s, lower bound", low, 0.0))
        asked.append(("goal: attention less the better of bm25s, MiniLM", attention - max(bm25, of["MiniLM"]), 0.0))
    asked += _read_goals(measured) if measured.read else []
    goals = [(name, figure, at_least(figure, bound)) for name, figure, bound in asked]
    rows: list[list[Cell]] = [[f"{name} {goal.text}", figure, goal.verdict] for name, figure, goal in goals]
    counted = len(measured.counted())
    return Sheet(
        "goals", ["goal", "figure", ""], rows, f"Means over {counted} sets; EM of open reading over those read."
    )


def _read_goals(measured: Measured) -> list[tuple[str, float, float]]:
    readings = {name: by_model[measured.main] for name, by_model in measured.read.items()}
    squad = readings.get("squad11_dev13")
    asked: list[tuple[str, float, float]] = []
    if squad:
        alone, found = float(np.mean(squad.gold.em)), float(np.mean(squad.found.em))
        asked += [("floor: EM alone, squad11_dev13", alone, 0.25), ("floor: EM open, squad11_dev13", found, 0.15)]
        asked += [("goal: EM alone, squad11_dev13", alone, 0.55), ("goal: EM open, squad11_dev13", found, 0.40)]
    sure = [each.auroc for each in readings.values() if each.auroc is not None]
    if sure:
        asked.append(("goal: AUROC, mean", float(np.mean(sure)), 0.75))
    for name in TEACHERS:
        ahead = float(np.mean([np.mean(_taught(each, name)) for each in readings.values()]))
        asked.append((f"goal: teacher_hit@1 of {name} less BM25's order", ahead, 0.05))
    return asked


def _name(judged: Judged) -> str:
    return judged.name if judged.dev.counts else f"{judged.name} (not in the mean)"


def _figure(sets: Sequence[Sequence[float]]) -> Figure:
    return Figure(float(np.mean([np.mean(each) for each in sets])), *mean_interval(sets))


def _difference(sets: Sequence[Sequence[float]]) -> Figure | None:
    if not sets:
        return None
    return Figure(float(np.mean([np.mean(each) for each in sets])), *mean_interval(sets), signed=True)
