"""Checkpoints of a training run: one folder each, which is either complete or does not exist.

`step-00000042/` holds `training.safetensors` (weights, head weights, AdamW's moments, close chunks) and `training.json`
(everything else). It is written to a temporary folder, synced to disk, and renamed. Only then the old one is deleted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from reatt_store.connection import sync_folder, translated
from reatt_store.errors import DiskFull, UsageError

WEIGHTS, STATE = "training.safetensors", "training.json"
PART = "part"  # the temporary name of a folder that is being written or deleted


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to continue: tensors by name, and plain values."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


def save(folder: Path, step: int, checkpoint: Checkpoint) -> None:
    """Replace the earlier checkpoints by a new one; if that raises DiskFull, the earlier ones stay."""
    with translated(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part, final = folder / PART, folder / f"step-{step:08d}"
    shutil.rmtree(part, ignore_errors=True)
    try:
        with translated(part):
            part.mkdir()
            _write(part, checkpoint)
            if final.is_dir():
                return  # the same step has the same content
            part.rename(final)
            sync_folder(folder)
    except SafetensorError as error:
        raise DiskFull(f"no checkpoint can be written to {folder}: {error}", "free some space, then --resume") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for older in _complete(folder):
        if older != final:
            _drop(older)


def load(folder: Path) -> Checkpoint | None:
    """Read the newest checkpoint; None if there is none."""
    for newest in reversed(_complete(folder)):
        try:
            state = json.loads((newest / STATE).read_text(encoding="utf-8"))
            return Checkpoint(load_file(newest / WEIGHTS), state)
        except (OSError, ValueError, SafetensorError) as error:
            message = f"the checkpoint in {newest} cannot be read: {error}"
            raise UsageError(message, "run the command without --resume", str(newest)) from None
    return None


def exists(folder: Path) -> bool:
    """Return whether there is a run to continue."""
    return bool(_complete(folder))


def forget(folder: Path) -> None:
    """Remove all checkpoints of a finished run."""
    for each in _complete(folder):
        _drop(each)
    shutil.rmtree(folder, ignore_errors=True)


def _complete(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _drop(checkpoint: Path) -> None:
    """Rename a checkpoint, then delete it: what a kill leaves of it no longer has the name of a checkpoint."""
    passing = checkpoint.with_name(PART)
    shutil.rmtree(passing, ignore_errors=True)
    checkpoint.rename(passing)
    shutil.rmtree(passing)


def _write(part: Path, checkpoint: Checkpoint) -> None:
    tensors = {name: tensor.detach().contiguous() for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, part / WEIGHTS)
    (part / STATE).write_text(json.dumps(checkpoint.state), encoding="utf-8")
    for name in (WEIGHTS, STATE):
        with open(part / name, "rb") as file:
            os.fsync(file.fileno())
    sync_folder(part)
