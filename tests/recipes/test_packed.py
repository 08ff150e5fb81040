"""Encoding without padding is the engine's encoding, and so are texts, keys and scores."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.model.backbone import ChunkText
from reatt.model.stacks.halves import lower_half, pack, pad, places, upper_half
from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import Form, chunk_of
from recipes.reatt_mini.data import training_tokenizer
from recipes.reatt_mini.losses import Keys, Learner, maxsim
from recipes.reatt_mini.packed import Layout, joined
from tests.recipes.conftest import LAYER, NAMES

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def learner(work):
    return Learner(shape.pretrained(work, LAYER), LAYER, LAYER).requires_grad_(False)


def rows(sets, count):
    questions, _ = sets["one"]
    return [chunk_of(questions, number, Form(900, 96, 2, 3), titled=number % 2 == 0).ids for number in range(count)]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=20))
@settings(max_examples=30)
def test_a_table_gives_its_tokens_back_and_sorting_is_undone(lengths):
    layout = Layout(tuple(lengths), CPU)
    tokens = torch.arange(sum(lengths) * 2.0).view(-1, 2)
    assert torch.equal(layout.tokens(layout.table(tokens)), tokens)
    groups = layout.by_length
    assert torch.equal(tokens[groups.order][groups.back], tokens)
    assert sum((each.lengths for each in groups.layouts), ()) == tuple(sorted(lengths))
    assert layout.owner.bincount().tolist() == lengths


@pytest.mark.parametrize("count", [1, 3, 16])
@pytest.mark.parametrize("grad", [True, False])
def test_packed_rows_are_encoded_as_the_engine_encodes_padded_ones(learner, sets, count, grad):
    ids = rows(sets, count)
    with torch.set_grad_enabled(grad):
        found = learner.lower(ids, 1).padded()
        expected = lower_half(learner.t5, LAYER, pad(ids, CPU))
    torch.testing.assert_close(found.values[found.keep], expected.values[expected.keep], atol=1e-4, rtol=0)


def test_joint_blocks_over_packed_pairs_are_the_engines(learner, sets, work):
    questions, _ = sets["one"]
    asked, ids = [questions.asked[n] for n in range(8)], rows(sets, 8)
    first, second = learner.lower(asked, 0), learner.lower(ids, 1)
    pairs = [
        [*range(first.layout.starts[i], first.layout.starts[i] + len(asked[i]))]
        + [len(first.values) + second.layout.starts[i] + at for at in range(len(ids[i]))]
        for i in range(8)
    ]
    found = learner.upper(joined((first, second), pairs)).padded()
    padded = first.padded(), second.padded()
    before = places(padded[0])
    after = places(padded[1], padded[0].keep.numel())
    pool = torch.cat([each.values.flatten(0, 1) for each in padded])
    expected = upper_half(learner.t5, LAYER, pack(pool, [a + b for a, b in zip(before, after, strict=True)]))
    torch.testing.assert_close(found.values[found.keep], expected[found.keep], atol=1e-4, rtol=0)


def test_gradients_of_packed_and_padded_are_equal(work, sets):
    found = []
    for way in (lambda m, ids: m.lower(ids, 1).padded(), lambda m, ids: lower_half(m.t5, LAYER, pad(ids, CPU))):
        torch.manual_seed(0)
        learner = Learner(shape.pretrained(work, LAYER), LAYER, LAYER)
        states = way(learner, rows(sets, 9))
        states.values[states.keep].pow(3).sum().backward()
        found.append(learner.stack.layers()[0].attention.k.weight.grad)
    torch.testing.assert_close(*found, atol=1e-3, rtol=1e-3)


def test_scores_are_means_of_the_best_products(learner, sets):
    questions, _ = sets["one"]
    asked, ids = [questions.asked[n] for n in (0, 5)], rows(sets, 4)
    first, second = learner.lower(asked, 0), learner.lower(ids, 1)
    keys = Keys(learner.keys(second.values), second.layout, [0, 1, 2, 3])
    found = maxsim(learner.queries(first.values), first.layout, keys)
    for q, query in enumerate(learner.queries(first.values).split(list(first.layout.lengths))):
        for c, key in enumerate(keys.values.split(list(second.layout.lengths))):
            assert float(found[q, c]) == pytest.approx(float((query @ key.T).amax(1).mean()), abs=1e-4)


def test_a_chunk_is_put_together_as_the_engine_does(sets, work):
    questions, _ = sets["one"]
    tokenizer = training_tokenizer(work)
    text = f"The river of {NAMES[0]} was found in 1900 near {NAMES[3]}. It is old."
    for titled, title in ((True, NAMES[0]), (False, "")):
        (expected,) = tokenizer.chunks([ChunkText(title, text)])
        assert chunk_of(questions, 0, Form(900, 96, 2, 3), titled=titled).ids == expected.ids


def test_deeper_states_for_retrieval_are_of_texts_alone(work, sets):
    model = shape.pretrained(work, LAYER)
    ids = rows(sets, 5)
    learner = Learner(model, LAYER, LAYER + 1)
    found = learner.deeper(learner.lower(ids, 1)).padded()
    expected = lower_half(model, LAYER + 1, pad(ids, CPU)).values
    torch.testing.assert_close(found.values[found.keep], expected[found.keep], atol=1e-4, rtol=0)
