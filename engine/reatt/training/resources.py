"""Check before a run whether there is enough disk space and memory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from reatt.model.t5 import T5
from reatt.weights.memory import free_memory
from reatt.weights.needs import FLOAT
from reatt_store.errors import DiskFull, OutOfMemory


def on_disk(t5: T5, learning: Sequence[Tensor], keys: int) -> int:
    """Add up the peak of bytes on disk: two checkpoints, the new model twice, and `keys` bytes of a new generation."""
    weights, moments = _count(list(t5.parameters())), 2 * _count(learning)
    return FLOAT * (2 * (weights + moments) + 2 * weights) + keys


def in_memory(learning: Sequence[Tensor]) -> int:
    """Add up the bytes of gradients and AdamW's moments; weights and activations come on top."""
    return FLOAT * 3 * _count(learning)


def check_disk(folder: Path, needed: int) -> None:
    """Raise DiskFull if less than `needed` bytes are free on a folder's disk."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        message = f"a run needs {needed / 1e9:.2f} GB on the disk for a while, and {free / 1e9:.2f} GB are free"
        raise DiskFull(message, "free some space", str(folder))


def check_memory(device: torch.device, needed: int) -> None:
    """Raise OutOfMemory if less than `needed` bytes are free on a device."""
    free = free_memory(device)
    if free is not None and needed > free:
        message = (
            f"learning takes {needed / 1e9:.2f} GB beside the model, and {device.type} has {free / 1e9:.2f} GB free"
        )
        raise OutOfMemory(message, "--freeze chunks, or a smaller --model")


def _count(weights: Sequence[Tensor]) -> int:
    return sum(weight.numel() for weight in weights)
