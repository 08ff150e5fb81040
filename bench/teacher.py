"""Is there a teacher, per development set and over training? Writes teacher.md and teacher.json.

    python -m bench.teacher [--stage NAME=CHECKPOINT ...] [--count N] [--data DIR] [--work DIR] [--out DIR]

teacher_hit@1 of each checkpoint of the recipe and, last, of the bundled model: how often a teacher gives most to a gold
chunk among 20 that BM25 finds, shown to it in a random order. What is known is kept in WORK/teacher.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from bench.kit import machine, sheets
from bench.kit.plan import Plan
from bench.kit.sheets import Cell, Figure, Sheet
from bench.parts.page import mean_interval
from bench.quality import mini_sets
from bench.quality.mini_reading import BY_WORDS, hits
from bench.quality.mini_sets import Dev
from reatt.lessons.corpus import Corpus
from reatt.model.reatt import ReAtt
from reatt.training.teachers import TEACHERS
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from recipes.reatt_mini.export import export

SETS = ("squad11_dev13", "nq_qed_dev", "2wiki_dev200", "covidqa")
NOTES = (
    "Chance gives 0.05. The likelihood teacher is shown the answer; BM25 and attention are not.",
    "Attention is the decoder's alone, without retrieval's prior. A teacher passes five points above BM25's order.",
)


def measure(model: ReAtt, plan: Plan, name: str, count: int) -> dict[str, list[float]]:
    """Ask the teachers of a model about so many questions of a set: who asks -> hits of each question."""
    judged = mini_sets.load(plan.data, Dev(name), None)
    with mini_sets.library_of(mini_sets.open_store(plan, plan.backbone(), judged)) as library:
        corpus = Corpus.of(library)
    found = hits(model, corpus, judged, judged.questions(count))
    return {who: list(each) for who, each in found.items()}


def rows(model: str, measured: Mapping[str, Mapping[str, list[float]]]) -> list[list[Cell]]:
    """Lay out what a model's teachers know of each set, and of all questions."""
    asked = (BY_WORDS, *TEACHERS)
    made: list[list[Cell]] = []
    for name, found in measured.items():
        made.append([model, name, *(fmean(found[who]) for who in asked)])
    less: list[Cell] = []
    for who in TEACHERS:
        gains = [
            [float(a) - b for a, b in zip(found[who], found[BY_WORDS], strict=True)] for found in measured.values()
        ]
        less.append(Figure(fmean(map(fmean, gains)), *mean_interval(gains), signed=True))
    means = [fmean(fmean(found[who]) for found in measured.values()) for who in asked]
    return [*made, [model, "**mean**", *means], [model, "**mean** less BM25's order", None, *less]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not known yet, and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    plan = Plan(options.data.resolve(), options.work.resolve(), None)
    if not (plan.data / "dev").is_dir():
        print(f"teacher: {options.data}/dev is not here: pass --data DIR", file=sys.stderr)
        return 2
    stages = {name: Path(file) for name, _, file in (each.partition("=") for each in options.stage)}
    told = [row for name, file in stages.items() for row in rows(name, _known(plan, name, file, options.count))]
    told += rows(plan.model.name, _known(plan, plan.model.name, None, options.count))
    head = {"to repeat": f"`{machine.again('teacher', given)}`", "questions": f"{options.count} of each set"}
    head |= {"model": f"{plan.model.name} {plan.model.sha256[:8]}", **machine.describe(plan.device)}
    sheet = Sheet("teacher_hit@1", ["model", "questions of", BY_WORDS, *TEACHERS], told)
    print(sheets.write(options.out, "teacher", "Is there a teacher?", head, [sheet], NOTES))
    return 0


def _known(plan: Plan, stage: str, checkpoint: Path | None, count: int) -> dict[str, dict[str, list[float]]]:
    """Measure what is not known yet of a model: set -> who asks -> hits."""
    file, name = (
        plan.work / "teacher.json",
        f"{stage} {_digest(checkpoint) if checkpoint else plan.model.sha256} {count}",
    )
    known: dict[str, dict[str, dict[str, list[float]]]] = json.loads(file.read_text()) if file.exists() else {}
    mine = known.setdefault(name, {})
    if left := [each for each in SETS if each not in mine]:
        model = models.load(_exported(plan, stage, checkpoint) if checkpoint else plan.model, plan.device)
        for each in left:
            mine[each] = measure(model, plan, each, count)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(known) + "\n", encoding="utf-8")
            part.replace(file)
            print(
                stage, each, {who: round(fmean(hit), 3) for who, hit in mine[each].items()}, file=sys.stderr, flush=True
            )
    return {each: mine[each] for each in SETS}


def _exported(plan: Plan, stage: str, checkpoint: Path) -> ModelFolder:
    folder = plan.work / f"stage-{stage}"
    export(checkpoint, checkpoint.parent, folder, full=True)
    return ModelFolder(folder)


def _digest(checkpoint: Path) -> str:
    with open(checkpoint, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
