"""Does `reatt adapt` pay, and is its gate honest? Writes adapting.md and adapting.json.

    python -m bench.adapting [--minutes N] [--sets A,B] [--runs N] [--data DIR] [--model DIR] [--out DIR]

`pays`: on the documents of each set alone, no question seen; nDCG@10 of attention on people's questions before and
after, beside SimCSE and random crops at equal minutes, and whether accepting agrees with the sign of the change.
`gate`: `--runs` runs with a learning rate of 0, and as many whose answers and passages are those of other sentences:
how many are accepted. Every run has a copy of the store of its own.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import contrast, machine, mini_sets, table
from bench.mini_sets import Dev, Judged
from bench.plan import Plan
from bench.table import Row, at_least, at_most
from reatt_engine import adapted, evaluation, freezing, models
from reatt_engine.adapting import Adapter, Material, Method, Sources, gather
from reatt_engine.folders import ModelFolder
from reatt_engine.plans import PRESETS
from reatt_engine.report import Report
from reatt_engine.retrieval import Retriever
from reatt_store.library import Library

SETS = ("covidqa", "fairytaleqa_val", "chroma_chunking_eval")
MEASURE = "ndcg@10"
RISE, FALL, AGREE = 0.02, -0.005, 0.9  # of the mean, of the worst set, of verdict and sign
NOTES = (
    "nDCG@10 of attention alone, on people's questions that no training saw; learnt from the documents without any.",
    "gate: of so many runs at most one in twenty may be accepted. Each trains for the same minutes as above.",
)


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    plan: Plan
    minutes: float
    limit: int | None

    def score(self, retriever: Retriever, judged: Judged) -> float:
        """Measure attention on a set's questions."""
        queries = judged.write_queries(self.plan.work / "adapting")
        found = evaluation.evaluate(retriever, queries, judged.qrels, retriever_name="attention")
        return found.metrics[MEASURE] or 0.0

    def adapt(
        self, base: Path, name: str, seed: int, method: Method, change: Callable[[Material], Material] = lambda m: m
    ) -> tuple[Path, Report]:
        """Adapt a copy of a store; return the copy's folder and what became of it."""
        folder = self.plan.work / "adapting" / f"{base.name}-{name}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        with Library.open(folder) as library:
            began = time.monotonic()
            material = change(gather(library, Sources(), seed))
            model = models.find(None, folder / "nowhere", library)
            method = replace(method, freeze=freezing.usual(material.kinds))
            report = Adapter(library, model, models.load(model, self.plan.device), material, method, began=began).run()
        assert report is not None, "one process reports"
        return folder, report

    def method(self, seed: int, accept: str = "if-better", rate: float | None = None) -> Method:
        """Say how to adapt: as the command does by itself."""
        usual = PRESETS["gpu" if self.plan.device == "cuda" else "laptop"]
        return Method(
            replace(usual, seed=seed, rate=usual.rate if rate is None else rate), accept=accept, minutes=self.minutes
        )


def pays(bench: Bench, sets: Sequence[Judged]) -> list[Row]:
    """Adapt to each set, and train its encoder contrastively; figures before and after."""
    rows, gains, agreed = [], {}, []
    for judged in sets:
        with mini_sets.open_store(bench.plan, bench.plan.backbone(), judged).library as library:
            base = library.folder
        before = _found(bench, base, judged)
        folder, report = bench.adapt(base, "pays", 0, bench.method(0, "always"))
        after = _found(bench, folder, judged)
        shutil.rmtree(folder)
        others = {name: _contrasted(bench, base, judged, name) for name in contrast.VIEWS}
        gains[judged.name] = after - before
        agreed.append(report.verdict.better == (after > before))
        rows.append(
            Row("adapt", f"{judged.name}: {MEASURE} after {bench.minutes:g} minutes", "", all=after,
                beside=f"before {before:.3f}", ratio=after / before if before else None,
                also={**others, "steps": len(report.log.rows), "verdict": report.verdict.reason})
        )  # fmt: skip
    mean, worst = sum(gains.values()) / len(gains), min(gains.values())
    share = sum(agreed) / len(agreed)
    return [
        *rows,
        Row("adapt", "mean rise", "", all=mean, goal=at_least(mean, RISE)),
        Row("adapt", "worst set", "", all=worst, goal=at_least(worst, FALL)),
        Row("adapt", "verdict agrees with the sign of the change", "", all=share, goal=at_least(share, AGREE)),
    ]


def _found(bench: Bench, folder: Path, judged: Judged) -> float:
    """Measure a store with the model that it has in force."""
    with Library.open(folder) as library:
        model = models.find(None, folder / "nowhere", library)
        retriever = Retriever(library, models.load(model, bench.plan.device), library.generation(), bench.plan.fusion)
        return bench.score(retriever, judged)


def _contrasted(bench: Bench, base: Path, judged: Judged, name: str) -> float:
    """Train contrastively for the same minutes, encode the set anew, and measure."""
    with Library.open(base) as library:
        passages = gather(library, Sources(), 0).corpus.passages
    learnt = contrast.train(bench.plan.backbone(), passages, contrast.VIEWS[name], bench.minutes)
    made = adapted.write(learnt, bench.plan.model, bench.plan.work / "adapting" / f"{judged.name}-{name}")
    plan = Plan(bench.plan.data, bench.plan.work / "adapting", made.path, bench.plan.device)
    retriever = mini_sets.open_store(plan, models.load(ModelFolder(made.path), plan.device), judged)
    with retriever.library as library:
        score = bench.score(retriever, judged)
    shutil.rmtree(library.folder)
    shutil.rmtree(made.path)
    return score


def gate(bench: Bench, judged: Judged, runs: int) -> list[Row]:
    """Count how many runs are accepted that have learnt nothing, or nonsense."""
    with mini_sets.open_store(bench.plan, bench.plan.backbone(), judged).library as library:
        base = library.folder
    accepted = {"learning rate 0": 0, "what other sentences say": 0}
    for seed in range(runs):
        ways: dict[str, tuple[Method, Callable[[Material], Material]]] = {
            "learning rate 0": (bench.method(seed, rate=0.0), lambda material: material),
            "what other sentences say": (
                bench.method(seed),
                lambda material, seed=seed: permuted(material, seed),
            ),  # type: ignore[misc]
        }
        for name, (method, change) in ways.items():
            folder, report = bench.adapt(base, "gate", seed, method, change)
            accepted[name] += report.verdict.accepted
            shutil.rmtree(folder)
    most = max(1, runs // 20)
    return [
        Row("gate", f"accepted of {runs}: {name}", "", all=count, goal=at_most(count, most))
        for name, count in accepted.items()
    ]


def permuted(material: Material, seed: int) -> Material:
    """Give every example to learn from another one's answers and passage; those held out keep theirs."""
    examples = material.split.train
    others = random.Random(seed).sample(examples, len(examples))
    pairs = zip(examples, others, strict=True)
    train = (replace(example, answers=other.answers, chunk=other.chunk) for example, other in pairs)
    return replace(material, split=replace(material.split, train=tuple(train)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if not (options.data / "dev").is_dir():
        print(f"adapting: {options.data}/dev is not here: pass --data DIR", file=sys.stderr)
        return 2
    work = options.work.resolve()
    plan = Plan(options.data.resolve(), work, options.model and options.model.resolve(), options.device)
    bench, started = Bench(plan, options.minutes, options.limit), time.monotonic()
    sets = [mini_sets.load(plan.data, Dev(name), options.limit) for name in options.sets.split(",")]
    rows = pays(bench, sets) if options.stage != "gate" else []
    rows += gate(bench, sets[-1], options.runs) if options.stage != "pays" else []
    head = {
        "to repeat": f"`{machine.again('adapting', given)}` ({(time.monotonic() - started) / 60:.0f} minutes)",
        "model": f"{plan.model.name} {plan.model.sha256[:8]}",
        **machine.describe(plan.device),
        "load": machine.load(),
    }
    print(table.write(options.out, "adapting", head, rows, NOTES).read_text(encoding="utf-8"))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.adapting", description="Measure whether adapting pays.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--minutes", type=float, default=20.0, help="of each training [%(default)s]")
    parser.add_argument("--sets", default=",".join(SETS), help="names, with commas between [%(default)s]")
    parser.add_argument("--limit", type=int, help="ask so many questions a set [those of baselines.json]")
    parser.add_argument("--stage", choices=("pays", "gate", "all"), default="all", help="[%(default)s]")
    parser.add_argument("--runs", type=int, default=20, help="of each kind for the gate [%(default)s]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
