"""Model folders: `config.json`, `model.safetensors`, `tokenizer.json`, in the layout of Hugging Face's T5.

Weights are copied key by key into our own T5, with every missing, unknown or ill-shaped key named. Only safetensors are
read; `convert.py` turns a published `pytorch_model.bin` into them once, on request.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reatt_engine.t5 import T5, T5Config
from reatt_store.errors import ModelError, ModelUnsafe

BUNDLED = "reatt-mini"
FILES = ("config.json", "model.safetensors", "tokenizer.json")

# Ours on the right; the numbers of a block's layers differ between encoder and decoder.
RENAMES = (
    (r"^(encoder|decoder)\.block\.0\.layer\.0\.SelfAttention\.relative_attention_bias\.", r"\1.position."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.0\.SelfAttention\.", r"\1.blocks.\2.attention."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.0\.layer_norm\.", r"\1.blocks.\2.attention_norm."),
    (r"^decoder\.block\.(\d+)\.layer\.1\.EncDecAttention\.", r"decoder.blocks.\1.cross."),
    (r"^decoder\.block\.(\d+)\.layer\.1\.layer_norm\.", r"decoder.blocks.\1.cross_norm."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.wi(?:_0)?\.", r"\1.blocks.\2.feed_forward.wi.0."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.wi_1\.", r"\1.blocks.\2.feed_forward.wi.1."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.wo\.", r"\1.blocks.\2.feed_forward.wo."),
    (r"^(encoder|decoder)\.block\.(\d+)\.layer\.[12]\.layer_norm\.", r"\1.blocks.\2.feed_forward_norm."),
    (r"^(encoder|decoder)\.final_layer_norm\.", r"\1.final_norm."),
)
# Copies of `shared`, and the per-block position tables of ReAtt checkpoints, of which only block 0's counts.
REDUNDANT = re.compile(
    r"^(encoder|decoder)\.(embed_tokens\.weight|block\.[1-9]\d*\.layer\.0\.SelfAttention\.relative_attention_bias\.weight)$"
)


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk, not yet loaded."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, unless its config names the model."""
        return str(self.config.get("reatt", {}).get("name") or self.path.resolve().name)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The published config, with our own additions under `reatt`."""
        return read_config(self.path)

    @cached_property
    def sha256(self) -> str:
        """One hash over the three files that make the model."""
        total = hashlib.sha256()
        for file in [self.path / "config.json", *weight_files(self.path), self.path / "tokenizer.json"]:
            with open(file, "rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
        return total.hexdigest()


def bundled() -> Path:
    """Where the model that comes with the package lies."""
    return Path(__file__).parent / BUNDLED


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json`, or say what is wrong with it."""
    file = folder / "config.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"no model in {folder}: config.json is missing", "reatt models list", str(folder)) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {file}: {error}", "copy the model again", str(file)) from None
    if not isinstance(raw, dict) or raw.get("model_type") != "t5":
        kind = raw.get("model_type") if isinstance(raw, dict) else type(raw).__name__
        raise ModelError(f"{file} describes a {kind!r} model; reatt reads T5 models", "", str(file))
    return raw


def weight_files(folder: Path) -> list[Path]:
    """Name the safetensors files of a folder: one, or the shards that its index lists."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
        if missing:
            raise ModelError(f"weight files are missing in {folder}: {', '.join(missing)}", "", str(folder))
        return [folder / name for name in names]
    if (folder / "pytorch_model.bin").is_file():
        raise ModelUnsafe(
            f"{folder} has only pytorch_model.bin, a pickle", f"convert it once: reatt models add {folder}", str(folder)
        )
    raise ModelError(f"no model.safetensors in {folder}", "", str(folder))


def our_name(published: str) -> str:
    """Translate a published weight's name into ours; one without a rule stays as it is."""
    for pattern, ours in RENAMES:
        renamed, count = re.subn(pattern, ours, published)
        if count:
            return renamed
    return published


def read_weights(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the folder's weights one at a time under their published names."""
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as stream:
                for name in stream.keys():  # noqa: SIM118
                    yield name, stream.get_tensor(name)
        except SafetensorError as error:
            raise ModelError(f"{file} is damaged: {error}", "copy the model again", str(file)) from None


def load_t5(folder: Path, dtype: torch.dtype = torch.float32) -> T5:
    """Build a T5 from a folder's weights; raises `ModelError` naming every key that does not fit."""
    config = read_config(folder)
    found = {name: weight for name, weight in read_weights(folder) if not REDUNDANT.match(name)}
    return fill(T5Config.from_json(config), {our_name(name): weight for name, weight in found.items()}, dtype, folder)


def fill(config: T5Config, weights: Mapping[str, Tensor], dtype: torch.dtype, source: Path) -> T5:
    """Build a T5 around given weights (our names), without initialising it first.

    The head is tied exactly if the weights say so: transformers 5 writes `tie_word_embeddings: true` beside a head of
    its own, so the config cannot be asked.
    """
    tied = "lm_head.weight" not in weights or torch.equal(weights["lm_head.weight"], weights["shared.weight"])
    with torch.device("meta"):
        model = T5(replace_tie(config, tied))
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    weights = {name: w for name, w in weights.items() if not (tied and name == "lm_head.weight")}
    if tied:
        expected.pop("lm_head.weight")
    _complain(expected, weights, source)
    model.load_state_dict({name: weight.to(dtype) for name, weight in weights.items()}, strict=False, assign=True)
    if tied:
        model.lm_head.weight = model.shared.weight
    return model.eval().requires_grad_(False)


def replace_tie(config: T5Config, tied: bool) -> T5Config:
    """The same config with the head tied or not."""
    return T5Config(**{**config.__dict__, "tie_word_embeddings": tied})


def _complain(expected: Mapping[str, tuple[int, ...]], weights: Mapping[str, Tensor], source: Path) -> None:
    missing = sorted(expected.keys() - weights.keys())
    unknown = sorted(weights.keys() - expected.keys())
    wrong = sorted(name for name in expected.keys() & weights.keys() if tuple(weights[name].shape) != expected[name])
    parts = [("missing", missing), ("unknown", unknown), ("of another shape than config.json says", wrong)]
    said = [f"{len(names)} {what}: {', '.join(names[:3])}{' …' * (len(names) > 3)}" for what, names in parts if names]
    if said:
        raise ModelError(f"the weights in {source} are not this T5's; {'; '.join(said)}", "", str(source))
