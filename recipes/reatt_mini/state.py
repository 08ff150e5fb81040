"""All that a step of training changes, and its file: a resumed run goes on as if it had never stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recipes.reatt_mini.losses import Keys, Learner
from recipes.reatt_mini.packed import Layout

CHECKPOINT = "checkpoint.safetensors"  # in WORK
AVERAGE, AVERAGE_EVERY = 0.999, 4  # of the weights, and steps
REMEMBERED = 5  # batches of a set whose keys later questions see
# Learning rates as shares of the pretrained blocks'.
RATES = {"encoder": 1.0, "shared": 1.0, "new": 10 / 3, "decoder": 10 / 3, "temperature": 20.0}
DECAY = 0.01


@dataclass
class State:
    """The weights, their average, the optimizer, the keys of the last batches, and how far training is."""

    learner: Learner
    optimizer: torch.optim.AdamW
    average: dict[str, Tensor]
    bank: dict[str, list[Keys]] = field(default_factory=dict)
    step: int = 0
    seen: int = 0  # questions
    spent: float = 0.0  # seconds of processor time

    def averaged(self) -> None:
        """Move the average a little towards the weights."""
        decay = min(AVERAGE, (self.step + 1) / (self.step + 20)) ** AVERAGE_EVERY
        weights = [weight.detach() for _, weight in learnt(self.learner)]
        torch._foreach_lerp_(list(self.average.values()), weights, 1 - decay)

    def keep(self, source: str, keys: Keys) -> None:
        """Put a batch's keys into the bank."""
        self.bank[source] = [*self.bank.get(source, []), keys][-REMEMBERED:]


def learnt(learner: Learner) -> list[tuple[str, nn.Parameter]]:
    """Name the weights that learn, in some stage at least."""
    return list(learner.named_parameters())


def part_of(name: str) -> str:
    """Say which learning rate a weight has.

    >>> part_of("t5.encoder.blocks.0.wi.weight"), part_of("t5.pointer.weight")
    ('encoder', 'new')
    """
    first = name.removeprefix("t5.").split(".")[0]
    return first if first in RATES else "new"


def begin(learner: Learner) -> State:
    """Start with the weights as they are."""
    groups: list[dict[str, Any]] = [
        {
            "params": [weight for name, weight in learnt(learner) if part_of(name) == part],
            "share": share,
            "weight_decay": 0.0 if part == "temperature" else DECAY,
        }
        for part, share in RATES.items()
    ]
    average = {name: weight.detach().clone() for name, weight in learnt(learner)}
    return State(learner, torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), fused=True), average)


def save(state: State, folder: Path) -> None:
    """Write everything that a resumed run needs."""
    tensors = {f"model.{name}": weight for name, weight in weights_of(state.learner).items()}
    tensors |= {f"average.{name}": weight for name, weight in state.average.items()}
    for name, weight in learnt(state.learner):
        tensors |= {f"optimizer.{name}.{key}": value for key, value in state.optimizer.state[weight].items()}
    numbers: dict[str, list[list[Any]]] = {}
    for source, bank in state.bank.items():
        numbers[source] = [[keys.layout.lengths, keys.numbers] for keys in bank]
        tensors |= {f"bank.{source}.{i}": keys.values for i, keys in enumerate(bank)}
    meta = {"step": str(state.step), "seen": str(state.seen), "spent": repr(state.spent), "bank": json.dumps(numbers)}
    part = (folder / CHECKPOINT).with_suffix(".part")
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, part, meta)
    part.replace(folder / CHECKPOINT)


def resume(state: State, folder: Path) -> None:
    """Go on from a checkpoint."""
    device = state.learner.temperature.device
    tensors = load_file(folder / CHECKPOINT, str(device))
    with safe_open(folder / CHECKPOINT, "pt") as stream:
        meta = stream.metadata()
    load_weights(state.learner, under(tensors, "model."))
    state.average = {name: tensors[f"average.{name}"] for name in state.average}
    for name, weight in learnt(state.learner):
        if slot := under(tensors, f"optimizer.{name}."):
            state.optimizer.state[weight] = slot
    for source, rows in json.loads(meta["bank"]).items():
        state.bank[source] = [
            Keys(tensors[f"bank.{source}.{i}"], Layout(tuple(lengths), device), numbers)
            for i, (lengths, numbers) in enumerate(rows)
        ]
    state.step, state.seen, state.spent = int(meta["step"]), int(meta["seen"]), float(meta["spent"])


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take what is named so, by the rest of its name."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def weights_of(learner: Learner) -> dict[str, Tensor]:
    """Give every weight once."""
    return {name: weight for name, weight in learner.state_dict().items() if name != "t5.lm_head.weight"}


def load_weights(learner: Learner, weights: dict[str, Tensor]) -> None:
    """Take weights up; all of them have to be there."""
    missing, unknown = learner.load_state_dict(weights, strict=False)
    assert not unknown, unknown
    assert set(missing) <= {"t5.lm_head.weight"}, missing
