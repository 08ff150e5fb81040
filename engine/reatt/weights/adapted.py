"""A model that has learnt, as a folder in the published layout; what it was before stays on record in its config."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from reatt.model.reatt import ReAtt
from reatt.model.stacks.names import published
from reatt.weights.folder import FUSION_WEIGHT, SUFFIX, ModelFolder, place
from reatt_store.connection import translated
from reatt_store.errors import DiskFull

FUSION = 0.55  # least weight of attention in hybrid search where retrieval has learnt apart


def write(model: ReAtt, parent: ModelFolder, folder: Path) -> ModelFolder:
    """Write a model that began as `parent`, in float32: rounding could undo what a low learning rate has done.

    Calibration stays the parent's, and so does the weight of attention in hybrid search, unless retrieval has learnt
    apart: it then knows which words count in this corpus, and what it says is worth more beside them.
    """
    name = parent.name.removesuffix(SUFFIX) + SUFFIX
    config = {key: value for key, value in parent.config.items() if key != "torch_dtype"}
    settings = {**parent.settings, "name": name, "parent": parent.sha256}
    if model.t5.retrieval is not None:
        settings["fusion"] = max(FUSION, float(parent.settings.get("fusion", FUSION_WEIGHT)))
    config |= {"dtype": "float32", "retrieval_head": model.head.number, "reatt": settings}
    shutil.rmtree(folder, ignore_errors=True)
    weights = {key: weight.detach().cpu().contiguous() for key, weight in published(model.t5).items()}
    with translated(folder):
        folder.mkdir(parents=True, mode=0o700)
        try:
            save_file(weights, folder / "model.safetensors", {"format": "pt"})
        except SafetensorError as error:
            raise DiskFull(f"the model cannot be written to {folder}: {error}", "free some space") from None
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        for file in (parent.path / "tokenizer.json", *parent.apart):
            place(file, folder / file.name)
        for file in folder.iterdir():
            os.chmod(file, 0o600)
    return ModelFolder(folder, "folder", name)
