"""The retrieval tokens of an INTRA model on disk: a file beside the weights, which are its parent's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from reatt.model.asker import Asker
from reatt.model.retrieval_tokens import RetrievalTokens, untrained
from reatt.weights.folder import INDEX, SUFFIX, ModelFolder, place, weight_files
from reatt_store.connection import translated
from reatt_store.errors import DiskFull, ModelError


def read(folder: ModelFolder, asker: Asker) -> RetrievalTokens:
    """Read a model's retrieval tokens; one that was never trained to retrieve so has those it begins with."""
    if asker.heads[0] == 0:
        message = f"{folder.name} has no decoder, so no cross-attention that could retrieve"
        raise ModelError(message, "use a model of the T5 family, or --method reatt", str(folder.path))
    if not folder.retrieval_tokens.is_file():
        return untrained(asker)
    try:
        found = load_file(folder.retrieval_tokens)
        tokens = RetrievalTokens(found["vectors"].float(), found["weights"].float())
    except (SafetensorError, KeyError, OSError) as error:
        raise _damaged(folder, str(error)) from None
    if not _fits(tokens, asker):
        raise _damaged(folder, "its shapes are not those of the model")
    return tokens


def write(tokens: RetrievalTokens, parent: ModelFolder, folder: Path, warmed: Asker | None = None) -> ModelFolder:
    """Write a model that began as `parent` and differs from it in its retrieval tokens, and where `warmed`, decoder.

    A decoder that has learnt is written in float32: rounding could undo what a low learning rate has done.
    """
    name = parent.name.removesuffix(SUFFIX) + SUFFIX
    config = {**parent.config, "reatt": {**parent.settings, "name": name, "parent": parent.sha256}}
    config |= {} if warmed is None else {"dtype": "float32"}
    made = ModelFolder(folder, "folder", name)
    shutil.rmtree(folder, ignore_errors=True)
    with translated(folder):
        folder.mkdir(parents=True, mode=0o700)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        for file in _unlearnt(parent) if warmed is None else [parent.path / "tokenizer.json", *parent.apart]:
            place(file, folder / file.name)
        try:
            if warmed is not None:
                weights = {key: each.detach().cpu().contiguous() for key, each in warmed.published().items()}
                save_file(weights, folder / "model.safetensors", {"format": "pt"})
            save_file({"vectors": tokens.vectors, "weights": tokens.weights}, made.retrieval_tokens)
        except SafetensorError as error:
            raise DiskFull(f"the model cannot be written to {folder}: {error}", "free some space") from None
        for written in folder.iterdir():
            os.chmod(written, 0o600)
    return made


def _unlearnt(folder: ModelFolder) -> list[Path]:
    """Name the files of a model that training its retrieval tokens leaves as they are."""
    index = folder.path / INDEX
    own = [*weight_files(folder.path), folder.path / "tokenizer.json", *folder.apart]
    return [*own, *([index] if index.is_file() else [])]


def _fits(tokens: RetrievalTokens, asker: Asker) -> bool:
    vectors, weights = tokens.vectors.shape, tokens.weights.shape
    return len(vectors) == 2 and vectors[0] > 0 and vectors[1] == asker.width and tuple(weights) == asker.heads


def _damaged(folder: ModelFolder, detail: str) -> ModelError:
    return ModelError(
        f"{folder.retrieval_tokens} is damaged: {detail}", "copy the model again", str(folder.retrieval_tokens)
    )
