"""Search beside a published engine for late interaction, over the same keys. Writes published.md and published.json.

    python -m bench.published --plaid PYTHON [--passages N] [--questions N] [--data DIR] [--work DIR] [--out DIR]

The engine is Stanford's PLAID as PyLate runs it, in an environment of its own, because PyLate asks for other versions:

    python -m venv .work/plaid
    .work/plaid/bin/pip install torch==2.13.0 numpy "huggingface_hub>=1.3,<2" "tokenizers>=0.22,<0.23" httpx \\
        datasets accelerate pandas scipy scikit-learn fastkmeans==0.5.0 ninja==1.11.1.4 ujson==5.12.0
    .work/plaid/bin/pip install --no-deps pylate==1.6.0 sentence-transformers==5.3.0 transformers==5.3.0 \\
        fast-plaid==1.4.6.2110
    python -m bench.published --plaid .work/plaid/bin/python

Both are given the vectors of questions and keys, so encoding is not counted. Keys are those of the bundled model, which
have unit length, and those of the same model told to leave their length.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.kit import corpus, machine, plaid, sheets
from bench.kit.plan import Plan
from bench.kit.sheets import Cell, Sheet
from bench.kit.stores import store
from bench.rows.search import threads, trained
from reatt.model.backbone import Queries
from reatt.search.retriever import Retriever
from reatt.weights.folder import ModelFolder, record
from reatt_store.library import Library, Segment
from reatt_store.selection import EVERYTHING

WAYS = ("exact", "fast", "clusters")
DEEP, TIE = 100, 1e-4  # texts that are found; scores this near are equal
COLUMNS = ("engine", "1 thread, ms", "all threads, ms", "R@10", "R@100", "bytes a key", "made in, s")
NOTES = (
    "R@10 and R@100: the share of the best 10 and 100 texts by exact products of the stored keys in float32.",
    "Medians over questions. For PLAID a question's vectors are scaled together, to length 1 in the mean, as its least "
    "score of a cell assumes. It keeps keys in 4 bits beside the cell; cells and decoded keys have unit length there.",
    "PLAID was asked for 100 texts with each setting.",
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Given:
    """What both engines search: the keys of T texts and the vectors of questions."""

    digests: list[bytes]  # of each text
    keys: Floats  # (n, d)
    offsets: NDArray[np.int64]  # (T + 1,)
    queries: list[Queries]

    def scores(self, queries: Queries) -> Floats:
        """Score every text exactly (T,)."""
        products = (queries.vectors.float() * queries.weights[:, None]).numpy() @ self.keys.T
        best: Floats = np.maximum.reduceat(products, self.offsets[:-1], axis=1).sum(axis=0)
        return best


def recall(scores: Floats, found: Sequence[int], count: int) -> float:
    """Return the share of the best texts that were found; those that tie with the last count as it does."""
    least = float(np.partition(scores, -count)[-count]) - TIE
    return sum(float(scores[text]) >= least for text in found[:count]) / count


def given(segments: Sequence[Segment], queries: list[Queries]) -> Given:
    """Take the keys of a store's texts, as they lie in its segments."""
    counts = [np.diff(segment.offsets) for segment in segments]
    offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]))
    digests = [digest.tobytes() for segment in segments for digest in segment.digests]
    return Given(digests, np.concatenate([each.keys() for each in segments]), offsets, queries)


def ours(plan: Plan, library: Library, retriever: Retriever, shared: Given) -> Iterator[list[Cell]]:
    """Search in each of our ways."""
    place = {digest: number for number, digest in enumerate(shared.digests)}
    scores = [shared.scores(queries) for queries in shared.queries]
    made, size = trained(library), library.status().bytes.vectors
    lists = sum(path.stat().st_size for path in (library.folder / "cache").glob("*.clusters"))
    for way in WAYS if lists else WAYS[:2]:
        medians, found = [], list[list[int]]()
        for count in plan.threads:
            with threads(count):
                spent = [statistics.median(_times(retriever, queries, way)) for queries in shared.queries]
            medians.append(statistics.median(spent))
        for queries in shared.queries:
            texts = retriever.texts(queries, DEEP, way, EVERYTHING)
            found.append([place[text.digest] for text in texts])
        kept = size + (lists if way == "clusters" else 0)
        seconds = float(made["training, s"]) if way == "clusters" else 0.0
        yield _row(f"reatt, {way}", medians, scores, found, kept / len(shared.keys), seconds)


def theirs(plan: Plan, python: Path, work: Path, shared: Given) -> Iterator[list[Cell]]:
    """Let PLAID search the same in each of its settings."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    vectors = [(each.vectors.float() * each.weights[:, None]).numpy() for each in shared.queries]
    scaled = [each / np.linalg.norm(each, axis=1).mean() for each in vectors]
    np.savez(
        work / "given.npz", keys=shared.keys.astype(np.float16), key_offsets=shared.offsets,
        vectors=np.concatenate(scaled), vector_offsets=np.cumsum([0, *map(len, scaled)]),
        threads=np.array(plan.threads), deep=DEEP,
    )  # fmt: skip
    subprocess.run([python, plaid.__file__, work], check=True, stdout=sys.stderr)
    told: Mapping[str, Any] = json.loads((work / "found.json").read_text())
    scores = [shared.scores(queries) for queries in shared.queries]
    for name, way in told["ways"].items():
        setting = ", ".join(f"{key} {value}" for key, value in way["settings"].items())
        medians = [statistics.median(way["ms"][str(count)]) for count in plan.threads]
        engine = f"PLAID, {told['bits']} bits, {name} ({setting})"
        yield _row(engine, medians, scores, way["found"], told["bytes"] / len(shared.keys), told["seconds"])


def with_lengths(plan: Plan) -> Plan:
    """Plan the same with the bundled model told to leave keys the length they have."""
    folder = plan.work / "lengths" / plan.model.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(plan.model.path, folder)
    config = json.loads((folder / "config.json").read_text())
    config["retrieval"]["unit_keys"] = False
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    record(ModelFolder(folder))
    return replace(plan, chosen=folder, work=plan.work / "lengths")


def measure(plan: Plan, python: Path) -> Iterator[Sheet]:
    """Yield a table of each form of keys."""
    asked = corpus.questions(plan.data, plan.questions)
    for title, part in {"Keys of unit length": plan, "Keys with their own length": with_lengths(plan)}.items():
        folder, backbone = store(part, part.chunks[0]), part.backbone()
        queries = [backbone.rounds[0].ask(question, ()) for question in asked]
        with closing(Library.open(folder)) as library:
            made = library.generation()
            assert made is not None, "an ingested store has a generation"
            shared = given(library.segments(made.id), queries)
            retriever = Retriever(library, backbone, made, part.fusion)
            rows = [*ours(part, library, retriever, shared), *theirs(part, python, part.work / "plaid", shared)]
        texts = f"{len(shared.digests):,} passages, {len(shared.keys):,} keys of width {shared.keys.shape[1]}"
        yield Sheet(title, COLUMNS, rows, f"{texts}; {len(asked)} questions.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write both files."""
    told = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(told)
    plan = Plan(options.data.resolve(), options.work.resolve(), chunks=(options.passages,), questions=options.questions)
    busy = machine.load()
    tables = list(measure(plan, options.plaid))
    head = {
        "to repeat": f"`{machine.again('published', told)}`",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "model": f"{plan.model.name} {plan.model.sha256[:8]}",
        **machine.describe(plan.device),
        "busy before and after": f"{busy} and {machine.load()} processes a minute",
    }
    print(sheets.write(options.out, "published", "Search beside PLAID", head, tables, NOTES))
    return 0


def _times(retriever: Retriever, queries: Queries, way: str) -> list[float]:
    spent = []
    for _ in range(plaid.REPEATS):
        started = time.perf_counter()
        retriever.texts(queries, DEEP, way, EVERYTHING)
        spent.append(1000 * (time.perf_counter() - started))
    return spent


def _row(
    engine: str, medians: Sequence[float], scores: Sequence[Floats], found: Sequence[Sequence[int]],
    kept: float, seconds: float,
) -> list[Cell]:  # fmt: skip
    shares = [
        statistics.fmean(recall(each, texts, count) for each, texts in zip(scores, found, strict=True))
        for count in (10, DEEP)
    ]
    times = [f"{each:.1f}" for each in (medians[0], medians[-1])]
    return [engine, *times, *shares, f"{kept:.0f}", f"{seconds:.0f}"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.published", description="Search beside PLAID.")
    parser.add_argument("--plaid", type=Path, required=True, metavar="PYTHON", help="of an environment with PyLate")
    parser.add_argument("--passages", type=int, default=10_000, help="[%(default)s]")
    parser.add_argument("--questions", type=int, default=40, help="[%(default)s]")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
