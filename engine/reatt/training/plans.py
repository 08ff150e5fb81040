"""The settings and the budget of a training run: plain values, which need no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LEAD = 0.05  # of a teacher over word search
SEEDS = 1 << 20  # distance between the seeds of two runs: more than any run has steps


@dataclass(frozen=True)
class Plan:
    """The settings of a run; the defaults are the paper's for T5-large (section 4.1 and appendix A)."""

    batch: int = 64  # |Q|: questions of a step
    close: int = 100  # K: close chunks of a question
    micro: int = 1  # questions read at a time; it changes a step only by rounding
    rate: float = 5e-5
    warm_up: float = 0.1  # share of the run
    clip: float = 1.0  # norm of the gradient
    rounds: int = 4  # each except the first starts with close chunks that the model's own attention finds
    learn_head: bool = True  # if False, the model's retrieval head is kept
    lead: float | None = LEAD  # the lead over word search that a teacher needs before it may teach; None: none
    half: bool = True  # multiply in bfloat16 if the device does that in hardware
    recompute: bool = True  # keep only one state per block for the backward pass
    seed: int = 0


PRESETS = {
    "paper": Plan(),
    "gpu": Plan(close=20, micro=4, rate=1e-4, rounds=1, learn_head=False, recompute=False),
    "laptop": Plan(batch=8, close=4, micro=4, rate=1e-4, rounds=1, learn_head=False, recompute=False),
}


def rate(plan: Plan, share: float) -> float:
    """Return the learning rate at a share of the run: it rises linearly during the warm-up, then falls linearly to 0.

    >>> [round(rate(Plan(rate=1.0), share), 2) for share in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    up = share < plan.warm_up
    return plan.rate * (share / plan.warm_up if up else (1 - share) / (1 - plan.warm_up))


class Budget(Protocol):
    """The length of a run."""

    def share(self, steps: int, seconds: float) -> float:
        """Return the share of the run at the middle of the next step; if it is 1 or more, the run is over."""


@dataclass(frozen=True)
class Steps:
    """A number of steps, however long they take."""

    total: int

    def share(self, steps: int, seconds: float) -> float:
        """Count only steps."""
        return (steps + 0.5) / self.total


@dataclass(frozen=True)
class Seconds:
    """A time, however many steps fit into it; the last step must not end later."""

    total: float

    def share(self, steps: int, seconds: float) -> float:
        """Assume that the next step takes as long as the mean step."""
        mean = seconds / max(1, steps)
        return (seconds + mean / 2) / self.total if seconds + mean < self.total else 1.0


@dataclass(frozen=True)
class Shorter:
    """The shorter of several budgets."""

    budgets: tuple[Budget, ...]

    def share(self, steps: int, seconds: float) -> float:
        """Return the share of the budget that ends first."""
        return max(budget.share(steps, seconds) for budget in self.budgets)
