"""Assemble a model in a folder: copy its files, convert a pickle once, and load it as a check.

`adding` runs this module as a script, in a process of its own with limits, because the files may be a stranger's. It
reads a request of one JSON line, and says as JSON lines:
    {"phase": "copy"}, {"phase": "check"}
    {"left_out": ["encoder.head_weights"]}
    {"error": id, "message": "...", "fix": "..."}
This is the only module that reads pickles, with `weights_only=True`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from resource import RLIM_INFINITY

import torch
from safetensors.torch import save_file
from torch import Tensor

from reatt.model.t5 import T5, T5Config
from reatt.model.t5_names import our_name, published_weights
from reatt.parsers.confined import die_with, limit, limit_data
from reatt.parsers.sandbox import Message
from reatt.weights.files import opened, place
from reatt.weights.folder import INDEX, INSTALL_HUB, ModelFolder, shards, weight_files
from reatt.weights.headers import Entry
from reatt.weights.models import load_asker
from reatt.weights.t5_files import REDUNDANT, Uninitialised, read_shape, unfilled
from reatt_store.connection import translated
from reatt_store.errors import ModelError, ModelUnsafe, ReattError

PICKLE, PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def assemble(source: Path, part: Path, tell: Callable[[Message], None]) -> tuple[str, ...]:
    """Bring a model into an empty folder and load it; returns the weights of a pickle that were left out."""
    tell({"phase": "copy"})
    place(source / "config.json", part / "config.json")
    _bring_tokenizer(source, part)
    left_out = _bring_weights(source, part)
    for file in ModelFolder(source).apart:
        place(file, part / file.name)
    tell({"phase": "check"})
    load_asker(ModelFolder(part), torch.float32)
    return left_out


def convert(source: Path, target: Path) -> tuple[str, ...]:
    """Write a folder's pickled weights to `target`, a safetensors file; returns the names of weights left out.

    Copies of the embedding, and position tables that the model never reads, are left out without mention. Other weights
    that are not part of a T5, for example of an optimizer, are returned by name.
    """
    config = read_shape(source)
    weights = {name: weight for name, weight in _unpickled(source) if not REDUNDANT.match(name)}
    entries = {name: _entry(name, weight, source) for name, weight in weights.items()}
    known = _known(config)
    unfilled(config, {our_name(name): entry for name, entry in entries.items() if name in known}, source)
    head, shared = weights.get("lm_head.weight"), weights["shared.weight"]
    if head is not None and torch.equal(head, shared):
        del weights["lm_head.weight"]
    kept = {name: weight.contiguous() for name, weight in weights.items() if name in known}
    save_file(kept, target, {"format": "pt"})
    with open(target, "rb") as stream:
        os.fsync(stream.fileno())
    return tuple(sorted(weights.keys() - known))


def _known(config: T5Config) -> set[str]:
    """Return the published names of a T5's weights."""
    with torch.device("meta"), Uninitialised():
        return {*published_weights(T5(config)), "lm_head.weight"}


def _entry(name: str, weight: Tensor, source: Path) -> Entry:
    """Describe a weight of a pickle; raises ModelError for one that is not simply its numbers.

    A few bytes can stand for gigabytes: in a view that has the same numbers again and again, or where none are stored.
    """
    plain = weight.layout is torch.strided and weight.device.type == "cpu" and weight.dtype in TYPES
    if not plain or weight.untyped_storage().nbytes() < weight.numel() * weight.element_size():
        message = f"{source / PICKLE}: the weight {name:.100} is no plain table of numbers"
        raise ModelUnsafe(message, "get the model again from where it comes from", str(source))
    return Entry(TYPES[weight.dtype], tuple(weight.shape), (0, 0))


def _unpickled(source: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of a pickle or of all its shards, memory-mapped."""
    files = shards(source / PICKLE_INDEX) if (source / PICKLE_INDEX).is_file() else [source / PICKLE]
    for file in files:
        try:
            table = torch.load(file, weights_only=True, map_location="cpu", mmap=_is_zip(file))
        except Exception as error:  # torch raises UnpicklingError, RuntimeError, EOFError, ..., as the file pleases
            why = str(error).strip().partition("\n")[0]
            raise ModelUnsafe(f"{file} is damaged or holds more than weights: {why}", "", str(file)) from None
        if not isinstance(table, dict):
            raise ModelError(f"{file} holds no table of weights", "", str(file))
        yield from ((str(name), weight) for name, weight in table.items() if isinstance(weight, Tensor))


def _is_zip(file: Path) -> bool:
    with opened(file) as stream:
        return stream.read(4) == b"PK\x03\x04"  # what torch has written since 1.6; older files cannot be mapped


def _bring_weights(source: Path, part: Path) -> tuple[str, ...]:
    """Copy the safetensors, or convert the pickle if there is nothing else; returns the names left out."""
    try:
        files = weight_files(source)
    except ModelUnsafe:
        return convert(source, part / "model.safetensors")
    for file in files if files[0].name == "model.safetensors" else [source / INDEX, *files]:
        place(file, part / file.name)
    return ()


def _bring_tokenizer(source: Path, part: Path) -> None:
    """Copy `tokenizer.json`, or make it from `spiece.model` with transformers."""
    if (source / "tokenizer.json").is_file():
        place(source / "tokenizer.json", part / "tokenizer.json")
        return
    if not (source / "spiece.model").is_file():
        raise ModelError(f"no tokenizer.json in {source}", "copy it from where the model comes from", str(source))
    try:
        from transformers import T5Tokenizer

        T5Tokenizer.from_pretrained(str(source)).backend_tokenizer.save(str(part / "tokenizer.json"))
    except (ImportError, ValueError, OSError):
        message = f"{source} has its tokenizer as spiece.model; transformers and sentencepiece can turn that into"
        raise ModelError(f"{message} the tokenizer.json that reatt reads", INSTALL_HUB, str(source)) from None


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    die_with(request["parent"])
    limit(RLIM_INFINITY, request["cpu_seconds"], request["written"])
    limit_data(request["memory"])
    torch.set_num_threads(1)
    _say(_answer(Path(request["source"]), Path(request["part"])))


def _answer(source: Path, part: Path) -> Message:
    """Assemble a model, or say why that failed."""
    try:
        with translated(part):
            return {"left_out": assemble(source, part, _say)}
    except ReattError as error:
        return {"error": error.id, "message": error.message, "fix": error.fix}
    except Exception as error:  # a stranger's file may bring a library to raise whatever it likes
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        return {"error": ModelUnsafe.id, "message": f"{source} cannot be read as a model: {why:.200}"}


def _say(message: Message) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
