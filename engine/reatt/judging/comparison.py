"""Before and after: whether a trained model answers held-out questions better, and whether to use it.

Both models get the same questions, from documents that training did not see. Means over questions are compared. Their
uncertainty comes from resampling whole groups, because the questions of one document rise and fall together. An
improvement counts if neither the bootstrap nor exchanging the two models explains it, each one-sided at 2.5 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reatt.judging import metrics

WHOLE = "complete@5"  # only for questions with evidence in several documents
CHANCE = 0.025  # probability of accepting a model that is not better: one side of a 95 % interval
NAMES = {
    "mrr@10": "MRR@10",
    "ndcg@10": "nDCG@10",
    "hit@5": "hit@5",
    WHOLE: "complete evidence@5",
    "em": "exact match",
    "f1": "F1",
}
RETRIEVAL, READING = "ndcg@10", "f1"  # the figures that decide; the second if retrieval is not trained

_FOUND: dict[str, Callable[[Sequence[str], Mapping[str, int]], float]] = {
    "mrr@10": metrics.reciprocal_rank,
    "ndcg@10": metrics.ndcg,
    "hit@5": partial(metrics.hit, k=5),
}
_SAID = {"em": metrics.exact_match, "f1": metrics.f1}


@dataclass(frozen=True)
class Asked:
    """A held-out question with one model's results and answer."""

    question: str  # masks as `<extra_id_0>`
    answers: tuple[str, ...]  # those accepted
    group: str  # what was held out together
    kind: str  # as in `Example`
    found: tuple[str, ...]  # names of texts or documents, best first, without repeats
    right: str | None  # the one to find; None if unknown
    answer: str | None  # None: was not read
    also: tuple[str, ...] | None = None  # what else is to be found; None if not all of it is known

    @property
    def rank(self) -> int | None:
        """The rank of the right one, from 1; None if it was not found."""
        return self.found.index(self.right) + 1 if self.right in self.found else None

    def figures(self) -> dict[str, float]:
        """Measure this question; reading only if it was read."""
        judged = dict.fromkeys((self.right or "", *(self.also or ())), 1)
        found = {name: measure(self.found, judged) for name, measure in _FOUND.items()}
        said = {name: measure(self.answer, self.answers) for name, measure in _SAID.items() if self.answer is not None}
        whole = {} if self.also is None else {WHOLE: metrics.complete(self.found, judged, 5)}
        return {**found, **whole, **said}


@dataclass(frozen=True)
class Change:
    """One figure before and after; `low` and `high` bound the change of its mean in 95 % of resamples by group."""

    before: float
    after: float
    low: float
    high: float

    @property
    def gain(self) -> float:
        """The change of the mean."""
        return self.after - self.before

    def __str__(self) -> str:
        return f"from {self.before:.3f} to {self.after:.3f} ({self.low:+.3f} to {self.high:+.3f})"


@dataclass(frozen=True)
class Verdict:
    """Whether to use the new model, why, and every figure before and after."""

    accepted: bool
    better: bool  # what the figures say, regardless of --accept
    reason: str
    primary: str  # the figure that decides
    questions: int
    groups: int
    figures: dict[str, Change]  # by name: those of `NAMES` that could be measured


@dataclass(frozen=True)
class Policy:
    """When to use a new model."""

    accepts: Callable[[bool], bool]
    says: str


POLICIES = {
    "if-better": Policy(lambda better: better, "{}"),
    "always": Policy(lambda _: True, "{}; used anyway, as requested"),
    "never": Policy(lambda _: False, "{}; not used, as requested"),
}


def compare(
    before: Sequence[Asked],
    after: Sequence[Asked],
    *,
    primary: str = RETRIEVAL,
    policy: str = "if-better",
    seed: int = 0,
) -> Verdict:
    """Compare two models on the same questions, in the same order, and decide.

    A model is better if its primary figure rose beyond chance and no other figure certainly fell.
    """
    assert [asked.question for asked in before] == [asked.question for asked in after], "not the same questions"
    paired = _paired(before, after)
    figures = {name: _change(values, seed) for name, values in paired.items()}
    groups = len({asked.group for asked in before})
    objection = _objection(figures, primary, paired, seed)
    how = POLICIES[policy]
    better = objection is None
    reason = f"{NAMES[primary]} rose {figures[primary]}" if better else str(objection)
    says = how.says if how.accepts(better) != better else "{}"
    return Verdict(how.accepts(better), better, says.format(reason), primary, len(before), groups, figures)


def moved(before: Sequence[Asked], after: Sequence[Asked], primary: str, most: int) -> list[tuple[Asked, Asked]]:
    """Pair what got better by the primary figure, most first; swap `before` and `after` for what got worse.

    The best of each group comes before the second best of any, so that no group fills the list.
    """
    gains = [(_gain(primary, *pair), pair) for pair in zip(before, after, strict=True)]
    seen: dict[str, int] = {}
    ranked = []
    for gain, pair in sorted(((g, p) for g, p in gains if g > 0), key=lambda each: -each[0]):
        seen[pair[0].group] = seen.get(pair[0].group, -1) + 1
        ranked.append((seen[pair[0].group], -gain, pair))
    return [pair for *_, pair in sorted(ranked, key=lambda each: each[:2])[:most]]


@dataclass(frozen=True)
class _Paired:
    """One figure, before and after, of the questions that have it."""

    before: list[float]
    after: list[float]
    groups: list[str]

    @property
    def gains(self) -> list[float]:
        return [after - before for before, after in zip(self.before, self.after, strict=True)]


def _paired(before: Sequence[Asked], after: Sequence[Asked]) -> dict[str, _Paired]:
    """Measure every question once; collect by figure the values that exist on both sides."""
    rows = [(b.figures(), a.figures(), b.group) for b, a in zip(before, after, strict=True)]
    found = {}
    for name in NAMES:
        both = [(b[name], a[name], group) for b, a, group in rows if name in b and name in a]
        if both:
            found[name] = _Paired(*(list(column) for column in zip(*both, strict=True)))
    return found


def _change(values: _Paired, seed: int) -> Change:
    low, high = metrics.group_interval(values.gains, values.groups, seed)
    before, after = (sum(side) / len(side) for side in (values.before, values.after))
    return Change(before, after, low, high)


def _objection(figures: Mapping[str, Change], primary: str, paired: Mapping[str, _Paired], seed: int) -> str | None:
    """Return the objection to the new model; None if there is none."""
    if primary not in figures:
        return f"{NAMES[primary]} could not be measured: no held-out question has it"
    change, name, values = figures[primary], NAMES[primary], paired[primary]
    if not any(values.gains):
        return f"{name} is what it was in every held-out question"
    if change.gain <= 0:
        return f"{name} did not rise: {change}"
    if change.low <= 0:
        return f"{name} rose {change}, which does not exclude a fall"
    chance = metrics.chance_of_gain(values.gains, values.groups, seed)
    if chance > CHANCE:
        changed = len({group for group, gain in zip(values.groups, values.gains, strict=True) if gain})
        which = f"{changed} of {len(set(values.groups))} groups"
        return f"{name} rose {change}, but only {which} changed: chance alone does as much {chance:.0%} of the time"
    fell = [f"{NAMES[other]} {each}" for other, each in figures.items() if each.high < 0]
    return f"{name} rose {change}, but {' and '.join(fell)} fell" if fell else None


def _gain(name: str, before: Asked, after: Asked) -> float:
    had, has = before.figures(), after.figures()
    return has[name] - had[name] if name in had and name in has else 0.0
