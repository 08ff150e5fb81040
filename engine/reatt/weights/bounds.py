"""The bounds of every number in a model's config, and of the products that memory and time depend on.

A config may come from a stranger. It is checked when it is read, before anything is made of it, wherever it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reatt.weights.files import AGAIN
from reatt.weights.needs import needs
from reatt_store.errors import ModelError

# The least and the most, under the names of all kinds of model, wherever in the config they stand.
COUNTS = {
    "vocab_size": (1, 1 << 20), "d_model": (1, 1 << 14), "hidden_size": (1, 1 << 14), "width": (1, 1 << 12),
    "d_kv": (1, 1 << 12), "head_dim": (1, 1 << 12), "d_ff": (1, 1 << 17), "intermediate_size": (1, 1 << 17),
    "num_heads": (1, 256), "num_attention_heads": (1, 256), "num_key_value_heads": (1, 256),
    "num_layers": (1, 256), "num_hidden_layers": (1, 256), "num_decoder_layers": (0, 256),
    "relative_attention_num_buckets": (4, 1 << 10), "relative_attention_max_distance": (2, 1 << 16),
    "max_position_embeddings": (1, 1 << 20), "type_vocab_size": (1, 16), "sliding_window": (1, 1 << 20),
    "image_size": (1, 1 << 12), "patch_size": (1, 1 << 12), "num_channels": (1, 16),
    "mm_tokens_per_image": (1, 1 << 16), "pair_width": (0, 1 << 10),
}  # fmt: skip
FRACTIONS = {
    "layer_norm_epsilon": (1e-30, 1.0), "layer_norm_eps": (1e-30, 1.0), "rms_norm_eps": (1e-30, 1.0),
    "dropout_rate": (0.0, 0.9), "attention_dropout": (0.0, 0.9), "query_pre_attn_scalar": (1e-6, 1e6),
    "rope_theta": (1.0, 1e9), "final_logit_softcapping": (1e-6, 1e6), "attn_logit_softcapping": (1e-6, 1e6),
}  # fmt: skip
WIDTHS = ("d_model", "hidden_size", "d_ff", "intermediate_size")
FLAGS = ("tie_word_embeddings", "scale_decoder_outputs", "attention_bias", "vision_use_head")
WEIGHTS = 1 << 35  # of a model
TABLE = 1 << 28  # numbers in a table of position biases: heads times tokens times tokens
WIDEST = 1 << 26  # numbers in a layer for one text: tokens times width
TOKENS = {"question_tokens": 128, "chunk_tokens": 512}  # those of the released models, whose configs do not give them
LONGEST_NAME = 100

RawConfig = Mapping[str, Any]


def check(config: RawConfig, file: Path) -> None:
    """Raise ModelError if a number of a config, or a product of some, is out of bounds."""
    why = next(_wrong(config), None) or _wrong_settings(config.get("reatt")) or _too_large(config)
    if why is not None:
        raise ModelError(f"{file}: {why}", AGAIN, str(file))


def _wrong(config: RawConfig) -> Iterator[str]:
    """Yield what is wrong with a config or with a part of it."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _wrong(value)
        elif value is None:
            continue
        elif key in COUNTS and not (type(value) is int and _within(value, COUNTS[key])):
            yield f"{key} is {value!r:.40}; expected a number from {COUNTS[key][0]} to {COUNTS[key][1]}"
        elif key in FRACTIONS and not (type(value) in (int, float) and _within(value, FRACTIONS[key])):
            yield f"{key} is {value!r:.40}; expected a number from {FRACTIONS[key][0]:g} to {FRACTIONS[key][1]:g}"
        elif key in FLAGS and not isinstance(value, bool):
            yield f"{key} is {value!r:.40}; expected true or false"


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def _wrong_settings(ours: object) -> str | None:
    """Say what is wrong with our own additions, as far as they are not numbers; None if nothing is."""
    if ours is None:
        return None
    if not isinstance(ours, dict):
        return f"reatt is {ours!r:.40}; expected an object"
    name, languages = ours.get("name") or "", ours.get("languages", [])
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return f"name is {name!r:.40}; expected up to {LONGEST_NAME} letters"
    if not isinstance(languages, list) or not all(isinstance(each, str) for each in languages):
        return f"languages is {languages!r:.40}; expected a list of names"
    return None


def _too_large(config: RawConfig) -> str | None:
    """Say which product of numbers is too large; None if none is."""
    found = needs(config)
    if found is not None and found.weights > WEIGHTS:
        return f"it describes {found.weights:,} weights; at most {WEIGHTS:,} are read"
    ours, parts = config.get("reatt") or {}, [config, *(part for part in config.values() if isinstance(part, dict))]
    tokens = max(_number(ours, key, usual) for key, usual in TOKENS.items())
    heads = max(_number(part, "num_heads", 1) for part in parts)
    widths = [_number(part, key, 1) for part in parts for key in WIDTHS]
    widest = max(*widths, *(_number(part, "num_heads", 1) * _number(part, "d_kv", 1) for part in parts))
    if heads * tokens * tokens > TABLE:
        return f"{heads} heads for texts of {tokens} tokens take too much memory"
    if widest * tokens > WIDEST:
        return f"a width of {widest} for texts of {tokens} tokens takes too much memory"
    return None


def _number(config: RawConfig, key: str, usual: int) -> int:
    found = config.get(key, usual)
    return found if type(found) is int else usual
