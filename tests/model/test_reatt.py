"""ReAtt's two halves are one dense model under the block mask of the paper, and its reader is transformers' T5."""

import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from reatt.model.backbone import ChunkText
from reatt.model.stacks.halves import Padded, lower_half, pack, pad, places, target_attention, upper_half
from reatt.places import registry
from reatt.weights import models
from reatt.weights.foreign import adding

QUESTION = "How long is leave?"
EVIDENCE = [
    ChunkText("Leave", "Parental leave in Norway is 49 weeks at full pay, or 59 weeks at 80 per cent."),
    ChunkText("", "Travel is approved."),
    ChunkText("Travel", "Ask the head of department; she answers within a week."),
]


@pytest.fixture(scope="module")
def twins(tmp_path_factory, released):
    """Load one folder as our model and as transformers'."""
    folder = tmp_path_factory.mktemp("models")
    ours = models.load(adding.add(str(released(folder / "tiny")), folder, lambda _: None, "ours").folder, "cpu")
    theirs = T5ForConditionalGeneration.from_pretrained(folder / "ours", attn_implementation="eager").eval()
    return ours, theirs.requires_grad_(False)


def dense_states(theirs, ids, asked, layer, stop):
    """Encode a joint input by transformers' blocks: below `layer` neither part sees the other, from there on all do."""
    t5, size = theirs.encoder, len(ids)
    bias = t5.block[0].layer[0].SelfAttention.compute_bias(size, size)  # (1, h, n, n)
    part = torch.arange(size) < asked
    apart = torch.zeros(size, size).masked_fill(part[:, None] != part[None, :], torch.finfo(torch.float32).min)
    states = t5.embed_tokens(torch.tensor(ids))[None]
    for number, block in enumerate(t5.block[:stop]):
        states = block(states, attention_mask=None, position_bias=bias + apart * (number < layer))[0]
    return states  # (1, n, D)


def dense_memory(ours, theirs, evidence=EVIDENCE):
    """All evidence as transformers' decoder sees it: each pair encoded densely, one after another."""
    asked = ours.tokenizer.question(QUESTION).ids[:-1]
    pairs = [asked + chunk.ids for chunk in ours.tokenizer.chunks(evidence)]
    states = [dense_states(theirs, ids, len(asked), ours.head.layer, None)[0] for ids in pairs]
    return theirs.encoder.final_layer_norm(torch.cat(states)), [len(ids) for ids in pairs]  # (t, D)


def test_halves_put_together_equal_the_joint_encoding_under_the_block_mask(twins):
    ours, theirs = twins
    asked, chunk = ours.tokenizer.question(QUESTION).ids[:-1], ours.tokenizer.chunks(EVIDENCE)[0].ids
    lower = lower_half(ours.t5, ours.head.layer, pad([asked, chunk], ours.device))
    first, second = places(lower)
    joined = pack(lower.values.flatten(0, 1), [first + second])
    expected = dense_states(theirs, asked + chunk, len(asked), ours.head.layer, None)
    found = upper_half(ours.t5, ours.head.layer, joined)
    torch.testing.assert_close(found, theirs.encoder.final_layer_norm(expected), atol=1e-5, rtol=0)


def test_the_joint_encoding_sees_the_question(twins):
    ours, theirs = twins
    asked, chunk = ours.tokenizer.question(QUESTION).ids[:-1], ours.tokenizer.chunks(EVIDENCE)[0].ids
    joint = dense_states(theirs, asked + chunk, len(asked), ours.head.layer, None)[0, len(asked) :]
    alone = dense_states(theirs, chunk, 0, ours.head.layer, None)[0]
    assert (joint - alone).abs().max() > 0.1


def test_stored_keys_score_as_the_live_attention_does(twins):
    ours, theirs = twins
    asked, chunk = ours.tokenizer.question(QUESTION).ids, ours.tokenizer.chunks(EVIDENCE)[0].ids
    states = dense_states(theirs, asked + chunk, len(asked), ours.head.layer, ours.head.layer)
    layer = theirs.encoder.block[ours.head.layer].layer[0]
    normed, shape = layer.layer_norm(states)[0], (len(asked + chunk), 4, 8)
    live_queries = layer.SelfAttention.q(normed).view(shape)[: len(asked), ours.head.number]
    live_keys = layer.SelfAttention.k(normed).view(shape)[len(asked) :, ours.head.number]
    stored = ours.encode_chunks(EVIDENCE)[0].keys
    found = ours.encode_question(QUESTION).vectors @ stored.T  # (m, n)
    torch.testing.assert_close(found, live_queries @ live_keys.T, atol=1e-5, rtol=0)


def test_reading_equals_transformers_over_the_dense_memory(twins):
    ours, theirs = twins
    memory, _ = dense_memory(ours, theirs)
    answer = torch.tensor([[0, 7, 21, 40, 9, 55, 3, 12]])
    expected = theirs(encoder_outputs=BaseModelOutput(memory[None]), decoder_input_ids=answer).logits
    cache = ours.read(QUESTION, EVIDENCE).cache
    found = [ours.t5.logits(ours.t5.decode(answer[:, i : i + 1], cache)) for i in range(answer.shape[1])]
    torch.testing.assert_close(torch.cat(found, 1), expected, atol=1e-4, rtol=0)


def test_the_greedy_answer_is_transformers(twins):
    ours, theirs = twins
    memory, _ = dense_memory(ours, theirs)
    expected = theirs.generate(
        encoder_outputs=BaseModelOutput(memory[None]), max_new_tokens=12, do_sample=False, eos_token_id=-1
    )
    cache, ids = ours.read(QUESTION, EVIDENCE).cache, [0]
    for _ in range(12):
        ids.append(int(ours.t5.logits(ours.t5.decode(torch.tensor([ids[-1:]]), cache)).argmax()))
    assert ids == expected[0].tolist()
    assert len(set(ids)) > 2


def test_a_released_checkpoint_is_added_ingests_and_answers_as_transformers_does(reatt, home, released):
    released(home / "source" / "tiny")
    assert reatt("models", "add", home / "source" / "tiny").code == 0
    (home / "work" / "leave.md").write_text("\n\n".join(f"# {each.title}\n\n{each.text}" for each in EVIDENCE))
    assert reatt("ingest", "leave.md", "--model", "tiny").code == 0
    told = json.loads(reatt("ask", QUESTION, "--json", "--free", "--abstain", "never", "--max-tokens", "12").out)
    folder = models.find("tiny", registry(), None)
    ours, theirs = models.load(folder, "cpu"), T5ForConditionalGeneration.from_pretrained(folder.path).eval()
    memory, _ = dense_memory(ours, theirs, [ChunkText(each["title"], each["text"]) for each in told["evidence"]])
    with torch.no_grad():
        limits = {"max_new_tokens": 12, "min_new_tokens": 1, "suppress_tokens": [0], "do_sample": False}
        expected = theirs.generate(encoder_outputs=BaseModelOutput(memory[None]), **limits)[0, 1:].tolist()
    assert told["answer"] == ours.tokenizer.decode([id for id in expected if id != 1])


def test_shares_are_the_eager_cross_attention_summed_over_each_chunk(twins):
    ours, theirs = twins
    memory, lengths = dense_memory(ours, theirs)
    start = torch.zeros(1, 1, dtype=torch.long)
    out = theirs(encoder_outputs=BaseModelOutput(memory[None]), decoder_input_ids=start, output_attentions=True)
    per_token = out.cross_attentions[-1][0, :, 0].mean(0)  # (t,)
    expected = torch.stack([part.sum() for part in per_token.split(lengths)])
    found = ours.shares(ours.read(QUESTION, EVIDENCE))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)


def test_chunks_encoded_together_have_the_keys_they_have_alone(twins):
    ours, _ = twins
    together = ours.encode_chunks(EVIDENCE)
    for passage, code in zip(EVIDENCE, together, strict=True):
        torch.testing.assert_close(code.keys, ours.encode_chunks([passage])[0].keys, atol=1e-5, rtol=0)


def test_the_order_of_the_evidence_changes_no_share_and_no_logit(twins):
    ours, _ = twins
    order = [2, 0, 1]
    first, second = ours.read(QUESTION, EVIDENCE), ours.read(QUESTION, [EVIDENCE[i] for i in order])
    torch.testing.assert_close(ours.shares(second), ours.shares(first)[order], atol=1e-5, rtol=0)
    start = torch.zeros(1, 1, dtype=torch.long)
    logits = [ours.t5.logits(ours.t5.decode(start, reading.cache)) for reading in (first, second)]
    torch.testing.assert_close(logits[0], logits[1], atol=1e-4, rtol=0)


def test_every_key_has_its_place_in_the_text_and_the_weights_are_a_mean(twins):
    ours, _ = twins
    spans, keys = ours.key_spans(EVIDENCE[0]), ours.encode_chunks(EVIDENCE[:1])[0].keys
    assert len(spans) == len(keys)
    text = "".join(EVIDENCE[0].text[start:end] for start, end in spans)
    assert text == EVIDENCE[0].text.replace(" ", "")
    asked = ours.encode_question(QUESTION)
    assert float(asked.weights.sum()) == pytest.approx(1)
    assert len(asked.weights) == len(asked.spans) == len(asked.vectors)


def changed(ours, name):
    """Say whether the fingerprint changes with one weight; the weight is put back."""
    weight, before = dict(ours.t5.named_parameters())[name], ours.fingerprint()
    kept = weight[0].clone()
    weight[0] += 1
    after = ours.fingerprint()
    weight[0] = kept
    assert ours.fingerprint() == before
    return after != before


@pytest.mark.parametrize(
    "name", ["shared.weight", "encoder.blocks.1.feed_forward.wo.weight", "encoder.position.weight"]
)
def test_the_fingerprint_follows_what_keys_depend_on(twins, name):
    assert changed(twins[0], name)


@pytest.mark.parametrize("name", ["lm_head.weight", "encoder.blocks.2.attention.k.weight", "decoder.final_norm.weight"])
def test_the_fingerprint_passes_over_the_reader_and_other_heads(twins, name):
    assert not changed(twins[0], name)  # row 0 of a key projection belongs to head 0, the retrieval head is 3


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_places_and_pack_give_back_what_was_padded(lengths, seed):
    ids = [[100 * i + j for j in range(n)] for i, n in enumerate(lengths)]
    padded = pad(ids, torch.device("cpu"))
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(seed)).tolist()
    rows = places(padded, offset=1)
    pool = torch.cat((torch.tensor([[-1.0]]), padded.values.flatten()[:, None].float()))  # (N, 1)
    packed = pack(pool, [rows[i] + rows[0] for i in order])
    found = [row[keep].flatten().int().tolist() for row, keep in zip(packed.values, packed.keep, strict=True)]
    assert found == [ids[i] + ids[0] for i in order]


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_places_number_the_kept_rows_in_order(lengths):
    keep = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    kept = keep.flatten().nonzero().flatten().tolist()
    assert [number for row in places(Padded(keep, keep)) for number in row] == kept


@given(owners=st.lists(st.integers(0, 3), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_target_attention_sums_to_one_and_to_its_tokens(owners, seed):
    scores = torch.randn(4, len(owners), generator=torch.Generator().manual_seed(seed)) * 9
    shares = target_attention(scores, torch.tensor(owners), 4)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert all((float(share) > 0) == (chunk in owners) for chunk, share in enumerate(shares))


@pytest.mark.parametrize("change", [{"layer_norm_epsilon": 1e-5}, {"relative_attention_max_distance": 64}])
def test_a_fingerprint_covers_the_form_that_the_config_gives_the_weights(tiny, tiny_reatt, tmp_path, change):
    shutil.copytree(tiny.path, tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text(json.dumps({**tiny.config, **change}))
    other = models.load(models.ModelFolder(tmp_path / "other"), "cpu")
    assert other.fingerprint() != tiny_reatt.fingerprint() == models.load(tiny, "cpu").fingerprint()
