"""Teachers say what was worth reading: the decoder's own attention, by three ways the same, and without a gradient."""

import pytest
import torch
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from reatt.lessons.batches import TrainingBatch
from reatt.model.stacks.halves import by_length, lower_half, pack, pad, places, upper_half
from reatt.model.t5 import T5, T5Config
from reatt.training.pools import Pool, answer_losses, apart, together
from reatt.training.teachers import (
    TEACHERS,
    attention_shares,
    first,
    first_scores,
    likelihood_shares,
    shares,
    teacher_hit,
)
from reatt.weights import models
from reatt.weights.foreign import adding

SHAPE = {"vocab_size": 40, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_heads": 3, "num_layers": 3}
BATCH = TrainingBatch(
    questions=((5, 6, 1), (7, 8, 9, 1)),
    answers=((11, 12, 1), (13, 1)),
    chunks=((20, 21, 22, 23, 1), (24, 1), (25, 26, 27, 1), (28, 29, 30, 31, 32, 33, 1)),
    close=((0, 1, 2), (3, 2)),
)


@pytest.fixture
def t5():
    torch.manual_seed(0)
    return T5(T5Config(**SHAPE, num_decoder_layers=3, dropout_rate=0.3)).eval()


def memory(lengths=(4, 2, 7)):
    torch.manual_seed(1)
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    rows = tuple(range(start, start + n) for start, n in zip(starts, lengths, strict=True))
    return Pool(torch.randn(sum(lengths), 16), rows)


def test_the_lifted_scores_are_the_one_position_decode(t5):
    given = memory()
    expected = t5.target_scores(t5.remember(given.states[None]))[0]
    torch.testing.assert_close(first_scores(t5, given.states), expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.1


def test_the_target_attention_is_the_teacher_forced_pass_seen_by_a_hook(t5):
    given, last, seen = memory(), t5.decoder.layers()[-1], []
    handle = last.cross_norm.register_forward_hook(lambda _, __, normed: seen.append(normed))
    cache = t5.remember(given.states[None])
    answer_losses(t5, cache, [(7, 21, 30, 1)])
    handle.remove()
    queries = last.cross.split(last.cross.q(seen[0][:, :1]))[0]  # (h, 1, d)
    weights = (queries @ cache.memory[-1][0][0].transpose(1, 2)).softmax(-1)[:, 0].mean(0)
    expected = torch.stack([weights[row.start : row.stop].sum() for row in given.rows])
    torch.testing.assert_close(attention_shares(t5, given, (9, 1)), expected, atol=1e-6, rtol=0)


def test_the_target_attention_is_the_eager_softmax_of_transformers(tmp_path, released):
    ours = models.load(adding.add(str(released(tmp_path / "tiny")), tmp_path, lambda _: None, "ours").folder, "cpu")
    theirs = T5ForConditionalGeneration.from_pretrained(tmp_path / "ours", attn_implementation="eager").eval()
    torch.manual_seed(0)
    given = Pool(torch.randn(9, 32), (range(3), range(3, 9)))
    out = theirs(
        encoder_outputs=BaseModelOutput(given.states[None]),
        decoder_input_ids=torch.tensor([[0, 7, 9]]),
        output_attentions=True,
    )
    weights = out.cross_attentions[-1][0, :, 0].mean(0)
    expected = torch.stack([weights[:3].sum(), weights[3:].sum()])
    torch.testing.assert_close(attention_shares(ours.t5, given, (9, 1)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_says_the_same_in_training_and_leaves_no_gradient(t5, name):
    calm = shares(t5, 1, BATCH, TEACHERS[name])
    excited = shares(t5.train(), 1, BATCH, TEACHERS[name])
    assert t5.training
    assert all(torch.equal(a, b) for a, b in zip(calm, excited, strict=True))
    assert not any(row.requires_grad for row in excited)
    assert [row.sum().item() for row in excited] == pytest.approx([1, 1])


@pytest.mark.parametrize("name", TEACHERS)
def test_shuffling_the_chunks_shuffles_the_shares(t5, name):
    turned = TrainingBatch(BATCH.questions, BATCH.answers, BATCH.chunks, ((2, 0, 1), (2, 3)))
    first_order, second_order = shares(t5, 1, BATCH, TEACHERS[name]), shares(t5, 1, turned, TEACHERS[name])
    torch.testing.assert_close(second_order[0], first_order[0][[2, 0, 1]], atol=1e-5, rtol=0)
    torch.testing.assert_close(second_order[1], first_order[1].flip(0), atol=1e-5, rtol=0)


def test_the_likelihood_teacher_reads_each_chunk_alone(t5):
    given, answer = memory(), (11, 12, 1)
    alone = [answer_losses(t5, t5.remember(given.states[row.start : row.stop][None]), [answer]) for row in given.rows]
    expected = (-torch.cat(alone) / 3 / 0.01).softmax(0)
    torch.testing.assert_close(likelihood_shares(t5, given, answer), expected, atol=1e-4, rtol=0)


def test_an_answers_loss_is_the_sum_over_its_tokens_whatever_stands_beside_it(t5):
    states = memory().states[None]
    short, long = (11, 1), (12, 13, 14, 1)
    beside = answer_losses(t5, t5.remember(states.repeat(2, 1, 1)), [short, long])
    logits = t5.logits(t5.decode(torch.tensor([[0, 11]]), t5.remember(states)))[0]
    assert beside[0].item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, torch.tensor(short), reduction="sum").item(), abs=1e-4
    )


def test_pairs_in_groups_of_like_length_are_pairs_one_by_one(t5):
    sequences = [(5, 6), *BATCH.chunks]
    lower = apart(t5, 1, sequences)
    joined = together(t5, 1, lower.states, [[*lower.rows[0], *row] for row in lower.rows[1:]])
    for chunk, row in zip(BATCH.chunks, joined.rows, strict=True):
        both = lower_half(t5, 1, pad([sequences[0], chunk], torch.device("cpu")))
        before, after = places(both)
        expected = upper_half(t5, 1, pack(both.values.flatten(0, 1), [before + after]))[0]
        torch.testing.assert_close(joined.states[row.start : row.stop], expected, atol=1e-5, rtol=0)


def test_like_lengths_go_together_and_none_is_lost():
    groups = by_length([200, 9, 180, 12, 400])
    assert groups == [[1, 3], [2, 0], [4]]


def test_a_teacher_who_says_nothing_gets_one_in_k(t5):
    assert first(torch.full((4,), 0.25), 0) == 0.25
    assert first(torch.tensor([0.1, 0.7, 0.2]), 1) == 1
    assert first(torch.tensor([0.1, 0.7, 0.2]), 2) == 0


def test_teacher_hit_counts_the_questions_whose_gold_chunk_comes_first(t5):
    told = shares(t5, 1, BATCH, attention_shares)
    best = [close[int(row.argmax())] for row, close in zip(told, BATCH.close, strict=True)]
    worst = [close[int(row.argmin())] for row, close in zip(told, BATCH.close, strict=True)]
    assert teacher_hit(t5, 1, BATCH, best, attention_shares) == 1
    assert teacher_hit(t5, 1, BATCH, [best[0], worst[1]], attention_shares) == 0.5
