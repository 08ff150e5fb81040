"""Stage 2: train the first bundled model on questions with their paragraphs.

    python -m recipes.reatt_mini.train --data DATA --out WORK --minutes 80

Resumes from WORK/checkpoint.safetensors; the learning rate follows the share of the minutes that is spent.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reatt_engine.t5 import T5
from reatt_engine.tokens import TextTokenizer
from recipes.reatt_mini.data import Questions, batches, load
from recipes.reatt_mini.losses import Losses, collate, losses
from recipes.reatt_mini.start import HEAD, initialise

SETS = {"squad11_train": 0.8, "nq_qed_train": 0.1, "fairytaleqa_train": 0.1}
BATCH = 48
EXTRA = 0.4  # share of questions that are read with another question's paragraph beside their own
RATE, WARM_UP, DECAY = 1.5e-3, 100, 0.01
POINTER, ANSWER, RETRIEVAL = 1.0, 1.0, 1.0
SAVE_EVERY = 300.0  # seconds


@dataclass
class State:
    """All that a step changes."""

    model: T5
    temperature: torch.nn.Parameter
    optimizer: torch.optim.Optimizer
    step: int = 0
    spent: float = 0.0  # seconds of training
    log: list[dict[str, float]] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write everything that a resumed run needs."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()} | {"temperature": self.temperature.data}
        for index, slot in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in slot.items()}
        meta = {"step": str(self.step), "spent": str(self.spent), "log": json.dumps(self.log)}
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, file.with_suffix(".part"), meta)
        file.with_suffix(".part").replace(file)


def fresh(seed: int, device: torch.device) -> State:
    """Begin with the initial weights."""
    model = initialise(seed).to(device)
    temperature = torch.nn.Parameter(torch.tensor(0.5, device=device))
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": DECAY},
        {"params": vectors, "weight_decay": 0.0},
        {"params": [temperature], "weight_decay": 0.0},
    ]
    return State(model, temperature, torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), fused=True))


def resume(state: State, file: Path) -> None:
    """Go on from a checkpoint."""
    from safetensors import safe_open

    tensors = load_file(file)
    with safe_open(file, "pt") as stream:
        meta = stream.metadata()
    state.model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    state.temperature.data.copy_(tensors["temperature"])
    whole = state.optimizer.state_dict()
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            whole["state"].setdefault(int(index), {})[name] = value
    state.optimizer.load_state_dict(whole)
    state.step, state.spent, state.log = int(meta["step"]), float(meta["spent"]), json.loads(meta["log"])


def rate(step: int, share: float) -> float:
    """Warm up, then fall along a cosine to a twentieth over the time given."""
    return RATE * min(1.0, (step + 1) / WARM_UP) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def step(state: State, found: Losses) -> float:
    """Take one step; returns the gradient's norm."""
    loss = RETRIEVAL * found.retrieval + ANSWER * found.answer + POINTER * found.pointer
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm: Tensor = torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    return float(norm)


def report(state: State, recent: list[Losses], seconds: float) -> None:
    """Log the means of the last steps."""
    names = ("retrieval", "answer", "pointer", "hit", "token_accuracy")
    row = {name: sum(float(getattr(r, name)) for r in recent) / len(recent) for name in names}
    row |= {"step": state.step, "minutes": state.spent / 60, "per_second": len(recent) * BATCH / seconds}
    state.log.append(row)
    print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)


def train(state: State, sets: list[tuple[Questions, float]], options: argparse.Namespace) -> None:
    """Train until the minutes are spent, saving every few."""
    tokenizer = read_tokenizer(options.out)
    device = torch.device(options.device)
    budget, saved, recent = options.minutes * 60, time.monotonic(), []
    reported = time.monotonic()
    for questions, examples in batches(sets, BATCH, seed=options.seed + state.step):
        begun = time.monotonic()
        for group in state.optimizer.param_groups:
            group["lr"] = rate(state.step, state.spent / budget)
        with torch.autocast(device.type, torch.bfloat16):
            found = losses(state.model, HEAD, state.temperature, collate(questions, examples, tokenizer), EXTRA, device)
        step(state, found)
        state.spent += time.monotonic() - begun
        recent.append(found)
        if len(recent) == options.report:
            report(state, recent, time.monotonic() - reported)
            recent, reported = [], time.monotonic()
        if time.monotonic() - saved > SAVE_EVERY or state.spent > budget:
            state.save(options.out / "checkpoint.safetensors")
            saved = time.monotonic()
        if state.spent > budget:
            return


def read_tokenizer(folder: Path) -> TextTokenizer:
    """Read stage 1's tokenizer, with the lengths that training uses."""
    return TextTokenizer(folder / "tokenizer.json", end=1, question_limit=48, chunk_limit=256)


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=int, default=50, help="steps between two lines of the log")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    state = fresh(options.seed, torch.device(options.device))
    if (options.out / "checkpoint.safetensors").exists():
        resume(state, options.out / "checkpoint.safetensors")
    tokenizer = read_tokenizer(options.out)
    sets = [(load(options.data / "train" / name, tokenizer), weight) for name, weight in SETS.items()]
    train(state, sets, options)


if __name__ == "__main__":
    main()
