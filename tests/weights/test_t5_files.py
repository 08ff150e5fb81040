"""Weights on disk: every key that does not fit is named, shards are one model, and names can be turned back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reatt.model.stacks.halves import Head, learn_apart
from reatt.model.t5 import T5, T5Config
from reatt.model.t5_names import our_name, published_name, published_weights
from reatt.weights.t5_files import learnt_apart, load_t5
from reatt_store.errors import ModelError, ModelUnsafe

SHAPE = {"vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_heads": 2, "num_layers": 2}


def write(folder: Path, change=lambda weights: weights, **config) -> T5:
    torch.manual_seed(0)
    raw = {"model_type": "t5", **SHAPE, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, **config}
    model = T5(T5Config.from_json(raw))
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(raw))
    weights = {name: weight.detach().clone() for name, weight in published_weights(model).items()}
    save_file(change(weights), folder / "model.safetensors")
    return model


def without(name):
    return lambda weights: {key: weight for key, weight in weights.items() if key != name}


@pytest.mark.parametrize("projection", ["relu", "gated-gelu"])
@pytest.mark.parametrize("tied", [True, False])
def test_what_is_written_is_read_back(tmp_path, projection, tied):
    model = write(tmp_path, feed_forward_proj=projection, tie_word_embeddings=tied)
    loaded = load_t5(tmp_path).state_dict()
    assert loaded.keys() == model.state_dict().keys()
    assert all(torch.equal(loaded[name], weight) for name, weight in model.state_dict().items())


def test_projections_of_its_own_are_written_and_read_back(tmp_path):
    model = write(tmp_path)
    assert not learnt_apart(tmp_path)
    learn_apart(model, Head(1, 0)).q.weight.data.mul_(2)
    weights = {name: weight.detach().clone() for name, weight in published_weights(model).items()}
    save_file(weights, tmp_path / "model.safetensors")
    assert learnt_apart(tmp_path)
    loaded = load_t5(tmp_path).retrieval
    assert all(torch.equal(getattr(loaded, side).weight, getattr(model.retrieval, side).weight) for side in "qk")
    weights["retrieval.q.weight"] = weights["retrieval.q.weight"][:-1].clone()
    del weights["retrieval.k.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"1 missing: retrieval.k.weight; 1 of another shape .*: retrieval.q.weight"):
        load_t5(tmp_path)


@pytest.mark.parametrize("gated", [True, False])
def test_names_can_be_turned_back(gated):
    projection = "gated-gelu" if gated else "relu"
    names = list(T5(T5Config.from_json({**SHAPE, "feed_forward_proj": projection})).state_dict())
    assert [our_name(published_name(name, gated=gated)) for name in names] == names


def test_published_names_are_those_of_transformers():
    from transformers import T5Config as TheirConfig
    from transformers import T5ForConditionalGeneration

    theirs = T5ForConditionalGeneration(TheirConfig(**SHAPE, feed_forward_proj="gated-gelu")).state_dict()
    ours = published_weights(T5(T5Config.from_json({**SHAPE, "feed_forward_proj": "gated-gelu"})))
    assert ours.keys() == theirs.keys() - {
        "encoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
        "lm_head.weight",
    }


@pytest.mark.parametrize(
    "name", ["shared.weight", "decoder.final_layer_norm.weight", "encoder.block.1.layer.0.SelfAttention.k.weight"]
)
def test_a_missing_weight_is_named(tmp_path, name):
    write(tmp_path, without(name))
    with pytest.raises(ModelError, match=f"1 missing: {our_name(name)}"):
        load_t5(tmp_path)


def test_an_unknown_weight_is_named(tmp_path):
    write(tmp_path, lambda weights: {**weights, "encoder.head_weights": torch.ones(3)})
    with pytest.raises(ModelError, match=r"1 unknown: encoder\.head_weights"):
        load_t5(tmp_path)


def test_a_weight_of_another_shape_is_named(tmp_path):
    write(tmp_path, lambda weights: {**weights, "shared.weight": torch.ones(20, 7)})
    with pytest.raises(ModelError, match=r"1 of another shape than config\.json says: shared\.weight"):
        load_t5(tmp_path)


def test_position_tables_of_later_blocks_and_copies_of_the_embedding_are_passed_over(tmp_path):
    extra = {
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": torch.ones(32, 2),
        "encoder.embed_tokens.weight": torch.ones(20, 8),
    }
    model = write(tmp_path, lambda weights: weights | extra)
    assert torch.equal(load_t5(tmp_path).shared.weight, model.shared.weight)


def test_shards_load_as_one_file_does(tmp_path):
    write(tmp_path / "single")
    write(tmp_path / "sharded")
    weights = load_file(tmp_path / "sharded" / "model.safetensors")
    (tmp_path / "sharded" / "model.safetensors").unlink()
    table = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(weights)}
    for file in set(table.values()):
        save_file({name: weights[name] for name in table if table[name] == file}, tmp_path / "sharded" / file)
    (tmp_path / "sharded" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    single, sharded = (load_t5(tmp_path / name).state_dict() for name in ("single", "sharded"))
    assert all(torch.equal(sharded[name], weight) for name, weight in single.items())


@pytest.mark.parametrize("names", [{"a": "model-9.safetensors"}, {"a": "../single/model.safetensors"}, {}, None])
def test_an_index_cannot_name_what_is_not_in_its_folder(tmp_path, names):
    write(tmp_path / "single")
    write(tmp_path / "sharded")
    (tmp_path / "sharded" / "model.safetensors").unlink()
    (tmp_path / "sharded" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(ModelError, match="missing"):
        load_t5(tmp_path / "sharded")


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_a_file_cut_off_is_damaged(tmp_path, keep):
    write(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="damaged"):
        load_t5(tmp_path)


def test_a_pickle_is_refused_with_what_to_type(tmp_path):
    write(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelUnsafe) as caught:
        load_t5(tmp_path)
    assert caught.value.fix == f"convert them once: reatt models add {tmp_path}"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "cannot read"),
        ("[]", "no JSON object"),
        ('{"model_type": "bert"}', "'bert' model"),
        ('{"model_type": "t5"}', "num_layers"),
        (json.dumps({"model_type": "t5", **SHAPE, "num_heads": "2"}), "num_heads is '2'"),
        (json.dumps({"model_type": "t5", **SHAPE, "feed_forward_proj": "swish"}), "swish"),
    ],
)
def test_a_config_that_is_none_is_told(tmp_path, config, said):
    write(tmp_path)
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=said):
        load_t5(tmp_path)


def test_loading_does_not_import_torchs_compiler(tmp_path):
    """It takes longer than all the rest, on every start."""
    write(tmp_path)
    script = "import sys; from reatt.weights.t5_files import load_t5; from pathlib import Path\n"
    script += "load_t5(Path(sys.argv[1])); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
