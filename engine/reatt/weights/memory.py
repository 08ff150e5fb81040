"""Check, before a model's weights are read, whether they fit into the free memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from reatt.weights.files import AGAIN
from reatt.weights.folder import ModelFolder
from reatt.weights.needs import needs
from reatt_store.errors import ModelError, OutOfMemory

if TYPE_CHECKING:
    import torch


def check_files(model: ModelFolder) -> None:
    """Raise ModelError if a model's config describes more weights than its files have bytes."""
    needed, there = needs(model.config), sum(path.stat().st_size for path in model.path.iterdir() if path.is_file())
    if needed is not None and needed.weights > there:
        message = f"{model.path / 'config.json'} describes {needed.weights:,} weights; the files have {there:,} bytes"
        raise ModelError(message, AGAIN, str(model.path))


def check_to_load(model: ModelFolder) -> None:
    """Raise OutOfMemory if a model's weights alone need more memory than is free."""
    needed, free = needs(model.config), unused_memory()
    if needed is not None and free is not None and needed.memory > free:
        message = f"{model.name} takes {needed.memory / 1e9:.2f} GB of memory, and {free / 1e9:.2f} GB are free"
        raise OutOfMemory(message, "end other programs, or take a smaller model")


def free_memory(device: torch.device) -> int | None:
    """Return the free bytes of a device; None if the system does not tell."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    return unused_memory()


def unused_memory() -> int | None:
    """Return the free bytes of this machine's memory; None if the system does not tell."""
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
