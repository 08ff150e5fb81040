"""Measure speed and memory, side by side in one run, and write one table.

    python -m bench.run [--quick] [--data DIR] [--model DIR] [--device cpu|cuda] [--out DIR] [--each-instruction-set]

Goals are those of the project's design; a figure that misses its goal says so and fails nothing. What is expensive to
make, stores of 10,000 and 100,000 encoded passages, is kept in the work folder for the next run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.kit import machine, table
from bench.kit.plan import Plan

EACH = "--each-instruction-set"
COMPUTING = ("search", "ask", "ingest")  # the stages that instructions change
NOTES = (
    "**1 thread, all threads**: what torch and FAISS may use; where one column is empty, nothing was set.",
    "**ingest**: one JSON Lines file of whole articles. The bare loop finds its token ids ready and keeps nothing; "
    "both run in one process, in turn, and the ratio is the median of the rounds' ratios.",
    "**workers**: whole commands in turn, the ratio is to one process with one thread. The workers' pace includes "
    "loading their models. Processor: with all processes of a command.",
    "**memory** is that of a whole process. Its model is tiny and random, with the real tokenizer and keys of real "
    "width, since only growth with the corpus is asked: a real model adds its weights and one batch's activations.",
    "**search**: `retriever.search` from question text to ten chunks with their texts, on keys of real passages of "
    "70 to 100 words; questions are those people typed into a search engine. recall@10 and @100 are against exact. "
    "p99: one thread. "
    "bytes/token: on the disk (bm25s and dense: in memory), for each key of ours. Products: without "
    "the maximum. On a processor with AVX2 alone PyTorch's int8 products are a plain loop, which `fast` avoids. "
    "Copies: every passage of the store before, so many times, each with other noise on its keys. "
    "PyTorch asks the processor itself: where AVX2 was only asked for on one that has more, the loop is not taken.",
    "**start**: whole processes in turn, A B A B, after one round unmeasured; medians. Cold: a new process, files in "
    "the system's cache.",
    "**serve**: the same, one question, by a warm process (`reatt serve`) and without one; the model alone is what "
    "searching and reading took inside the warm process.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages and write the table."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if options.device == "cuda" and not _cuda():
        print("bench on CUDA: skipped, PyTorch sees no CUDA device", file=sys.stderr)
        return 0
    if options.each_instruction_set:
        return _each_instruction_set(given, options)
    options.work.mkdir(parents=True, exist_ok=True)
    data, work, model = (path and path.resolve() for path in (options.data, options.work, options.model))
    plan = replace((Plan.quick if options.quick else Plan)(data, work, model, options.device), copies=options.copies)
    stages = _stages()
    rows: list[table.Row] = []
    busy, started = machine.load(), time.monotonic()
    for name in options.stages or stages:
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        rows += stages[name](plan)
        head = _head(plan, machine.again("bench", given), busy, time.monotonic() - started)
        page = table.write(options.out, _name(options), head, rows, _notes(plan))
    print(page.read_text(encoding="utf-8"))
    return 0


def _each_instruction_set(given: Sequence[str], options: argparse.Namespace) -> int:
    """Run the bench again in a process for each instruction set, and so one table for each; PyTorch looks once."""
    others = [argument for argument in given if argument != EACH]
    others += [] if options.stages else ["--stages", *COMPUTING]
    for environment in machine.instruction_sets().values():
        command = [sys.executable, "-m", "bench.run", *others]
        subprocess.run(command, check=True, env={**os.environ, **environment})
    return 0


def _stages() -> dict[str, Callable[[Plan], list[table.Row]]]:
    from bench.rows import ask, ingest, search, serve, start

    return {
        "ingest": ingest.measure,
        "search": search.measure,
        "start": start.measure,
        "ask": ask.measure,
        "serve": serve.measure,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.run", description="Measure speed and memory.", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="smaller: some minutes")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--stages", nargs="+", choices=("ingest", "search", "start", "ask", "serve"), help="[all]")
    parser.add_argument(EACH, action="store_true", help=f"a table of each; without --stages: {', '.join(COMPUTING)}")
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="search N perturbed copies, too")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


def _head(plan: Plan, again: str, busy: str, seconds: float) -> dict[str, str]:
    size = sum(file.stat().st_size for file in plan.model.files) / 1e6
    return {
        "to repeat": f"`{again}` ({seconds / 60:.0f} minutes)",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "model": f"{plan.model.name} {plan.model.sha256[:8]}, {size:.0f} MB",
        **machine.describe(plan.device),
        "busy before and after": f"{busy} and {machine.load()} processes a minute",
    }


def _notes(plan: Plan) -> list[str]:
    if plan.device == "cuda":
        return [*NOTES, "**CUDA**: encoding, exact, fast and reading; FAISS, words and what stands beside use the CPU."]
    seen = "`make gpu` measures it" if _cuda() else "skipped, PyTorch sees no CUDA device"
    return [*NOTES, f"**CUDA**: {seen}."]


def _name(options: argparse.Namespace) -> str:
    asked = machine.told().get("ATEN_CPU_CAPABILITY", "")
    parts = ["bench", options.device * (options.device != "cpu"), "quick" * options.quick, asked]
    return "-".join(part for part in parts if part)


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main())
