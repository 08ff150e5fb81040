"""Write a trained model as a folder in the published layout; its config names the model that it was before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from reatt.model.asker import Asker
from reatt.model.reatt import ReAtt
from reatt.model.retrieval_tokens import RetrievalTokens
from reatt.model.stacks.names import published
from reatt.weights.files import place
from reatt.weights.folder import FUSION_WEIGHT, INDEX, SUFFIX, WEIGHTS, ModelFolder, weight_files
from reatt_store.connection import translated
from reatt_store.errors import DiskFull
from reatt_store.opening import private_folder

FUSION = 0.55  # the least weight of attention in hybrid search if retrieval was learnt separately from reading

WeightFiles = Mapping[str, Mapping[str, Tensor]]  # file name -> weight name -> weight


def write_reatt(
    model: ReAtt, parent: ModelFolder, folder: Path, fitted: Mapping[str, float] | None = None
) -> ModelFolder:
    """Write a ReAtt that began as `parent`, with the weights of hybrid search that were `fitted` for it.

    Calibration stays the parent's. So does the weight of attention in hybrid search, unless one was fitted or retrieval
    was learnt separately: it then knows which words matter in this corpus, and its scores deserve more weight.
    """
    settings: dict[str, float] = {}
    if fitted is not None:
        settings |= fitted
    elif model.t5.retrieval is not None:
        settings["fusion"] = max(FUSION, float(parent.settings.get("fusion", FUSION_WEIGHT)))
    files = {WEIGHTS: published(model.t5)}
    return write_folder(parent, folder, files, {"retrieval_head": model.head.number}, settings)


def write_intra(tokens: RetrievalTokens, parent: ModelFolder, folder: Path, warmed: Asker | None = None) -> ModelFolder:
    """Write an INTRA that began as `parent` and has other retrieval tokens, and with `warmed` other weights."""
    files = {parent.retrieval_tokens.name: {"vectors": tokens.vectors, "weights": tokens.weights}}
    learnt = {} if warmed is None else {WEIGHTS: warmed.published()}
    return write_folder(parent, folder, {**learnt, **files}, {}, {})


def write_folder(
    parent: ModelFolder, folder: Path, files: WeightFiles, config: Mapping[str, Any], settings: Mapping[str, Any]
) -> ModelFolder:
    """Write a model that began as `parent` and differs from it in `files`; it replaces what was in `folder`.

    `config`, and `settings` for its part `reatt`, override the parent's config. If `files` contain the model's weights,
    these are float32, because rounding could undo the small changes of training. Raises DiskFull.
    """
    name = parent.name.removesuffix(SUFFIX) + SUFFIX
    whole = {**parent.config, **config}
    whole["reatt"] = {**parent.settings, "name": name, "parent": parent.sha256, **settings}
    if WEIGHTS in files:
        whole = {**{key: value for key, value in whole.items() if key != "torch_dtype"}, "dtype": "float32"}
    shutil.rmtree(folder, ignore_errors=True)
    with translated(folder):
        private_folder(folder.parent)
        folder.mkdir(mode=0o700)
        (folder / "config.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        kept = [parent.path / "tokenizer.json", *parent.apart]
        for file in kept if WEIGHTS in files else [*kept, *_weights(parent)]:
            place(file, folder / file.name)
        for file_name, tensors in files.items():
            _save(folder / file_name, tensors)
        for written in folder.iterdir():
            os.chmod(written, 0o600)
    return ModelFolder(folder, "folder", name)


def _save(file: Path, tensors: Mapping[str, Tensor]) -> None:
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(ready, file, {"format": "pt"})
    except SafetensorError as error:
        message = f"the model cannot be written to {file.parent}: {error}"
        raise DiskFull(message, "free some space") from None


def _weights(folder: ModelFolder) -> list[Path]:
    index = folder.path / INDEX
    return [*weight_files(folder.path), *([index] if index.is_file() else [])]
