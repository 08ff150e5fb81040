"""Stage 3: train the bundled model on questions with windows of their paragraphs, then on the whole and close ones.

    python -m recipes.reatt_mini.train --data DATA --out WORK --stage windows --minutes 40
    torchrun --nproc-per-node 2 -m recipes.reatt_mini.train --out WORK --stage close --minutes 60

Resumes from WORK/checkpoint.safetensors; the learning rate follows the share of the stage's minutes that is spent, or
of its `--steps`: then a run gives the same weights every time on processors that multiply bfloat16, and on the others.
Several processes average their gradients, each on batches of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from reatt.model.processor import multiplies_bfloat16
from reatt.model.t5 import T5, t5_encoder
from recipes.reatt_mini.close import Close
from recipes.reatt_mini.data import Draw, Questions, load
from recipes.reatt_mini.losses import Batch, Losses, Marks, losses, whole, windows
from recipes.reatt_mini.start import HEAD, SHAPE, initialise

WARM_UP, DECAY = 100, 0.01
EMBEDDING_RATE = 0.3  # of the others': rows are seen rarely, and Adam steps are of one size
SAVE_EVERY = 240.0  # seconds


@dataclass(frozen=True)
class Stage:
    """What a stage draws and what it weighs."""

    draw: Draw
    width: int | None  # tokens of a window around the answer; None: the whole paragraph
    sets: dict[str, float]
    rate: float
    last: float  # share of the rate that the stage ends at
    close: tuple[Close, ...]  # how questions are read that are not read with their own chunk alone
    retrieval: float
    marks: float
    pointer: float
    answer: float


STAGES = {
    "windows": Stage(
        Draw(32, 4, 1),
        64,
        {"squad11_train": 0.8, "qamr": 0.08, "nq_qed_train": 0.08, "fairytaleqa_train": 0.04},
        5e-4,
        0.6,
        (),
        0.0,
        1.0,
        0.5,
        0.5,
    ),
    "close": Stage(
        Draw(24, 8, 1),
        None,
        {"squad11_train": 0.7, "nq_qed_train": 0.12, "fairytaleqa_train": 0.06, "distant_wiki_train": 0.12},
        3e-4,
        0.03,
        (Close(0.4, 5, 40, 100), Close(0.1, 3)),
        0.5,
        0.5,
        0.5,
        1.0,
    ),
}


@dataclass
class State:
    """All that a step changes."""

    model: T5
    marks: Marks
    optimizer: torch.optim.Optimizer
    stage: str = ""
    step: int = 0
    spent: float = 0.0  # seconds of this stage
    log: list[dict[str, float]] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write everything that a resumed run needs."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items() if k != "lm_head.weight"}
        tensors |= {f"marks.{k}": v for k, v in self.marks.state_dict().items()}
        for index, slot in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in slot.items()}
        meta = {"stage": self.stage, "step": str(self.step), "spent": str(self.spent), "log": json.dumps(self.log)}
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, file.with_suffix(".part"), meta)
        file.with_suffix(".part").replace(file)


def fresh(model: T5, device: torch.device) -> State:
    """Begin with the initial weights; the encoder's position bias stays as it was wired, which is far faster."""
    model, marks = model.to(device), Marks(SHAPE.d_model).to(device)
    t5_encoder(model).position.weight.requires_grad_(False)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad and name != "shared.weight"]
    groups = [
        {"params": [p for _, p in named if p.ndim > 1], "weight_decay": DECAY, "share": 1.0},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0, "share": 1.0},
        {"params": [model.shared.weight], "weight_decay": 0.0, "share": EMBEDDING_RATE},
        {"params": list(marks.parameters()), "weight_decay": 0.0, "share": 1.0},
    ]
    return State(model, marks, torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), fused=True))


def resume(state: State, file: Path) -> None:
    """Go on from a checkpoint."""
    tensors = load_file(file)
    with safe_open(file, "pt") as stream:
        meta = stream.metadata()
    model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    state.model.load_state_dict(model, strict=False)
    state.marks.load_state_dict({k.removeprefix("marks."): v for k, v in tensors.items() if k.startswith("marks.")})
    kept = state.optimizer.state_dict()
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            kept["state"].setdefault(int(index), {})[name] = value
    state.optimizer.load_state_dict(kept)
    state.stage, state.step, state.spent = meta["stage"], int(meta["step"]), float(meta["spent"])
    state.log = json.loads(meta["log"])


def rate(step: int, share: float, last: float) -> float:
    """Warm up, then fall along a cosine over the time given."""
    return min(1.0, (step + 1) / WARM_UP) * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def share_gradients(parameters: list[Tensor]) -> None:
    """Average gradients over the processes, in one message."""
    if not dist.is_initialized():
        return
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.flatten() for g in grads]) / dist.get_world_size()
    dist.all_reduce(flat)
    for p, piece in zip(parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True):
        p.grad = piece.view_as(p)


def step(state: State, stage: Stage, found: Losses) -> None:
    """Take one step."""
    loss = stage.retrieval * found.retrieval + stage.marks * found.marks
    loss = loss + stage.pointer * found.pointer + stage.answer * found.answer
    state.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    share_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    state.optimizer.step()
    state.step += 1


def report(state: State, recent: list[Losses], questions: int, seconds: float) -> None:
    """Log the means of the last steps."""
    names = ("retrieval", "marks", "pointer", "answer", "hit", "start", "token_accuracy", "teacher", "words")
    row = {name: sum(float(getattr(r, name)) for r in recent) / len(recent) for name in names}
    row |= {"step": state.step, "minutes": state.spent / 60, "per_second": questions / seconds}
    state.log.append(row)
    print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)


def drawn(stage: Stage, sets: list[tuple[Questions, float]], seed: int) -> Iterator[tuple[Batch, Tensor]]:
    """Draw the stage's batches for ever, with the rarity (V,) of tokens in their set."""
    draw = random.Random(seed)
    for questions, examples in stage.draw.batches(sets, seed):
        if stage.width is None:
            batch = whole(questions, examples)
        else:
            batch = windows(questions, examples, stage.width, SHAPE.eos_token_id, draw)
        yield batch, torch.from_numpy(questions.rarity)


def spent(state: State, options: argparse.Namespace) -> float:
    """Say what share of the stage is behind: of its steps, if they are given, or else of its minutes."""
    share: float = state.step / options.steps if options.steps else state.spent / (options.minutes * 60)
    return share


def train(state: State, options: argparse.Namespace, rank: int, ranks: int) -> None:
    """Train until the stage's minutes are spent, saving every few."""
    stage, device = STAGES[options.stage], torch.device(options.device)
    half = multiplies_bfloat16(device)
    sets = [(load(options.out / f"{name}.safetensors"), weight) for name, weight in stage.sets.items()]
    saved = time.monotonic()
    recent: list[Losses] = []
    reported, questions = time.monotonic(), 0
    for batch, rarity in drawn(stage, sets, options.seed + ranks * state.step + rank):
        begun, share = time.monotonic(), spent(state, options)
        for group in state.optimizer.param_groups:
            group["lr"] = options.rate * stage.rate * group["share"] * rate(state.step, share, stage.last)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            found = losses(state.model, HEAD, state.marks, batch, stage.close, rarity, options.twin)
        step(state, stage, found)
        state.spent += time.monotonic() - begun
        recent = [*recent, found.detached()] if not rank else []  # a step's graph must not outlive it
        questions += len(batch.questions)
        if len(recent) == options.report:
            report(state, recent, questions * ranks, time.monotonic() - reported)
            recent, reported, questions = [], time.monotonic(), 0
        over = torch.tensor(float(spent(state, options) >= 1))
        if dist.is_initialized():
            dist.broadcast(over, 0)
        if not rank and (time.monotonic() - saved > SAVE_EVERY or over):
            state.save(options.out / "checkpoint.safetensors")
            saved = time.monotonic()
        if over:
            return


def begin(options: argparse.Namespace) -> State:
    """Take up the checkpoint, or wire a new model."""
    tokenizer = Tokenizer.from_file(str(options.out / "tokenizer.json"))
    chunks = load(options.out / "squad11_train.safetensors").chunks.flat
    frequencies = torch.bincount(torch.from_numpy(chunks), minlength=SHAPE.vocab_size) / len(chunks)
    state = fresh(initialise(options.seed, tokenizer, frequencies, options.teacher), torch.device(options.device))
    if (options.out / "checkpoint.safetensors").exists():
        resume(state, options.out / "checkpoint.safetensors")
    order = ["", *STAGES]
    if order.index(state.stage) > order.index(options.stage):
        print(f"{options.out} is already in stage {state.stage}")
        raise SystemExit(0)
    if state.stage != options.stage:
        state.stage, state.step, state.spent = options.stage, 0, 0.0
    return state


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--teacher", type=Path, help="folder of a sentence encoder whose token embeddings are taken up")
    parser.add_argument("--twin", action="store_true", help="learn retrieval from the reader's attention alone")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, help="so many steps instead, whatever they take")
    parser.add_argument("--rate", type=float, default=1.0, help="times the stage's learning rate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=int, default=50, help="steps between two lines of the log")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    state = begin(options)
    torch.manual_seed(options.seed + rank)
    train(state, options, rank, ranks)


if __name__ == "__main__":
    main()
