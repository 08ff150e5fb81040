"""What is frozen stays: keys outlive learning by the reader or the question's side alone, states that by the head."""

import copy

import pytest
import torch

from reatt_engine.backbone import ChunkText
from reatt_engine.batching import TrainingBatch
from reatt_engine.evidence import ChunkStates
from reatt_engine.freezing import FREEZES
from reatt_engine.grad_cache import accumulate
from reatt_engine.objective import HeadSelector, Objective
from reatt_engine.reatt import ReAtt
from reatt_engine.spread import keep_spread, spread
from tests.texts import LEAVE, TRAVEL

BATCH = TrainingBatch(
    questions=((25, 26, 1), (27, 28, 29, 1)),
    answers=((31, 32, 1), (33, 1)),
    chunks=((40, 41, 42, 43, 1), (44, 1), (45, 46, 47, 1)),
    close=((0, 1), (2, 1)),
    cloze=((25, 28, 1), (29, 1)),
    sources=(2, 0),
)


def learnt(reatt, name):
    """Take three steps of a copy under a freeze."""
    model = ReAtt(copy.deepcopy(reatt.t5).train(), reatt.tokenizer, reatt.head, reatt.device)
    FREEZES[name].apply(model.t5, model.head)
    selector = HeadSelector(model.t5.config.num_heads, model.head.number)
    weights = [w for w in model.t5.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.0)
    freeze = FREEZES[name]
    objective = Objective(not freeze.keeps_states, freeze.retrieves, freeze.retrieves)
    known = ChunkStates(model.t5, model.head.layer) if freeze.keeps_states else None
    for _ in range(3):
        optimizer.zero_grad()
        accumulate(model.t5, selector, model.head.layer, BATCH, objective, micro=1, known=known)
        optimizer.step()
    assert selector.best() == model.head.number
    model.t5.eval()
    return model


def changed(before, after):
    pairs = zip(before.t5.named_parameters(), after.t5.parameters(), strict=True)
    return {name for (name, old), new in pairs if not torch.equal(old, new)}


@pytest.mark.parametrize("name", FREEZES)
def test_a_freeze_that_keeps_keys_keeps_the_fingerprint(tiny_reatt, name):
    same = learnt(tiny_reatt, name).fingerprint() == tiny_reatt.fingerprint()
    assert same == FREEZES[name].keeps_keys == (name in ("retriever", "chunks"))


def test_with_the_retriever_frozen_questions_and_chunks_keep_their_vectors_and_the_reader_learns(tiny_reatt):
    after = learnt(tiny_reatt, "retriever")
    assert torch.equal(after.encode_question("leave?").vectors, tiny_reatt.encode_question("leave?").vectors)
    layer = tiny_reatt.head.layer
    names = changed(tiny_reatt, after)
    assert {"lm_head.weight", "encoder.final_norm.weight", f"encoder.blocks.{layer}.attention.v.weight"} <= names
    assert sum(name.startswith("decoder.") for name in names) > 10


def test_with_chunks_frozen_the_heads_queries_alone_learn(tiny_reatt):
    after, head = learnt(tiny_reatt, "chunks"), tiny_reatt.head
    assert changed(tiny_reatt, after) == {f"encoder.blocks.{head.layer}.attention.q.weight"}
    old, new = (model.t5.encoder.layers()[head.layer].attention.q.weight for model in (tiny_reatt, after))
    rows = torch.zeros(len(old), dtype=torch.bool)
    rows[head.number * tiny_reatt.key_width : (head.number + 1) * tiny_reatt.key_width] = True
    assert torch.equal((old != new).any(1), rows)


def test_with_chunks_frozen_questions_move(tiny_reatt):
    after = learnt(tiny_reatt, "chunks")
    assert not torch.allclose(after.encode_question("leave?").vectors, tiny_reatt.encode_question("leave?").vectors)


def test_chunks_whose_states_are_kept_teach_as_those_that_are_encoded_anew(tiny_reatt):
    found = []
    for known in (None, ChunkStates(tiny_reatt.t5, tiny_reatt.head.layer)):
        model = copy.deepcopy(tiny_reatt.t5).eval()  # kept states have no dropout
        FREEZES["reader"].apply(model, tiny_reatt.head)
        selector, objective = HeadSelector(model.config.num_heads, tiny_reatt.head.number), Objective(answers=False)
        accumulate(model, selector, tiny_reatt.head.layer, BATCH, objective, micro=1, known=known)
        found.append({name: w.grad for name, w in model.named_parameters() if w.grad is not None})
    assert len(found[0]) == 2
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-5, rtol=1e-5)
        assert gradient.any()


def test_a_head_whose_scores_grew_is_scaled_back_and_finds_the_same(tiny_reatt):
    grown = ReAtt(copy.deepcopy(tiny_reatt.t5), tiny_reatt.tokenizer, tiny_reatt.head, tiny_reatt.device)
    with torch.no_grad():
        grown.t5.encoder.layers()[grown.head.layer].attention.q.weight.mul_(3.0)
    questions, passages = [("leave?",), ("who travels?",)], [ChunkText("", text) for text in (LEAVE, TRAVEL, "key")]
    assert spread(grown, questions, passages) == pytest.approx(3 * spread(tiny_reatt, questions, passages), rel=1e-3)
    keep_spread(tiny_reatt, grown, questions, passages)
    vectors = [model.encode_question("leave?").vectors for model in (grown, tiny_reatt)]
    torch.testing.assert_close(*vectors, atol=1e-4, rtol=1e-4)
