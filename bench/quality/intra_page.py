"""The tables of intra.md and intra.json out of what is known so far: a way that is not measured has no row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from bench.kit.sheets import Cell, Figure, Sheet
from bench.quality.intra_reading import EXACTLY, ORACLE, RANDOM, READERS, Study, evidence, rankings
from reatt.judging import metrics

CUTS = (2, 5, 10, 20)
BEST = (5, 10, 50)
COMPLETE = {f"complete@{k}": k for k in CUTS}
SAID: dict[str, Callable[[str, Sequence[str]], float]] = {"EM": metrics.exact_match, "F1": metrics.f1}
READ = tuple(f"{name}, {reader} reads" for reader in READERS for name in SAID)
WHOLE = "INTRA"
Values = dict[str, dict[str, float]]  # measure -> question id -> value


@dataclass(frozen=True)
class Measured:
    """One set: what each way is worth on each question."""

    name: str
    questions: int
    ways: Mapping[str, Values]

    def pairs(self, way: str, measure: str) -> tuple[list[float], list[float]]:
        """Give a way's values and the whole method's on the questions that have both."""
        mine, whole = (self.ways.get(each, {}).get(measure, {}) for each in (way, WHOLE))
        ids = [id for id in mine if id in whole]
        return [mine[id] for id in ids], [whole[id] for id in ids]


def sheets(study: Study) -> list[Sheet]:
    """Make all tables."""
    sets = [_measured(study, of) for of in study.asked if study.asked[of]]
    return [*(sheet for each in sets for sheet in (_figures(each), _less(each))), _closure(sets), _search(study)]


def _measured(study: Study, of: str) -> Measured:
    ranked, needed = rankings(study, of), {str(example.id): docs for example, docs in evidence(study, of)}
    answers = {str(example.id): example.answers for example in study.asked[of]}
    ways: dict[str, Values] = {}
    for way in (*ranked, RANDOM, ORACLE):
        values: Values = {name: {} for name in COMPLETE}
        for id, texts in ranked.get(way, {}).items():
            for name, k in COMPLETE.items():
                values[name][id] = complete([study.intra.names(text) for text in texts[:k]], needed[id])
        for reader in READERS:
            told = study.known(f"{reader} reads {way}", of)
            for name, measure in SAID.items():
                values[f"{name}, {reader} reads"] = {
                    id: measure(each["answer"], answers[id]) for id, each in told.items()
                }
        ways[way] = values
    return Measured(of, len(study.asked[of]), ways)


def complete(found: Sequence[frozenset[str]], needed: Sequence[frozenset[str]]) -> float:
    """Return 1 if each text that is needed is found, or another one of the same document.

    >>> complete([frozenset({"a"}), frozenset({"b", "c"})], [frozenset({"c"})])
    1.0
    """
    seen = frozenset[str]().union(*found)
    return float(bool(needed) and all(documents & seen for documents in needed))


def _figures(measured: Measured) -> Sheet:
    columns = [*COMPLETE, *READ]
    rows: list[list[Cell]] = []
    for way, values in measured.ways.items():
        rows.append([way, *(_mean(values[name]) for name in columns)])
    text = f"{measured.questions} questions; complete@k: all of a question's evidence is among the k best texts."
    return Sheet(measured.name, ["way", *columns], rows, text)


def _less(measured: Measured) -> Sheet:
    columns = ["complete@5", "complete@20", *READ]
    rows: list[list[Cell]] = []
    for way in measured.ways:
        if way != WHOLE:
            rows.append([way, *(_difference(*measured.pairs(way, name)) for name in columns)])
    text = "Each question against itself; 95 % of 1,000 resamples of the questions."
    return Sheet(f"{measured.name}: less {WHOLE}", ["way", *columns], rows, text)


def _search(study: Study) -> Sheet:
    """Say how much of what every vector finds in float32 is found by sums first and at 8 bits."""
    rows: list[list[Cell]] = []
    for of in study.asked:
        found, exactly = study.known(WHOLE, of), study.known(EXACTLY, of)
        both = [(found[id]["decoder"], exactly[id]["found"]) for id in exactly if id in found]
        if both:
            shares = [fmean(len({*mine[:k]} & {*best[:k]}) / len(best[:k]) for mine, best in both) for k in BEST]
            rows.append([of, len(both), *shares])
    text = (
        "The share of the best k chunks by every vector of the decoder in float32 that `fast` finds among its best k."
    )
    return Sheet("search", ["set", "questions", *(f"best {k}" for k in BEST)], rows, text)


def _closure(sets: Sequence[Measured]) -> Sheet:
    """Say how much of the way from passages drawn at random to the evidence itself retrieval goes."""
    rows = [row for each in sets for row in _closed(each)]
    text = "(INTRA - random) / (oracle - random); resampled by question; without an interval where the gap may be none."
    return Sheet("gap closure", ["set", "measure", "random", WHOLE, "oracle", "closed"], rows, text)


def _closed(measured: Measured) -> Iterator[list[Cell]]:
    for name in READ:
        every = [measured.ways.get(way, {}).get(name, {}) for way in (RANDOM, WHOLE, ORACLE)]
        ids = [id for id in every[0] if all(id in each for each in every)]
        if ids:
            values = np.array([[each[id] for id in ids] for each in every])  # (3, questions)
            yield [measured.name, name, *values.mean(1).tolist(), _share(values)]


def _share(values: np.ndarray) -> Cell:
    drawn = np.random.default_rng(0).integers(0, values.shape[1], (metrics.RESAMPLES, values.shape[1]))
    low, middle, high = values[:, drawn].mean(2)  # (resamples,) each
    if (high - low).min() <= 0:
        return None
    least, most = np.quantile((middle - low) / (high - low), [0.025, 0.975])
    random, whole, oracle = values.mean(1)
    return Figure(float((whole - random) / (oracle - random)), float(least), float(most))


def _mean(values: Mapping[str, float]) -> Cell:
    return Figure(float(np.mean(list(values.values()))), *metrics.interval(list(values.values()))) if values else None


def _difference(mine: Sequence[float], whole: Sequence[float]) -> Cell:
    if not mine:
        return None
    gain = float(np.mean(mine) - np.mean(whole))
    return Figure(gain, *metrics.paired_interval(mine, whole), signed=True)
