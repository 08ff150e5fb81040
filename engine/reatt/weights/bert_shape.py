"""The shape of a BERT encoder with a T5 decoder, from its folder's config; limits are checked before it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reatt.model.projections import Form
from reatt.model.stacks.bert import BertConfig
from reatt.model.t5 import T5Config
from reatt.weights.bounds import COUNTS
from reatt.weights.files import AGAIN
from reatt.weights.folder import read_config
from reatt_store.errors import ModelError

MOST_POSITIONS = 1 << 13


@dataclass(frozen=True)
class FolderShape:
    """Everything that a config says about weights."""

    encoder: BertConfig
    decoder: T5Config
    form: Form
    width: int | None  # of keys; None: see the weights
    pairs: int | None  # width of the vectors by which the pointer compares a start and an end; None: no pointer
    unit_states: bool  # whether the first round of `--method intra` compares states by their cosine


def read_shape(folder: Path) -> FolderShape:
    """Read a folder's config; ModelError names the entry that is missing or wrong."""
    raw, file = read_config(folder), folder / "config.json"
    try:
        one = {"vocab_size": _number(raw, "vocab_size"), "dropout_rate": _fraction(raw.get("dropout_rate", 0.0), 0.9)}
        width = _number(raw, "hidden_size")
        encoder, decoder = _encoder(raw["encoder"], width, raw, one), _decoder(raw["decoder"], width, raw, one)
        said = raw.get("retrieval") or {}
        form = Form(*(_flag(said.get(name, False), name) for name in ("unit_queries", "unit_keys")))
        keys, pairs = _number(said, "width") if "width" in said else None, _pairs(raw.get("pointer"))
        unit_states = _flag((raw.get("intra") or {}).get("unit_states", False), "unit_states")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        message = f"{file} does not describe a BERT encoder with a T5 decoder: {why:.200}"
        raise ModelError(message, f"docs/model-format.md has the format; {AGAIN}", str(file)) from None
    return FolderShape(encoder, decoder, form, keys, pairs, unit_states)


def _pairs(pointer: object) -> int | None:
    return _number({"pair_width": 0, **pointer}, "pair_width", 0) if isinstance(pointer, dict) else None


def _encoder(raw: Mapping[str, Any], width: int, marks: Mapping[str, Any], common: dict[str, Any]) -> BertConfig:
    if raw.get("hidden_act", "gelu") != "gelu":
        raise ValueError(f"hidden_act is {raw['hidden_act']!r:.40}; expected 'gelu'")
    names = ("num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings")
    shape = {name: _number(raw, name) for name in names}
    kinds = _number({"type_vocab_size": 2, **raw}, "type_vocab_size", 2)
    if width % shape["num_attention_heads"]:
        raise ValueError(f"{shape['num_attention_heads']} heads cannot share a width of {width}")
    epsilon, end = _fraction(raw.get("layer_norm_eps", 1e-12), 1.0), _id(marks, "sep_token_id", common["vocab_size"])
    return BertConfig(
        hidden_size=width, type_vocab_size=kinds, layer_norm_eps=epsilon, sep_token_id=end, **shape, **common
    )


def _decoder(raw: Mapping[str, Any], width: int, marks: Mapping[str, Any], common: dict[str, Any]) -> T5Config:
    usual = {"relative_attention_num_buckets": 32, "relative_attention_max_distance": 128}
    names = ("num_heads", "d_kv", "d_ff", *usual)
    shape = {name: _number({**usual, **raw}, name) for name in names}
    ids = ("pad_token_id", "eos_token_id", "decoder_start_token_id")
    config = T5Config(
        d_model=width,
        num_layers=_number(marks["encoder"], "num_hidden_layers"),
        num_decoder_layers=_number(raw, "num_layers"),
        feed_forward_proj=str(raw.get("feed_forward_proj", "gated-gelu")),
        layer_norm_epsilon=_fraction(raw.get("layer_norm_epsilon", 1e-6), 1.0),
        tie_word_embeddings=True,
        scale_decoder_outputs=True,
        **{name: _id(marks, name, common["vocab_size"]) for name in ids},
        **shape,
        **common,
    )
    config.activation  # noqa: B018
    return config


def _number(raw: Mapping[str, Any], name: str, least: int = 1) -> int:
    found, most = raw[name], MOST_POSITIONS if name == "max_position_embeddings" else COUNTS[name][1]
    if type(found) is int and least <= found <= most:
        return found
    raise ValueError(f"{name} is {found!r:.40}; expected a number from {least} to {most}")


def _id(raw: Mapping[str, Any], name: str, count: int) -> int:
    found = raw[name]
    if type(found) is int and 0 <= found < count:
        return found
    raise ValueError(f"{name} is {found!r:.40}; expected an id below {count}")


def _fraction(found: object, most: float) -> float:
    if isinstance(found, int | float) and 0 <= found <= most:
        return float(found)
    raise ValueError(f"{found!r:.40} is no number from 0 to {most:g}")


def _flag(found: object, name: str) -> bool:
    if isinstance(found, bool):
        return found
    raise ValueError(f"{name} is {found!r:.40}; expected true or false")
