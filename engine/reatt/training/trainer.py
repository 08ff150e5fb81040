"""Train retrieval and reading together (ReAtt, section 3): the steps of a run, its checkpoints and exams.

The randomness of a step (its examples, the sampled answers, dropout) depends only on the seed and the step's number. So
a run that continues from a checkpoint ends exactly like an uninterrupted one with the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from reatt.lessons.batches import ChunkIds, Lessons, Near, TrainingBatch
from reatt.lessons.cloze import by_chunk
from reatt.lessons.examples import Example
from reatt.model.processor import multiplies_bfloat16
from reatt.model.reatt import ReAtt
from reatt.progress import TrainingLog, TrainingRow
from reatt.training import checkpoints
from reatt.training.exams import Exam
from reatt.training.freezing import Freeze
from reatt.training.grad_cache import accumulate
from reatt.training.objective import HeadSelector, Learned, Objective
from reatt.training.plans import PRESETS, SEEDS, Budget, Plan, Seconds, Steps, rate
from reatt.training.pools import ChunkStates
from reatt.training.ranks import ALONE, Ranks
from reatt.training.teachers import Teacher
from reatt_store.errors import OutOfMemory, TooFewSpans, UsageError

__all__ = ["PRESETS", "Plan", "Seconds", "Steps", "Trainer", "TrainingData", "TrainingLog", "train"]

SAVE_EVERY = 120.0  # seconds between two checkpoints: what a kill can cost
EXAM_EVERY = 50  # steps between two exams of the teacher; four times as many once it teaches
STRANGER = 1 << 44  # distance between the seeds of two processes


class Trainer:
    """A copy of a model that learns: its weights, head weights, moments, and the progress of the run.

    Each of several processes (`ranks`) has one; all take the same steps, with the summed gradients.
    """

    def __init__(
        self,
        model: ReAtt,
        plan: Plan,
        objective: Objective,
        freeze: Freeze,
        identity: str = "",
        ranks: Ranks = ALONE,
    ) -> None:
        if plan.batch < ranks.count:
            message = f"{ranks.count} processes cannot share the {plan.batch} questions of a step"
            raise UsageError(message, f"torchrun --nproc-per-node {plan.batch}")
        t5 = model.t5.copied(recompute=plan.recompute).float()
        freeze.apply(t5, model.head)
        self.plan, self.identity, self.ranks = plan, identity, ranks
        self.objective = replace(
            objective,
            answers=objective.answers and not freeze.apart,
            cross_document=objective.cross_document and freeze.retrieves,
            cloze=objective.cloze and freeze.retrieves,
        )
        self._known = ChunkStates(t5, model.head) if freeze.apart else None
        self.freeze = freeze
        rest = (model.calibration, model.reads, model.prior, model.chooser)
        self._model = ReAtt(t5, model.tokenizer, model.head, model.device, *rest)
        fixed = freeze.keeps_keys or freeze.apart  # another head has other keys
        learnt = plan.learn_head and not fixed and t5.retrieval is None  # separate projections need no head
        self.selector = HeadSelector(t5.encoder.head_count, None if learnt else model.head.number)
        self.selector.to(model.device)
        self.weights = [w for module in (t5, self.selector) for w in module.parameters() if w.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=plan.rate, weight_decay=0.0)
        self.half = plan.half and multiplies_bfloat16(model.device)
        self.micro = plan.micro
        self.done, self.spent, self.round = 0, 0.0, -1
        self.teaching = plan.lead is None
        self.rows: list[TrainingRow] = []
        self.close: list[list[int]] = []  # of each example, in this round

    def current(self) -> ReAtt:
        """Return the model as it is now, in eval mode, with the head of the largest weight, or its old one."""
        if (best := self.selector.best()) is not None:
            self._model = self._model.with_head(best)
        self._model.t5.eval()
        return self._model

    def lessons(self, data: TrainingData, close: Sequence[Sequence[int]]) -> Lessons:
        """Combine the data with the close chunks of each example; raises TooFewSpans if no example has any."""
        usable = [(example, chunks) for example, chunks in zip(data.examples, close, strict=True) if chunks]
        if not usable:
            raise TooFewSpans("no question has a passage that may be read for it", "ingest more documents")
        examples, found = zip(*usable, strict=True)
        chunks, tokenizer = data.chunks, self._model.tokenizer
        batch, seed, widens = self.plan.batch, self.plan.seed, self.freeze.apart
        return Lessons(examples, found, chunks, tokenizer, batch, seed, by_chunk(examples), data.near, widens=widens)

    def begin_round(self, number: int, data: TrainingData) -> list[list[int]]:
        """Find the close chunks of each example with the current model, for a new round."""
        self.close, self.round = data.mine(number, self.current()), number
        return self.close

    def let_teach(self, exam: Exam, hit: float) -> None:
        """Let the teacher teach from now on, if it has passed its exam."""
        self.teaching |= self.plan.lead is not None and exam.passed(hit, self.plan.lead)

    def record(self, row: TrainingRow, seconds: float) -> TrainingRow:
        """Add a step to the log, which took place `seconds` after the run began."""
        self.spent = seconds
        self.rows.append(replace(row, seconds=seconds))
        return self.rows[-1]

    def step(self, batch: TrainingBatch, rate: float, teacher: Teacher) -> Learned:
        """Take one step with a learning rate and a teacher."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        learned = self._gradients(batch, self.ranks, teacher)
        torch.nn.utils.clip_grad_norm_(self.weights, self.plan.clip)
        self.optimizer.step()
        self.done += 1
        return learned

    def rehearse(self, batch: TrainingBatch) -> None:
        """Compute the gradients of a step and discard them, without the other processes."""
        self._gradients(batch, ALONE, self.objective.teacher)
        self.optimizer.zero_grad(set_to_none=True)

    def _gradients(self, batch: TrainingBatch, ranks: Ranks, teacher: Teacher) -> Learned:
        """Compute the batch's gradients; if memory runs out, try again with half as many questions at a time."""
        taught = self.objective.cross_document and self.teaching
        objective = replace(self.objective, cross_document=taught, teacher=teacher)
        t5, head, device = self._model.t5.train(), self._model.head, self._model.device
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(self.plan.seed * SEEDS + self.done + ranks.number * STRANGER)
            try:
                # No cache: weights cast in a pass without gradients would be used again in the pass with gradients.
                with torch.autocast(device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
                    learn = partial(accumulate, micro=self.micro, ranks=ranks, known=self._known)
                    return learn(t5, self.selector, head, batch, objective)
            except (MemoryError, RuntimeError) as error:
                self._halve(error)

    def _halve(self, error: MemoryError | RuntimeError) -> None:
        """Halve the number of questions read at a time, if memory ran out and the number can be halved.

        With several processes the step cannot be repeated, because the others are in the middle of it.
        """
        if not _out_of_memory(error):
            raise error
        if self.ranks.count > 1:
            message = f"{self.micro} questions at a time do not fit into the memory of process {self.ranks.number}"
            raise OutOfMemory(message, "reatt adapt --preset laptop, or a single process") from error
        if self.micro == 1:
            message = f"one question with its {self.plan.close} close passages does not fit into memory"
            raise OutOfMemory(message, "reatt adapt --preset laptop, or --device cpu") from error
        self.micro //= 2
        self.optimizer.zero_grad(set_to_none=True)
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def save(self, folder: Path) -> None:
        """Replace the checkpoint by one with everything that the next step depends on; only the first process does."""
        if self.ranks.number:
            return
        tensors: dict[str, Tensor] = dict(self._named())
        for index, slot in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in slot.items()}
        tensors["close"] = _rectangle(self.close)
        state = {
            "identity": self.identity, "done": self.done, "spent": self.spent, "round": self.round,
            "micro": self.micro, "teaching": self.teaching, "rows": [asdict(row) for row in self.rows],
        }  # fmt: skip
        checkpoints.save(folder, self.done, checkpoints.Checkpoint(tensors, state))

    def resume(self, folder: Path) -> bool:
        """Continue from the newest checkpoint; False if there is none, UsageError if it belongs to another run."""
        found = checkpoints.load(folder)
        if found is None:
            return False
        checkpoints.require_identity(found, self.identity, folder)
        tensors = dict(found.tensors)
        close = tensors.pop("close", torch.empty(0, 0))
        self._require(checkpoints.Checkpoint(tensors, found.state), close, folder)
        for name, weight in self._named().items():
            weight.data.copy_(tensors.pop(name))
        whole = self.optimizer.state_dict()
        for key, value in tensors.items():
            _, index, name = key.split(".")
            whole["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(whole)
        self.close = [[chunk for chunk in row if chunk >= 0] for row in close.tolist()]
        self.done, self.spent, self.round = (found.state[name] for name in ("done", "spent", "round"))
        self.micro, self.teaching = found.state["micro"], found.state["teaching"]
        self.rows = [TrainingRow(**row) for row in found.state["rows"]]
        return True

    def _named(self) -> dict[str, torch.nn.Parameter]:
        """Return all weights under their names in a checkpoint."""
        parts = (("model", self._model.t5), ("selector", self.selector))
        return {f"{prefix}.{name}": weight for prefix, module in parts for name, weight in module.named_parameters()}

    def _require(self, found: checkpoints.Checkpoint, close: Tensor, folder: Path) -> None:
        """Raise UsageError unless everything in a checkpoint is such as `save` writes it; it may be damaged."""
        moments = {"step": (), "exp_avg": None, "exp_avg_sq": None}
        slots = {
            f"optimizer.{index}.{name}": tuple(weight.shape) if shape is None else shape
            for index, weight in enumerate(self.weights)
            for name, shape in moments.items()
        }
        needed = {name: tuple(weight.shape) for name, weight in self._named().items()}
        checkpoints.require_shapes(found, needed, slots, folder)
        if close.ndim != 2 or close.dtype != torch.int64:
            raise checkpoints.unreadable(folder, "it has no list of close chunks")
        counts = [found.state.get(name) for name in ("done", "round", "micro")]
        least = zip(counts, (0, -1, 1), strict=True)
        rows = found.state.get("rows")
        sane = (
            all(type(count) is int and count >= most for count, most in least)
            and type(found.state.get("spent")) in (int, float)
            and isinstance(found.state.get("teaching"), bool)
            and isinstance(rows, list)
            and all(is_row(row) for row in rows)
        )
        if not sane:
            raise checkpoints.unreadable(folder, "its counts are none")


@dataclass(frozen=True)
class TrainingData:
    """The training data, and the teacher with its exam."""

    examples: Sequence[Example]
    chunks: ChunkIds
    mine: Callable[[int, ReAtt], list[list[int]]]  # (round, current model) -> close chunks of each example
    near: Near  # finds chunks for a cloze question by words
    exam: Exam | None  # None if no example's gold chunk is known; then the teacher never passes
    teacher: Teacher | None = None  # None: the objective's own


def train(
    trainer: Trainer,
    data: TrainingData,
    budget: Budget,
    folder: Path,
    on_row: Callable[[TrainingRow, float], None],
    stop: Callable[[], bool],
    save_every: float = SAVE_EVERY,
) -> TrainingLog:
    """Train until the budget is spent or `stop` returns True.

    Checkpoints are written every `save_every` seconds and at the end. `on_row` is called after every step, with the
    share of the run that is done.
    """
    began, saved = time.monotonic() - trainer.spent, time.monotonic()
    lessons = trainer.lessons(data, trainer.close) if trainer.close else None
    while (share := _share(trainer, budget, stop)) < 1:
        now = min(int(share * trainer.plan.rounds), trainer.plan.rounds - 1)
        if lessons is None or now > trainer.round:
            lessons = trainer.lessons(data, trainer.begin_round(now, data))
        row = _next(trainer, data, lessons, trainer.freeze.pace * rate(trainer.plan, share))
        on_row(trainer.record(row, time.monotonic() - began), share)
        if time.monotonic() - saved > save_every:
            trainer.save(folder)
            saved = time.monotonic()
    trainer.save(folder)
    stopped = budget.share(trainer.done, trainer.spent) < 1
    return TrainingLog(tuple(trainer.rows), data.exam.words_hit if data.exam else None, stopped)


def _share(trainer: Trainer, budget: Budget, stop: Callable[[], bool]) -> float:
    """Return the share of the run at the next step, by the first process's clock; 1 or more: the run is over."""
    return trainer.ranks.same(math.inf if stop() else budget.share(trainer.done, trainer.spent))


def _next(trainer: Trainer, data: TrainingData, lessons: Lessons, rate: float) -> TrainingRow:
    """Examine the teacher if it is time to, then take a step."""
    hit = trainer.rows[-1].teacher_hit if trainer.rows else None
    teacher = data.teacher or trainer.objective.teacher
    if data.exam and _due(trainer):
        hit = trainer.ranks.same(data.exam.ask(trainer.current(), teacher))
        trainer.let_teach(data.exam, hit)
    started, batch = time.monotonic(), lessons.batch(trainer.done, trainer.ranks.number, trainer.ranks.count)
    learned = trainer.step(batch, rate, teacher)
    tokens = _tokens(batch, trainer.objective.answers)
    speed = tokens / (time.monotonic() - started)
    cross_document = learned.cross_document if trainer.teaching and trainer.objective.cross_document else None
    cloze = learned.cloze if batch.cloze and trainer.objective.cloze else None
    answer = learned.answer if trainer.objective.answers else None
    return TrainingRow(trainer.done, 0.0, rate, tokens, speed, answer, cross_document, learned.agreement, hit, cloze)


def _due(trainer: Trainer) -> bool:
    """Return whether it is time for an exam: at the first step, and at intervals if reading learns."""
    every = 4 * EXAM_EVERY if trainer.teaching else EXAM_EVERY
    return not trainer.done or (trainer.objective.answers and trainer.done % every == 0)


def _tokens(batch: TrainingBatch, reads: bool) -> int:
    """Count the tokens of all pairs that are read jointly; without reading, those of all texts that are scored."""
    if not reads:
        return sum(map(len, [*batch.questions, *(each.ids for each in batch.cloze), *batch.chunks]))
    return sum(
        len(question) + len(batch.chunks[chunk])
        for question, close in zip(batch.questions, batch.close, strict=True)
        for chunk in close
    )


def is_row(found: object) -> bool:
    """Return whether a value read from a checkpoint is a row of the log."""
    plain = (int, float, type(None))
    names = {each.name for each in fields(TrainingRow)}
    return isinstance(found, dict) and found.keys() == names and all(type(value) in plain for value in found.values())


def _rectangle(rows: Sequence[Sequence[int]]) -> Tensor:
    """Put rows of ids into one tensor, padded with -1."""
    width = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[-1] * (width - len(row))] for row in rows], dtype=torch.int64).view(len(rows), width)


def _out_of_memory(error: Exception) -> bool:
    """Return whether an error means that the memory of a device is full."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
