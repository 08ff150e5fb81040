"""Is there a teacher, per development set and over training? Writes teacher.md and teacher.json.

    python -m bench.teacher [--stage NAME=CHECKPOINT ...] [--count N] [--data DIR] [--work DIR] [--out DIR]

teacher_hit@1 of each checkpoint of the recipe and, last, of the bundled model: how often a teacher gives most to a gold
chunk among 20 that BM25 finds, shown to it in a random order. What is known is kept in WORK/teacher.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch

from bench import machine, mini_sets, sheets
from bench.mini_reading import BY_WORDS, hits
from bench.mini_sets import Dev
from bench.plan import Plan
from bench.sheets import Cell, Figure, Sheet
from reatt_engine import models
from reatt_engine.corpus import Corpus
from reatt_engine.folders import ModelFolder
from reatt_engine.metrics import paired_interval
from reatt_engine.reatt import ReAtt
from reatt_engine.teachers import TEACHERS
from recipes.reatt_mini.export import export

SETS = ("squad11_dev13", "nq_qed_dev", "2wiki_dev200", "covidqa")
NOTES = (
    "Chance gives 0.05. The likelihood teacher is shown the answer; BM25 and attention are not.",
    "Attention is the decoder's alone, without retrieval's prior. A teacher passes five points above BM25's order.",
)


def measure(model: ReAtt, plan: Plan, name: str, count: int) -> dict[str, list[float]]:
    """Ask the teachers of a model about so many questions of a set: who asks -> hits of each question."""
    judged = mini_sets.load(plan.data, Dev(name), None)
    with mini_sets.open_store(plan, plan.backbone(), judged).library as library:
        corpus = Corpus.of(library)
    found = hits(model, corpus, judged, judged.questions(count))
    return {who: list(each) for who, each in found.items()}


def rows(model: str, measured: Mapping[str, Mapping[str, list[float]]]) -> list[list[Cell]]:
    """Lay out what a model's teachers know of each set, and of all questions."""
    asked = (BY_WORDS, *TEACHERS)
    made: list[list[Cell]] = []
    for name, found in measured.items():
        made.append([model, name, *(fmean(found[who]) for who in asked)])
    whole = {who: [hit for found in measured.values() for hit in found[who]] for who in asked}
    words = whole[BY_WORDS]
    pairs = [(whole[who], words) for who in TEACHERS]
    less = [Figure(fmean(x) - fmean(y), *paired_interval(x, y), signed=True) for x, y in pairs]
    return [*made, [model, "**all**", *(fmean(whole[who]) for who in asked)], [model, "less BM25's order", None, *less]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not known yet, and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    plan = Plan(options.data.resolve(), options.work.resolve(), None)
    stages = {name: Path(file) for name, _, file in (each.partition("=") for each in options.stage)}
    file = plan.work / "teacher.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    told: list[list[Cell]] = []
    for stage, checkpoint in {**stages, "bundled": None}.items():
        for name in SETS:
            key = f"{stage} {name} {options.count}"
            if key not in known:
                known[key] = measure(_model(plan, stage, checkpoint), plan, name, options.count)
                file.write_text(json.dumps(known) + "\n", encoding="utf-8")
                print(key, {who: sum(each) / len(each) for who, each in known[key].items()}, flush=True)
        told += rows(stage, {name: known[f"{stage} {name} {options.count}"] for name in SETS})
    head = {"to repeat": f"`{machine.again('teacher', given)}`", "questions": f"{options.count} of each set"}
    head |= {"model": f"{plan.model.name} {plan.model.sha256[:8]}", **machine.describe(plan.device)}
    sheet = Sheet("teacher_hit@1", ["model", "questions of", BY_WORDS, *TEACHERS], told)
    print(sheets.write(options.out, "teacher", "Is there a teacher?", head, [sheet], NOTES))
    return 0


def _model(plan: Plan, stage: str, checkpoint: Path | None) -> ReAtt:
    if checkpoint is None:
        return models.load(plan.model, plan.device)
    folder = plan.work / f"stage-{stage}"
    export(checkpoint, plan.model.path / "tokenizer.json", folder, torch.float32)
    return models.load(ModelFolder(folder), plan.device)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.teacher", description="Ask who knows the gold chunk.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--stage", action="append", default=[], help="NAME=CHECKPOINT of the recipe, again")
    parser.add_argument("--count", type=int, default=30, help="questions of each set [%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
