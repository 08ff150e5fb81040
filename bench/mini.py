"""How well reatt-mini finds and reads, beside what a user would otherwise set up: writes mini.md and mini.json.

    python -m bench.mini [--sets A,B] [--limit N] [--read N] [--model DIR] [--beside NAME=DIR]

Every judged set of DATA/dev becomes a store of its own, kept for the next run of the same keys. The columns `words`,
`attention` and `hybrid` are the product's; `bm25s` runs here, whole documents, equal to baselines.json, which gives
all-MiniLM-L6-v2 and its reciprocal rank fusion with BM25. Other models, such as the untrained start or a twin (the same
model, trained without retrieval labels), are searched by their attention alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.kit import machine, sheets
from bench.kit.plan import Plan
from bench.quality import mini_page, mini_reading, mini_sets
from bench.quality.mini_page import BESIDE, PUBLISHED, Measured
from bench.quality.mini_sets import SETS, Bm25s, Judged
from reatt import evaluate
from reatt.evaluate import Evaluation, Searcher
from reatt.model.reatt import ReAtt
from reatt.search.retriever import Retriever

MAIN = "reatt-mini"
READ = 40  # questions of a set: with 400 to search by, all of it takes some ten minutes on two cores
_NAMES = tuple(dev.name for dev in SETS)


@dataclass(frozen=True)
class Subject:
    """A model that is measured, and the columns it has: each with the retriever that fills it."""

    name: str
    plan: Plan
    ways: tuple[tuple[str, str], ...]

    @cached_property
    def backbone(self) -> ReAtt:
        """The model, loaded once."""
        return self.plan.backbone()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if not (options.data / "dev").is_dir():
        print(f"eval-mini: {options.data}/dev is not here: pass --data DIR", file=sys.stderr)
        return 2
    started = time.monotonic()
    subjects = list(_subjects(options))
    sets = [mini_sets.load(options.data.resolve(), dev, options.limit) for dev in SETS if dev.name in options.sets]
    after = [column for subject in subjects[1:] + subjects[:1] for column, _ in subject.ways if column != "words"]
    columns = ["words", BESIDE, *PUBLISHED.values(), *after]
    measured = Measured(MAIN, sets, columns, mini_sets.published(options.data, sets))
    with ExitStack() as opened:
        _measure(measured, subjects, options.read, options.read_beside, opened)
    tables = mini_page.sheets(measured)
    head = _head(measured, subjects, machine.again("eval-mini", given), time.monotonic() - started)
    print(sheets.write(options.out, options.name, "reatt-mini on judged questions", head, tables))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.mini", description="Measure reatt-mini on judged questions.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--sets", type=_names, default=_NAMES, help="names, with commas between [all]")
    parser.add_argument("--limit", type=int, help="search by so many questions a set [those of baselines.json]")
    parser.add_argument("--read", type=int, default=READ, help="answer so many a set, 0 for none [%(default)s]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--beside", type=_named, action="append", default=[], help="NAME=DIR: another model, again")
    parser.add_argument("--read-beside", type=int, default=10, help="answers of those [%(default)s]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    parser.add_argument("--name", default="mini", help="of both files [%(default)s]")
    return parser


def _names(given: str) -> tuple[str, ...]:
    unknown = set(given.split(",")) - set(_NAMES)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no set is called {', '.join(sorted(unknown))}; there are: {', '.join(_NAMES)}"
        )
    return tuple(given.split(","))


def _named(given: str) -> tuple[str, Path]:
    name, _, folder = given.partition("=")
    if not folder or name == MAIN:
        raise argparse.ArgumentTypeError(f"NAME=DIR is wanted, such as twin=DIR, not {given}")
    return name, Path(folder)


def _subjects(options: argparse.Namespace) -> Iterator[Subject]:
    """Name the models; the one that the page is about comes first."""
    own = (("words", "words"), ("attention", "attention"), ("hybrid", "hybrid"))
    for name, folder in [(MAIN, options.model), *options.beside]:
        plan = Plan(options.data.resolve(), options.work.resolve(), folder and folder.resolve(), options.device)
        yield Subject(name, plan, own if name == MAIN else ((name, "attention"),))


def _measure(measured: Measured, subjects: Sequence[Subject], count: int, beside: int, opened: ExitStack) -> None:
    """Search all sets, then read those whose answers are spans: abstention needs two stores."""
    stores: dict[tuple[str, str], Retriever] = {}
    for judged in measured.sets:
        queries = judged.write_queries(subjects[0].plan.work / "mini")
        found = {BESIDE: _found(Bm25s(judged.corpus), judged, queries, "words")}
        for subject in subjects:
            _tell(f"{judged.name}, {subject.name}")
            retriever = mini_sets.open_store(subject.plan, subject.backbone, judged)
            opened.callback(retriever.library.close)
            found |= {column: _found(retriever, judged, queries, way) for column, way in subject.ways}
            stores[judged.name, subject.name] = retriever
        measured.found[judged.name] = found
    read = [judged for judged in measured.sets if judged.dev.reads] if count else []
    for number, judged in enumerate(read):
        strangers = read[(number + 1) % len(read)] if len(read) > 1 else None
        for subject in subjects:
            _tell(f"reading {judged.name}, {subject.name}")
            asked = count if subject.name == MAIN else beside
            done = mini_reading.read(stores[judged.name, subject.name], subject.backbone, judged, strangers, asked)
            measured.read.setdefault(judged.name, {})[subject.name] = done


def _found(searcher: Searcher, judged: Judged, queries: Path, way: str) -> Evaluation:
    return evaluate.evaluate(searcher, queries, judged.qrels, retriever_name=way)


def _head(measured: Measured, subjects: Sequence[Subject], again: str, seconds: float) -> dict[str, str]:
    described = machine.describe(subjects[0].plan.device)
    models = ", ".join(f"{each.name} {each.plan.model.sha256[:8]}" for each in subjects)
    return {
        "models": f"{models}; weight of attention in hybrid {subjects[0].plan.fusion:g}",
        "columns": "words: SQLite FTS5; bm25s: BM25 with stemming; MiniLM: all-MiniLM-L6-v2, flat index; RRF: of both",
        "baselines": _same(measured),
        "to repeat": f"`{again}`; {time.strftime('%Y-%m-%d', time.gmtime())}, commit {described['commit']}",
        "machine": f"{described['processor']}, {described['cores']} cores, {subjects[0].plan.device}; "
        f"{seconds / 60:.1f} minutes, load at the end {machine.load()}",
    }


def _same(measured: Measured) -> str:
    """Say where MiniLM and RRF are from, and how far bm25s here is from the same file's."""
    there = measured.published
    known = [each for each in measured.sets if each.name in there]
    if len(known) < len(measured.sets):
        return "MiniLM and RRF are left out where baselines.json is of other questions than these"
    apart = max(
        abs(there[each.name]["bm25"]["ndcg@10"] - (measured.of(each, BESIDE, "ndcg@10") or 0)) for each in known
    )
    return f"MiniLM and RRF from baselines.json, the same questions; bm25s differs from it by {apart:.4f} at most"


def _tell(what: str) -> None:
    print(f"eval-mini: {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
