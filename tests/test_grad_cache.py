"""The gradient cache is the loss of the whole batch, whatever fits into memory, with dropout and over processes."""

import random

import pytest
import torch

from reatt_engine.batching import TrainingBatch
from reatt_engine.grad_cache import accumulate, at_once
from reatt_engine.objective import HeadSelector, Objective
from reatt_engine.t5 import T5, T5Config
from reatt_engine.teachers import TEACHERS

LAYER = 1
CLOSE = ((0, 1, 2), (2, 3), (4, 0), (3,), (5, 2, 1))  # chunks 0 to 3 are close to two questions and more


def learner(dropout=0.1, **changes):
    """Make a tiny model in float64, and a selector that has not made up its mind."""
    shape = {"vocab_size": 40, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_heads": 3, "num_layers": 3}
    torch.manual_seed(0)
    config = T5Config(**shape, num_decoder_layers=2, dropout_rate=dropout, **changes)
    t5, selector = T5(config).double().train(), HeadSelector(3).double()
    selector.w.data.copy_(torch.tensor([0.0, 0.001, -0.0005]))
    return t5, selector


def batch(close=CLOSE):
    draw = random.Random(0)
    ids = lambda low, high: (*draw.choices(range(3, 40), k=draw.randint(low, high)), 1)  # noqa: E731
    chunks = tuple(ids(4, 30) for _ in range(1 + max(map(max, close))))
    return TrainingBatch(tuple(ids(2, 6) for _ in close), tuple(ids(1, 3) for _ in close), chunks, close)


def gradients(t5, selector):
    named = [*t5.named_parameters(), *selector.named_parameters()]
    return {name: torch.zeros_like(w) if w.grad is None else w.grad.clone() for name, w in named}


def whole(t5, selector, given, objective, micro=None):
    """Return loss and gradients of the whole batch at once."""
    t5.zero_grad(), selector.zero_grad(), torch.manual_seed(7)
    loss = at_once(t5, selector, LAYER, given, objective, micro=micro)
    loss.backward()
    return loss.item(), gradients(t5, selector)


def cached(t5, selector, given, objective, micro):
    """Return loss and gradients by the gradient cache."""
    t5.zero_grad(), selector.zero_grad(), torch.manual_seed(7)
    learned = accumulate(t5, selector, LAYER, given, objective, micro=micro)
    return learned.answer + objective.alpha * learned.cross_document, gradients(t5, selector)


def assert_same(found, expected, tolerance=1e-6):
    assert found[0] == pytest.approx(expected[0], rel=tolerance)
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, atol=tolerance, rtol=tolerance, msg=name)
    assert max(gradient.abs().max() for gradient in expected[1].values()) > 1e-2


OBJECTIVES = {
    "all": Objective(),
    "likelihood": Objective(teacher=TEACHERS["likelihood"]),
    "answers": Objective(cross_document=False),
    "retrieval": Objective(answers=False),
    "own chunks": Objective(in_batch=False),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("micro", [1, 2, 5])
def test_the_gradient_cache_is_the_whole_batch_at_once_with_dropout(name, micro):
    t5, selector = learner()
    assert_same(*(run(t5, selector, batch(), OBJECTIVES[name], micro) for run in (cached, whole)))


def test_dropout_is_on_in_both():
    t5, selector = learner()
    assert (
        abs(whole(t5, selector, batch(), Objective())[0] - whole(t5.eval(), selector, batch(), Objective())[0]) > 0.01
    )
