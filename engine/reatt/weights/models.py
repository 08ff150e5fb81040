"""Find and load models: a name, a folder or a store's own model becomes a `ModelFolder`, and that a `ReAtt`.

A store keeps a copy of the model that made its vectors, so that it still works after an upgrade or on another machine.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reatt.model.backbone import KEEPING, PLAIN
from reatt.weights.files import AGAIN, digest, digest_afresh, place
from reatt.weights.folder import INDEX, ModelFolder, number, read_config, retrieval_head, weight
from reatt_store.connection import sync_folder, translated
from reatt_store.errors import DeviceError, ModelError, ModelMismatch, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from reatt.model.asker import Asker
    from reatt.model.backbone import Backbone
    from reatt.model.confidence import Calibration
    from reatt.model.intra import Intra
    from reatt.model.reatt import ReAtt
    from reatt.model.t5 import T5
    from reatt.model.writer import Chooser
    from reatt.weights.verify import Loaded
    from reatt_store.library import Library

__all__ = [
    "BUNDLED",
    "ModelFolder",
    "bundled",
    "choose_device",
    "damaged",
    "drop_unused",
    "find",
    "has_hash",
    "in_store",
    "installed",
    "keep_in_store",
    "load",
    "load_for",
    "load_intra",
    "load_stack",
    "named",
]

BUNDLED = "reatt-mini"
STRONGEST = 1000.0  # the largest prior, and the largest weight of the decoder beside a pointer
MOST_CANDIDATES = 1000


def bundled() -> ModelFolder:
    """Return the model that comes with the package."""
    return ModelFolder(Path(__file__).parents[1] / BUNDLED, "bundled", BUNDLED)


def installed(registry: Path) -> list[ModelFolder]:
    """List the models that have a name: the bundled one, then those in the registry folder."""
    names = sorted(path.name for path in registry.iterdir()) if registry.is_dir() else []
    added = [ModelFolder(registry / name, "added", name) for name in names if not name.startswith(".")]
    return [folder for folder in (bundled(), *added) if (folder.path / "config.json").is_file()]


def find(name_or_dir: str | None, registry: Path, store: Library | None) -> ModelFolder:
    """Find a model by name or folder; for None the store's own, else the bundled one.

    A name comes before a folder of the same name, so that unrelated files change nothing; `./NAME` is the folder.
    """
    if name_or_dir is None:
        return _of_store(store, registry) or _checked(bundled())
    known = {folder.name: folder for folder in reversed(installed(registry))}
    if name_or_dir in known:
        return known[name_or_dir]
    if Path(name_or_dir).expanduser().is_dir():
        return _checked(ModelFolder(Path(name_or_dir).expanduser().absolute()))
    there = ", ".join(sorted(known)) or "none"
    raise ModelError(f"no model is called {name_or_dir}, and no folder is; there are: {there}", "reatt models list")


def keep_in_store(folder: ModelFolder, store: Path) -> ModelFolder:
    """Keep a model in the store that it encodes, so that the store can be copied whole and survives upgrades.

    The caller holds the store's lock. Nothing is hard-linked: whoever edits a model would change the store's as well.
    """
    shelf = store / "models"
    kept = ModelFolder(shelf / _kept_name(folder.name, folder.sha256), "store", folder.name, folder.sha256)
    with translated(shelf):
        for left in shelf.glob(".part-*"):  # of a killed run
            _remove(left)
        if kept.path.is_dir():
            return kept
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=shelf))
        try:
            for file in _to_copy(folder):
                place(file, part / file.name)
            if digest(ModelFolder(part).files) != folder.sha256:
                raise ModelError(f"{folder.path} changed while it was copied", "run it again", str(folder.path))
            sync_folder(part)
            part.rename(kept.path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        sync_folder(shelf)
    return kept


def drop_unused(store: Library) -> None:
    """Remove the models that no generation uses or used; the caller holds the store's lock."""
    used = {_kept_name(*made) for made in _kept(store)}
    for path in (store.folder / "models").iterdir():
        if path.name not in used:
            _remove(path)


def _remove(path: Path) -> None:
    """Remove what lies among the models of a store, which may also be a file of somebody else."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def damaged(store: Library) -> list[ModelFolder]:
    """List the models in a store whose files are missing or differ from those that the store was made with."""
    found = (in_store(store, *made) for made in sorted(_kept(store)))
    return [folder for folder in found if not _intact(folder)]


def in_store(store: Library, name: str, sha256: str) -> ModelFolder:
    """Return the copy of a model that a store keeps."""
    return ModelFolder(store.folder / "models" / _kept_name(name, sha256), "store", name, sha256)


def has_hash(folder: ModelFolder, sha256: str) -> bool:
    """Return whether a model's files are complete and have this hash."""
    try:
        return folder.sha256 == sha256
    except (ModelError, OSError):
        return False


def _intact(kept: ModelFolder) -> bool:
    """Return whether a store's model has the hash that the store recorded; all of its files are read."""
    try:
        return digest_afresh(kept.files) == kept.made_with
    except (ModelError, OSError):
        return False


def load(
    folder: ModelFolder, device: str = "auto", dtype: torch.dtype | None = None, *, keeps_states: bool = False
) -> ReAtt:
    """Load a model with its tokenizer onto a device, in float32 unless `dtype` says otherwise.

    Bfloat16 would make other keys than those in a store, and a store may be moved to a machine without it.
    """
    import torch

    from reatt.model.reatt import EVERYTHING, Head, ReAtt

    where, head = torch.device(choose_device(device)), Head(*retrieval_head(folder))
    loaded = load_stack(folder, dtype or torch.float32)
    reads = number(folder, "reads", folder.settings.get("reads", EVERYTHING), 1, EVERYTHING)
    prior = _weight(folder, "prior", 0.0, STRONGEST)
    how = (_calibration(folder), reads, prior, _chooser(folder))
    return ReAtt(loaded.model, loaded.tokenizer, head, where, *how, keeps_states=keeps_states)


def load_stack(folder: ModelFolder, dtype: torch.dtype) -> Loaded[T5]:
    """Load the weights of a model whose encoder retrieves, and its tokenizer."""
    from reatt.weights import stacks, verify

    return verify.opened(folder, lambda: stacks.load_stack(folder.path, dtype), lambda t5: t5.config.vocab_size)


def _chooser(folder: ModelFolder) -> Chooser:
    """Return how answers are chosen: by the model's pointer if it has one, else by the decoder."""
    from reatt.model.pointing import CANDIDATES, Pointing
    from reatt.model.writer import written

    said = folder.config.get("pointer")
    if not isinstance(said, dict):
        return written
    candidates = number(folder, "candidates", said.get("candidates", CANDIDATES), 1, MOST_CANDIDATES)
    weights = (weight(folder, name, said.get(name, 0.0), STRONGEST) for name in ("decoder_weight", "brevity"))
    return Pointing(candidates, *weights)


def load_intra(folder: ModelFolder, device: str = "auto", dtype: torch.dtype | None = None) -> Intra:
    """Load a model that retrieves with its decoder: any T5, with or without a retrieval head, and any T5Gemma2."""
    import torch

    from reatt.model.intra import Intra
    from reatt.weights import intra_files

    where = torch.device(choose_device(device))
    loaded = load_asker(folder, dtype or torch.float32)
    return Intra(loaded.model, loaded.tokenizer, intra_files.read(folder, loaded.model), where)


def load_asker(folder: ModelFolder, dtype: torch.dtype) -> Loaded[Asker]:
    """Load the weights of a model of any kind, and its tokenizer."""
    from reatt.weights import verify

    made = ASKERS[folder.config["model_type"]]
    return verify.opened(folder, lambda: made(folder, dtype), lambda asker: asker.vocabulary)


def _t5_asker(folder: ModelFolder, dtype: torch.dtype) -> Asker:
    from reatt.model.t5_asker import T5Asker
    from reatt.weights.stacks import load_stack

    return T5Asker(load_stack(folder.path, dtype))


def _bert_asker(folder: ModelFolder, dtype: torch.dtype) -> Asker:
    """Load a BERT; its states are compared by their cosine if its config says so."""
    from reatt.model.t5_asker import CosineAsker, T5Asker
    from reatt.weights.bert_shape import read_shape
    from reatt.weights.stacks import load_stack

    asker = CosineAsker if read_shape(folder.path).unit_states else T5Asker
    return asker(load_stack(folder.path, dtype))


def _t5gemma_asker(folder: ModelFolder, dtype: torch.dtype) -> Asker:
    from reatt.weights.t5gemma_files import load_t5gemma

    return load_t5gemma(folder, dtype)


ASKERS: dict[str, Callable[[ModelFolder, torch.dtype], Asker]] = {
    "t5": _t5_asker,
    "bert-t5": _bert_asker,
    "t5gemma2": _t5gemma_asker,
}


METHODS: dict[str, Callable[[ModelFolder, str], Backbone]] = {
    PLAIN: load,
    KEEPING: partial(load, keeps_states=True),
    "intra": load_intra,
}


def load_for(method: str, folder: ModelFolder, device: str = "auto") -> Backbone:
    """Load a model for the method of a generation; raises ModelMismatch if there is no method of that name."""
    if method not in METHODS:
        message = f"the store was encoded for {method:.40}, which this version does not know"
        raise ModelMismatch(message, "upgrade reatt, or reatt ingest --reencode")
    return METHODS[method](folder, device)


def fusion(folder: ModelFolder, usual: float, method: str = "reatt") -> float:
    """Read the weight of attention in hybrid search; `usual` if the model's config does not say.

    The weight of a decoder that was never trained to retrieve is 0, whatever the config says: reatt-mini's finds almost
    nothing (docs/intra.md), and no other was shown to work.
    """
    found = _weight(folder, "fusion", usual, 1.0)
    return found if method != "intra" or folder.retrieval_tokens.is_file() else 0.0


def named(folder: ModelFolder, usual: float) -> float:
    """Read the weight of names in hybrid search; `usual` if the model's config does not say."""
    return _weight(folder, "named", usual, 1.0)


def _weight(folder: ModelFolder, key: str, usual: float, most: float) -> float:
    return weight(folder, key, folder.settings.get(key, usual), most)


def _calibration(folder: ModelFolder) -> Calibration | None:
    """Read the calibration of the model's confidence; None if its config has none."""
    from reatt.model.confidence import Calibration

    fitted = folder.settings.get("confidence")
    if fitted is None:
        return None
    try:
        return Calibration.from_json(fitted)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        file = folder.path / "config.json"
        raise ModelError(f"{file}: confidence is not a calibration: {error}", AGAIN, str(file)) from None


def choose_device(choice: str) -> str:
    """Turn `auto`, `cpu`, `cuda` or `cuda:N` into a device that torch has.

    `auto` takes a GPU if there is one. `cuda` without one is an error; the CPU never silently takes its place.
    """
    import torch

    if choice == "cpu":
        return "cpu"
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if choice == "auto":
        return "cuda" if found else "cpu"
    if not re.fullmatch(r"cuda(:\d+)?", choice, re.ASCII):
        raise UsageError(f"no device is called {choice}: expected auto, cpu, cuda or cuda:N", "--device auto")
    if not found:
        raise DeviceError("no CUDA device: none is visible to PyTorch", "--device cpu")
    if int(choice.partition(":")[2] or 0) >= found:
        raise DeviceError(f"no device {choice}: PyTorch sees {found}, counted from 0", "--device cuda:0")
    return choice


def _checked(folder: ModelFolder) -> ModelFolder:
    read_config(folder.path)
    return folder


def _of_store(store: Library | None, registry: Path) -> ModelFolder | None:
    """Find the model of the current generation: the copy in the store, else an equal one that is installed."""
    made = store.generation() if store else None
    if store is None or made is None:
        return None
    kept = in_store(store, made.model_name, made.model_sha256)
    if kept.path.is_dir():
        return kept
    for folder in installed(registry):
        if has_hash(folder, made.model_sha256):
            return folder
    message = f"the store's own model, {made.model_name} ({made.model_sha256[:8]}), is missing from {kept.path.parent}"
    raise ModelError(message, "reatt ingest --reencode", str(kept.path))


def _kept(store: Library) -> set[tuple[str, str]]:
    """Return names and hashes of the models that a store keeps: of its current, former and unfinished generations."""
    begun = {(made.model_name, made.model_sha256) for made in store.generations()}
    return begun | {(model.name, model.sha256) for model in store.models()}


def _kept_name(name: str, sha256: str) -> str:
    """Return the folder name of a kept model; a name from a stranger's store must not lead out of the folder."""
    return re.sub(r"[^\w.-]", "-", f"{name}-{sha256[:8]}").lstrip(".")


def _to_copy(folder: ModelFolder) -> list[Path]:
    index = folder.path / INDEX
    return [*folder.files, *([index] if index.is_file() else [])]
