"""A model on disk: `config.json`, `model.safetensors` (or shards) and `tokenizer.json`, in Hugging Face's layout.

This module needs no torch, so that listing models, and naming the model of a store, stay fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from reatt.weights import bounds
from reatt.weights.files import AGAIN, digest, opened, read_json
from reatt_store.errors import ModelError, ModelUnsafe
from reatt_store.opening import replace_bytes

WEIGHTS = "model.safetensors"
INSTALL_HUB = "pip install 'reatt[hub]'"  # installs transformers and huggingface_hub
INDEX = "model.safetensors.index.json"
RECORD = "model.sha256"  # beside a bundled or added model: the hash that its files had when they were put there
FUSION_WEIGHT = 0.5  # of attention in hybrid search, if the config has no fitted one
SUFFIX = "-adapted"  # of the name of an adapted model
EMBEDDINGS = "embeddings.safetensors"  # of words, in 8 bits, if they are in a file of their own
KINDS = ("t5", "bert-t5", "t5gemma2")  # `model_type` of a config.json
# The kinds whose encoder can retrieve: the part of the config with its shape, and the names of blocks and heads there.
ENCODERS = {
    "t5": ("", "num_layers", "num_heads"),
    "bert-t5": ("encoder", "num_hidden_layers", "num_attention_heads"),
}
Origin = Literal["bundled", "added", "store", "folder"]


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk, not yet loaded."""

    path: Path
    origin: Origin = "folder"
    called: str | None = None  # the name it is registered or stored under
    made_with: str | None = field(default=None, compare=False)  # the hash that a store recorded

    @property
    def name(self) -> str:
        """The name it is registered under, else the one in its config, else its folder's."""
        return self.called or str(self.settings.get("name") or self.path.resolve().name)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The published config, with our own additions under `reatt`."""
        return read_config(self.path)

    @property
    def settings(self) -> dict[str, Any]:
        """Our own additions: `name`, `question_tokens`, `chunk_tokens`, `fusion`, `named`, `reads`, `prior`,
        `plain_characters`, `confidence`."""
        found: dict[str, Any] = self.config.get("reatt") or {}
        return found

    @property
    def files(self) -> list[Path]:
        """The files of the model; raises ModelError if one is missing."""
        tokenizer = self.path / "tokenizer.json"
        if not tokenizer.is_file():
            raise ModelError(f"no tokenizer.json in {self.path}", f"reatt models add {self.path}", str(self.path))
        learnt = [self.retrieval_tokens] if self.retrieval_tokens.is_file() else []
        return [self.path / "config.json", *weight_files(self.path), tokenizer, *learnt, *self.apart]

    @property
    def apart(self) -> list[Path]:
        """The file of fixed word embeddings, if there is one."""
        return [self.path / EMBEDDINGS] if (self.path / EMBEDDINGS).is_file() else []

    @property
    def retrieval_tokens(self) -> Path:
        """The path of the file with what the method `intra` has learnt; it need not exist."""
        return self.path / "intra.safetensors"

    @cached_property
    def sha256(self) -> str:
        """One hash over the files of the model."""
        return digest(self.files)

    @property
    def recorded(self) -> str | None:
        """The hash that its files must have, as the store or its own folder says; None if nobody recorded one."""
        if self.origin not in ("bundled", "added") or not (self.path / RECORD).is_file():
            return self.made_with
        with opened(self.path / RECORD) as stream:
            return stream.read(200).decode("ascii", "replace").strip()


def record(folder: ModelFolder) -> None:
    """Record the hash of a bundled or added model's files, by which it is verified from now on."""
    replace_bytes(folder.path / RECORD, f"{digest(folder.files)}\n".encode(), mode=0o644)


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json`, or say what is wrong with it."""
    file = folder / "config.json"
    if not file.is_file():
        raise ModelError(f"no model in {folder}: config.json is missing", "reatt models list", str(folder))
    raw = read_json(file)
    if raw.get("model_type") not in KINDS:
        message = f"{file} describes a {raw.get('model_type')!r:.40} model; reatt reads T5, T5Gemma2 and BERT-T5 models"
        raise ModelError(message, "reatt models list", str(file))
    bounds.check(raw, file)
    return raw


def read_retrieving_config(folder: Path) -> dict[str, Any]:
    """Read the config of a model whose encoder can retrieve; for other kinds, raise ModelError saying what to do."""
    raw = read_config(folder)
    if raw["model_type"] not in ENCODERS:
        message = f"{folder.name} is a {raw['model_type']}: heads of its encoder cannot retrieve, its decoder's can"
        raise ModelError(message, f"reatt ingest --method intra --model {folder} PATH", str(folder))
    return raw


def encoder_shape(config: dict[str, Any]) -> tuple[int, int]:
    """Return the number of the encoder's blocks and of heads in a block; 0 if the config does not say."""
    where, *names = ENCODERS[config["model_type"]]
    shape = config.get(where, {}) if where else config
    found = [shape.get(name, 0) if isinstance(shape, dict) else 0 for name in names]
    blocks, heads = (number if isinstance(number, int) else 0 for number in found)
    return blocks, heads


def number(folder: ModelFolder, key: str, value: object, least: int, most: int) -> int:
    """Check a number of a model's config and return it."""
    if type(value) is int and least <= value <= most:
        return value
    file = folder.path / "config.json"
    raise ModelError(f"{file}: {key} is {value!r:.40}; expected a number from {least} to {most}", "", str(file))


def weight(folder: ModelFolder, key: str, value: object, most: float) -> float:
    """Check a weight in a model's config and return it."""
    if type(value) in (int, float) and isinstance(value, int | float) and 0 <= value <= most:
        return value
    file = folder.path / "config.json"
    message = f"{file}: {key} is {value!r:.40}; expected a number from 0 to {most:g}"
    raise ModelError(message, AGAIN, str(file))


def retrieval_head(folder: ModelFolder) -> tuple[int, int, int]:
    """Read block B, the head's number, and R - B; a model with its own retrieval projections need not name a head."""
    config = read_retrieving_config(folder.path)
    head = config.get("retrieval_head", 0 if "retrieval" in config else None)
    if "retrieval_layer" not in config or head is None:
        message = f"{folder.name} is a plain model: its config.json names no retrieval head"
        raise ModelError(message, f"reatt models probe --model {folder.called or folder.path}", str(folder.path))
    blocks, heads = encoder_shape(config)
    layer = number(folder, "retrieval_layer", config["retrieval_layer"], 0, blocks - 1)
    own = config.get("retrieval")
    depth = number(folder, "depth", own.get("depth", layer) if isinstance(own, dict) else layer, layer, blocks)
    return layer, number(folder, "retrieval_head", head, 0, heads - 1), depth - layer


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a folder: one file, or the shards in its index."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        return shards(folder / INDEX)
    if list(folder.glob("pytorch_model*.bin")):
        message = f"the weights in {folder} are a pickle, pytorch_model.bin"
        raise ModelUnsafe(message, f"convert them once: reatt models add {folder}", str(folder))
    raise ModelError(f"no model.safetensors in {folder}", AGAIN, str(folder))


def shards(index: Path) -> list[Path]:
    """List the files in an index of shards; all must be in its folder."""
    table = read_json(index).get("weight_map")
    names = sorted(set(map(str, table.values()))) if isinstance(table, dict) else []
    missing = [name for name in names if Path(name).name != name or not (index.parent / name).is_file()]
    if missing or not names:
        raise ModelError(f"{index} lists files that are missing: {', '.join(missing) or 'all'}", AGAIN)
    return [index.parent / name for name in names]
