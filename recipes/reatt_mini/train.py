"""Stage 5: train the bundled model.

    python -m recipes.reatt_mini.train --out WORK --minutes 480

Resumes from WORK/checkpoint.safetensors. The learning rate follows the share of the processor's minutes that is spent,
or of `--steps`: then a run gives the same weights every time, however often it is interrupted. `--twin` learns
retrieval from the reader's attention alone, without a label of it (ReAtt, section 3.1).
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch

from reatt.model.processor import multiplies_bfloat16
from reatt.weights.folder import ModelFolder
from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import Chunk, Form, chunk_of, draw
from recipes.reatt_mini.data import CHUNK_LIMIT, SETS, Questions, Sets, load
from recipes.reatt_mini.losses import TEMPERATURE, Learner, Losses, losses
from recipes.reatt_mini.stages import LABELLED, TWIN, Stage, stage_at
from recipes.reatt_mini.state import AVERAGE_EVERY, CHECKPOINT, State, begin, learnt, resume, save
from recipes.reatt_mini.teacher import Teacher, rarity

WARM_UP, LEVEL, LAST = 60, 0.6, 0.03  # steps; share of the training before the rate falls; what it falls to
SAVE_EVERY = 300.0  # seconds
SEEDS = 1_000_000  # that a run may use
COMPONENTS = 48  # chunks of each set whose states retrieval begins with
LOSSES = ("spans", "retrieval", "taught", "answer", "copying")
FIGURES = ("retrieval", "taught", "marks", "null", "exact", "hit", "answer", "copying", "pieces", "teacher")


@dataclass(frozen=True)
class Plan:
    """How long to train, how fast, and on what."""

    seconds: float  # of the processor
    steps: int | None  # instead
    rate: float
    form: Form
    seed: int
    teacher: Teacher
    stages: tuple[Stage, ...]
    report: int  # steps between two lines of the log
    until: int | None = None  # the step to stop at, as if interrupted

    def share(self, state: State) -> float:
        """Say how much of the training is done."""
        return state.spent / self.seconds if self.steps is None else state.step / self.steps


def rate(step: int, share: float) -> float:
    """Warm up, stay, then fall in a line.

    >>> [round(rate(1000, share), 3) for share in (0, 0.6, 0.8, 1)]
    [1.0, 1.0, 0.515, 0.03]
    """
    fallen = max(0.0, share - LEVEL) / (1 - LEVEL)
    return min(1.0, (step + 1) / WARM_UP) * (1 - (1 - LAST) * min(1.0, fallen))


def take(state: State, plan: Plan, sets: Sets) -> Losses:
    """Take one step; the same after an interruption as without one."""
    seed, share = plan.seed * SEEDS + state.step, plan.share(state)
    stage = stage_at(plan.stages, share)
    state.learner.t5.shared.weight.requires_grad_(stage.words)
    batch = draw(sets, replace(plan.form, limit=stage.limit), seed)
    bank = state.bank.get(batch.source, [])
    wanted = plan.teacher.logs(batch) if stage.taught else None
    found, keys = losses(state.learner, batch, bank, stage, seed, wanted)
    state.keep(batch.source, keys)
    factor = plan.rate * rate(state.step, share)
    for group in state.optimizer.param_groups:
        group["lr"] = factor * group["share"]
    total = torch.stack([getattr(stage, name) * getattr(found, name) for name in LOSSES]).sum()
    state.optimizer.zero_grad(set_to_none=True)
    if total.requires_grad:
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_([weight for _, weight in learnt(state.learner)], 1.0)
        state.optimizer.step()
    state.step += 1
    state.seen += len(batch.questions)
    if state.step % AVERAGE_EVERY == 0:
        state.averaged()
    return found.detached()


def train(state: State, plan: Plan, sets: Sets, folder: Path) -> None:
    """Train to the plan's end, or until told to stop; what was done is kept."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    recent: list[Losses] = []
    saved, began, before = time.monotonic(), time.process_time(), state.spent
    while plan.share(state) < 1 and state.step != plan.until and not stopped:
        recent.append(take(state, plan, sets))
        state.spent = before + time.process_time() - began
        if state.step % plan.report == 0:
            report(state, recent)
            recent = []
        if time.monotonic() - saved > SAVE_EVERY:
            save(state, folder)
            saved = time.monotonic()
    save(state, folder)


def report(state: State, recent: Sequence[Losses]) -> None:
    """Log the means of the last steps, each of those that can tell."""
    row = {"step": float(state.step), "questions": float(state.seen), "minutes": state.spent / 60}
    row["temperature"] = float(state.learner.temperature.detach().exp())
    for name in FIGURES:
        told = [value for value in (float(getattr(each, name)) for each in recent) if not math.isnan(value)]
        row |= {name: fmean(told)} if told else {}
    print(json.dumps({name: round(value, 4) for name, value in row.items()}), flush=True)


def started(folder: Path, begun: Path | None, sets: Sets, form: Form, device: torch.device) -> State:
    """Take up the checkpoint, or else a model that was exported, or else the pretrained encoder."""
    depths = shape.depths(shape.read(folder))
    model = shape.exported(folder, ModelFolder(begun), TEMPERATURE) if begun else shape.pretrained(folder, depths[0])
    learner = Learner(model, *depths, narrow=multiplies_bfloat16(device)).to(device)
    state = begin(learner)
    if (folder / CHECKPOINT).exists():
        resume(state, folder)
    if begun or state.step:
        return state
    with torch.inference_mode():
        chunks = [chunk.ids for questions, _ in sets.values() for chunk in evenly(questions, form)]
        states = learner.deeper(learner.lower(chunks, 1)).values
    shape.find_by_components(model, states.clone())
    return begin(learner)


def evenly(questions: Questions, form: Form) -> list[Chunk]:
    """Take evenly spaced chunks of a set."""
    numbers = range(0, len(questions.texts), max(1, len(questions.texts) // COMPONENTS))
    return [chunk_of(questions, number, form, titled=True) for number in numbers]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    parser.add_argument("--begin", type=Path, help="an exported model to begin with, not the pretrained encoder")
    parser.add_argument("--stage", type=int, default=1, help="the stage to begin with [%(default)s]")
    parser.add_argument("--twin", action="store_true", help="learn retrieval from the reader's attention alone")
    parser.add_argument("--minutes", type=float, default=480, help="of the processor [%(default)g]")
    parser.add_argument("--steps", type=int, help="so many steps instead, whatever they take")
    parser.add_argument("--until", type=int, help="stop at this step, to be gone on from")
    parser.add_argument("--rate", type=float, default=1.5e-4, help="of the encoder; the rest learns faster")
    parser.add_argument("--budget", type=int, default=9000, help="tokens to encode in a step [%(default)s]")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=int, default=50, help="steps between two lines of the log")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device, out = torch.device(options.device), options.out
    config = shape.read(out)
    form = Form(options.budget, CHUNK_LIMIT, config["cls_token_id"], config["sep_token_id"])
    sets = {name: (load(out / f"{name}.safetensors"), source) for name, source in SETS.items()}
    state = started(out, options.begin, sets, form, device)
    plan = Plan(
        seconds=options.minutes * 60,
        steps=options.steps,
        rate=options.rate,
        form=form,
        seed=options.seed,
        teacher=Teacher(out, state.learner, rarity(sets)),
        stages=(TWIN if options.twin else LABELLED)[options.stage - 1 :],
        report=options.report,
        until=options.until,
    )
    train(state, plan, sets, out)


if __name__ == "__main__":
    main()
