"""Read weights in the layout of Hugging Face's T5 into our own T5.

They are copied key by key; errors name every key that is missing, unknown or of the wrong shape. Only safetensors are
read; `convert.py` converts a published `pytorch_model.bin` once, on request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from reatt.model.projections import Projections
from reatt.model.t5 import T5, T5Config
from reatt.model.t5_names import our_name
from reatt.weights import headers
from reatt.weights.files import AGAIN
from reatt.weights.folder import read_retrieving_config, weight_files
from reatt.weights.headers import Entry
from reatt_store.errors import ModelError

# Copies of `shared`, and position tables of blocks above 0, which ReAtt checkpoints contain but never use.
REDUNDANT = re.compile(
    r"^(encoder|decoder)\.(embed_tokens\.weight|block\.[1-9]\d*\.layer\.0\.SelfAttention\.relative_attention_bias\.weight)$"
)
IDS = ("pad_token_id", "eos_token_id", "decoder_start_token_id")
RETRIEVAL = "retrieval."  # not in published models: projections for retrieval that was learnt separately from reading


def read_weights(folder: Path, without: re.Pattern[str] | None = None) -> Iterator[tuple[str, Tensor]]:
    """Yield the folder's weights one at a time under their published names; those matching `without` are not read."""
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as stream:
                for name in stream.keys():  # noqa: SIM118
                    if without is None or not without.match(name):
                        yield name, stream.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise headers.damaged(file, str(error)) from None


def learnt_apart(folder: Path) -> bool:
    """Return whether a folder's weights contain separate projections for retrieval; no weight is read."""
    return any(name.startswith(RETRIEVAL) for name in headers.of_folder(folder))


def load_t5(folder: Path, dtype: torch.dtype = torch.float32) -> T5:
    """Build a T5 from a folder's weights; raises `ModelError` naming every key that does not fit.

    Names, types and shapes are compared first, and no weight is read before. Whether the head is tied is decided by the
    weights, not by the config: transformers 5 writes `tie_word_embeddings: true` also for models with a separate head.
    """
    config, entries = read_shape(folder), headers.of_folder(folder, REDUNDANT)
    model = unfilled(config, {our_name(name): entry for name, entry in entries.items()}, folder)
    weights = {our_name(name): weight.to(dtype) for name, weight in read_weights(folder, REDUNDANT)}
    model.load_state_dict(weights, strict=False, assign=True)
    if model.config.tie_word_embeddings or torch.equal(model.lm_head.weight, model.shared.weight):
        model.config = replace(model.config, tie_word_embeddings=True)
        model.lm_head.weight = model.shared.weight
    return model.eval().requires_grad_(False)


def read_shape(folder: Path) -> T5Config:
    """Read the shape of a folder's T5; raises `ModelError` naming the entry that is missing or wrong."""
    raw = read_retrieving_config(folder)
    file = folder / "config.json"
    try:
        config = T5Config.from_json(raw)
        config.activation  # noqa: B018
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelError(f"{file} does not describe a T5: {error!s:.200}", AGAIN, str(file)) from None
    ids = {name: getattr(config, name) for name in IDS}
    wrong = [
        f"{name} is {id!r:.40}" for name, id in ids.items() if not (type(id) is int and 0 <= id < config.vocab_size)
    ]
    if config.relative_attention_max_distance <= config.relative_attention_num_buckets // 2:
        wrong.append(f"relative_attention_max_distance is {config.relative_attention_max_distance}")
    if wrong:
        raise ModelError(f"{file} does not describe a T5: {', '.join(wrong)}", AGAIN, str(file))
    return config


def unfilled(config: T5Config, entries: Mapping[str, Entry], source: Path) -> T5:
    """Build a T5 without weights, for those that a folder has (our names); raises ModelError if they do not fit."""
    with torch.device("meta"), Uninitialised():
        model = T5(replace(config, tie_word_embeddings="lm_head.weight" not in entries))
        if any(name.startswith(RETRIEVAL) for name in entries):
            model.retrieval = Projections(config.d_model, config.d_kv)
    expected = shapes(model)
    if model.config.tie_word_embeddings:
        expected.pop("lm_head.weight")
    complain(expected, entries, source)
    return model


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight that a model has."""
    return {name: tuple(weight.shape) for name, weight in model.state_dict().items()}


class Uninitialised(TorchFunctionMode):
    """Skip initialising weights: for an embedding without storage torch would import its compiler (1.5 s)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return given.get("tensor", args[0] if args else None)
        return func(*args, **given)


def complain(expected: Mapping[str, tuple[int, ...]], entries: Mapping[str, Entry], source: Path) -> None:
    """Raise ModelError naming the weights that are missing, unknown, or of the wrong shape or type."""
    decoded, given = (any("decoder." in name for name in names) for names in (expected, entries))
    if decoded and not given and any("encoder." in name for name in entries):
        message = f"{source} holds an encoder alone; reading needs the decoder, and so does --method intra"
        raise ModelError(message, "use a whole model of the T5 family", str(source))
    missing = sorted(expected.keys() - entries.keys())
    unknown = sorted(entries.keys() - expected.keys())
    wrong = sorted(name for name in expected.keys() & entries.keys() if entries[name].shape != expected[name])
    parts = [("missing", missing), ("unknown", unknown), ("of another shape than config.json says", wrong)]
    said = [f"{len(names)} {what}: {_some(names)}" for what, names in parts if names]
    if said:
        message = f"the weights in {source} are not those that its config.json says; {'; '.join(said)}"
        raise ModelError(message, AGAIN, str(source))
    headers.require_floats(entries, source)


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"{name:.100}" for name in names[:3]) + " …" * (len(names) > 3)
