"""What kept states cost and save: the first answer token with and without them, bytes a token, and scoring all chunks.

    python -m bench.intra_cost [--quick] [--data DIR] [--model DIR] [--device cpu|cuda] [--out DIR]

The same passages are encoded three ways, for `reatt`, for `reatt --keep-states` and for `intra`; the stores are kept
in the work folder. Goals are those of the project's design; a figure that misses its goal says so and fails nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from bench.kit import corpus, machine, table
from bench.kit.plan import Plan
from bench.kit.stores import store
from bench.kit.table import Row
from bench.rows import first_token
from bench.rows.scores import scoring
from reatt.model.intra import Intra
from reatt.model.reatt import ReAtt
from reatt.weights.models import load_for
from reatt_store.library import Library
from reatt_store.vectors.segments import Segment

NOTES = (
    "**first token**: from a question and chosen passages to the most likely first token of an answer, search not "
    "counted; medians over questions, ways in turn. Kept: the 8-bit states are read from the store's files, in the "
    "system's cache. Anew: the same passages are tokenised and encoded, 16 of like length at a time (ReAtt: all at "
    "once), then read as the kept ones are. **same token**: how often both begin the answer alike: what 8 bits cost.",
    "The paper (Hoffer et al., 2026), T5Gemma2 on one GPU: 13 against 23 ms at 1 passage, 66 ms against 1.25 s at 500.",
    "**ReAtt**: its upper half reads question and passage together, so that half runs either way; kept states save "
    "the lower half alone, here {lower} of {blocks} encoder blocks: of the encoding no more than {most:.1f} times.",
    "**bytes a token** of the passages, titles and marks counted: arrays as they lie in the store's files.",
    "**score**: one question's queries against the keys of every passage, ten best. Beyond {real:,} passages the keys "
    "are the real ones again, each copy with Gaussian noise of 5 % of a key's length: pace is real, ranking is not. "
    "`fast` multiplies 8 bits, in the decoder's round first by the sum of what each head asks, and scores its best 150 "
    "again; recall@10 is its agreement with `exact`.",
    "Retrieval tokens as they begin, untrained: all heads weigh alike, so all ask, the most there can be to do.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write intra_cost.md and intra_cost.json."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("bench on CUDA: skipped, PyTorch sees no CUDA device", file=sys.stderr)
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    data, work, model = (path and path.resolve() for path in (options.data, options.work, options.model))
    plan = (Plan.quick if options.quick else Plan)(data, work, model, options.device)
    busy, started = machine.load(), time.monotonic()
    rows = list(measure(plan))
    head = {
        "to repeat": f"`{machine.again('intra-cost', given)}` ({(time.monotonic() - started) / 60:.0f} minutes)",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "model": f"{plan.model.name} {plan.model.sha256[:8]}",
        **machine.describe(plan.device),
        "busy before and after": f"{busy} and {machine.load()} processes a minute",
    }
    name = "-".join(["intra_cost", *(["cuda"] if options.device == "cuda" else []), *["quick"] * options.quick])
    print(table.write(options.out, name, head, rows, _notes(plan)).read_text(encoding="utf-8"))
    return 0


def measure(plan: Plan) -> Iterator[Row]:
    """Yield the rows, reading first: it is what a person waits for."""
    asked, segments = corpus.questions(plan.data, plan.asked // 2), dict[str, list[Segment]]()
    for method in ("intra", "reatt-states"):
        _tell(f"the first token, {method}")
        backbone = load_for(method, plan.model, plan.device)
        assert isinstance(backbone, Intra | ReAtt), "both methods have such a model"
        with closing(Library.open(store(plan, plan.chunks[0], method))) as library:
            yield from first_token.measure(plan, backbone, library, asked)
            made = library.generation()
            assert made is not None, "an ingested store has a generation"
            segments[method] = library.segments(made.id)
    yield from _bytes(segments)
    _tell("scoring")
    with closing(Library.open(store(plan, plan.chunks[0], "intra"))) as library:
        yield from scoring(plan, library, asked)


def _bytes(segments: dict[str, list[Segment]]) -> Iterator[Row]:
    """Weigh the arrays of each kind of memory, for each token of the passages."""
    for method, parts in segments.items():
        kept = [part.memory for part in parts if part.memory is not None]
        tokens, width = sum(len(memory.codes) for memory in kept), kept[0].codes.shape[1]
        states = sum(_size(memory.codes, memory.scales, memory.offsets) for memory in kept)
        halves = sum(_size(part.half) for part in parts if part.half is not None)
        keys = halves + sum(_size(part.codes, part.scales, part.offsets) for part in parts)
        also = {"tokens": tokens, "passages": sum(len(part.digests) for part in parts)}
        beside = f"bf16, not kept so: {2 * width}"
        yield Row("bytes a token", f"{method}: states, width {width}, 8 bits", "B", all=states / tokens, beside=beside)
        yield Row("bytes a token", f"{method}: keys, fp16 and 8 bits", "B", all=keys / tokens, also=also)


def _size(*arrays: np.ndarray) -> int:
    return sum(each.nbytes for each in arrays)


def _notes(plan: Plan) -> list[str]:
    shape = plan.model.config
    lower, blocks = shape["retrieval_layer"], shape["num_layers"]
    figures = {"lower": lower, "blocks": blocks, "most": blocks / (blocks - lower), "real": plan.chunks[0]}
    return [note.format(**figures) for note in NOTES]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.intra_cost", description="Measure what kept states cost.")
    parser.add_argument("--quick", action="store_true", help="smaller: a minute")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="what is kept [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


def _tell(what: str) -> None:
    print(f"intra-cost: {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
