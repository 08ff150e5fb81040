"""The model that the recipe makes: its config, and its first weights.

The blocks are those of the pretrained encoder; joint blocks beyond them would begin as copies of its last ones.
Retrieval begins with principal components of the states that it projects, which by the cosine find well untrained.
The decoder begins at random.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.projections import Pointer
from reatt.model.stacks.names import our_name
from reatt.model.stacks.t5_layers import Attention
from reatt.model.t5 import T5
from reatt.weights import models
from reatt.weights.bert_files import unfilled
from reatt.weights.bert_shape import read_shape
from reatt.weights.folder import ModelFolder

ENCODER = "encoder.safetensors"  # in WORK: the pretrained weights
LOWER, DEPTH, BLOCKS = 3, 6, 6  # a text passes alone before reading joins it, and before retrieval projects it; all
LOUDNESS = 8.0  # of the decoder's outputs, where training begins
CONFIG: dict[str, Any] = {
    "model_type": "bert-t5",
    "vocab_size": 30_522,
    "hidden_size": 384,
    "encoder": {
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    },
    "decoder": {
        "num_layers": 2,
        "num_heads": 6,
        "d_kv": 64,
        "d_ff": 1024,
        "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6,
    },
    "dropout_rate": 0.0,
    "pad_token_id": 0,
    "cls_token_id": 101,
    "sep_token_id": 102,
    "mask_token_id": 103,
    "decoder_start_token_id": 101,
    "eos_token_id": 102,
    "dtype": "float32",
    "retrieval_layer": LOWER,
    "retrieval": {"width": 64, "depth": DEPTH, "unit_keys": True},
    "intra": {"unit_states": True},
    "pointer": {"pair_width": 32, "candidates": 8, "decoder_weight": 0.0, "brevity": 0.05},
    "reatt": {
        "name": models.BUNDLED,
        "question_tokens": 64,
        "chunk_tokens": 320,
        "reads": 8,
        "prior": 1.0,
        "plain_characters": True,
    },
}


def read(folder: Path) -> dict[str, Any]:
    """Read the config of a folder, which `fetch` wrote."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def depths(config: dict[str, Any]) -> tuple[int, int]:
    """Say how many blocks texts pass alone before they are joined, and before retrieval projects them."""
    layer: int = config["retrieval_layer"]
    return layer, config["retrieval"].get("depth", layer)


def empty(folder: Path) -> T5:
    """Build the model of a folder's config without its weights."""
    model = unfilled(read_shape(folder)).to_empty(device="cpu")
    model.lm_head.weight = model.shared.weight
    return model.train()


def pretrained(folder: Path, lower: int) -> T5:
    """Take up the encoder of a folder, whose last blocks are the joint ones above the `lower` first, too."""
    model = empty(folder)
    found = {our_name(_published(name)): weight.float() for name, weight in load_file(folder / ENCODER).items()}
    depth = 1 + max(int(block[1]) for name in found if (block := re.match(r"encoder\.blocks\.(\d+)\.", name)))
    blocks, begun = len(model.encoder.layers()), dict(found)
    for number in range(lower, blocks):
        first = f"encoder.blocks.{depth - blocks + number}."
        mine = {name: weight for name, weight in found.items() if name.startswith(first)}
        begun |= {f"encoder.blocks.{number}.{name.removeprefix(first)}": weight for name, weight in mine.items()}
    wanted = {name for name in model.state_dict() if name == "shared.weight" or name.startswith("encoder.")}
    model.load_state_dict({name: begun[name] for name in wanted}, strict=False)
    assert depth >= lower, f"the encoder has {depth} blocks, not {lower}"
    assert model.pointer is not None
    assert model.retrieval is not None
    nn.init.orthogonal_(model.retrieval.q.weight)
    model.retrieval.k.weight.data.copy_(model.retrieval.q.weight)
    _begin_pointer(model.pointer)
    _begin_decoder(model)
    return model


def exported(folder: Path, model: ModelFolder, temperature: float) -> T5:
    """Take up a model that was exported, to go on training it, without a temperature in its queries."""
    begun, found = empty(folder), models.load(model, "cpu").t5.state_dict()
    assert begun.retrieval is not None
    assert begun.pointer is not None
    if len(found["pointer.weight"]) == 2:  # a pointer that does not compare starts and ends yet
        _begin_pointer(begun.pointer)
        begun.pointer.weight.data[:2] = found.pop("pointer.weight")
    begun.load_state_dict(found, strict=False)
    begun.retrieval.q.weight.data.div_(temperature)
    return begun


def find_by_components(model: T5, states: Tensor) -> None:
    """Let retrieval begin with the principal components of states (n, D), each of unit length; queries are, too, about.

    Components are divided by the fourth root of their variance: names lie in the small ones, and need to be heard.
    """
    assert model.retrieval is not None
    unit = F.normalize(states.double(), dim=-1)
    variances, directions = torch.linalg.eigh((unit - unit.mean(0)).T.cov(correction=0))
    width = len(model.retrieval.k.weight)
    scales = variances.flip(0)[:width].clamp(min=1e-9) ** -0.25
    first = directions.flip(1)[:, :width].T * (scales / scales[0])[:, None]  # (d, D)
    model.retrieval.k.weight.data.copy_(first)
    lengths = (states.double() @ first.T).norm(dim=-1)
    model.retrieval.q.weight.data.copy_(first / lengths.mean())


def _published(name: str) -> str:
    """Give a weight of the package the name that it has in a model's folder."""
    return name if name.startswith("bert.") else f"bert.{name}"


def _begin_pointer(pointer: Pointer) -> None:
    """Draw starts, ends and the first of the vectors that are compared; the second ones learn from them."""
    nn.init.zeros_(pointer.weight)
    width = len(pointer.weight) // 2 - 1
    nn.init.normal_(pointer.weight[: 2 + width], std=0.02)


def _begin_decoder(model: T5) -> None:
    """Draw the decoder's maps so that every layer adds little to what it is given."""
    width = model.config.d_model
    nn.init.zeros_(model.decoder.position.weight)
    for block in model.decoder.layers():
        for norm in (block.attention_norm, block.cross_norm, block.feed_forward_norm):
            nn.init.ones_(norm.weight)
        for attention in (block.attention, block.cross):
            _begin_attention(attention, width, model.config.d_kv)
        for weight in block.feed_forward.wi.parameters():
            nn.init.normal_(weight, std=width**-0.5)
        nn.init.normal_(block.feed_forward.wo.weight, std=0.15 * model.config.d_ff**-0.5)
    # The embeddings of a T5 have length sqrt(D), these about 1: with outputs that are no longer, all words would be
    # about as likely.
    nn.init.constant_(model.decoder.final_norm.weight, LOUDNESS)


def _begin_attention(attention: Attention, width: int, head_width: int) -> None:
    nn.init.normal_(attention.q.weight, std=(width * head_width) ** -0.5)
    for linear in (attention.k, attention.v):
        nn.init.normal_(linear.weight, std=width**-0.5)
    nn.init.normal_(attention.o.weight, std=0.3 * len(attention.q.weight) ** -0.5)
