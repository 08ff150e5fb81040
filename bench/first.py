"""How well the model finds and reads, on questions it was not trained on: writes first.md.

    python -m bench.first [--data DIR] [--model DIR] [--limit N] [--read N] [--out DIR]

The paragraphs of SQuAD 1.1's development set are ingested by `reatt ingest`, every question is asked by each way of
searching, and a sample of them is answered.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.kit import machine, stores
from bench.kit.plan import Plan
from bench.kit.table import at_least, grid
from reatt import evaluate
from reatt.ask import ask
from reatt.evaluate import Evaluation
from reatt.judging import metrics
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt_store.library import Library, Status

SET = Path("dev", "squad11_dev13")
MEASURES = ("hit@1", "hit@5", "hit@20", "recall@20", "ndcg@10", "mrr@10")
RIGHT = 0.5  # token F1 from which an answer counts as right, as where the confidence was fitted


@dataclass(frozen=True)
class Way:
    """A way of searching: a row of the table."""

    retriever: str
    search: str = "auto"

    @property
    def name(self) -> str:
        """What the row is called."""
        return self.retriever if self.search == "auto" else f"{self.retriever}, {self.search}"


WORDS, HYBRID = Way("words"), Way("hybrid")
EXACT, TWO_STAGE, FAST = (Way("attention", search) for search in ("exact", "two-stage", "fast"))
WAYS = (WORDS, EXACT, TWO_STAGE, FAST, HYBRID)


@dataclass(frozen=True)
class Read:
    """Answers to a sample of the questions: what they are worth, and what the model thought of them."""

    evaluation: Evaluation
    confidences: tuple[float, ...]
    right: tuple[bool, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    model = options.model and options.model.resolve()
    plan = Plan(options.data.resolve(), options.work.resolve(), model, options.device)
    folder = plan.work / "first"
    stores.fresh(plan, folder, plan.data / SET / "corpus.jsonl.gz")
    with closing(Library.open(folder)) as library:
        retriever = Retriever(library, plan.backbone(), library.generation(), plan.fusion)
        found = {way: _found(retriever, plan, way, options.limit) for way in WAYS}
        read = _read(retriever, plan, options.read)
        status = library.status()
    options.out.mkdir(parents=True, exist_ok=True)
    page = _page(plan, machine.again("first", given), status, found, read)
    (options.out / f"{options.name}.md").write_text(page, encoding="utf-8")
    (options.out / f"{options.name}.json").write_text(_figures(found, read), encoding="utf-8")
    print(page)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.first", description="Measure finding and reading.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--limit", type=int, help="find only so many questions [all]")
    parser.add_argument("--read", type=int, default=500, help="answer so many questions [%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    parser.add_argument("--name", default="first", help="of the page [%(default)s]")
    return parser


def _found(retriever: Retriever, plan: Plan, way: Way, limit: int | None) -> Evaluation:
    print(f"first: {way.name} …", file=sys.stderr, flush=True)
    queries, qrels = plan.data / SET / "queries.jsonl.gz", plan.data / SET / "qrels.tsv"
    return evaluate.evaluate(retriever, queries, qrels, retriever_name=way.retriever, search=way.search, limit=limit)


def _read(retriever: Retriever, plan: Plan, limit: int) -> Read:
    """Answer evenly spaced questions, whatever the confidence; keep it."""
    print("first: reading …", file=sys.stderr, flush=True)
    confidences = []

    def answer(question: str) -> str | None:
        reply = ask(retriever, Query(question, abstain=0.0, answer="span"))
        confidences.append(reply.confidence)
        return reply.answer

    done = evaluate.evaluate(retriever, plan.data / SET / "queries.jsonl.gz", None, limit=limit, read=answer)
    right = tuple(value >= RIGHT for value in done.per_question["f1"].values())
    assert len(right) == len(confidences), "one confidence for each question"
    return Read(done, tuple(confidences), right)


def _page(plan: Plan, again: str, status: Status, found: Mapping[Way, Evaluation], read: Read) -> str:
    described = machine.describe(plan.device)
    questions = found[WORDS].queries
    model = f"{plan.model.name} {plan.model.sha256[:8]}"
    lines = [
        "# Finding and reading",
        "",
        f"- **set**: {SET.name}: {questions:,} questions on {status.documents:,} paragraphs, "
        f"{status.chunks:,} chunks, {status.tokens:,} keys; the model was trained on neither",
        f"- **model**: {model}; weight of attention in hybrid {plan.fusion:g}",
        f"- **to repeat**: `{again}`; {time.strftime('%Y-%m-%d', time.gmtime())}, commit {described['commit']}, "
        f"{described['processor']}, {plan.device}",
        "",
        "Brackets: 95 % of 1,000 resamples of the questions.",
        "",
        *grid(("retriever", *MEASURES), [_row(way, one) for way, one in found.items()]),
        "",
        *_reading(plan, read),
        "",
        *grid(("goal", "figure", ""), _goals(found)),
        "",
    ]
    return "\n".join(lines)


def _row(way: Way, one: Evaluation) -> list[str]:
    return [way.name, *(_with_interval(one.metrics[name] or 0.0, one.intervals[name]) for name in MEASURES)]


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _reading(plan: Plan, read: Read) -> list[str]:
    one = read.evaluation
    rows = [[name.upper(), _with_interval(one.metrics[name] or 0.0, one.intervals[name])] for name in ("em", "f1")]
    error = metrics.calibration_error(read.confidences, read.right)
    ranked = metrics.auroc(read.confidences, read.right)
    rows += [
        ["mean confidence", f"{sum(read.confidences) / len(read.confidences):.3f}"],
        ["ECE, 10 bins", f"{error:.3f}"],
        ["AUROC of the confidence", "none: all alike" if ranked is None else f"{ranked:.3f}"],
    ]
    return [
        f"Reading the 8 best chunks of hybrid, {one.queries:,} questions evenly spaced, grounded, never abstaining. "
        f"An answer with token F1 of {RIGHT} or more is right; the confidence is {_fitted(plan)}.",
        "",
        *grid(("reading", "figure"), rows),
    ]


def _fitted(plan: Plan) -> str:
    """Say what the confidence rests on: these questions are not wholly new to it."""
    fitted = plan.model.settings.get("confidence")
    if not fitted:
        return "not fitted for this model"
    held = fitted.get("cross_validated", {})
    figures = ", ".join(f"{name} {value}" for name, value in held.items())
    return f"fitted on questions of which some are in this set; held out there: {figures or 'not measured'}"


def _goals(found: Mapping[Way, Evaluation]) -> list[list[str]]:
    """Compare with the goals of the first model."""

    def of(way: Way, name: str) -> float:
        return found[way].metrics[name] or 0.0

    ahead, interval = _ahead(found[HYBRID], found[WORDS], "ndcg@10")
    asked = [
        ("words hit@1", of(WORDS, "hit@1"), 0.77),
        ("words hit@5", of(WORDS, "hit@5"), 0.93),
        *((f"{way.name} hit@5", of(way, "hit@5"), 0.85) for way in (EXACT, TWO_STAGE, FAST)),
        ("hybrid nDCG@10 less that of words", ahead, -0.005),
    ]
    goals = [(name, figure, at_least(figure, bound)) for name, figure, bound in asked]
    rows = [[f"{name} {goal.text}", f"{figure:.3f}", goal.verdict] for name, figure, goal in goals]
    rows[-1][1] = _with_interval(ahead, interval)
    return rows


def _ahead(after: Evaluation, before: Evaluation, name: str) -> tuple[float, tuple[float, float]]:
    """Return the mean difference on the same questions, and its interval."""
    ids = list(before.per_question[name])
    now, then = ([one.per_question[name][id] for id in ids] for one in (after, before))
    mean = sum(a - b for a, b in zip(now, then, strict=True)) / len(ids)
    return mean, metrics.paired_interval(now, then)


def _figures(found: Mapping[Way, Evaluation], read: Read) -> str:
    content = {way.name: _means(one) for way, one in found.items()} | {"reading": _means(read.evaluation)}
    content["reading"] |= {
        "ece": metrics.calibration_error(read.confidences, read.right),
        "auroc": metrics.auroc(read.confidences, read.right),
    }
    return json.dumps(content, indent=1) + "\n"


def _means(one: Evaluation) -> dict[str, object]:
    known = {name: value for name, value in one.metrics.items() if value is not None}
    return {"queries": one.queries, **known, "ci95": one.intervals}


if __name__ == "__main__":
    sys.exit(main())
