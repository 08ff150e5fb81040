"""The confidence of an answer: a logistic model over signs of its quality, fitted on development questions.

All signs are known when a question is answered. The strongest one is agreement: if the target attention lies on the
chunks that retrieval also preferred, the answer is probably right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

LARGEST = 1e6  # of a number of the calibration
UNCALIBRATED_THRESHOLD = 0.1  # the mean token probability below which a model without calibration does not answer


@dataclass(frozen=True)
class Signs:
    """The signs of an answer's quality."""

    log_probability: float  # mean over the answer's tokens and its end mark
    share: float  # of the target attention, on the evidence that the answer was cut from
    agreement: float  # KL(target attention || retrieval attention), at most 5
    lead: float  # the best evidence's score minus the mean of the others
    score: float  # of the best evidence
    null: float = 0.0  # log-probability that there is no answer; 0 if the model does not estimate it


@dataclass(frozen=True)
class Calibration:
    """A logistic model, and the confidence below which no answer is given."""

    bias: float
    weights: Signs
    threshold: float

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Calibration:
        """Read `reatt.confidence` of a model's config; a sign that is missing there has weight 0."""
        weights = Signs(**{name: _number(weight) for name, weight in raw["weights"].items()})
        return cls(_number(raw["bias"]), weights, _number(raw["threshold"]))


def _number(found: object) -> float:
    """Return a number of the calibration; raises ValueError for one that is none, or absurd."""
    if type(found) in (int, float) and isinstance(found, int | float) and abs(found) <= LARGEST:
        return float(found)
    raise ValueError(f"{found!r:.40} is no number up to {LARGEST:g}")


def confidence(signs: Signs, calibration: Calibration | None) -> float:
    """Estimate the probability that an answer is right; without a calibration, its mean token probability.

    >>> round(confidence(Signs(-0.5, 0.9, 0.1, 2.0, 9.0), None), 4)
    0.6065
    """
    if calibration is None:
        return math.exp(min(0.0, signs.log_probability))
    terms = (w * s for w, s in zip(astuple(calibration.weights), astuple(signs), strict=True))
    logit = calibration.bias + math.fsum(terms)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def divergence(target: Sequence[float], scores: Sequence[float]) -> float:
    """Compute KL(target || softmax(scores)), the disagreement of reading and retrieval: summed over chunks, in nats.

    >>> divergence([0.5, 0.5], [1.0, 1.0])
    0.0
    """
    highest = max(scores)
    total = highest + math.log(math.fsum(math.exp(s - highest) for s in scores))
    terms = (p * (math.log(p) - (s - total)) for p, s in zip(target, scores, strict=True) if p > 0)
    return max(0.0, math.fsum(terms))


def signs(
    log_probability: float, share: float, shares: Sequence[float], scores: Sequence[float], null: float = 0.0
) -> Signs:
    """Compute the signs of an answer from evidence with these target shares and retrieval scores."""
    best, *others = sorted(scores, reverse=True)
    lead = best - math.fsum(others) / len(others) if others else 0.0
    return Signs(log_probability, share, min(5.0, divergence(shares, scores)), lead, best, null)
