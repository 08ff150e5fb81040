"""How well INTRA finds and reads in one large pool, beside words, ReAtt and its own parts: intra.md and intra.json.

    python -m bench.intra --data DIR [--minutes N] [--steps N] [--warm N] [--limit-chunks N] [--limit-questions N]

Stages: encode the pool, for INTRA and for ReAtt; with `--warm N` teach the decoder to answer for N steps first, and
write intra-warm.md beside; train the retrieval tokens of each setting; search; read. All of it
is kept in the work folder as it is made: when `--minutes` are over, the run writes the tables of what is known, says
so and exits 3, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.kit import machine, sheets
from bench.kit.kept import Clock, Enough
from bench.kit.plan import Plan
from bench.quality import intra_page, intra_reading
from bench.quality.intra_pool import LEARNT, Pool, Size, lessons, open_pool, questions
from bench.quality.intra_reading import Study
from bench.quality.intra_ways import SETTINGS, learn, learnt, warmed
from reatt.progress import Progress

STEPS = 300  # of 16 questions: twice over what is learnt from
UNFINISHED = 3
NOTES = (
    "RRF(BM25, MiniLM) is left out: there are no vectors of MiniLM for this pool, and baselines.json is of each "
    "development set's own corpus. `words` is SQLite FTS5; its 100 best are fused with ReAtt attention's 50 best.",
    "ReAtt attention: the same model's retrieval head, trained on SQuAD, NQ and more. INTRA's tokens have learnt from "
    "the questions named above alone; without a warm start the decoder has never been taught to answer in this way.",
    "S0 empty and cosine S0 ask with the tokens of the whole method; L_p and R have learnt anew.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is not done yet, for so many minutes, and write what is known."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    if not (options.data / "dev").is_dir():
        print(f"intra-pool: {options.data}/dev is not here: pass DATA=DIR", file=sys.stderr)
        return 2
    plan = Plan(options.data.resolve(), options.work.resolve(), options.model and options.model.resolve())
    plan.work.mkdir(parents=True, exist_ok=True)
    size, clock = Size(options.limit_chunks, options.limit_questions), Clock("intra", options.minutes)
    with ExitStack() as opened:
        try:
            study = _open(plan, size, options.steps, options.warm, clock, opened)
        except Enough as at:
            return _enough(at)
        left = _go_on(plan, study, size)
        tables = intra_page.sheets(study)
        head = _head(plan, study, machine.again("intra-pool", given), left)
    name = "intra-warm" if options.warm else "intra"
    print(sheets.write(options.out, name, "INTRA in one pool", head, tables, NOTES))
    return _enough(left) if left else 0


def _open(plan: Plan, size: Size, steps: int, warm: int, clock: Clock, opened: ExitStack) -> Study:
    """Encode the pool twice, choose the questions, and let the decoder learn to answer where that is asked for."""
    pools = dict[str, Pool]()
    for method in ("intra", "reatt"):
        pools[method] = open_pool(plan, size, method, _progress(clock, method))
        opened.callback(pools[method].library.close)
    asked = questions(plan, pools["intra"].corpus, size)
    folder = plan.work / f"study-{size.documents or 'all'}-{plan.model.sha256[:8]}-{steps}-{warm}"
    pool = pools["intra"]
    if warm:
        pool = warmed(pool, lessons(plan, pool.corpus, size), warm, folder / "warm-start", clock.tell)
    return Study(pool, pools["reatt"], asked, steps, folder, clock.tell)


def _progress(clock: Clock, method: str) -> Callable[[Progress], None]:
    """Tell of an ingest's progress."""
    return lambda at: clock.tell(f"encode for {method}: {at.note or at.done}")


def _go_on(plan: Plan, study: Study, size: Size) -> Enough | None:
    """Train, search and read; return where the time was over."""
    try:
        examples = lessons(plan, study.intra.corpus, size)
        for setting in SETTINGS:
            if learnt(study.intra, setting, study.steps, study.folder) is None:
                learn(study.intra, setting, examples, study.steps, study.folder / setting.learnt, study.tell)
        intra_reading.find(study)
        intra_reading.read(study)
    except Enough as at:
        return at
    return None


def _head(plan: Plan, study: Study, again: str, left: Enough | None) -> dict[str, str]:
    described = machine.describe(plan.device)
    corpus = study.intra.corpus
    texts = len(set(corpus.equal))
    learnt_from = ", ".join(f"{name} (at most {most})" if most else name for name, most in LEARNT.items())
    return {
        "pool": f"{len(corpus.ids):,} chunks, {texts:,} different; all of dev/ and train/, and passages of text/",
        "learnt from": f"{learnt_from}; {study.steps} steps of 16 questions a setting",
        "model": f"{plan.model.name} {plan.model.sha256[:8]}",
        "state": f"**unfinished**, rows may be of different questions: stopped at {left}" if left else "finished",
        "to repeat": f"`{again}`; {time.strftime('%Y-%m-%d', time.gmtime())}, commit {described['commit']}",
        "machine": f"{described['processor']}, {described['cores']} cores, {plan.device}",
    }


def _enough(at: Enough) -> int:
    print(f"intra: the time is over at: {at}. The same command goes on from there.", file=sys.stderr)
    return UNFINISHED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.intra", description="Measure INTRA in one large pool.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--minutes", type=float, default=55.0, help="then stop, and keep what is done [%(default)s]")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each training [%(default)s]")
    parser.add_argument("--warm", type=int, default=0, help="steps of a warm start, such as 300 [none]")
    parser.add_argument("--limit-chunks", type=int, help="a trial: so many documents, most of them a chunk [all]")
    parser.add_argument("--limit-questions", type=int, help="a trial: so many questions a set [164 and 200]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--work", type=Path, default=Path(".work/intra"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
