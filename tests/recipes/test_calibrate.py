"""What turns scores into decisions is fitted on what training never saw."""

import json
import shutil

import numpy as np
import pytest

from reatt.weights import models
from reatt.weights.folder import ModelFolder
from recipes.reatt_mini import calibrate, data, train
from recipes.reatt_mini.export import export
from recipes.reatt_mini.logistic import cross_validated, fit
from recipes.reatt_mini.state import CHECKPOINT
from tests.recipes.conftest import SETS


@pytest.fixture
def model(work, tmp_path, monkeypatch):
    shutil.copytree(work, tmp_path / "work")
    monkeypatch.setattr(train, "SETS", SETS)
    train.main(["--out", str(tmp_path / "work"), "--steps", "2", "--budget", "900"])
    export(tmp_path / "work" / CHECKPOINT, tmp_path / "work", tmp_path / "model", full=False)
    return tmp_path / "model"


def test_only_questions_on_articles_held_out_are_asked(sets_folder, monkeypatch):
    monkeypatch.setattr(calibrate, "held_out", lambda document: document["title"] in ("amber", "cedar"))
    judged = calibrate.load(sets_folder / "train" / "one", 100, 15)
    titles = {document["_id"]: document["title"] for document in judged.documents}
    assert len(judged.questions) == 12
    assert {titles[name] for each in judged.relevant.values() for name in each} == {"amber", "cedar"}
    assert len(judged.documents) == 15
    left = judged.without(judged.questions[:2])
    gone = {name for question in judged.questions[:2] for name in judged.relevant[question["_id"]]}
    assert {document["_id"] for document in judged.documents} - {document["_id"] for document in left.documents} == gone


def test_every_set_that_is_fitted_on_is_one_to_train_on():
    assert set(calibrate.FOUND) <= set(data.SETS)
    assert all(data.SETS[name].read for name in calibrate.READ)


def test_both_are_fitted_and_the_model_loads_with_them(model, sets_folder, monkeypatch):
    monkeypatch.setattr(calibrate, "held_out", lambda document: True)
    monkeypatch.setattr(calibrate, "SETS", SETS)
    monkeypatch.setattr(calibrate, "FOUND", ("one", "two"))
    monkeypatch.setattr(calibrate, "READ", ("one", "two"))
    calibrate.calibrate(model, sets_folder, sets_folder, 12, 24)
    settings = json.loads((model / "config.json").read_text())["reatt"]
    assert 0 <= settings["fusion"] <= 1
    assert settings["confidence"]["threshold"] == calibrate.THRESHOLD
    assert settings["confidence"]["cross_validated"]["questions"] == 24
    assert models.load(ModelFolder(model), "cpu").calibration is not None


def test_a_logistic_model_finds_the_probabilities_that_made_its_events():
    dice = np.random.default_rng(1)
    features = dice.normal(size=(4000, 2)) * [1.0, 5.0] + [3.0, 0.0]
    truth = 1 / (1 + np.exp(-(features[:, 0] - 3.0 + 0.2 * features[:, 1])))
    events = (dice.random(4000) < truth).astype(float)
    assert np.abs(fit(features, events)(features) - truth).mean() < 0.02
    assert np.abs(cross_validated(features, events) - truth).mean() < 0.03
    same = np.hstack([features, np.ones((4000, 1))])
    assert fit(same, events).weights[2] == 0  # what is always the same says nothing
