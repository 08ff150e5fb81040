"""How well reatt-mini finds, reads and knows what it knows: writes mini.md, put together from parts that are kept.

    python -m bench.mini [--parts finding,reading,...] [--sets A,B] [--limit N] [--read N] [--model DIR]
        [--beside NAME=DIR] [--minutes N]

Every judged set of DATA/dev becomes a store of its own. What a model, and the engine as it is, said to a question is
kept in WORK and not asked again: a run can be stopped at any time, and `--minutes` stops it (it then exits 3). A part
that is done is written to OUT/mini/PART.json, and the page is made from all parts there are. `--beside` measures other
models, such as the untrained start, a twin (the same model, trained without retrieval labels) or the model before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.kit import machine
from bench.kit.kept import Clock, Enough
from bench.kit.plan import Plan
from bench.kit.sheets import Sheet
from bench.parts import confidence, finding, intra, page, reading, speed, tables, teacher
from bench.parts.page import Bar, Part
from bench.parts.run import MAIN, Run, Sizes, Subject
from bench.quality.mini_sets import SETS

UNFINISHED = 3
ENDLESS = float("inf")
_NAMES = tuple(dev.name for dev in SETS)
_PARTS: dict[str, Callable[[Run], tuple[list[Sheet], list[Bar]]]] = {
    "finding": finding.measure,
    "reading": reading.measure,
    "tables": tables.measure,
    "confidence": confidence.measure,
    "teacher": teacher.measure,
    "speed": speed.measure,
    "intra": intra.measure,  # hours: last
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts, keep each, and write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if not (options.data / "dev").is_dir():
        print(f"eval-mini: {options.data}/dev is not here: pass --data DIR", file=sys.stderr)
        return 2
    run, left = _run(options), None
    folder = options.out / options.name
    try:
        for name in options.parts:
            run.clock.tell(name)
            begun = time.process_time()
            tables, bars = _PARTS[name](run)
            spent = (time.process_time() - begun) / 60
            page.save(folder, Part(name, _head(run, machine.again("eval-mini", given), spent), tables, bars))
    except Enough as at:
        left = at
    finally:
        run.close()
    print(page.write(options.out, options.name, page.load(folder)))
    if left:
        print(f"eval-mini: the time is over at: {left}. The same command goes on from there.", file=sys.stderr)
    return UNFINISHED if left else 0


def _run(options: argparse.Namespace) -> Run:
    data, work = options.data.resolve(), options.work.resolve()
    beside = (options.read_beside, options.doubt, options.teach, options.tables, options.pool)
    sizes = Sizes(options.limit, options.read, *beside)
    clock = Clock("eval-mini", options.minutes)
    return Run(data, work, list(_subjects(options)), options.sets, sizes, options.minilm.resolve(), clock)


def _subjects(options: argparse.Namespace) -> Iterator[Subject]:
    """Name the models; the one that the page is about comes first."""
    for name, folder in [(MAIN, options.model), *options.beside]:
        plan = Plan(options.data.resolve(), options.work.resolve(), folder and folder.resolve(), options.device)
        yield Subject(name, plan)


def _head(run: Run, again: str, spent: float) -> dict[str, str]:
    described = machine.describe(run.main.plan.device)
    return {
        "models": ", ".join(f"{each.name} {each.plan.model.sha256[:8]}" for each in run.subjects),
        "to repeat": f"`{again}`",
        "on": f"{time.strftime('%Y-%m-%d', time.gmtime())}, commit {described['commit']}",
        "machine": f"{described['processor']}, {described['cores']} cores, {run.main.plan.device}",
        "took": f"{spent:.1f} minutes of processor for what was not known yet",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.mini", description="Measure reatt-mini on judged questions.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--parts", type=_chosen("part", tuple(_PARTS)), default=tuple(_PARTS), help="with commas [all]")
    parser.add_argument("--sets", type=_chosen("set", _NAMES), default=_NAMES, help="names, with commas between [all]")
    parser.add_argument("--limit", type=int, help="search by so many questions a set [all that are judged]")
    parser.add_argument("--read", type=int, default=Sizes.read, help="read for so many a set [%(default)s]")
    parser.add_argument("--doubt", type=int, default=Sizes.doubt, help="for the confidence [%(default)s]")
    parser.add_argument("--teach", type=int, default=Sizes.teach, help="for the teachers [%(default)s]")
    parser.add_argument("--tables", type=int, default=Sizes.tables, help="about tables [%(default)s]")
    parser.add_argument("--pool", type=int, help="a trial: so many documents of INTRA's pool [all]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--beside", type=_named, action="append", default=[], help="NAME=DIR: another model, again")
    parser.add_argument("--read-beside", type=int, default=Sizes.read_beside, help="for those [%(default)s]")
    parser.add_argument(
        "--minilm", type=Path, default=Path(".work/reatt-mini"), help="where it was fetched [%(default)s]"
    )
    parser.add_argument("--minutes", type=float, default=ENDLESS, help="then stop, and keep what is done [never]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    parser.add_argument("--name", default="mini", help="of the page and of the folder of its parts [%(default)s]")
    return parser


def _chosen(kind: str, known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Read names with commas between; all of them have to be known."""

    def read(given: str) -> tuple[str, ...]:
        unknown = set(given.split(",")) - set(known)
        if unknown:
            told = f"no {kind} is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}"
            raise argparse.ArgumentTypeError(told)
        return tuple(given.split(","))

    return read


def _named(given: str) -> tuple[str, Path]:
    name, _, folder = given.partition("=")
    if not folder or name == MAIN:
        raise argparse.ArgumentTypeError(f"NAME=DIR is wanted, such as twin=DIR, not {given}")
    return name, Path(folder)


if __name__ == "__main__":
    sys.exit(main())
