"""Does `reatt adapt` pay, and is its gate honest? Writes adapting.md and adapting.json.

    python -m bench.adapting [--minutes N] [--sets A,B] [--stages A B] [--runs N] [--data DIR] [--model DIR] [--out DIR]

- `pays`: on the documents of each set alone, no question seen; nDCG@10 of hybrid search and of attention on people's
  questions before and after, and whether accepting agrees with the sign of hybrid's change.
- `ways`: the same where both sides of retrieval learn and passages are encoded again (`--freeze reader`), beside SimCSE
  and random crops at equal minutes.
- `qa`, `judged`: the same for questions with answers (FairytaleQA's, measured on other tales), and for judgements
  (MedQuAD's, measured on questions about other documents).
- `gate`: `--runs` short runs with a learning rate of 0, and as many that are told other sentences' answers and
  passages, by words as well: how many are accepted.

Every run has a copy of a store of its own. What is known is kept in WORK/adapting/figures.json: cut, it goes on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.kit import machine, table
from bench.kit.plan import Plan
from bench.kit.table import Row, at_least, at_most
from bench.quality import contrast, mini_sets
from bench.quality.adaptation import MEASURE, WAYS, Bench, Figures, Lesson, from_data
from bench.quality.mini_sets import Dev, Judged
from reatt.adapt_encoder import Material, Sources
from reatt.lessons.close_chunks import WordSearch
from reatt.lessons.corpus import Corpus
from reatt.lessons.judged import read_qrels, read_queries
from reatt.weights import models
from reatt_store.library import Library

SETS = ("covidqa", "fairytaleqa_val", "chroma_chunking_eval")
RISE = {"hybrid": 0.01, "attention": 0.02}  # of the mean
FALL, AGREE = -0.003, 0.9  # of hybrid in the worst set, of verdict and sign
STILL, ASTRAY = 3, 3.0  # steps of the gate's runs that learn nothing, minutes of those that learn nonsense
DOCUMENTS = 2_000  # of MedQuAD, every other one to learn from
NOTES = (
    "nDCG@10 of hybrid search on people's questions that no training saw; attention alone stands beside it.",
    "gate: of so many runs at most one in twenty may be accepted.",
)


def pays(bench: Bench, sets: Sequence[Judged]) -> list[Row]:
    """Adapt to each set as the command does by itself; figures before and after."""
    rows, agreed = [], []
    gains: dict[str, list[float]] = {way: [] for way in WAYS}
    for judged in sets:
        base = bench.store(judged)
        before = bench.once(f"{judged.name} before", lambda: bench.found(base, judged))  # noqa: B023
        after = bench.once(f"{judged.name} from keys", lambda: _adapted(bench, base, judged, None))  # noqa: B023
        for way, each in gains.items():
            each.append(_number(after, way) - _number(before, way))
        agreed.append(after["better"] == (gains["hybrid"][-1] > 0))
        rows.append(_row("pays", f"{judged.name}: {MEASURE} after {bench.minutes:g} minutes", before, after, {}))
    means = {way: sum(each) / len(each) for way, each in gains.items()}
    worst, share = min(gains["hybrid"]), sum(agreed) / len(agreed)
    return [
        *rows,
        *(
            Row("pays", f"mean rise of {way}", "", all=mean, goal=at_least(mean, RISE[way]))
            for way, mean in means.items()
        ),
        Row("pays", "worst set of hybrid", "", all=worst, goal=at_least(worst, FALL)),
        Row("pays", "verdict agrees with the sign of the change", "", all=share, goal=at_least(share, AGREE)),
    ]


def ways(bench: Bench, sets: Sequence[Judged]) -> list[Row]:
    """Train both sides of retrieval, and the encoder contrastively; figures before and after."""
    rows = []
    for judged in sets:
        base = bench.store(judged)
        before = bench.once(f"{judged.name} before", lambda: bench.found(base, judged))  # noqa: B023
        after = bench.once(f"{judged.name} adapted", lambda: _adapted(bench, base, judged, "reader"))  # noqa: B023
        others = {
            name: bench.once(f"{judged.name} {name}", lambda: bench.contrasted(base, judged, name))  # noqa: B023
            for name in contrast.VIEWS
        }
        rows.append(_row("ways", f"{judged.name}: --freeze reader, {bench.minutes:g} minutes", before, after, others))
    return rows


def _adapted(bench: Bench, base: Path, judged: Judged, freeze: str | None) -> Figures:
    folder, report = bench.adapt(base, "pays", Lesson(accept="always", freeze=freeze))
    verdict: Figures = {
        "better": report.verdict.better,
        "verdict": report.verdict.reason,
        "steps": len(report.log.rows),
    }
    found = bench.found(folder, judged)
    shutil.rmtree(folder)
    return found | verdict


def qa(bench: Bench) -> list[Row]:
    """Learn from questions with answers about some tales; find and read in others."""
    told, judged = from_data(bench.plan.data / "train" / "fairytaleqa_train"), _tales(bench)
    lesson = Lesson(Sources(qa=told.folder / "queries.jsonl.gz"), accept="always")
    before = bench.once("qa before", lambda: bench.with_model(bench.plan.model.path, judged))
    after = bench.once("qa after", lambda: _taught(bench, told, lesson, judged))
    return _told("qa", f"{judged.name} after --qa on {told.name}", before, after)


def _tales(bench: Bench) -> Judged:
    return mini_sets.load(bench.plan.data, Dev("fairytaleqa_val"), None)


def judgements(bench: Bench) -> list[Row]:
    """Learn from judgements of half of a corpus's documents; find the others."""
    folder = _half_judged(bench)
    relevant = read_qrels(folder / "qrels.tsv")
    asked = [each for each in read_queries(folder / "queries.jsonl") if each.id in relevant]
    judged = Judged(Dev("medquad"), folder, tuple(mini_sets.spaced(asked, mini_sets.SPACED)), relevant)
    base = bench.store(judged)
    lesson = Lesson(Sources(judged=folder / "judged.jsonl"), accept="always")
    before = bench.once("judged before", lambda: bench.found(base, judged))
    after = bench.once("judged after", lambda: _after(bench, base, lesson, judged))
    return _told("judged", "medquad, documents not judged, after --judged", before, after)


def _after(bench: Bench, base: Path, lesson: Lesson, judged: Judged) -> Figures:
    folder, report = bench.adapt(base, "judged", lesson)
    found = bench.found(folder, judged)
    shutil.rmtree(folder)
    return found | {"verdict": report.verdict.reason, "steps": len(report.log.rows)}


def _taught(bench: Bench, told: Judged, lesson: Lesson, judged: Judged) -> Figures:
    folder, report = bench.adapt(bench.store(told), "taught", lesson)
    with Library.open(folder) as library:
        made = models.find(None, folder / "nowhere", library).path
    figures = bench.with_model(made, judged)
    shutil.rmtree(folder)
    return figures | {"verdict": report.verdict.reason, "steps": len(report.log.rows)}


def _half_judged(bench: Bench) -> Path:
    """Take `DOCUMENTS` of MedQuAD, evenly spaced; the questions of every other one are judgements to learn from."""
    source, folder = bench.plan.data / "train" / "medquad", bench.folder / "medquad"
    folder.mkdir(parents=True, exist_ok=True)
    documents = mini_sets.spaced(list(mini_sets.lines(source / "corpus.jsonl.gz")), DOCUMENTS)
    with gzip.open(folder / "corpus.jsonl.gz", "wt", encoding="utf-8", compresslevel=1) as file:
        file.writelines(json.dumps(document) + "\n" for document in documents)
    told, kept = ({str(document["_id"]) for document in documents[start::2]} for start in (0, 1))
    rows = list(mini_sets.lines(source / "queries.jsonl.gz"))
    judged = [
        {"question": row["text"], "document": row["doc_id"], "relevance": 1} for row in rows if row["doc_id"] in told
    ]
    asked = [row for row in rows if row["doc_id"] in kept]
    _write(folder / "judged.jsonl", [json.dumps(row) for row in judged])
    _write(folder / "queries.jsonl", [json.dumps(row) for row in asked])
    _write(folder / "qrels.tsv", ["query-id\tcorpus-id\tscore", *(f"{r['_id']}\t{r['doc_id']}\t1" for r in asked)])
    return folder


def _write(file: Path, lines: Sequence[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def gate(bench: Bench, runs: int) -> list[Row]:
    """Count how many runs are accepted that have learnt nothing, or nonsense."""
    ways: dict[str, tuple[float, Callable[[int], Lesson]]] = {
        "learning rate 0": (bench.minutes, lambda seed: Lesson(seed=seed, rate=0.0, steps=STILL, change=briefly)),
        "what other sentences say": (
            ASTRAY,
            lambda seed: Lesson(seed=seed, change=lambda material: permuted(material, seed), words=Strange),
        ),
    }
    judged, rows, most = _tales(bench), [], max(1, runs // 20)
    base = bench.store(judged)
    for name, (minutes, lesson) in ways.items():
        short = replace(bench, minutes=minutes)
        each = [
            short.once(f"gate {judged.name}, {name}, {seed}", lambda: _accepted(short, base, lesson(seed)))  # noqa: B023
            for seed in range(runs)
        ]
        accepted, steps = sum(bool(one["accepted"]) for one in each), [_number(one, "steps") for one in each]
        also = {"steps": f"{min(steps):.0f} to {max(steps):.0f}"}
        what = f"accepted of {runs}: {name}"
        rows.append(Row("gate", what, "", all=accepted, goal=at_most(accepted, most), also=also))
    return rows


def _accepted(bench: Bench, base: Path, lesson: Lesson) -> Figures:
    folder, report = bench.adapt(base, "gate", lesson)
    shutil.rmtree(folder)
    verdict = report.verdict
    return {"accepted": verdict.accepted, "verdict": verdict.reason, "steps": len(report.log.rows)}


def briefly(material: Material) -> Material:
    """Keep every fifth of the held-out questions: by steps all of them are read."""
    return replace(material, split=replace(material.split, held=material.split.held[::5]))


def permuted(material: Material, seed: int) -> Material:
    """Give every example to learn from another one's answers and passage; those held out keep theirs."""
    examples = material.split.train
    others = random.Random(seed).sample(examples, len(examples))
    pairs = zip(examples, others, strict=True)
    train = (replace(example, answers=other.answers, chunk=other.chunk) for example, other in pairs)
    return replace(material, split=replace(material.split, train=tuple(train)))


class Strange(WordSearch):
    """Word search that names to whoever learns from it, for each chunk that it finds, another one."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus)
        self._other = dict(zip(corpus.ids, random.Random(0).sample(corpus.ids, len(corpus.ids)), strict=True))

    def near(self, question: str, source: int, k: int) -> dict[int, float]:
        """Score as words do, and lay the scores upon others."""
        (own, score), *others = super().near(question, source, k).items()
        return {own: score} | {self._other[id]: score for id, score in others}


def _row(stage: str, what: str, before: Figures, after: Figures, others: dict[str, Figures]) -> Row:
    old, new = _number(before, "hybrid"), _number(after, "hybrid")
    also: dict[str, float | int | str] = {name: _number(each, "attention") for name, each in others.items()}
    also |= {"attention": f"{before['attention']:.3f} to {after['attention']:.3f}", "steps": _number(after, "steps")}
    also["verdict"] = str(after["verdict"])
    return Row(stage, what, "", all=new, beside=f"before {old:.3f}", ratio=new / old if old else None, also=also)


def _told(stage: str, what: str, before: Figures, after: Figures) -> list[Row]:
    rows: list[Row] = []
    also: dict[str, float | int | str] = {"steps": _number(after, "steps"), "verdict": str(after["verdict"])}
    for name in before:
        old, new = _number(before, name), _number(after, name)
        goal = None if name == "hybrid" else at_least(round(new - old, 4), 0.0001)
        ratio = new / old if old else None
        more = {} if rows else also
        rows.append(Row(stage, f"{what}: {name}", "", None, new, f"before {old:.3f}", ratio, goal, more))
    return rows


def _number(figures: Figures, name: str) -> float:
    return float(figures[name])


STAGES: dict[str, Callable[[Bench, Sequence[Judged], int], list[Row]]] = {
    "pays": lambda bench, sets, runs: pays(bench, sets),
    "ways": lambda bench, sets, runs: ways(bench, sets),
    "qa": lambda bench, sets, runs: qa(bench),
    "judged": lambda bench, sets, runs: judgements(bench),
    "gate": lambda bench, sets, runs: gate(bench, runs),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if not (options.data / "dev").is_dir():
        print(f"adapting: {options.data}/dev is not here: pass --data DIR", file=sys.stderr)
        return 2
    plan = Plan(
        options.data.resolve(), options.work.resolve(), options.model and options.model.resolve(), options.device
    )
    bench = Bench(plan, options.minutes)
    sets = [mini_sets.load(plan.data, Dev(name), options.limit) for name in options.sets.split(",")]
    rows = [row for stage in options.stages for row in STAGES[stage](bench, sets, options.runs)]
    head = {
        "to repeat": f"`{machine.again('adapting', given)}`; what figures.json knows is not measured again",
        "model": f"{plan.model.name} {plan.model.sha256[:8]}",
        **machine.describe(plan.device),
    }
    page = table.write(options.out, "adapting", head, rows, NOTES, "Whether adapting pays, and its gate is honest")
    print(page.read_text(encoding="utf-8"))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.adapting", description="Measure whether adapting pays.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--minutes", type=float, default=20.0, help="of each training [%(default)s]")
    parser.add_argument("--sets", default=",".join(SETS), help="names, with commas between [%(default)s]")
    parser.add_argument("--limit", type=int, help="ask so many questions a set [those of baselines.json]")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), help="[all]")
    parser.add_argument("--runs", type=int, default=20, help="of each kind for the gate [%(default)s]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
