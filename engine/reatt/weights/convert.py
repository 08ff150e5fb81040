"""`reatt models add`: copy a model under a name; weights in a pickle are converted once.

This is the only module that reads pickles (with `weights_only=True`), and the only one that starts a download. A model
is assembled in a temporary folder, loaded as a check, and moved into place by one rename.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from reatt.model.t5 import T5
from reatt.model.t5_names import published_weights
from reatt.progress import OnProgress, Progress
from reatt.weights.folder import INDEX, INSTALL_HUB, ModelFolder, place, read_config, shards, weight_files
from reatt.weights.memory import check_to_load
from reatt.weights.models import BUNDLED, load_asker
from reatt.weights.t5_files import REDUNDANT, read_shape
from reatt.weights.tokenizer_files import read_tokenizer
from reatt_store.connection import sync_folder, translated
from reatt_store.errors import DiskFull, ModelError, ModelUnsafe, NoSuchPath, UsageError

PICKLE, PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True)
class Added:
    """A model that now has a name."""

    folder: ModelFolder
    left_out: tuple[str, ...]  # weights of the pickle that are not part of a T5


def add(source: str, registry: Path, on_progress: OnProgress, name: str | None = None) -> Added:
    """Register a model folder, or a model of the hub (`owner/model[@revision]`); it replaces one of the same name."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return _register(folder, registry, _name(name or folder.resolve().name), on_progress)
    if not HUB_NAME.fullmatch(source):
        raise NoSuchPath(f"{source} is neither a folder nor a hub name such as neulab/reatt-large-nq", "", source)
    called = _name(name or source.partition("@")[0].rpartition("/")[2])
    with translated(registry):
        registry.mkdir(parents=True, exist_ok=True)
        fetched = registry / f".hub-{re.sub(r'[/@]', '--', source)}"  # kept if killed: the next run goes on
        fetched.mkdir(exist_ok=True)
    download(source, fetched, on_progress)
    added = _register(fetched, registry, called, on_progress, ours=True)
    shutil.rmtree(fetched, ignore_errors=True)
    return added


def download(name: str, folder: Path, on_progress: OnProgress) -> None:
    """Fetch a model of the hub into a folder, in a child process; this process never opens a connection."""
    environment = {key: value for key, value in os.environ.items() if key not in OFFLINE}
    command = [sys.executable, "-P", str(Path(__file__).with_name("hub_child.py")), name, str(folder)]
    said: dict[str, object] = {}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment | quiet, text=True
    ) as child:
        try:
            for line in child.stdout or ():
                said |= json.loads(line)
                total = int(str(said.get("total", 0)))
                _check_room(folder, name, total)
                on_progress(Progress("download", min(int(str(said.get("done", 0))), total), total, name))
        finally:
            child.terminate()
    if said.get("install"):
        raise ModelError(f"to download {name}, huggingface_hub is needed", INSTALL_HUB)
    if said.get("gated"):
        fix = f"do so on https://huggingface.co/{name.partition('@')[0]}, then: hf auth login"
        raise ModelError(f"{name} is only for those who have accepted its licence", fix)
    if child.returncode or "error" in said:
        why = said.get("error", "the download stopped")
        raise ModelError(
            f"cannot download {name}: {why}", f"download it by hand, then: reatt models add DIR --name {name}"
        )


def _check_room(folder: Path, name: str, total: int) -> None:
    """Stop a download if the disk or the memory is too small, as soon as the model's config says so."""
    left = total - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if left > shutil.disk_usage(folder).free:
        raise DiskFull(f"no room in {folder.parent}: the model needs {total / 1e9:.2f} GB", "free some space")
    if (folder / "config.json").is_file():
        check_to_load(ModelFolder(folder, called=name))


def convert(source: Path, target: Path) -> tuple[str, ...]:
    """Write a folder's pickled weights to `target`, a safetensors file; returns the names of weights left out.

    Copies of the embedding, and position tables that the model never reads, are left out without mention. Other weights
    that are not part of a T5, for example of an optimizer, are returned by name.
    """
    with torch.device("meta"):
        known = {*published_weights(T5(read_shape(source))), "lm_head.weight"}
    weights = {name: weight for name, weight in _unpickled(source) if not REDUNDANT.match(name)}
    head, shared = weights.get("lm_head.weight"), weights.get("shared.weight")
    if head is not None and shared is not None and head.shape == shared.shape and torch.equal(head, shared):
        del weights["lm_head.weight"]
    kept = {name: weight.contiguous() for name, weight in weights.items() if name in known}
    save_file(kept, target, {"format": "pt"})
    with open(target, "rb") as stream:
        os.fsync(stream.fileno())
    return tuple(sorted(weights.keys() - known))


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
    with open(file, "rb") as stream:
        return stream.read(4) == b"PK\x03\x04"  # what torch has written since 1.6; older files cannot be mapped


def _register(source: Path, registry: Path, name: str, on_progress: OnProgress, *, ours: bool = False) -> Added:
    read_config(source)
    check_to_load(ModelFolder(source, called=name))
    on_progress(Progress("copy", 0, None, name))
    with translated(registry), _beside(registry, source) as part:
        place(source / "config.json", part / "config.json")
        _bring_tokenizer(source, part)
        left_out = _bring_weights(source, part, link=ours)
        for file in ModelFolder(source).apart:
            place(file, part / file.name, link=ours)
        on_progress(Progress("check", 0, None, name))
        _verify(part)
        _put_in_place(part, registry / name)
    return Added(ModelFolder(registry / name, "added", name), left_out)


def _bring_weights(source: Path, part: Path, *, link: bool) -> tuple[str, ...]:
    """Copy the safetensors, or convert the pickle if there is nothing else; returns the names left out."""
    try:
        files = weight_files(source)
    except ModelUnsafe:
        return convert(source, part / "model.safetensors")
    for file in files if files[0].name == "model.safetensors" else [source / INDEX, *files]:
        place(file, part / file.name, link=link)
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


def _verify(folder: Path) -> None:
    """Load the model, and check that its embedding covers all ids of its tokenizer."""
    model, tokenizer = load_asker(ModelFolder(folder), torch.float32), read_tokenizer(ModelFolder(folder))
    if tokenizer.size > model.vocabulary:
        message = f"tokenizer.json has {tokenizer.size} tokens, the model {model.vocabulary}"
        raise ModelError(message, "take both from the same model", str(folder))


@contextmanager
def _beside(registry: Path, source: Path) -> Iterator[Path]:
    """Make a hidden folder to assemble a model in; it is removed afterwards unless it was moved."""
    registry.mkdir(parents=True, exist_ok=True)
    needed = sum(path.stat().st_size for path in source.iterdir() if path.is_file())
    if shutil.disk_usage(registry).free < needed:
        raise DiskFull(
            f"no room in {registry}: the model needs {needed / 1e6:.0f} MB", "free some space", str(registry)
        )
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=registry))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, target: Path) -> None:
    sync_folder(part)
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
        target.rename(old / "old")
        part.rename(target)
        shutil.rmtree(old)
    else:
        part.rename(target)
    sync_folder(target.parent)


def _name(name: str) -> str:
    if not NAME.fullmatch(name) or name == BUNDLED:
        raise UsageError(f"a model cannot be called {name!r} here", "--name NAME, of letters, digits, dots and dashes")
    return name
