"""What a training step costs: its peak memory by batch, and its pace beside a bare forward and backward pass.

    python -m bench.learning [--model DIR] [--device cpu|cuda] [--large] [--out DIR]

Chunks are random ids, 200 tokens each; of a step only shapes matter here. `--large`, for a GPU: random weights in
T5-large's shape, |Q| 64, K 100, in bfloat16.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.kit import machine, processes, table
from bench.kit.plan import Plan
from bench.kit.table import Row, at_least, at_most
from reatt.lessons.batches import Ids, TrainingBatch
from reatt.model.stacks.halves import Head
from reatt.model.t5 import T5, T5Config
from reatt.training.grad_cache import accumulate
from reatt.training.objective import HeadSelector, Objective
from reatt.training.pools import answer_losses, apart, fuse, together

STAGE = "learn"
CLOSE, CHUNK, ASKED, ANSWER = 20, 200, 15, 5  # K; tokens
SMALL, BIG = 4, 64  # |Q|
ROUNDS = 5
LARGE = {
    "vocab_size": 32128, "d_model": 1024, "d_kv": 64, "d_ff": 2816, "num_heads": 16, "num_layers": 24,
    "num_decoder_layers": 24, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False,
}  # fmt: skip
LARGE_BLOCK, LARGE_CLOSE, LARGE_BYTES, LARGE_SHARE = 12, 100, 100e9, 0.4


@dataclass(frozen=True)
class Learner:
    """A model that learns, and by what it retrieves."""

    t5: T5
    head: Head
    selector: HeadSelector  # decided: one head is kept

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.t5.shared.weight.device

    def step(self, batch: TrainingBatch, micro: int = 1) -> None:
        """Leave a batch's gradients: what `reatt adapt` does between two updates."""
        with torch.autocast("cuda", torch.bfloat16, self.device.type == "cuda", cache_enabled=False):
            accumulate(self.t5, self.selector, self.head, batch, Objective(), micro=micro)

    def bare(self, batch: TrainingBatch, micro: int = 1) -> None:
        """Read the same pairs and send the answers' loss back: no cache, no teacher, no retrieval."""
        with torch.autocast("cuda", torch.bfloat16, self.device.type == "cuda"):
            for at in range(0, len(batch.questions), micro):
                torch.autograd.backward(self._read(batch, range(at, min(at + micro, len(batch.questions)))))

    def _read(self, batch: TrainingBatch, asked: range) -> Tensor:
        pairs = [batch.questions[q][:-1] + batch.chunks[c] for q in asked for c in batch.close[q]]
        lower = apart(self.t5, self.head.layer, pairs)
        fused = fuse(together(self.t5, self.head.layer, lower.states, lower.rows), [len(batch.close[q]) for q in asked])
        cache = self.t5.remember(fused.values, fused.keep)
        return answer_losses(self.t5, cache, [batch.answers[q] for q in asked]).sum()


def learner(plan: Plan) -> Learner:
    """Load the model to learn; all of it does."""
    model = plan.backbone()
    t5 = model.t5.float().train().requires_grad_(True)
    return Learner(t5, model.head, _decided(t5, model.head.number))


def _decided(t5: T5, head: int) -> HeadSelector:
    return HeadSelector(t5.config.num_heads, head).to(t5.shared.weight.device)


def batch(questions: int, close: int, vocabulary: int) -> TrainingBatch:
    """Make a batch in which no chunk is close to two questions: the most work there can be."""
    draw = random.Random(0)

    def ids(count: int) -> Ids:
        return (*draw.choices(range(5, vocabulary), k=count - 1), 1)

    numbers = tuple(tuple(range(q * close, (q + 1) * close)) for q in range(questions))
    chunks = tuple(ids(CHUNK) for _ in range(questions * close))
    return TrainingBatch(
        tuple(ids(ASKED) for _ in numbers), tuple(ids(ANSWER) for _ in numbers), chunks, numbers
    )  # fmt: skip


def measure(plan: Plan, command: Sequence[str]) -> list[Row]:
    """Return the rows of memory and pace; `command` takes one step in a process of its own."""
    peak = {size: processes.run_for_peak([*command, "--step", str(size)], plan.home)[1] for size in (SMALL, BIG)}
    ratio = peak[BIG] / peak[SMALL]
    memory = Row(
        STAGE, f"peak memory of a step, |Q| {BIG}, K {CLOSE}", "MB", all=peak[BIG] / 1e6,
        beside=f"|Q| {SMALL}: {peak[SMALL] / 1e6:.0f} MB", ratio=ratio, goal=at_most(ratio, 1.3),
    )  # fmt: skip
    return [memory, _pace(learner(plan), batch(SMALL, CLOSE // 4, plan.backbone().t5.config.vocab_size))]


def _pace(given: Learner, one: TrainingBatch) -> Row:
    """Take both in turn; processor time, where there is one, since other work on the machine changes it least."""
    tokens = sum((len(one.questions[0]) + CHUNK - 1) * len(close) for close in one.close)
    ways: dict[str, Callable[[TrainingBatch], None]] = {"step": given.step, "bare": given.bare}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            seconds = _timed(given, lambda way=way: way(one))  # type: ignore[misc]
            if number:
                spent[name].append(seconds)
    pace = {name: tokens / statistics.median(times) for name, times in spent.items()}
    ratio = pace["step"] / pace["bare"]
    return Row(
        STAGE, "pace of a step", "tokens/s", all=pace["step"], beside=f"bare pass: {pace['bare']:.0f}",
        ratio=ratio, goal=at_least(ratio, 0.6),
    )  # fmt: skip


def _timed(given: Learner, work: Callable[[], None]) -> float:
    cuda = given.device.type == "cuda"
    now = time.perf_counter if cuda else time.process_time
    given.t5.zero_grad()
    started = now()
    work()
    if cuda:
        torch.cuda.synchronize()
    return now() - started


def large() -> list[Row]:
    """Take a step of T5-large's shape on a GPU: memory, seconds, and the share of its matrix rate."""
    t5 = T5(T5Config.from_json(LARGE), recompute=True).to("cuda").train()
    given, one = Learner(t5, Head(LARGE_BLOCK, 0), _decided(t5, 0)), batch(BIG, LARGE_CLOSE, 32_000)
    seconds = min(_timed(given, lambda: given.step(one)) for _ in range(2))
    peak = torch.cuda.max_memory_allocated()
    rate, possible = _operations(t5, one) / seconds, _matrix_rate()
    what = f"T5-large, |Q| {BIG}, K {LARGE_CLOSE}, {CHUNK} tokens"
    share = rate / possible
    return [
        Row(STAGE, f"peak memory, {what}", "GB", all=peak / 1e9, goal=at_most(peak / 1e9, LARGE_BYTES / 1e9, "GB")),
        Row(
            STAGE, f"a step, {what}", "s", all=seconds, ratio=share, goal=at_least(share, LARGE_SHARE),
            beside=f"bf16 matrices: {possible / 1e12:.0f} Tflop/s", also={"Tflop/s": rate / 1e12},
        ),
    ]  # fmt: skip


def _operations(t5: T5, one: TrainingBatch) -> float:
    """Count what learning needs, not what is made twice to save memory: 6 for each token and encoder weight."""
    tokens = sum((len(one.questions[0]) + CHUNK) * len(close) for close in one.close)
    return 6.0 * tokens * sum(weight.numel() for layer in t5.encoder.layers() for weight in layer.parameters())


def _matrix_rate(size: int = 8192, times: int = 20) -> float:
    """Measure what the GPU does with large matrices in bfloat16, in operations a second."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    _ = a @ b
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(times):
        _ = a @ b
    torch.cuda.synchronize()
    return 2.0 * size**3 * times / (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write learning.md and learning.json."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    plan = Plan(Path(), options.work.resolve(), options.model and options.model.resolve(), options.device)
    if options.step:
        one = learner(plan)
        one.step(batch(options.step, CLOSE, one.t5.config.vocab_size))
        return 0
    if options.large and not torch.cuda.is_available():
        print("bench of T5-large: skipped, PyTorch sees no CUDA device", file=sys.stderr)
        return 0
    started = time.monotonic()
    rows = large() if options.large else measure(plan, [sys.executable, "-m", "bench.learning", *given])
    head = {
        "to repeat": f"`{machine.again('learning', given)}` ({(time.monotonic() - started) / 60:.0f} minutes)",
        "model": f"{plan.model.name} {plan.model.sha256[:8]}",
        **machine.describe(options.device),
        "load": machine.load(),
    }
    name = "learning-large" if options.large else "learning"
    print(table.write(options.out, name, head, rows, ()).read_text(encoding="utf-8"))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.learning", description="Measure what a training step costs.")
    parser.add_argument("--model", type=Path, help="a model's folder [the bundled one]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--large", action="store_true", help="T5-large's shape, on a GPU")
    parser.add_argument("--step", type=int, help="take one step of so many questions, and say nothing")
    parser.add_argument("--work", type=Path, default=Path(".work/bench"), help="[%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
