"""Learning retrieval and reading together (ReAtt, section 3): one step after the other, and what may interrupt them.

A step's randomness (which examples, which of their answers, dropout) is a function of the seed and the step's number
alone: so a run that goes on from a checkpoint is the run that was never interrupted, bit by bit on the same threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from reatt.lessons.batches import ChunkIds, Lessons, Near, TrainingBatch
from reatt.lessons.cloze import by_chunk
from reatt.lessons.examples import Example
from reatt.model.processor import multiplies_bfloat16
from reatt.model.reatt import ReAtt
from reatt.training import checkpoints
from reatt.training.exams import Exam
from reatt.training.freezing import Freeze
from reatt.training.grad_cache import accumulate
from reatt.training.objective import HeadSelector, Learned, Objective
from reatt.training.plans import PRESETS, SEEDS, Budget, Plan, Row, Seconds, Steps, TrainingLog, rate
from reatt.training.pools import ChunkStates
from reatt.training.ranks import ALONE, Ranks
from reatt.training.teachers import Teacher
from reatt_store.errors import OutOfMemory, TooFewSpans, UsageError

__all__ = ["PRESETS", "Plan", "Seconds", "Steps", "Trainer", "TrainingData", "TrainingLog", "train"]

SAVE_EVERY = 120.0  # seconds between two checkpoints: what a kill can cost
EXAM_EVERY = 50  # steps between two looks at the teacher; a quarter as often once it teaches
STRANGER = 1 << 44  # between the seeds of two processes


class Trainer:
    """A copy of a model that learns: its weights, head weights, moments, and where the run stands.

    Of several processes (`ranks`) each has one; all take the same steps from the gradients of all.
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
        learnt = plan.learn_head and not fixed and t5.retrieval is None  # what has projections of its own, needs none
        self.selector = HeadSelector(t5.encoder.head_count, None if learnt else model.head.number)
        self.selector.to(model.device)
        self.weights = [w for module in (t5, self.selector) for w in module.parameters() if w.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=plan.rate, weight_decay=0.0)
        self.half = plan.half and multiplies_bfloat16(model.device)
        self.micro = plan.micro
        self.done, self.spent, self.round = 0, 0.0, -1
        self.teaching = plan.lead is None
        self.rows: list[Row] = []
        self.close: list[list[int]] = []  # of each example, in this round

    def current(self) -> ReAtt:
        """Return the model as it is now, at rest, with the head that weighs most; its own until one does."""
        if (best := self.selector.best()) is not None:
            self._model = self._model.with_head(best)
        self._model.t5.eval()
        return self._model

    def lessons(self, data: TrainingData, close: Sequence[Sequence[int]]) -> Lessons:
        """Put together what is learnt from, by the close chunks of each example; TooFewSpans where there are none."""
        usable = [(example, chunks) for example, chunks in zip(data.examples, close, strict=True) if chunks]
        if not usable:
            raise TooFewSpans("no question has a passage that may be read for it", "ingest more documents")
        examples, found = zip(*usable, strict=True)
        chunks, tokenizer = data.chunks, self._model.tokenizer
        batch, seed, widens = self.plan.batch, self.plan.seed, self.freeze.apart
        return Lessons(examples, found, chunks, tokenizer, batch, seed, by_chunk(examples), data.near, widens=widens)

    def step(self, batch: TrainingBatch, rate: float, teacher: Teacher) -> Learned:
        """Take one step at a learning rate; `teacher` says which close chunks are the right ones."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        learned = self._gradients(batch, self.ranks, teacher)
        torch.nn.utils.clip_grad_norm_(self.weights, self.plan.clip)
        self.optimizer.step()
        self.done += 1
        return learned

    def rehearse(self, batch: TrainingBatch) -> None:
        """Do the work of a step without taking it, and without the other processes."""
        self._gradients(batch, ALONE, self.objective.teacher)
        self.optimizer.zero_grad(set_to_none=True)

    def _gradients(self, batch: TrainingBatch, ranks: Ranks, teacher: Teacher) -> Learned:
        """Leave the batch's gradients in the weights; where memory runs out, with half as many questions at a time."""
        taught = self.objective.cross_document and self.teaching
        objective = replace(self.objective, cross_document=taught, teacher=teacher)
        t5, head, device = self._model.t5.train(), self._model.head, self._model.device
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(self.plan.seed * SEEDS + self.done + ranks.number * STRANGER)
            try:
                # No cache: what a pass without gradients casts would serve the one that needs them.
                with torch.autocast(device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
                    learn = partial(accumulate, micro=self.micro, ranks=ranks, known=self._known)
                    return learn(t5, self.selector, head, batch, objective)
            except (MemoryError, RuntimeError) as error:
                self._halve(error)

    def _halve(self, error: MemoryError | RuntimeError) -> None:
        """Read half as many questions at a time, if it was memory that ran out and there is a half.

        With several processes this one's step cannot begin again: the others are in the midst of it.
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
        """Write all that a step depends on, in place of the checkpoints before; the first process does."""
        if self.ranks.number:
            return
        tensors: dict[str, Tensor] = {f"model.{name}": weight for name, weight in self._model.t5.named_parameters()}
        tensors |= {f"selector.{name}": weight for name, weight in self.selector.named_parameters()}
        for index, slot in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in slot.items()}
        tensors["close"] = _rectangle(self.close)
        state = {
            "identity": self.identity, "done": self.done, "spent": self.spent, "round": self.round,
            "micro": self.micro, "teaching": self.teaching, "rows": [asdict(row) for row in self.rows],
        }  # fmt: skip
        checkpoints.save(folder, self.done, checkpoints.Checkpoint(tensors, state))

    def resume(self, folder: Path) -> bool:
        """Go on from the newest checkpoint; False where there is none, UsageError where it is another run's."""
        found = checkpoints.load(folder)
        if found is None:
            return False
        if found.state["identity"] != self.identity:
            message = "the run that was interrupted had other settings, another model or other documents"
            raise UsageError(message, "the options it had, or run without --resume", str(folder))
        for prefix, module in (("model", self._model.t5), ("selector", self.selector)):
            for name, weight in module.named_parameters():
                weight.data.copy_(found.tensors[f"{prefix}.{name}"])
        whole = self.optimizer.state_dict()
        for key, value in found.tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                whole["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(whole)
        self.close = [[chunk for chunk in row if chunk >= 0] for row in found.tensors["close"].tolist()]
        self.done, self.spent, self.round = (found.state[name] for name in ("done", "spent", "round"))
        self.micro, self.teaching = found.state["micro"], found.state["teaching"]
        self.rows = [Row(**row) for row in found.state["rows"]]
        return True


@dataclass(frozen=True)
class TrainingData:
    """What is learnt from, and who is asked about it."""

    examples: Sequence[Example]
    chunks: ChunkIds
    mine: Callable[[int, ReAtt], list[list[int]]]  # (round, the model as it is) -> close chunks of each example
    near: Near  # what words find for a cloze question
    exam: Exam | None  # None where no example's gold chunk is known: then the teacher never passes
    teacher: Teacher | None = None  # says which close chunks are right; None: the objective's own


def train(
    trainer: Trainer,
    data: TrainingData,
    budget: Budget,
    folder: Path,
    on_row: Callable[[Row, float], None],
    stop: Callable[[], bool],
    save_every: float = SAVE_EVERY,
) -> TrainingLog:
    """Learn until the budget is spent or `stop` says so, with a checkpoint every `save_every` seconds and at the end.

    `on_row` hears of every step, and what share of the run is done.
    """
    began, saved = time.monotonic() - trainer.spent, time.monotonic()
    lessons = trainer.lessons(data, trainer.close) if trainer.close else None
    while (share := _share(trainer, budget, stop)) < 1:
        now = min(int(share * trainer.plan.rounds), trainer.plan.rounds - 1)
        if lessons is None or now > trainer.round:
            trainer.close, trainer.round = data.mine(now, trainer.current()), now
            lessons = trainer.lessons(data, trainer.close)
        row = _next(trainer, data, lessons, trainer.freeze.pace * rate(trainer.plan, share))
        trainer.spent = time.monotonic() - began
        trainer.rows.append(replace(row, seconds=trainer.spent))
        on_row(trainer.rows[-1], share)
        if time.monotonic() - saved > save_every:
            trainer.save(folder)
            saved = time.monotonic()
    trainer.save(folder)
    stopped = budget.share(trainer.done, trainer.spent) < 1
    return TrainingLog(tuple(trainer.rows), data.exam.words_hit if data.exam else None, stopped)


def _share(trainer: Trainer, budget: Budget, stop: Callable[[], bool]) -> float:
    """Say where in the run the next step lies, as the first process sees it; 1 and more: there is none."""
    return trainer.ranks.same(math.inf if stop() else budget.share(trainer.done, trainer.spent))


def _next(trainer: Trainer, data: TrainingData, lessons: Lessons, rate: float) -> Row:
    """Look at the teacher where it is time, then take a step."""
    hit = trainer.rows[-1].teacher_hit if trainer.rows else None
    teacher = data.teacher or trainer.objective.teacher
    if data.exam and _due(trainer):
        hit = trainer.ranks.same(data.exam.ask(trainer.current(), teacher))
        trainer.teaching |= trainer.plan.lead is not None and data.exam.passed(hit, trainer.plan.lead)
    started, batch = time.monotonic(), lessons.batch(trainer.done, trainer.ranks.number, trainer.ranks.count)
    learned = trainer.step(batch, rate, teacher)
    tokens = _tokens(batch, trainer.objective.answers)
    speed = tokens / (time.monotonic() - started)
    cross_document = learned.cross_document if trainer.teaching and trainer.objective.cross_document else None
    cloze = learned.cloze if batch.cloze and trainer.objective.cloze else None
    answer = learned.answer if trainer.objective.answers else None
    return Row(trainer.done, 0.0, rate, tokens, speed, answer, cross_document, learned.agreement, hit, cloze)


def _due(trainer: Trainer) -> bool:
    """Say whether it is time to look at the teacher: at the first step, and now and then if reading learns."""
    every = 4 * EXAM_EVERY if trainer.teaching else EXAM_EVERY
    return not trainer.done or (trainer.objective.answers and trainer.done % every == 0)


def _tokens(batch: TrainingBatch, reads: bool) -> int:
    """Count the tokens of all pairs that are read jointly, or else those of all that is scored."""
    if not reads:
        return sum(map(len, [*batch.questions, *(each.ids for each in batch.cloze), *batch.chunks]))
    return sum(
        len(question) + len(batch.chunks[chunk])
        for question, close in zip(batch.questions, batch.close, strict=True)
        for chunk in close
    )


def _rectangle(rows: Sequence[Sequence[int]]) -> Tensor:
    """Put rows of ids into one tensor, -1 where a row ends early."""
    width = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[-1] * (width - len(row))] for row in rows], dtype=torch.int64).view(len(rows), width)


def _out_of_memory(error: Exception) -> bool:
    """Tell a full memory, of whatever device, from a bug."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
