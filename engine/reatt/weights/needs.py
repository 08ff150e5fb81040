"""The memory and disk space that a model needs, computed from its config before it is downloaded or loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

FLOAT = 4  # bytes of a weight in memory, whatever its type in the file
STORED = {"bfloat16": 2, "float16": 2}  # bytes of a weight in a file, by the config's `dtype`

RawConfig = Mapping[str, Any]


@dataclass(frozen=True)
class Needs:
    """The size of a model."""

    weights: int  # the number of weights that are read
    unread: int = 0  # the number of other weights in the files: those of a vision tower
    stored: int = FLOAT  # bytes of each in the files

    @property
    def memory(self) -> int:
        """Bytes of memory for the weights; activations come on top."""
        return FLOAT * self.weights

    @property
    def disk(self) -> int:
        """Bytes of the published files."""
        return self.stored * (self.weights + self.unread)


def needs(config: RawConfig) -> Needs | None:
    """Compute what the model of a published config needs; None if the config lacks a necessary entry."""
    try:
        weights, unread = COUNTS[config["model_type"]](config)
        return Needs(weights, unread, STORED.get(config.get("dtype", config.get("torch_dtype")), FLOAT))
    except (ArithmeticError, AttributeError, KeyError, TypeError):
        return None


def _t5(config: RawConfig) -> tuple[int, int]:
    """Count a T5's weights: attention has four maps, a gated feed-forward layer three."""
    width, inner = config["d_model"], config["num_heads"] * config["d_kv"]
    gated = str(config.get("feed_forward_proj", "relu")).startswith("gated")
    attention, forward = 4 * width * inner + width, (2 + gated) * width * config["d_ff"] + width
    encoder = config["num_layers"] * (attention + forward)
    decoder = config.get("num_decoder_layers", config["num_layers"]) * (2 * attention + forward)
    positions = 2 * config.get("relative_attention_num_buckets", 32) * config["num_heads"]
    heads = 1 if config.get("tie_word_embeddings", True) else 2
    return heads * config["vocab_size"] * width + encoder + decoder + positions + 2 * width, 0


def _t5gemma(config: RawConfig) -> tuple[int, int]:
    """Count a T5Gemma2's weights: one embedding for both sides and the head; the vision tower is not read."""
    text, eyes = config["encoder"]["text_config"], config["encoder"]["vision_config"]
    width = text["hidden_size"]
    read = (text["vocab_size"] + 1) * width + _gemmas_stack(text) + _gemmas_stack(config["decoder"])
    return read, _tower(eyes) + (width + 1) * eyes["hidden_size"]


def _gemmas_stack(side: RawConfig) -> int:
    """Count the layers of one side: merged attention has the same maps as the encoder's."""
    width, head = side["hidden_size"], side["head_dim"]
    attention = 2 * width * head * (side["num_attention_heads"] + side["num_key_value_heads"]) + 2 * head
    layer = attention + 3 * width * side["intermediate_size"] + 4 * width
    return int(side["num_hidden_layers"] * layer + width)


def _tower(eyes: RawConfig) -> int:
    """Count a SigLIP tower: layers with offsets, patches with positions, and a head that only some towers have."""
    width, inner = eyes["hidden_size"], eyes["intermediate_size"]
    layer = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    patches = (eyes["image_size"] // eyes["patch_size"]) ** 2
    seen = width * (eyes.get("num_channels", 3) * eyes["patch_size"] ** 2 + 1) + patches * width
    head = layer - 2 * width + width if eyes.get("vision_use_head", True) else 0  # one norm less, and a probe
    return int(eyes["num_hidden_layers"] * layer + seen + 2 * width + head)


def _bert(config: RawConfig) -> tuple[int, int]:
    """Count a BERT encoder, whose maps have offsets, a T5 decoder, retrieval projections and a pointer."""
    width, above, shape = config["hidden_size"], config["decoder"], config["encoder"]
    inner = shape["intermediate_size"]
    block = 4 * width * (width + 1) + 2 * width * inner + inner + width + 4 * width
    texts = (shape["max_position_embeddings"] + shape.get("type_vocab_size", 2) + 2) * width
    side = {**above, "d_model": width, "num_layers": 0, "num_decoder_layers": above["num_layers"]}
    decoder, _ = _t5({"vocab_size": config["vocab_size"], **side, "feed_forward_proj": _projections(above)})
    unread = above.get("relative_attention_num_buckets", 32) * above["num_heads"] + width  # a T5 encoder's own
    pointer = config.get("pointer")
    pointed = 2 + 2 * pointer.get("pair_width", 0) if isinstance(pointer, dict) else 0
    found = 2 * config.get("retrieval", {}).get("width", 0) + pointed
    return shape["num_hidden_layers"] * block + texts + decoder - unread + found * width, 0


def _projections(decoder: RawConfig) -> str:
    return str(decoder.get("feed_forward_proj", "gated-gelu"))


COUNTS: dict[str, Callable[[RawConfig], tuple[int, int]]] = {"t5": _t5, "bert-t5": _bert, "t5gemma2": _t5gemma}
