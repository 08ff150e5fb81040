"""What is frozen stays: keys outlive learning by the reader or the question's side alone, reading that by retrieval."""

import copy

import pytest
import torch

from reatt.lessons.batches import Cloze, TrainingBatch
from reatt.model.backbone import ChunkText
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import learn_apart, projection
from reatt.training.freezing import FREEZES
from reatt.training.grad_cache import accumulate
from reatt.training.objective import HeadSelector, Objective
from reatt.training.pools import ChunkStates
from reatt.training.spread import keep_part, keep_spread, spread
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from tests.texts import LEAVE, TRAVEL

BATCH = TrainingBatch(
    questions=((25, 26, 1), (27, 28, 29, 1)),
    answers=((31, 32, 1), (33, 1)),
    chunks=((40, 41, 42, 43, 1), (44, 1), (45, 46, 47, 1)),
    close=((0, 1), (2, 1)),
    cloze=(Cloze((25, 28, 1), (2, 1), (0.7, 0.3)), Cloze((29, 1), (0,), (1.0,))),
)


def learnt(reatt, name):
    """Take three steps of a copy under a freeze."""
    model = ReAtt(copy.deepcopy(reatt.t5).train(), reatt.tokenizer, reatt.head, reatt.device)
    FREEZES[name].apply(model.t5, model.head)
    selector = HeadSelector(model.t5.encoder.head_count, model.head.number)
    weights = [w for w in model.t5.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.0)
    freeze = FREEZES[name]
    objective = Objective(not freeze.apart, freeze.retrieves, freeze.retrieves)
    known = ChunkStates(model.t5, model.head) if freeze.apart else None
    for _ in range(3):
        optimizer.zero_grad()
        accumulate(model.t5, selector, model.head, BATCH, objective, micro=1, known=known)
        optimizer.step()
    assert selector.best() == model.head.number
    model.t5.eval()
    return model


def changed(before, after):
    old = dict(before.t5.named_parameters())
    return {name for name, new in after.t5.named_parameters() if name in old and not torch.equal(old[name], new)}


@pytest.mark.parametrize("name", FREEZES)
def test_a_freeze_that_keeps_keys_keeps_the_fingerprint(stacked_reatt, name):
    same = learnt(stacked_reatt, name).fingerprint() == stacked_reatt.fingerprint()
    assert same == FREEZES[name].keeps_keys == (name in ("retriever", "chunks"))


def test_with_the_retriever_frozen_questions_and_chunks_keep_their_vectors_and_the_reader_learns(tiny_reatt):
    after = learnt(tiny_reatt, "retriever")
    assert torch.equal(after.encode_question("leave?").vectors, tiny_reatt.encode_question("leave?").vectors)
    layer = tiny_reatt.head.layer
    names = changed(tiny_reatt, after)
    assert {"lm_head.weight", "encoder.final_norm.weight", f"encoder.blocks.{layer}.attention.v.weight"} <= names
    assert sum(name.startswith("decoder.") for name in names) > 10


@pytest.mark.parametrize(("name", "sides"), [("reader", "qk"), ("chunks", "q")])
def test_retrieval_learns_apart_and_reading_stays_bit_by_bit(stacked_reatt, name, sides):
    after, head = learnt(stacked_reatt, name), stacked_reatt.head
    assert {name for name in changed(stacked_reatt, after) if not name.startswith("retrieval.")} == set()
    for side in "qk":
        moved = not torch.equal(projection(after.t5, head, side), projection(stacked_reatt.t5, head, side))
        assert moved == (side in sides)
    evidence = [ChunkText("", LEAVE), ChunkText("", TRAVEL)]
    read = [model.read("leave?", evidence).cache.memory for model in (stacked_reatt, after)]
    assert all(torch.equal(*pair) for blocks in zip(*read, strict=True) for pair in zip(*blocks, strict=True))


def test_projections_of_its_own_begin_as_those_of_the_head(stacked_reatt):
    model = ReAtt(copy.deepcopy(stacked_reatt.t5), stacked_reatt.tokenizer, stacked_reatt.head, stacked_reatt.device)
    learn_apart(model.t5, model.head)
    assert torch.equal(model.encode_question("leave?").vectors, stacked_reatt.encode_question("leave?").vectors)
    assert model.fingerprint() == stacked_reatt.fingerprint()


def test_with_chunks_frozen_questions_move(stacked_reatt):
    after = learnt(stacked_reatt, "chunks")
    assert not torch.allclose(after.encode_question("leave?").vectors, stacked_reatt.encode_question("leave?").vectors)


def test_chunks_whose_states_are_kept_teach_as_those_that_are_encoded_anew(stacked_reatt):
    found = []
    for known in (None, ChunkStates(stacked_reatt.t5, stacked_reatt.head)):
        model = copy.deepcopy(stacked_reatt.t5).eval()  # kept states have no dropout
        FREEZES["reader"].apply(model, stacked_reatt.head)
        selector, objective = (
            HeadSelector(model.encoder.head_count, stacked_reatt.head.number),
            Objective(answers=False),
        )
        accumulate(model, selector, stacked_reatt.head, BATCH, objective, micro=1, known=known)
        found.append({name: w.grad for name, w in model.named_parameters() if w.grad is not None})
    assert len(found[0]) == 2
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=5e-5, rtol=1e-5)
        assert gradient.any()


def test_part_of_the_way_is_kept_and_none_of_it_where_nothing_was_learnt(stacked_reatt):
    model = ReAtt(copy.deepcopy(stacked_reatt.t5), stacked_reatt.tokenizer, stacked_reatt.head, stacked_reatt.device)
    learn_apart(model.t5, model.head).k.weight.data.add_(1.0)
    keep_part(stacked_reatt, model, 0.25)
    old, new = ([projection(each.t5, each.head, side) for side in "qk"] for each in (stacked_reatt, model))
    assert torch.equal(new[0], old[0])
    torch.testing.assert_close(new[1], old[1] + 0.25)


def test_a_head_whose_scores_grew_is_scaled_back_and_finds_the_same(stacked_reatt):
    grown = ReAtt(copy.deepcopy(stacked_reatt.t5), stacked_reatt.tokenizer, stacked_reatt.head, stacked_reatt.device)
    with torch.no_grad():
        learn_apart(grown.t5, grown.head).loudness.mul_(3.0)
    questions, passages = [("leave?",), ("who travels?",)], [ChunkText("", text) for text in (LEAVE, TRAVEL, "key")]
    assert spread(grown, questions, passages) == pytest.approx(3 * spread(stacked_reatt, questions, passages), rel=1e-3)
    keep_spread(stacked_reatt, grown, questions, passages)
    vectors = [model.encode_question("leave?").vectors for model in (grown, stacked_reatt)]
    torch.testing.assert_close(*vectors, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FREEZES)
def test_embeddings_that_lie_apart_never_learn(write_bert, tmp_path, name):
    model = models.load(ModelFolder(write_bert(tmp_path / "apart", eight_bits=True)), "cpu")
    after = learnt(model, name)
    assert "shared.weight" not in changed(model, after)
    assert changed(model, after)
