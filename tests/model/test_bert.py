"""The BERT stack is transformers' `BertModel`, its halves put together are joint encoding, its files are named."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from reatt.model.backbone import ChunkText
from reatt.model.stacks.halves import Padded, lower_half, pack, pad, places, upper_half
from reatt.model.stacks.names import published
from reatt.weights import models
from reatt.weights.bert_files import load_bert
from reatt.weights.folder import ModelFolder
from reatt.weights.needs import needs
from reatt.weights.stacks import load_stack
from reatt_store.errors import ModelError
from tests.bert_made import DECODER, RETRIEVAL, SHAPE

QUESTION = "How long is leave?"
EVIDENCE = [
    ChunkText("Leave", "Parental leave in Norway is 49 weeks at full pay, or 59 weeks at 80 per cent."),
    ChunkText("", "Travel is approved."),
    ChunkText("Travel", "Ask the head of department; she answers within a week."),
]


@pytest.fixture(scope="module")
def twins(bert, bert_reatt):
    """Load one folder as our model, and its encoder as transformers'."""
    config = json.loads((bert / "config.json").read_text())
    shape = {**config["encoder"], "hidden_size": config["hidden_size"], "vocab_size": config["vocab_size"]}
    theirs = BertModel(BertConfig(**shape, hidden_act="gelu"), add_pooling_layer=False).eval()
    weights = load_file(bert / "model.safetensors")
    own = {name.removeprefix("bert."): weight for name, weight in weights.items() if name.startswith("bert.")}
    theirs.load_state_dict(own)
    return bert_reatt, theirs.requires_grad_(False)


def embedded(theirs, ids, kind):
    """Embed a text alone, from position 0."""
    return theirs.embeddings(input_ids=torch.tensor([ids]), token_type_ids=torch.full((1, len(ids)), kind))


def dense_states(theirs, question, chunk, layer, stop):
    """Encode a pair by transformers' blocks: below `layer` neither part sees the other, from there on all do."""
    states = torch.cat((embedded(theirs, question, 0), embedded(theirs, chunk, 1)), 1)
    part = torch.arange(states.shape[1]) < len(question)
    apart = torch.zeros(len(part), len(part)).masked_fill(part[:, None] != part, torch.finfo(torch.float32).min)
    for number, block in enumerate(theirs.encoder.layer[:stop]):
        found = block(states, attention_mask=apart[None, None] * (number < layer))
        states = found if isinstance(found, torch.Tensor) else found[0]
    return states[0]


def test_every_block_gives_what_transformers_gives(twins):
    ours, theirs = twins
    texts = [tokens.ids for tokens in [ours.tokenizer.question(QUESTION), *ours.tokenizer.chunks(EVIDENCE)]]
    padded = pad(texts, ours.device)
    kinds = torch.tensor([0, 1, 1, 1])[:, None].expand_as(padded.values)
    inputs = {"input_ids": padded.values, "attention_mask": padded.keep.long(), "token_type_ids": kinds}
    told = theirs(**inputs, output_hidden_states=True).hidden_states
    with torch.inference_mode():
        states, mask = ours.t5.embed(padded.values), ours.t5.encoder_bias(padded.keep)
        for number, expected in enumerate(told):
            torch.testing.assert_close(states[padded.keep], expected[padded.keep], atol=1e-4, rtol=0)
            if number < len(told) - 1:
                states = ours.t5.encode_range(states, mask, slice(number, number + 1))
    assert (told[-1] - told[-2]).abs().max() > 0.1


def test_halves_put_together_equal_the_joint_encoding_under_the_block_mask(twins):
    ours, theirs = twins
    asked, chunk = ours.tokenizer.question(QUESTION).ids, ours.tokenizer.chunks(EVIDENCE)[0].ids
    lower = lower_half(ours.t5, ours.head.layer, pad([asked, chunk], ours.device))
    first, second = places(lower)
    joined = pack(lower.values.flatten(0, 1), [first + second])
    expected = dense_states(theirs, asked, chunk, ours.head.layer, None)
    torch.testing.assert_close(upper_half(ours.t5, ours.head.layer, joined)[0], expected, atol=1e-5, rtol=0)
    alone = ours.t5.encode(torch.tensor([chunk]), torch.ones(1, len(chunk), dtype=torch.bool))[0]
    assert (expected[len(asked) :] - alone).abs().max() > 0.01  # a pair sees the question


def test_stored_keys_are_cosines_of_the_states_that_enter_the_joint_blocks(twins):
    ours, theirs = twins
    asked, chunk = ours.tokenizer.question(QUESTION).ids, ours.tokenizer.chunks(EVIDENCE)[0].ids
    states = dense_states(theirs, asked, chunk, ours.head.layer, ours.head.layer)
    own = ours.t5.retrieval
    queries, keys = states[: len(asked)] @ own.q.weight.T, states[len(asked) :] @ own.k.weight.T
    expected = 8.0 * F.cosine_similarity(queries[:, None], keys[None], dim=-1)
    found = ours.encode_question(QUESTION).vectors @ ours.encode_chunks(EVIDENCE)[0].keys.T
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert ours.key_width == RETRIEVAL["width"]


def of_depth(bert, folder, layer, depth):
    """Load the same weights with another B and R; no R where `depth` is None."""

    def change(config):
        said = {} if depth is None else {"depth": depth}
        config.update(retrieval_layer=layer, retrieval={**config["retrieval"], **said})

    return models.load(rewritten(bert, folder, change), "cpu", keeps_states=True)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_with_depth_keys_and_queries_are_those_of_a_text_alone_through_so_many_blocks(twins, bert, tmp_path, depth):
    _, theirs = twins
    deep, flat = (of_depth(bert, tmp_path / name, 1, given) for name, given in (("deep", depth), ("flat", None)))
    asked, chunks = deep.tokenizer.question(QUESTION).ids, deep.tokenizer.chunks(EVIDENCE)
    for chunk, code, plain in zip(chunks, deep.encode_chunks(EVIDENCE), flat.encode_chunks(EVIDENCE), strict=True):
        states, own = dense_states(theirs, asked, chunk.ids, 3, depth), deep.t5.retrieval
        keys, queries = F.linear(states[len(asked) :], own.k.weight), F.linear(states[: len(asked)], own.q.weight)
        torch.testing.assert_close(code.keys, F.normalize(keys, dim=1), atol=1e-5, rtol=0)
        expected = 8.0 * F.normalize(queries, dim=1)
        torch.testing.assert_close(deep.encode_question(QUESTION).vectors, expected, atol=1e-4, rtol=0)
        assert torch.equal(code.memory, plain.memory)  # from which reading starts
        assert torch.equal(code.keys, plain.keys) == (depth == 1)
    read = zip(deep.read(QUESTION, EVIDENCE).cache.memory, flat.read(QUESTION, EVIDENCE).cache.memory, strict=True)
    assert all(torch.equal(one, other) for pairs in read for one, other in zip(*pairs, strict=True))
    assert (deep.fingerprint() == flat.fingerprint()) == (depth == 1)


def test_with_depth_the_fingerprint_covers_all_blocks_below_it_and_where_kept_states_lie(bert, tmp_path):
    deep, other = of_depth(bert, tmp_path / "deep", 1, 3), of_depth(bert, tmp_path / "other", 2, 3)
    before = deep.fingerprint()
    assert other.fingerprint() != before
    deep.t5.encoder.layers()[2].wo.bias.data.add_(1)
    assert deep.fingerprint() != before


@pytest.mark.parametrize("depth", [1, 4, 2.5, "3"])
def test_a_depth_below_the_joint_blocks_or_above_the_last_is_refused(bert, tmp_path, depth):
    with pytest.raises(ModelError, match=r"depth is .*; expected a number from 2 to 3"):
        of_depth(bert, tmp_path / "other", 2, depth)


def test_reading_is_the_dense_encoding_of_every_pair(twins):
    ours, theirs = twins
    asked, chunks = ours.tokenizer.question(QUESTION).ids, ours.tokenizer.chunks(EVIDENCE)
    memory = torch.cat([dense_states(theirs, asked, chunk.ids, ours.head.layer, None) for chunk in chunks])
    reading = ours.read(QUESTION, EVIDENCE)
    for found, expected in zip(reading.cache.memory, ours.t5.remember(memory[None]).memory, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(reading.marks, ours.t5.pointer.weight.data @ memory.T, atol=1e-4, rtol=0)
    assert reading.owner.bincount().tolist() == [len(asked) + len(chunk.ids) for chunk in chunks]


def test_decoding_with_a_cache_is_decoding_anew(bert_reatt):
    t5, ids = bert_reatt.t5, torch.tensor([[2, 9, 14, 30, 7, 51]])
    reading = bert_reatt.read(QUESTION, EVIDENCE)
    whole = t5.decode(ids, bert_reatt.read(QUESTION, EVIDENCE).cache)
    steps = [t5.decode(ids[:, at : at + 1], reading.cache) for at in range(ids.shape[1])]
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=0)


def test_padding_and_company_change_no_key_and_the_order_of_the_evidence_no_share(bert_reatt):
    together = bert_reatt.encode_chunks(EVIDENCE)
    for passage, code in zip(EVIDENCE, together, strict=True):
        torch.testing.assert_close(code.keys, bert_reatt.encode_chunks([passage])[0].keys, atol=1e-5, rtol=0)
    order = [2, 0, 1]
    one, other = (
        bert_reatt.shares(bert_reatt.read(QUESTION, each)) for each in (EVIDENCE, [EVIDENCE[i] for i in order])
    )
    torch.testing.assert_close(other, one[order], atol=1e-5, rtol=0)


def test_a_chunk_and_a_question_of_the_same_words_are_told_apart(bert_reatt):
    as_question = bert_reatt.tokenizer.question("leave").ids
    as_chunk = bert_reatt.tokenizer.chunks([ChunkText("", "leave")])[0].ids
    assert sorted(as_chunk) == sorted((*as_question, bert_reatt.tokenizer.closing))
    rows = pad([as_question, as_chunk], bert_reatt.device)
    states = bert_reatt.t5.embed(rows.values)
    assert (states[0, 0] - states[1, 0]).abs().max() > 0.01


@pytest.mark.parametrize("form", [{}, {"unit_keys": True}, {"unit_queries": True}, RETRIEVAL])
def test_each_side_has_the_length_that_the_config_says(write_bert, tmp_path, form):
    folder = write_bert(tmp_path / "made", retrieval={"width": 12, **{k: v for k, v in form.items() if k != "width"}})
    model = models.load(ModelFolder(folder), "cpu")
    keys, queries = (
        model.encode_chunks(EVIDENCE)[0].keys.norm(dim=1),
        model.encode_question(QUESTION).vectors.norm(dim=1),
    )
    assert torch.allclose(keys, torch.ones(()), atol=1e-5) == form.get("unit_keys", False)
    assert torch.allclose(queries, torch.tensor(8.0), atol=1e-4) == form.get("unit_queries", False)
    assert ("retrieval.scale" in load_file(folder / "model.safetensors")) == form.get("unit_queries", False)


def rewritten(folder, target, change):
    """Copy a model with another config."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    change(config)
    (target / "config.json").write_text(json.dumps(config))
    return ModelFolder(target)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["encoder"].update(layer_norm_eps=1e-3),
        lambda config: config.update(retrieval_layer=1),
        lambda config: config["retrieval"].update(unit_keys=False),
        lambda config: config.update(cls_token_id=7),
        lambda config: config.update(sep_token_id=7),
        lambda config: config["reatt"].update(chunk_tokens=100),
    ],
)
def test_the_fingerprint_follows_the_form_of_keys(bert, bert_reatt, tmp_path, change):
    assert models.load(rewritten(bert, tmp_path / "other", change), "cpu").fingerprint() != bert_reatt.fingerprint()


def test_the_fingerprint_passes_over_the_reader(bert, bert_reatt, tmp_path):
    other = rewritten(
        bert, tmp_path / "other", lambda config: config.update(pointer={"pair_width": 3, "candidates": 2})
    )
    assert models.load(other, "cpu").fingerprint() == bert_reatt.fingerprint()
    weights = load_file(bert / "model.safetensors")
    for name in ("pointer.weight", "bert.encoder.layer.2.output.dense.weight", "retrieval.q.weight"):
        save_file({**weights, name: weights[name] + 1}, other.path / "model.safetensors")
        assert models.load(other, "cpu").fingerprint() == bert_reatt.fingerprint(), name
    for name in ("bert.encoder.layer.1.output.dense.bias", "bert.embeddings.LayerNorm.weight", "retrieval.k.weight"):
        save_file({**weights, name: weights[name] + 1}, other.path / "model.safetensors")
        assert models.load(other, "cpu").fingerprint() != bert_reatt.fingerprint(), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_what_is_written_is_read_back_under_the_published_names(bert, tmp_path, dtype):
    shutil.copytree(bert, tmp_path / "copy")
    weights = {name: weight.to(dtype) for name, weight in load_file(bert / "model.safetensors").items()}
    save_file(weights, tmp_path / "copy" / "model.safetensors")
    again = published(load_stack(tmp_path / "copy"))
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], weight.float()) for name, weight in weights.items())


def test_what_is_computed_is_what_is_loaded(bert):
    model = load_bert(bert)
    weights = [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.numel() > 1)]
    assert needs(ModelFolder(bert).config).weights == sum(weight.numel() for weight in weights)


def test_the_poolers_weights_are_passed_over(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "copy")
    extra = {"bert.pooler.dense.weight": torch.ones(32, 32), "bert.embeddings.position_ids": torch.arange(192)}
    save_file({**load_file(bert / "model.safetensors"), **extra}, tmp_path / "copy" / "model.safetensors")
    assert published(load_bert(tmp_path / "copy")).keys() == load_file(bert / "model.safetensors").keys()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("bert.encoder.layer.1.attention.self.key.bias", None, "1 missing: encoder.blocks.1.attention.k.bias"),
        ("retrieval.scale", None, "1 missing: retrieval.scale"),
        ("pointer.weight", None, "1 missing: pointer.weight"),
        ("bert.embeddings.word_embeddings.weight", None, "1 missing: shared.weight"),
        ("bert.encoder.layer.9.output.dense.bias", torch.ones(32), "1 unknown: encoder.blocks.9.wo.bias"),
        ("lm_head.weight", torch.ones(3, 32), "1 unknown: lm_head.weight"),
        ("retrieval.k.weight", torch.ones(5, 32), "1 of another shape than config.json says: retrieval.k.weight"),
        ("pointer.weight", torch.ones(3, 32), "1 of another shape than config.json says: pointer.weight"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(bert, tmp_path, name, change, said):
    shutil.copytree(bert, tmp_path / "copy")
    weights = {key: weight for key, weight in load_file(bert / "model.safetensors").items() if key != name}
    save_file(weights if change is None else {**weights, name: change}, tmp_path / "copy" / "model.safetensors")
    with pytest.raises(ModelError, match=said.replace(".", r"\.")):
        load_bert(tmp_path / "copy")


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 1 << 40}, {"vocab_size": 0}, {"hidden_size": 1 << 30}, {"encoder": None}, {"encoder": 3},
        {"encoder": {**SHAPE, "num_hidden_layers": 10**9}}, {"encoder": {**SHAPE, "num_attention_heads": 5}},
        {"encoder": {**SHAPE, "hidden_act": "relu"}}, {"decoder": {**DECODER, "d_ff": -1}},
        {"decoder": {**DECODER, "num_layers": True}}, {"decoder": {**DECODER, "feed_forward_proj": "none"}},
        {"eos_token_id": 10**6}, {"sep_token_id": "x"}, {"retrieval": {"width": 0}},
        {"retrieval": {"width": 12, "unit_keys": "yes"}}, {"dropout_rate": 2},
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_is_refused_in_a_line_before_anything_is_built(bert, tmp_path, change):
    folder = rewritten(bert, tmp_path / "other", lambda config: config.update(change)).path
    with pytest.raises(ModelError, match=r"config\.json.*: .{3}") as refused:
        load_bert(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["question_tokens", "chunk_tokens"])
def test_a_text_may_be_no_longer_than_there_are_positions(bert, tmp_path, key):
    folder = rewritten(bert, tmp_path / "other", lambda config: config["reatt"].update({key: 193}))
    with pytest.raises(ModelError, match=f"{key} is 193; expected a number from 8 to 192"):
        models.load(folder, "cpu")


def test_embeddings_of_eight_bits_lie_apart_and_are_near(bert, write_bert, tmp_path):
    folder = write_bert(tmp_path / "apart", eight_bits=True)
    whole, apart = load_bert(bert), load_bert(folder)
    assert not any("word_embeddings" in name for name in load_file(folder / "model.safetensors"))
    steps = whole.shared.weight.abs().amax(1, keepdim=True) / 127
    assert ((apart.shared.weight - whole.shared.weight).abs() <= steps * 0.51).all()
    assert apart.fixed == (apart.shared,)
    assert published(apart).keys() == load_file(folder / "model.safetensors").keys()
    assert ModelFolder(folder).files[-1].name == "embeddings.safetensors"
    before = ModelFolder(folder).sha256
    found = load_file(folder / "embeddings.safetensors")
    save_file({**found, "word_embeddings.scale": found["word_embeddings.scale"] * 2}, folder / "embeddings.safetensors")
    assert ModelFolder(folder).sha256 != before
    save_file({**load_file(bert / "model.safetensors")}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"1 unknown: shared\.weight"):
        load_bert(folder)


def test_a_model_without_projections_finds_by_a_head_that_can_be_chosen(write_bert, tmp_path):
    folder = ModelFolder(write_bert(tmp_path / "plain", retrieval=None, retrieval_head=1))
    model = models.load(folder, "cpu")
    assert model.key_width == 8
    block = model.t5.encoder.layers()[2]
    lower = lower_half(model.t5, 2, pad([model.tokenizer.question(QUESTION).ids], model.device))
    expected = lower.values[0] @ block.attention.q.weight[8:16].T
    torch.testing.assert_close(model.encode_question(QUESTION).vectors, expected, atol=1e-5, rtol=0)
    assert isinstance(lower, Padded)
