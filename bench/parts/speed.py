"""The part `speed`: what the wheel holds, how long a warm answer takes, and how fast documents become findable.

    python -m bench.parts.speed answer|ingest --data DIR --work DIR --model DIR --threads N

Instruction sets and threads are chosen when a process starts: each has one of its own, which prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from bench.kit import corpus, machine
from bench.kit.plan import Plan
from bench.kit.sheets import Cell, Sheet
from bench.parts.page import Bar
from bench.parts.run import Run
from bench.quality import mini_sets
from bench.quality.mini_sets import Dev
from bench.rows import ingest as rows
from reatt.ask import ask
from reatt.search.query import Query
from reatt.weights.models import BUNDLED

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("reatt_cli", "engine/reatt", "store/reatt_store")  # what the wheel holds: `.ci/smoke` checks that
STORE = "nq_qed_dev"  # whose passages and questions a warm answer is timed on
ASKED, WARM = 20, 2  # questions that are timed, and that are asked first
INGESTED = 400_000  # bytes
FOLDER = 14_000  # passages
WHEEL = (56.0, 48.0)  # MB: floor and goal
ANSWER = {"avx512": (600.0, 400.0), "avx2": (1000.0, 700.0)}  # ms, of two threads
SHARE = (0.8, 0.9)  # of the bare loop
MINUTES = (22.0, 16.0)  # of one thread's processor time under AVX2
Result = Mapping[str, float]
Sets = Mapping[str, Mapping[str, str]]  # of instructions -> what a process is told that is to know no more


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Measure every model's files, and the speed of the one that the page is about."""
    sets = machine.instruction_sets()
    chosen = {name: sets[name] for name in sets if name != "default"} or sets
    found = [_files(run), _answers(run, chosen), _paces(run, chosen)]
    return [sheet for sheet, _ in found], [bar for _, bars in found for bar in bars]


def _answers(run: Run, sets: Sets) -> tuple[Sheet, list[Bar]]:
    table, bars = list[list[Cell]](), list[Bar]()
    for name, environment in sets.items():
        for threads in dict.fromkeys((1, min(2, machine.cores()))):
            run.clock.tell(f"answers under {name}, {threads} threads")
            told = _child(run, "answer", threads, environment)
            table.append([name, threads, *(told[part] for part in ("total", "search", "read", "processor"))])
            if threads == 2 and name in ANSWER:
                what = f"warm answer over eight passages, 2 threads, {name}, ms"
                bars.append(Bar(what, told["total"], *ANSWER[name], most=True))
    text = f"Median of {ASKED} questions of {STORE} in one process, hybrid search and reading; other work adds to it."
    columns = ["instructions", "threads", "ms", "of that search", "of that reading", "ms of processor"]
    return Sheet("a warm answer over eight passages", columns, table, text), bars


def _paces(run: Run, sets: Sets) -> tuple[Sheet, list[Bar]]:
    table, bars = list[list[Cell]](), list[Bar]()
    for name, environment in sets.items():
        run.clock.tell(f"ingest under {name}")
        told = _child(run, "ingest", 1, environment)
        minutes = FOLDER * told["processor"] / 60
        table.append([name, told["pace"], told["share"], minutes])
        if name == list(sets)[-1]:
            bars.append(Bar(f"ingest, share of the bare loop, {name}", told["share"], *SHARE))
        if name == "avx2":
            bars.append(Bar(f"{FOLDER:,} passages, avx2, minutes of processor", minutes, *MINUTES, most=True))
    columns = ["instructions", "tokens a second", "share of the bare loop", f"minutes for {FOLDER:,} passages"]
    text = "One thread. The bare loop finds its token ids ready and keeps nothing. Minutes of processor, worked out."
    return Sheet("ingest", columns, table, text), bars


def _files(run: Run) -> tuple[Sheet, list[Bar]]:
    others = wheel_bytes(ROOT)
    sizes = [sum(file.stat().st_size for file in subject.plan.model.files) for subject in run.subjects]
    table: list[list[Cell]] = [
        [subject.name, size / 1e6, others / 1e6, (size + others) / 1e6]
        for subject, size in zip(run.subjects, sizes, strict=True)
    ]
    columns = ["model", "its files, MB", "all others, MB", "in the wheel, MB"]
    bar = Bar("files in the wheel, MB", (sizes[0] + others) / 1e6, *WHEEL, most=True)
    return Sheet("files in the wheel", columns, table, "Not compressed."), [bar]


def wheel_bytes(root: Path) -> int:
    """Add up the files that the wheel is made of, without those of the bundled model."""
    files = (file for package in PACKAGES for file in (root / package).rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files if not {"__pycache__", BUNDLED} & set(file.parts))


def _child(run: Run, what: str, threads: int, environment: Mapping[str, str]) -> Result:
    """Measure in a process that knows so many instructions and threads."""
    plan = run.main.plan
    command = [sys.executable, "-m", "bench.parts.speed", what, "--data", str(run.data), "--work", str(run.work)]
    command += ["--model", str(plan.model.path), "--threads", str(threads)]
    wanted = {**os.environ, **environment, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, env=wanted, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def answer(plan: Plan) -> Result:
    """Ask a warm process: milliseconds."""
    judged = mini_sets.load(plan.data, Dev(STORE), None)
    retriever = mini_sets.open_store(plan, plan.backbone(), judged)
    spent: list[dict[str, float]] = []
    for question in judged.questions(ASKED + WARM):
        begun = time.process_time()
        reply = ask(retriever, Query(question.text))
        spent.append({**reply.timing_ms, "processor": 1000 * (time.process_time() - begun)})
    mini_sets.library_of(retriever).close()
    parts = ("total", "search", "read", "processor")
    return {part: statistics.median(each[part] for each in spent[WARM:]) for part in parts}


def ingest(plan: Plan) -> Result:
    """Time the pipeline beside the bare loop, and once by the processor's time: seconds a passage."""
    row = rows.speed(plan)
    assert row.all is not None, "it was timed"
    assert row.ratio is not None, "so was the bare loop"
    articles = corpus.write_articles(plan.data, plan.work / f"articles-{plan.ingest_bytes}.jsonl", plan.ingest_bytes)
    model, begun = plan.backbone(), time.process_time()
    rows.pipeline(plan, model, articles)
    spent = time.process_time() - begun
    return {"pace": row.all, "share": row.ratio, "processor": spent / float(row.also["chunks"])}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one thing in this process, and print it."""
    ways: dict[str, Callable[[Plan], Result]] = {"answer": answer, "ingest": ingest}
    parser = argparse.ArgumentParser("python -m bench.parts.speed", description="Time one thing.")
    parser.add_argument("what", choices=tuple(ways))
    for name in ("data", "work", "model"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    plan = Plan(options.data, options.work, options.model, ingest_bytes=INGESTED)
    print(json.dumps(dict(ways[options.what](plan))))


if __name__ == "__main__":
    main()
