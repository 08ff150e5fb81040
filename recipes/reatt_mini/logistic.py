"""A logistic model, fitted and cross-validated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RIDGE, ROUNDS, FOLDS = 1.0, 30, 5


@dataclass(frozen=True)
class Logistic:
    """The probability of an event from features: sigmoid(bias + weights * features)."""

    bias: float
    weights: Floats  # (F,)

    def __call__(self, features: Floats) -> Floats:
        """Estimate the probabilities (N,) of features (N, F)."""
        found: Floats = 1 / (1 + np.exp(-(self.bias + features @ self.weights)))
        return found


def fit(features: Floats, events: Floats) -> Logistic:
    """Fit a ridge-regularised model by Newton's method on standardised features (N, F), events (N,) being 0 or 1."""
    centre, spread = features.mean(0), features.std(0)
    scale = np.where(spread < 1e-6, np.inf, spread)  # what is always the same says nothing
    design = np.hstack([np.ones((len(features), 1)), (features - centre) / scale])
    ridge = np.diag([0.0, *[RIDGE] * features.shape[1]])
    weights = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + ridge
        weights -= np.linalg.solve(hessian, design.T @ (p - events) + ridge @ weights)
    return Logistic(float(weights[0] - (weights[1:] * centre / scale).sum()), weights[1:] / scale)


def cross_validated(features: Floats, events: Floats, folds: int = FOLDS) -> Floats:
    """Estimate every event (N,) by a model that was fitted without its fold."""
    fold = np.random.default_rng(0).permutation(len(events)) % folds
    found = np.empty(len(events))
    for number in range(folds):
        held_out = fold == number
        found[held_out] = fit(features[~held_out], events[~held_out])(features[held_out])
    return found
