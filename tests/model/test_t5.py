"""Our T5 is transformers' T5: same weights, same numbers, whichever way it is cut."""

from pathlib import Path

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from reatt.model.stacks.t5_layers import plain_attention
from reatt.model.t5 import T5, hide, relative_bucket
from reatt.weights.t5_files import load_t5

SHAPE = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2}
IDS = torch.tensor([[5, 9, 33, 7, 2, 1], [8, 8, 40, 1, 0, 0]])
KEEP = IDS != 0
ANSWER = torch.tensor([[0, 4, 6, 8], [0, 9, 9, 3]])


def twins(folder: Path, projection: str, tied: bool) -> tuple[T5, T5ForConditionalGeneration]:
    torch.manual_seed(0)
    theirs = T5ForConditionalGeneration(T5Config(**SHAPE, feed_forward_proj=projection, tie_word_embeddings=tied))
    if not tied:
        theirs.lm_head = torch.nn.Linear(16, 64, bias=False)
    theirs.save_pretrained(folder)
    theirs = T5ForConditionalGeneration.from_pretrained(folder)
    return load_t5(folder), theirs.eval()


@pytest.mark.parametrize("projection", ["relu", "gated-gelu", "gated-silu"])
@pytest.mark.parametrize("tied", [True, False])
def test_logits_equal_transformers(tmp_path: Path, projection: str, tied: bool) -> None:
    ours, theirs = twins(tmp_path, projection, tied)
    cache = ours.remember(ours.encode(IDS, KEEP), KEEP)
    with torch.no_grad():
        expected = theirs(input_ids=IDS, attention_mask=KEEP.long(), decoder_input_ids=ANSWER).logits
    torch.testing.assert_close(ours.logits(ours.decode(ANSWER, cache)), expected, atol=1e-4, rtol=0)
    assert (ours.lm_head.weight is ours.shared.weight) == tied


def test_one_token_at_a_time_equals_all_at_once(tmp_path: Path) -> None:
    ours, _ = twins(tmp_path, "gated-gelu", False)
    memory = ours.encode(IDS, KEEP)
    whole = ours.decode(ANSWER, ours.remember(memory, KEEP))
    cache = ours.remember(memory, KEEP)
    steps = [ours.decode(ANSWER[:, i : i + 1], cache) for i in range(ANSWER.shape[1])]
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=0)


def test_hypotheses_share_a_memory(tmp_path: Path) -> None:
    ours, _ = twins(tmp_path, "gated-gelu", False)
    memory = ours.encode(IDS[:1], KEEP[:1])
    shared = ours.decode(ANSWER, ours.remember(memory, KEEP[:1]))
    copied = ours.decode(ANSWER, ours.remember(memory.expand(2, -1, -1), KEEP[:1].expand(2, -1)))
    torch.testing.assert_close(shared, copied, atol=1e-6, rtol=0)


def test_padding_changes_nothing(tmp_path: Path) -> None:
    ours, _ = twins(tmp_path, "gated-gelu", False)
    alone = ours.encode(IDS[1:, :4], KEEP[1:, :4])
    torch.testing.assert_close(ours.encode(IDS, KEEP)[1:, :4], alone, atol=1e-6, rtol=0)


def test_target_scores_are_the_eager_cross_attention(tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, "gated-gelu", False)
    theirs.set_attn_implementation("eager")
    out = theirs(input_ids=IDS, attention_mask=KEEP.long(), decoder_input_ids=ANSWER, output_attentions=True)
    expected = out.cross_attentions[-1][:, :, 0]
    scores = ours.target_scores(ours.remember(ours.encode(IDS, KEEP), KEEP))
    torch.testing.assert_close(scores.softmax(-1), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_position_buckets_equal_transformers(bidirectional: bool) -> None:
    distance = torch.arange(-300, 300)
    expected = T5Attention._relative_position_bucket(distance, bidirectional, 32, 128)
    assert torch.equal(relative_bucket(distance, bidirectional, 32, 128), expected)


def test_hidden_positions_are_minus_infinity() -> None:
    assert hide(torch.tensor([[True, False]]), torch.float32).tolist() == [[[[0.0, -torch.inf]]]]


def test_plain_attention_is_the_fused_one_forward_and_backward():
    torch.manual_seed(5)
    queries, keys, values = (torch.randn(2, 3, 7, 8, requires_grad=True) for _ in range(3))
    mask = hide(torch.arange(7)[None] < torch.tensor([[7], [4]]), torch.float32)  # (2, 1, 1, 7)
    fused = torch.nn.functional.scaled_dot_product_attention(queries, keys, values, mask, scale=1.0)
    plain = plain_attention(queries, keys, values, mask)
    torch.testing.assert_close(plain, fused)
    gradients = [torch.autograd.grad(out.square().sum(), (queries, keys, values)) for out in (plain, fused)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("side", ["encoder", "decoder"])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 7), (3, 7), (7, 7), (200, 300)])
def test_the_position_bias_is_the_table_looked_up_for_every_pair(tmp_path: Path, side: str, m: int, n: int) -> None:
    ours, _ = twins(tmp_path, "gated-gelu", False)
    stack = getattr(ours, side)
    distance = torch.arange(n)[None, :] - torch.arange(n - m, n)[:, None]  # (m, n)
    expected = stack.position(relative_bucket(distance, stack.bidirectional, 32, 128)).permute(2, 0, 1)[None]
    if side == "decoder":
        expected = expected.masked_fill(distance > 0, -torch.inf)
    assert torch.equal(stack.bias(m, n), expected)
    assert stack.bias(m, n).is_contiguous()
