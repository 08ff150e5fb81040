"""What experiments begin with where the bundled model's B is not theirs: the pretrained encoder, taught to read.

The recipe's own steps teach its decoder, which begins at random, on answers alone. Nothing says which passage answers a
question: retrieval's projections stay principal components of the states, as in the recipe's untaught start.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.numpy import save_file

from bench.kit.kept import Enough
from reatt.weights.files import place
from reatt.weights.folder import ModelFolder
from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import Form
from recipes.reatt_mini.data import CHUNK_LIMIT, SETS, Sets, load, pack, training_tokenizer
from recipes.reatt_mini.export import export
from recipes.reatt_mini.fetch import replace_text
from recipes.reatt_mini.passages import Reading
from recipes.reatt_mini.stages import Stage
from recipes.reatt_mini.state import CHECKPOINT
from recipes.reatt_mini.teacher import Teacher, rarity
from recipes.reatt_mini.train import Plan, started, train

READ = ("squad11_train", "nq_qed_train")
STEPS, SAVED = 600, 25  # of the warm-up; between two looks at the clock
STEP_MINUTES = 0.055  # of one core, with AVX512-bf16
RATE, TOKENS = 1.5e-4, 9000
READING = Stage(
    1.0, 160, Reading(near=0.5, others=3), null=False, words=False, retrieval=0.0, answer=1.0, copying=0.3, twin=True
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """A start: how many blocks texts pass alone, and how many steps it has read."""

    lower: int = shape.LOWER
    steps: int = STEPS

    @property
    def minutes(self) -> float:
        """What it costs, of one core: an estimate."""
        return self.steps * STEP_MINUTES

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"reader-B{self.lower}-{self.steps}"

    def made(self, encoder: Path, data: Path, work: Path, tell: Callable[[str], None]) -> ModelFolder:
        """Train it, or go on with that, or return it; `tell` may raise to stop in time."""
        folder = work / self.name
        model = folder / "model"
        if not (model / "model.safetensors").is_file():
            self._prepare(encoder, data, work, folder)
            self._train(folder, work, tell)
            export(folder / CHECKPOINT, folder, model, full=True)
        return ModelFolder(model)

    def _prepare(self, encoder: Path, data: Path, work: Path, folder: Path) -> None:
        """Put config, tokenizer, encoder and packed questions where the recipe looks for them."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {**shape.CONFIG, "retrieval_layer": self.lower}
        replace_text(folder / "config.json", json.dumps(config, indent=1) + "\n")
        for name in ("tokenizer.json", shape.ENCODER):
            if not (folder / name).exists():
                place(encoder / name, folder / name)
        for name in READ:
            if not (file := work / f"{name}.safetensors").exists():
                part = file.with_suffix(".part")
                save_file(pack(data / "train" / name, SETS[name], training_tokenizer(folder)), part)
                part.replace(file)

    def _train(self, folder: Path, work: Path, tell: Callable[[str], None]) -> None:
        torch.manual_seed(0)
        sets: Sets = {name: (load(work / f"{name}.safetensors"), SETS[name]) for name in READ}
        config = shape.read(folder)
        form = Form(TOKENS, CHUNK_LIMIT, config["cls_token_id"], config["sep_token_id"])
        state = started(folder, None, sets, form, torch.device("cpu"))
        teacher = Teacher(folder, state.learner, rarity(sets))
        plan = Plan(math.inf, self.steps, RATE, form, 0, teacher, (READING,), SAVED)
        while state.step < self.steps:
            tell(f"{self.name}: step {state.step} of {self.steps}")
            until = min(state.step + SAVED, self.steps)
            train(state, replace(plan, until=until), sets, folder)
            if state.step < until:
                raise Enough(f"{self.name}: it was told to stop")
