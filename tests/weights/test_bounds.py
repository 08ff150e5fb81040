"""Every number of a stranger's model is bounded, and what its files say is compared, before memory is taken for it."""

import json
import os
import shutil
import struct
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from reatt.weights import bounds, headers, models
from reatt.weights.folder import ModelFolder
from reatt_store.errors import ModelError

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(model, tmp_path):
    return ModelFolder(shutil.copytree(model, tmp_path / "theirs"))


@pytest.fixture
def bert_folder(bert, tmp_path):
    return ModelFolder(shutil.copytree(bert, tmp_path / "bert"))


def refused(folder, said=".", method=models.load):
    with pytest.raises(ModelError, match=said) as caught:
        method(ModelFolder(folder.path), "cpu")
    assert len(caught.value.message) < 700
    return caught.value


def rewrite(folder, **entries):
    config = json.loads((folder.path / "config.json").read_text())
    (folder.path / "config.json").write_text(json.dumps({**config, **entries}))


@pytest.mark.parametrize(
    "entries",
    [
        {"layer_norm_epsilon": "abc"}, {"layer_norm_epsilon": -1}, {"layer_norm_epsilon": 0}, {"eos_token_id": 999999},
        {"eos_token_id": -1}, {"pad_token_id": None, "decoder_start_token_id": 100}, {"eos_token_id": [[]]},
        {"relative_attention_max_distance": 0}, {"relative_attention_num_buckets": 1}, {"dropout_rate": 1.5},
        {"relative_attention_num_buckets": 64, "relative_attention_max_distance": 20}, {"d_model": 10**400},
        {"d_model": 10**12}, {"d_model": 16.0}, {"d_model": True}, {"num_layers": 10**6}, {"num_heads": 0},
        {"vocab_size": 1 << 40}, {"tie_word_embeddings": "no"}, {"feed_forward_proj": 3},
        {"feed_forward_proj": "gated-"},
        {"retrieval_layer": True}, {"retrieval": [1], "retrieval_layer": 9},
    ],
    ids=str,
)  # fmt: skip
def test_a_number_out_of_bounds_is_refused(folder, entries):
    rewrite(folder, **entries)
    refused(folder)


@pytest.mark.parametrize(
    "ours",
    [
        5, [1], {"languages": [[]]}, {"languages": 5}, {"languages": "English"}, {"name": 5}, {"name": "n" * 5000},
        {"chunk_tokens": 10**9}, {"question_tokens": 0}, {"reads": -1}, {"prior": "1"}, {"prior": True},
        {"confidence": {"bias": "nan", "weights": {}, "threshold": 0.5}}, {"confidence": {"bias": 0}},
        {"confidence": 3},
        {"confidence": {"bias": 0, "weights": {"share": 1e300}, "threshold": 0.5}},
        {"confidence": {"bias": 0, "weights": {"other": 1}, "threshold": 0.5}},
    ],
    ids=str,
)  # fmt: skip
def test_our_own_additions_are_checked_too(folder, ours):
    rewrite(folder, reatt=ours)
    refused(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_what_is_no_number_is_none_in_a_config(folder, number):
    text = (folder.path / "config.json").read_text()
    (folder.path / "config.json").write_text(text.replace('"num_heads": 2', f'"num_heads": {number}'))
    refused(folder, "cannot read")


@pytest.mark.parametrize(
    "entries",
    [
        {"encoder": 5}, {"decoder": None}, {"hidden_size": 33}, {"retrieval": {"width": 1 << 40}}, 
        {"cls_token_id": 10**6},
        {"mask_token_id": -3}, {"pointer": {"candidates": 10**9}}, {"pointer": {"decoder_weight": -1}},
        {"retrieval": {"width": 12, "unit_keys": 3}}, {"intra": [5]}, {"retrieval": 7},
    ],
    ids=str,
)  # fmt: skip
def test_the_numbers_of_a_bert_are_bounded(bert_folder, entries):
    rewrite(bert_folder, **entries)
    refused(bert_folder)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"num_layers": 256, "d_model": 1 << 14, "d_ff": 1 << 17, "num_heads": 256, "d_kv": 1 << 12}, "weights"),
        ({"num_heads": 256, "reatt": {"chunk_tokens": 4096}}, "256 heads for texts of 4096"),
        ({"d_ff": 1 << 17, "reatt": {"question_tokens": 4096}}, "a width of 131072"),
        ({"num_heads": 16, "d_kv": 1 << 12, "reatt": {"chunk_tokens": 2048}}, "a width of 65536"),
    ],
)
def test_products_are_bounded_where_each_number_is_not_too_large(folder, entries, said):
    rewrite(folder, **entries)
    refused(folder, said)


def test_the_published_shapes_are_within_bounds():
    t5 = {"model_type": "t5", "vocab_size": 32128, "num_layers": 24, "relative_attention_num_buckets": 32}
    large = {**t5, "d_model": 1024, "d_kv": 64, "d_ff": 2816, "num_heads": 16}
    huge = {**t5, "d_model": 1024, "d_kv": 128, "d_ff": 65536, "num_heads": 128}  # T5-11b
    for config in (large, huge, {**large, "vocab_size": 250112}):
        bounds.check(config, "config.json")


def write_header(folder, change):
    """Rewrite the header of a file of weights and leave its bytes as they are."""
    content = (folder.path / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    said = json.dumps(change(header) or header).encode()
    (folder.path / WEIGHTS).write_bytes(struct.pack("<Q", len(said)) + said + content[8 + length :])


def entry(**changes):
    return lambda header: header["shared.weight"].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        entry(shape=[10**18, 10**18]), entry(shape=[-1, 16]), entry(shape="100"), entry(shape=[100.0, 16]),
        entry(shape=[1] * 50), entry(dtype="F32X"), entry(dtype=["F32"]), entry(dtype="F64"), entry(data_offsets=[0]),
        entry(data_offsets=[-4, 6396]), entry(data_offsets=[1, 6401]), entry(data_offsets=None),
        lambda header: header.update({"shared.weight": 5}), lambda header: [header], lambda header: header.clear(),
        lambda header: header.pop("shared.weight") and None,
    ],
)  # fmt: skip
def test_a_header_that_does_not_fill_its_file_is_damaged(folder, change):
    write_header(folder, change)
    refused(folder, "damaged")


@pytest.mark.parametrize("length", [0, 7, (1 << 63) + 1, 1 << 40, headers.LONGEST + 1])
def test_the_length_of_a_header_is_bounded(folder, length):
    content = (folder.path / WEIGHTS).read_bytes()
    (folder.path / WEIGHTS).write_bytes(struct.pack("<Q", length) + content[8:])
    refused(folder, "damaged")


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.bool, torch.int64])
def test_a_weight_of_a_type_that_is_no_weight_is_named(folder, kind):
    weights = load_file(folder.path / WEIGHTS)
    save_file({**weights, "shared.weight": weights["shared.weight"].to(kind)}, folder.path / WEIGHTS)
    refused(folder, "of a type that is not read, .*shared.weight")


def test_shapes_are_compared_before_a_weight_is_read(folder, monkeypatch):
    weights = load_file(folder.path / WEIGHTS)
    save_file({**weights, "shared.weight": torch.zeros(99, 16)}, folder.path / WEIGHTS)
    monkeypatch.setattr("reatt.weights.t5_files.safe_open", None)
    refused(folder, "1 of another shape than config.json says: shared.weight")


def test_a_file_of_holes_is_not_read(folder):
    os.truncate(folder.path / WEIGHTS, 1 << 40)
    refused(folder, "nearly all holes")


def test_words_of_eight_bits_are_compared_before_they_are_widened(write_bert, tmp_path):
    folder = ModelFolder(write_bert(tmp_path / "bert", eight_bits=True))
    words = load_file(folder.path / "embeddings.safetensors")
    for wrong in (
        {**words, "word_embeddings.weight": words["word_embeddings.weight"][1:].clone()},
        {**words, "word_embeddings.weight": words["word_embeddings.weight"].float()},
        {**words, "word_embeddings.scale": words["word_embeddings.scale"].to(torch.int32)},
        {"word_embeddings.scale": words["word_embeddings.scale"]},
    ):
        save_file(wrong, folder.path / "embeddings.safetensors")
        refused(folder, "embeddings")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", WEIGHTS])
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(folder, name):
    (folder.path / name).unlink()
    os.mkfifo(folder.path / name)
    started = time.monotonic()
    refused(folder)
    assert time.monotonic() - started < 60  # it would be for ever


def test_links_are_followed_as_in_the_cache_of_the_hub(folder, tmp_path):
    (tmp_path / "blobs").mkdir()
    for name in ("config.json", "tokenizer.json", WEIGHTS):
        (folder.path / name).rename(tmp_path / "blobs" / name)
        (folder.path / name).symlink_to(tmp_path / "blobs" / name)
    assert models.load(ModelFolder(folder.path), "cpu").head.layer == 1


def test_a_string_that_never_ends_is_refused_at_once(folder):
    (folder.path / "config.json").write_text('{"a": "' + '\\"' * 1_000_000)
    refused(folder, "cannot read")


@pytest.mark.parametrize("text", ["{", "{}", "[]", "null", '{"model": {"type": "BPE"}}', "\0" * 100])
def test_a_tokenizer_that_is_none_is_refused(folder, text):
    (folder.path / "tokenizer.json").write_text(text)
    refused(folder, "cannot read")


def test_a_tokenizer_that_fails_at_a_text_is_the_models_fault(bert_folder):
    raw = json.loads((bert_folder.path / "tokenizer.json").read_text())
    raw["model"]["unk_token"] = "[NONE]"
    (bert_folder.path / "tokenizer.json").write_text(json.dumps(raw))
    model = models.load(ModelFolder(bert_folder.path), "cpu")
    with pytest.raises(ModelError, match=r"cannot read .*tokenizer\.json"):
        model.encode_question("Ⴀ\U00013000")


def test_the_tokens_that_intra_learnt_are_compared_before_they_are_read(folder):
    width, heads = 16, (2, 2)
    for vectors, weights in [
        (torch.zeros(3, width + 1), torch.ones(heads)),
        (torch.zeros(0, width), torch.ones(heads)),
        (torch.zeros(3, width, dtype=torch.int32), torch.ones(heads)),
        (torch.zeros(3, width), torch.ones(2, 3)),
        (torch.full((3, width), torch.nan), torch.ones(heads)),
    ]:
        save_file({"vectors": vectors, "weights": weights}, folder.path / "intra.safetensors")
        refused(folder, "intra.safetensors", models.load_intra)
