"""How sure the model is of what is shown, where that is not the span that it chose."""

from __future__ import annotations

import math
from dataclasses import replace

from reatt.model.backbone import Answer
from reatt.model.confidence import confidence


def sure_of(told: Answer, source: int, probability: float) -> float:
    """Say how sure the model is of what is shown: as of a span, but of so much probability.

    A model without a calibration cannot say so: it is as sure as it is of its span.
    """
    if told.calibration is None:
        return told.confidence
    logarithm = math.log(min(1.0, max(probability, 1e-12)))
    return confidence(replace(told.signs, log_probability=logarithm, share=told.shares[source]), told.calibration)
