"""Models that a disk, a person or a stranger changed, met by the commands: an exit code, one line, what to do."""

import json
import math
import os
import shutil

import pytest
from safetensors.torch import load_file, save_file

from reatt.weights.folder import ModelFolder, record

UNUSABLE = 14


@pytest.fixture
def kept(library):
    """The folder of the store's own model; asking it needs no `--model`."""
    [folder] = (library / "models").iterdir()
    return folder


@pytest.fixture(autouse=True)
def _the_stores_own(library, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")


def flip(file, at=-9):
    content = bytearray(file.read_bytes())
    content[at] ^= 64
    file.unlink()
    file.write_bytes(content)


@pytest.mark.parametrize(
    "call",
    [
        ["ask", "How long is leave?"],
        ["ask", "How long is leave?", "--cold"],
        ["search", "leave", "--retriever", "attention"],
        ["serve"],
        ["adapt", "--minutes", "1"],
        ["ingest", "new.txt"],
    ],
    ids=lambda call: call[0],
)
def test_no_command_uses_a_stores_model_that_is_not_what_it_was_made_with(reatt, home, kept, call):
    (home / "work" / "new.txt").write_text("The dome was painted in May.\n")
    flip(kept / "model.safetensors")
    done = reatt(*call)
    assert done.code == UNUSABLE
    assert "not those that the store was made with" in done.err
    assert "reatt check --repair" in done.err


def test_a_script_is_told_in_json(reatt, kept):
    flip(kept / "tokenizer.json", at=40)
    done = reatt("ask", "How long is leave?", "--json")
    assert (done.code, json.loads(done.err)["id"]) == (UNUSABLE, "MODEL_MISSING")


def test_a_check_finds_it_and_a_repair_restores_it(reatt, kept, home):
    """A sound model of the same hash lies in the registry."""
    registry = home / "home" / "data" / "reatt" / "models" / "tiny"
    shutil.copytree(kept, registry)
    record(ModelFolder(registry))
    flip(kept / "model.safetensors")
    assert reatt("check").code == 12
    assert reatt("check", "--repair").code == 0
    assert reatt("ask", "How long is leave?", "--ok-empty").code == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e38])
def test_a_strangers_model_with_no_numbers_is_refused(reatt, model, home, value):
    folder = shutil.copytree(model, home / "work" / "theirs")
    weights = load_file(folder / "model.safetensors")
    weights["encoder.block.1.layer.0.layer_norm.weight"][2] = value
    save_file(weights, folder / "model.safetensors")
    done = reatt("ingest", "leave.md", "--store", "new", "--model", "theirs")
    assert (done.code, "layer_norm.weight is not finite" in done.err) == (UNUSABLE, True)


@pytest.mark.parametrize(
    "change",
    [
        {"layer_norm_epsilon": "abc"},
        {"layer_norm_epsilon": -1},
        {"eos_token_id": 999999},
        {"relative_attention_max_distance": 0},
        {"reatt": {"languages": [[]]}},
        {"reatt": {"languages": 5}},
        {"d_model": 10**400},
    ],
    ids=str,
)
def test_a_strangers_config_that_cannot_be_is_refused(reatt, model, home, change):
    folder = shutil.copytree(model, home / "work" / "theirs")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    done = reatt("ingest", "leave.md", "--store", "new", "--model", "theirs")
    assert (done.code, done.err.count("\n") <= 3) == (UNUSABLE, True)
    assert reatt("models", "add", "theirs").code == UNUSABLE


def test_a_broken_model_does_not_hide_the_others(reatt, model, home):
    registry = home / "home" / "data" / "reatt" / "models"
    for name in ("broken", "whole", "piped"):
        shutil.copytree(model, registry / name)
    (registry / "broken" / "config.json").write_text('{"model_type": "t5", "d_model": 1e999}')
    (registry / "piped" / "model.safetensors").unlink()
    os.mkfifo(registry / "piped" / "model.safetensors")
    done = reatt("models", "list", "--json")
    told = json.loads(done.out)
    assert done.code == 0
    assert [each["name"] for each in told["models"]][-1] == "whole"
    assert len(told["warnings"]) == 2
