"""Checkpoints of a training run: a folder each, complete or not there at all.

`step-00000042/` holds `training.safetensors` (weights, head weights, AdamW's moments, close chunks) and `training.json`
(everything else). It is written beside, down to the disk, and renamed; the one before goes only then.
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
PART = "part"  # a folder on its way in or out


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on: tensors by name, and plain values."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


def save(folder: Path, step: int, checkpoint: Checkpoint) -> None:
    """Put a checkpoint in place of the earlier ones; raises DiskFull, and the earlier ones stay."""
    with translated(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part, final = folder / PART, folder / f"step-{step:08d}"
    shutil.rmtree(part, ignore_errors=True)
    try:
        with translated(part):
            part.mkdir()
            _write(part, checkpoint)
            if final.is_dir():
                return  # of the same step, so of the same content
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
    """Read the newest checkpoint; None where there is none."""
    for newest in reversed(_complete(folder)):
        try:
            state = json.loads((newest / STATE).read_text(encoding="utf-8"))
            return Checkpoint(load_file(newest / WEIGHTS), state)
        except (OSError, ValueError, SafetensorError) as error:
            message = f"the checkpoint in {newest} cannot be read: {error}"
            raise UsageError(message, "run the command without --resume", str(newest)) from None
    return None


def exists(folder: Path) -> bool:
    """Say whether there is a run to go on with."""
    return bool(_complete(folder))


def forget(folder: Path) -> None:
    """Remove all checkpoints: the run is over."""
    for each in _complete(folder):
        _drop(each)
    shutil.rmtree(folder, ignore_errors=True)


def _complete(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _drop(checkpoint: Path) -> None:
    """Let a checkpoint vanish at once: what a kill leaves of it has no checkpoint's name."""
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
