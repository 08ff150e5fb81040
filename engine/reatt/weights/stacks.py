"""The kinds of encoder, by `model_type` in a folder's config, and the loader of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from reatt.model.t5 import T5
from reatt.weights.bert_files import load_bert
from reatt.weights.folder import read_retrieving_config
from reatt.weights.t5_files import load_t5

LOADERS: dict[str, Callable[[Path, torch.dtype], T5]] = {"t5": load_t5, "bert-t5": load_bert}


def load_stack(folder: Path, dtype: torch.dtype = torch.float32) -> T5:
    """Build a model from a folder's weights; raises `ModelError` naming every key that does not fit."""
    return LOADERS[read_retrieving_config(folder)["model_type"]](folder, dtype)
