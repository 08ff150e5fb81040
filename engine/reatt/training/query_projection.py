"""Learn the query projection of retrieval from the keys that a store keeps: W in q = W x, for a question's states x.

    score(question, chunk) = mean over question tokens i of max over chunk tokens j of <W x_i, k_j>

A store keeps all that this needs: the keys of the chunk that a question should find, and of those that it should not.
So no chunk is encoded, a step takes milliseconds, and the keys stay valid. What words find by themselves, attention
need not find: the loss is that of both scores together, as hybrid search adds them. Only a share of the change is kept,
with the old spread of scores; `spread` says why. A map of the keys' space, M W in place of W, did harm: `docs/LOG.md`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from reatt.lessons.choices import Choice
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import formed, learn_apart, projection
from reatt.progress import TrainingLog, TrainingRow
from reatt.search.score import maxsim
from reatt.training import checkpoints
from reatt.training.decoder import drawn
from reatt.training.plans import Budget, Plan, rate
from reatt.training.spread import PROBES, SHARE
from reatt.training.trainer import SAVE_EVERY, is_row

Keys = Callable[[int], Tensor]  # store chunk id -> (n, d)

PLAN = Plan(batch=32, rate=4e-4, rounds=1, learn_head=False, half=False, recompute=False)
DECAYS = (0.9, 0.999)  # of Adam's moments
EPOCHS = 2  # how often each question is used at most: longer is not better
WORDS = 1 / 3  # weight of words beside attention in the loss, in units of the spread of attention's scores


class QueryProjection:
    """The projection while it is learnt, and the log. A step depends only on the seed and its number."""

    def __init__(self, model: ReAtt, choices: Sequence[Choice], keys: Keys, plan: Plan, identity: str = "") -> None:
        self._start = projection(model.t5, model.head, "q").detach().float().clone()
        self._unit = float(self._start.square().mean().sqrt())  # steps are relative to it
        self.weight = self._start.clone().requires_grad_()  # (d, D)
        self.rows: list[TrainingRow] = []
        self._model, self._choices, self._keys, self._plan, self._identity = model, choices, keys, plan, identity
        self._moments = torch.zeros(2, *self.weight.shape, device=model.device)  # Adam's: mean, mean square
        self._spread = self.spread(self._start)

    @property
    def spent(self) -> float:
        """The seconds that all steps took so far, also those before an interruption."""
        return self.rows[-1].seconds if self.rows else 0.0

    def step(self, pace: float, began: float) -> TrainingRow:
        """Take one step with a learning rate, and add it to the log of a run that began at `began`."""
        started, number = time.monotonic(), len(self.rows)
        loss, right, tokens = self.gradient(drawn(len(self._choices), self._plan, number))
        torch.nn.utils.clip_grad_norm_([self.weight], self._plan.clip)
        self.move(pace, number + 1)
        now = time.monotonic()
        speed = tokens / max(now - started, 1e-9)
        row = TrainingRow(number + 1, now - began, pace, tokens, speed, None, None, right, teacher_hit=None, cloze=loss)
        self.rows.append(row)
        return row

    @torch.no_grad()
    def move(self, pace: float, number: int) -> None:
        """Take Adam's step (Kingma and Ba, 2015). To import torch's takes longer than many steps."""
        gradient = self.weight.grad
        assert gradient is not None, "a step has a gradient"
        for moment, decay, value in zip(self._moments, DECAYS, (gradient, gradient.square()), strict=True):
            moment.lerp_(value, 1 - decay)
        mean, square = (each / (1 - decay**number) for each, decay in zip(self._moments, DECAYS, strict=True))
        self.weight -= pace * self._unit * mean / (square.sqrt() + 1e-8)

    def gradient(self, chosen: Sequence[int]) -> tuple[float, float, int]:
        """Compute the gradient over some choices; return loss, share of best chunks that are own, question tokens."""
        self.weight.grad = None
        total, right, tokens = 0.0, 0, 0
        for choice in (self._choices[number] for number in chosen):
            attention = self.scores(self.weight, choice)
            both = attention + WORDS * self._spread * choice.words.to(attention)
            loss = -both.log_softmax(0)[0]
            (loss / len(chosen)).backward()  # type: ignore[no-untyped-call]
            total, tokens = total + float(loss.detach()), tokens + len(choice.states)
            right += int(attention.argmax()) == 0
        return total / len(chosen), right / len(chosen), tokens

    def scores(self, weight: Tensor, choice: Choice) -> Tensor:
        """Score a choice's chunks with a projection (d, D) -> (C,)."""
        keys = [self._keys(chunk).to(weight) for chunk in choice.chunks]
        lengths = torch.tensor([len(each) for each in keys], device=weight.device)
        padded = pad_sequence(keys, batch_first=True)  # (C, n, d)
        keep = torch.arange(padded.shape[1], device=weight.device) < lengths[:, None]
        vectors = formed(self._model.t5, "q", choice.states @ weight.T)  # (m, d)
        return maxsim(vectors, vectors.new_full((len(vectors),), 1 / len(vectors)), padded, keep)

    @torch.no_grad()
    def spread(self, weight: Tensor) -> float:
        """Return the standard deviation of a question's scores over its chunks, averaged over some questions."""
        some = [self.scores(weight, choice).std() for choice in self._choices[:PROBES] if len(choice.chunks) > 1]
        return float(torch.stack(some).mean()) if some else 1.0

    @torch.no_grad()
    def learnt(self, share: float = SHARE) -> Tensor:
        """Return the projection with a share of its change, scaled so that scores have the spread that they had."""
        weight = self._start.lerp(self.weight, share)
        found = self.spread(weight)
        return weight * (self._spread / found) if found else weight

    def save(self, folder: Path) -> None:
        """Replace the checkpoint by one with everything that the next step depends on."""
        tensors = {"weight": self.weight, "moments": self._moments}
        rows = [asdict(row) for row in self.rows]
        state = {"identity": self._identity, "choices": len(self._choices), "rows": rows}
        checkpoints.save(folder, len(self.rows), checkpoints.Checkpoint(tensors, state))

    def resume(self, folder: Path) -> bool:
        """Continue from the newest checkpoint; False if there is none, UsageError if it belongs to another run."""
        found = checkpoints.load(folder)
        if found is None:
            return False
        checkpoints.require_identity(found, self._identity, folder)
        shapes = {name: tuple(of.shape) for name, of in (("weight", self.weight), ("moments", self._moments))}
        checkpoints.require_shapes(found, shapes, {}, folder)
        rows = found.state.get("rows")
        if not isinstance(rows, list) or not all(is_row(row) for row in rows):
            raise checkpoints.unreadable(folder, "its log is none")
        with torch.no_grad():
            self.weight.copy_(found.tensors["weight"])
            self._moments.copy_(found.tensors["moments"])
        self.rows = [TrainingRow(**row) for row in rows]
        return True


def started_with(folder: Path) -> int | None:
    """Return how many choices an interrupted run had made; None if there is none to continue."""
    found = checkpoints.load(folder)
    if found is None:
        return None
    count = found.state.get("choices")
    if type(count) is not int or count < 1:
        raise checkpoints.unreadable(folder, "it does not say what it learns from")
    return count


def learn(
    learner: QueryProjection,
    plan: Plan,
    budget: Budget,
    folder: Path,
    on_row: Callable[[TrainingRow, float], None],
    stop: Callable[[], bool],
    save_every: float = SAVE_EVERY,
) -> TrainingLog:
    """Take steps until the budget is spent or a person stops the run; keep checkpoints in a folder."""
    began, saved, stopped = time.monotonic() - learner.spent, time.monotonic(), False
    while not stopped and (share := budget.share(len(learner.rows), learner.spent)) < 1:
        on_row(learner.step(rate(plan, share), began), share)
        stopped = stop()
        if time.monotonic() - saved > save_every:
            learner.save(folder)
            saved = time.monotonic()
    learner.save(folder)
    return TrainingLog(tuple(learner.rows), None, stopped and budget.share(len(learner.rows), learner.spent) < 1)


@torch.no_grad()
def projecting(model: ReAtt, weight: Tensor) -> ReAtt:
    """Return a model of its own weights with another query projection (d, D); all else is as it was."""
    t5 = model.t5.copied(recompute=False).float()
    own = learn_apart(t5, model.head)
    own.q.weight.copy_(weight)
    rest = (model.calibration, model.reads, model.prior, model.chooser)
    return ReAtt(t5, model.tokenizer, model.head, model.device, *rest, keeps_states=model.keeps_states)
