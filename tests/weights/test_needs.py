"""What a model needs, by its config alone, is what its weights then take; what does not fit is told beforehand."""

import json
import re
from pathlib import Path

import pytest

from reatt.weights import memory, models
from reatt.weights.folder import ModelFolder
from reatt.weights.foreign import adding
from reatt.weights.needs import Needs, needs
from reatt.weights.stacks import load_stack
from reatt.weights.t5gemma_files import load_t5gemma
from reatt_store.errors import OutOfMemory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "t5gemma.md"
EYES = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "image_size": 896, "patch_size": 14}
PUBLISHED = {  # layers, width, inner width, query heads, key heads
    "270m-270m": (18, 640, 2048, 4, 1),
    "1b-1b": (26, 1152, 6912, 4, 1),
    "4b-4b": (34, 2560, 10240, 8, 4),
}


def published(name):
    """Give the config of a published T5Gemma2, as far as its size depends on it."""
    layers, width, inner, heads, shared = PUBLISHED[name]
    side = {"num_hidden_layers": layers, "hidden_size": width, "intermediate_size": inner, "head_dim": 256}
    side |= {"num_attention_heads": heads, "num_key_value_heads": shared, "vocab_size": 262_144}
    encoder = {"text_config": side, "vision_config": {**EYES, "vision_use_head": False}}
    return {"model_type": "t5gemma2", "encoder": encoder, "decoder": side, "dtype": "bfloat16"}


def test_what_is_computed_for_a_t5gemma_is_what_is_loaded_and_what_lies_on_the_disk(t5gemma):
    needed = needs(ModelFolder(t5gemma).config)
    assert needed.weights == sum(weight.numel() for weight in load_t5gemma(ModelFolder(t5gemma)).parameters())
    headers = sum(8 + int.from_bytes(file.read_bytes()[:8], "little") for file in t5gemma.glob("*.safetensors"))
    assert needed.disk == sum(file.stat().st_size for file in t5gemma.glob("*.safetensors")) - headers


def test_what_is_computed_for_a_t5_is_what_is_loaded(tiny, model):
    for folder in (tiny.path, model, models.bundled().path):
        needed = needs(ModelFolder(folder).config)
        assert needed.weights == sum(weight.numel() for weight in load_stack(folder).parameters())


def test_a_config_that_is_silent_is_no_failure():
    for config in ({}, {"model_type": "t5"}, {"model_type": "t5gemma2", "encoder": 3}, {"model_type": ["t5"]}):
        assert needs(config) is None


def test_what_memory_cannot_hold_is_refused_before_it_is_copied(t5gemma, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "unused_memory", lambda: 1000)
    with pytest.raises(OutOfMemory, match="tiny takes"):
        adding.add(str(t5gemma), tmp_path, lambda _: None, "tiny")
    assert list(tmp_path.iterdir()) == []


def test_adding_a_model_says_what_it_takes(reatt, home, t5gemma):
    done = reatt("models", "add", t5gemma)
    assert re.search(r"uses \d+ kB of disk, and \d+ kB of memory when loaded", done.err)
    told = json.loads(reatt("models", "list", "--json").out)["models"][-1]
    assert told["memory_bytes"] == needs(ModelFolder(t5gemma).config).memory
    assert told["disk_bytes"] > told["memory_bytes"]  # its eyes are kept, and not loaded


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_page_tells_what_the_published_models_need(name):
    config, page = published(name), PAGE.read_text("utf-8")
    [row] = [line for line in page.splitlines() if line.startswith(f"| `google/t5gemma-2-{name}`")]
    layers, width, _, _, shared = PUBLISHED[name]
    found, key = needs(config), width + layers * shared
    assert found == Needs(found.weights, found.unread, 2)
    kept = f"{width + 4} B | {7 * (3 * key + 4) / 1e3:.0f} kB |"  # states at 8 bits; keys at 16, and at 8 bits
    assert row.endswith(f"| {found.disk / 1e9:.1f} GB | {found.memory / 1e9:.1f} GB | {kept}")
