"""Confidence is a probability, made of signs that need no labels, by the model's own calibration."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.model.confidence import Calibration, Signs, confidence, divergence, signs
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.errors import ModelError

NUMBER = st.floats(-1e6, 1e6)
FITTED = {
    "bias": 0.5,
    "weights": {"log_probability": 1, "share": 2, "agreement": -1, "lead": 0, "score": 0},
    "threshold": 0.2,
}


@given(st.builds(Signs, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER), st.booleans())
def test_confidence_is_a_probability(found, calibrated):
    assert 0 <= confidence(found, Calibration.from_json(FITTED) if calibrated else None) <= 1


def test_confidence_is_the_logistic_of_the_weighted_signs():
    found = Signs(log_probability=-1, share=0.75, agreement=0.25, lead=9, score=9)
    assert confidence(found, Calibration.from_json(FITTED)) == pytest.approx(
        1 / (1 + math.exp(-(0.5 - 1 + 1.5 - 0.25)))
    )


@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(-50, 50)), min_size=1, max_size=8))
def test_divergence_is_never_negative_and_nothing_between_equals(rows):
    total = math.fsum(share for share, _ in rows)
    shares = [share / total for share, _ in rows]
    assert divergence(shares, [score for _, score in rows]) >= 0
    assert divergence(shares, [math.log(share) for share in shares]) == pytest.approx(0, abs=1e-9)


def test_the_lead_is_ahead_of_the_mean_of_the_others():
    assert signs(-1.0, 0.5, [0.5, 0.3, 0.2], [1.0, 4.0, 2.0]).lead == 2.5
    assert signs(-1.0, 1.0, [1.0], [3.0]).lead == 0.0


def test_a_loaded_model_brings_its_calibration(model, tmp_path):
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    assert models.load(ModelFolder(tmp_path), "cpu").calibration is None
    (tmp_path / "config.json").write_text(json.dumps(config | {"reatt": {"confidence": FITTED}}))
    assert models.load(ModelFolder(tmp_path), "cpu").calibration == Calibration.from_json(FITTED)
    (tmp_path / "config.json").write_text(json.dumps(config | {"reatt": {"confidence": {"bias": 1}}}))
    with pytest.raises(ModelError, match="confidence is not a calibration"):
        models.load(ModelFolder(tmp_path), "cpu")
