"""The retrieval head, learnt alone: nothing else changes, and it learns from what search confuses."""

import random
import shutil

import pytest
import torch
from safetensors.torch import load_file

from reatt.weights import models
from reatt.weights.folder import WEIGHTS, ModelFolder
from recipes.reatt_mini import head
from recipes.reatt_mini.batches import Form
from recipes.reatt_mini.export import export
from recipes.reatt_mini.state import CHECKPOINT
from tests.recipes.conftest import fresh, run

LESSONS = {"one": head.Lesson(24, 2), "two": head.Lesson(10, 1)}


@pytest.fixture
def model(work, tmp_path, small):
    export(run(work, tmp_path / "run", (2, 2)) / CHECKPOINT, work, tmp_path / "model", full=True)
    return tmp_path / "model"


def test_only_the_head_changes_and_every_run_learns_the_same(model, work, tmp_path):
    before = load_file(model / WEIGHTS)
    twice = []
    for name in ("first", "second"):
        shutil.copytree(model, tmp_path / name)
        head.improve(tmp_path / name, work, LESSONS, 5)
        models.load(ModelFolder(tmp_path / name), "cpu")  # its hash is recorded
        twice.append(load_file(tmp_path / name / WEIGHTS))
    changed = {name for name in before if not torch.equal(before[name], twice[0][name])}
    assert changed == {"retrieval.q.weight", "retrieval.k.weight"}
    assert all(torch.equal(twice[0][name], twice[1][name]) for name in before)


def encoded(work, sets, lesson):
    learner = fresh(work)
    own = learner.t5.retrieval
    beginning = head.Projections(own.q.weight.detach(), own.k.weight.detach())
    form = Form(0, 96, 2, 3)
    return beginning, head.learn_from(learner, beginning, sets["one"][0], lesson, form, 0)


def test_wrong_chunks_are_those_that_search_finds_first_and_that_do_not_answer(work, sets):
    beginning, found = encoded(work, sets, head.Lesson(24, 1))
    chunks = len(found.chunks.starts) - 1
    for row, near in enumerate(head.first_found(beginning, found.questions, found.chunks)):
        queries = beginning.queries(found.questions.take([row])[0]).detach()
        scores = [
            float((queries @ beginning.keys(found.chunks.take([c])[0]).T).amax(1).sum().detach()) for c in range(chunks)
        ]
        assert [scores[c] for c in near] == pytest.approx(sorted(scores, reverse=True)[: len(near)], abs=0.05)
        expected = [c for c in near if c not in found.right[row] | found.holding[row]]
        assert found.wrong[row] == expected[: head.KEPT]


def test_questions_are_told_better_from_what_search_confuses_them_with(work, sets):
    beginning, found = encoded(work, sets, head.Lesson(24, 1))

    def loss():
        with torch.no_grad():
            return sum(float(head.loss_of(beginning, found, random.Random(seed))) for seed in range(8))

    before = loss()
    head.learn(beginning, [(1.0, found)], 60)
    assert loss() < before


def test_states_are_those_of_each_text_alone(work, sets):
    learner, texts = fresh(work), [(2, *range(5, 5 + length), 3) for length in (40, 3, 17, 3, 29)]
    found = head.encode(learner, texts, 1)
    for number, text in enumerate(texts):
        alone = learner.deeper(learner.lower([text], 1)).values
        torch.testing.assert_close(found.take([number])[0], alone.detach(), atol=2e-3, rtol=2e-3)
