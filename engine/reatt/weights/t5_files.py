"""Read weights in the layout of Hugging Face's T5 into our own T5.

They are copied key by key; errors name every key that is missing, unknown or of the wrong shape. Only safetensors are
read; `convert.py` converts a published `pytorch_model.bin` once, on request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.overrides import TorchFunctionMode

from reatt.model.projections import Projections
from reatt.model.t5 import T5, T5Config
from reatt.model.t5_names import our_name
from reatt.weights.folder import read_retrieving_config, weight_files
from reatt_store.errors import ModelError

# Copies of `shared`, and position tables of blocks above 0, which ReAtt checkpoints contain but never use.
REDUNDANT = re.compile(
    r"^(encoder|decoder)\.(embed_tokens\.weight|block\.[1-9]\d*\.layer\.0\.SelfAttention\.relative_attention_bias\.weight)$"
)
RETRIEVAL = "retrieval."  # not in published models: projections for retrieval that was learnt separately from reading


def read_weights(folder: Path, without: re.Pattern[str] | None = None) -> Iterator[tuple[str, Tensor]]:
    """Yield the folder's weights one at a time under their published names; those matching `without` are not read."""
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as stream:
                for name in stream.keys():  # noqa: SIM118
                    if without is None or not without.match(name):
                        yield name, stream.get_tensor(name)
        except SafetensorError as error:
            raise ModelError(f"{file} is damaged: {error}", "copy the model again", str(file)) from None


def learnt_apart(folder: Path) -> bool:
    """Return whether a folder's weights contain separate projections for retrieval; no weight is read."""
    names = re.compile(rf"(?!{re.escape(RETRIEVAL)})")
    return next(read_weights(folder, without=names), None) is not None


def load_t5(folder: Path, dtype: torch.dtype = torch.float32) -> T5:
    """Build a T5 from a folder's weights; raises `ModelError` naming every key that does not fit."""
    config = read_shape(folder)
    weights = {our_name(name): weight for name, weight in read_weights(folder) if not REDUNDANT.match(name)}
    return fill(config, weights, dtype, folder)


def read_shape(folder: Path) -> T5Config:
    """Read the shape of a folder's T5; raises `ModelError` naming the entry that is missing or wrong."""
    raw = read_retrieving_config(folder)
    file = folder / "config.json"
    try:
        config = T5Config.from_json(raw)
        config.activation  # noqa: B018
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelError(f"{file} does not describe a T5: {error}", "copy the model again", str(file)) from None
    numbers = {f.name: getattr(config, f.name) for f in fields(config) if f.type == "int"}
    wrong = [f"{name} is {number!r}" for name, number in numbers.items() if type(number) is not int or number < 0]
    if wrong:
        raise ModelError(f"{file} does not describe a T5: {', '.join(wrong)}", "copy the model again", str(file))
    return config


def fill(config: T5Config, weights: Mapping[str, Tensor], dtype: torch.dtype, source: Path) -> T5:
    """Build a T5 from given weights (our names), without initialising it first.

    Whether the head is tied is decided by the weights, not by the config: transformers 5 writes
    `tie_word_embeddings: true` also for models with a separate head.
    """
    head, shared = weights.get("lm_head.weight"), weights.get("shared.weight")
    tied = head is None or (shared is not None and torch.equal(head, shared))
    with torch.device("meta"), Uninitialised():
        model = T5(replace(config, tie_word_embeddings=tied))
        if any(name.startswith(RETRIEVAL) for name in weights):
            model.retrieval = Projections(config.d_model, config.d_kv)
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    weights = {name: w for name, w in weights.items() if not (tied and name == "lm_head.weight")}
    if tied:
        expected.pop("lm_head.weight")
    complain(expected, weights, source)
    model.load_state_dict({name: weight.to(dtype) for name, weight in weights.items()}, strict=False, assign=True)
    if tied:
        model.lm_head.weight = model.shared.weight
    return model.eval().requires_grad_(False)


class Uninitialised(TorchFunctionMode):
    """Skip initialising weights: for an embedding without storage torch would import its compiler (1.5 s)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return given.get("tensor", args[0] if args else None)
        return func(*args, **given)


def complain(expected: Mapping[str, tuple[int, ...]], weights: Mapping[str, Tensor], source: Path) -> None:
    """Raise ModelError naming the weights that are missing, unknown or of the wrong shape."""
    decoded, given = (any("decoder." in name for name in names) for names in (expected, weights))
    if decoded and not given and any("encoder." in name for name in weights):
        message = f"{source} holds an encoder alone; reading needs the decoder, and so does --method intra"
        raise ModelError(message, "use a whole model of the T5 family", str(source))
    missing = sorted(expected.keys() - weights.keys())
    unknown = sorted(weights.keys() - expected.keys())
    wrong = sorted(name for name in expected.keys() & weights.keys() if tuple(weights[name].shape) != expected[name])
    parts = [("missing", missing), ("unknown", unknown), ("of another shape than config.json says", wrong)]
    said = [f"{len(names)} {what}: {', '.join(names[:3])}{' …' * (len(names) > 3)}" for what, names in parts if names]
    if said:
        message = f"the weights in {source} are not those that its config.json says; {'; '.join(said)}"
        raise ModelError(message, "copy the model again", str(source))
