"""Run the papers' experiments, or some of them, and write the tables of docs/papers.md.

    python -m bench.papers [--rows NAME,NAME] [--minutes N] [--data DIR] [--work DIR] [--out DIR] [--page FILE]

`--minutes` are of the processor. When they are over, what is finished is written, the exit code is 3, and the same
command goes on from there. A finished row is a file OUT/NAME-SEED.json; delete it to run the row again. `--list` names
the rows and what each costs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.papers import page
from bench.papers.rows import ROWS, Row

UNFINISHED, WRONG = 3, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not finished, and write the page."""
    options = _parser().parse_args(arguments)
    names = options.rows.split(",") if options.rows else list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        print(f"papers: no row is called {', '.join(unknown)}; --list names them", file=sys.stderr)
        return WRONG
    if options.list:
        print("\n".join(_line(ROWS[name]) for name in names))
        return 0
    if options.share < 1:
        options.out = options.work / f"trial-{options.share:g}"
        options.work, options.page = options.out / "work", options.out / "papers.md"
    left = None
    if options.minutes > 0:
        if not (options.data / "dev").is_dir():
            print(f"papers: {options.data}/dev is not here: pass DATA=DIR", file=sys.stderr)
            return WRONG
        left = _run(options, [ROWS[name] for name in names])
    page.rewrite(options.page, options.out)
    if left:
        print(f"papers: the minutes are over at: {left}. The same command goes on from there.", file=sys.stderr)
    return UNFINISHED if left else 0


def _run(options: argparse.Namespace, rows: Sequence[Row]) -> str | None:
    from bench.papers.run import Clock, Papers, every

    data, work, out, encoder = (each.resolve() for each in (options.data, options.work, options.out, options.encoder))
    start = options.start and options.start.resolve()
    papers = Papers(data, work, out, encoder, Clock(options.minutes).tell, start, options.share)
    return every(papers, rows)


def _line(row: Row) -> str:
    return f"{row.name:20} {row.seeds} x {row.minutes:4.0f} min  {row.table}: {row.says}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.papers", description="Repeat the papers' experiments.")
    parser.add_argument("--rows", help="names, with commas between them [all]")
    parser.add_argument("--list", action="store_true", help="name the rows and what they cost")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the processor; 0: only write [%(default)g]")
    parser.add_argument("--share", type=float, default=1.0, help="a trial: of all steps and articles; kept in WORK")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="[%(default)s]")
    parser.add_argument("--encoder", type=Path, default=Path(".work/reatt-mini"), help="made by `fetch` [%(default)s]")
    parser.add_argument("--start", type=Path, help="a model's folder that all rows begin as [each its own]")
    parser.add_argument("--work", type=Path, default=Path(".work/papers"), help="[%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results/papers"), help="[%(default)s]")
    parser.add_argument("--page", type=Path, default=Path("docs/papers.md"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
