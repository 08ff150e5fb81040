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

from reatt.weights import headers
from reatt.weights.verify import require_finite
from reatt_store.connection import sync_folder, translated
from reatt_store.errors import DiskFull, ModelError, UsageError
from reatt_store.opening import LARGE, open_regular, private_folder, small_json

Shapes = Mapping[str, tuple[int, ...]]  # by the names of tensors
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
        private_folder(folder)
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
            with open_regular(newest / STATE) as file:
                state = small_json(file.read(LARGE))
            if not isinstance(state, dict):
                raise ValueError(f"{STATE} holds no JSON object")
            headers.of_file(newest / WEIGHTS)
            require_finite([newest / WEIGHTS])
            return Checkpoint(load_file(newest / WEIGHTS), state)
        except (OSError, ValueError, RecursionError, SafetensorError, ModelError) as error:
            raise unreadable(newest, str(error)) from None
    return None


def unreadable(folder: Path, why: str) -> UsageError:
    """Describe a checkpoint that cannot be continued."""
    message = f"the checkpoint in {folder} cannot be read: {why:.200}"
    return UsageError(message, "run the command without --resume", str(folder))


def require_identity(found: Checkpoint, identity: str, folder: Path) -> None:
    """Raise UsageError unless a checkpoint belongs to the run that is to continue."""
    if found.state.get("identity") != identity:
        message = "the run that was interrupted had other settings, another model or other documents"
        raise UsageError(message, "the options it had, or run without --resume", str(folder))


def require_shapes(found: Checkpoint, needed: Shapes, optional: Shapes, folder: Path) -> None:
    """Raise UsageError unless a checkpoint has the tensors that are needed, no unknown ones, and all of their shape."""
    known = {**needed, **optional}
    missing = needed.keys() - found.tensors.keys()
    unknown = found.tensors.keys() - known.keys()
    other = [name for name in known.keys() & found.tensors.keys() if tuple(found.tensors[name].shape) != known[name]]
    if wrong := sorted([*missing, *unknown, *other]):
        raise unreadable(folder, f"{len(wrong)} of its tensors do not fit: {', '.join(wrong[:3])}")


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
