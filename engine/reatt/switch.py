"""Switching a store to an earlier model, or forward again: the model with its vectors, in one step."""

from __future__ import annotations

from collections.abc import Sequence

from reatt.ingest import complete
from reatt.progress import OnProgress
from reatt.weights import models
from reatt_store.errors import ModelError, UsageError
from reatt_store.library import Library
from reatt_store.records import StoreModel

SHORTEST = 4  # minimum characters of an abbreviated hash


def named(kept: Sequence[StoreModel], text: str) -> StoreModel:
    """Find a store's model by its name or the start of its hash; raises if there is none, or more than one."""
    by_name = [model for model in kept if model.name == text]
    by_hash = [model for model in kept if len(text) >= SHORTEST and model.sha256.startswith(text.lower())]
    found = by_name or by_hash
    if not found:
        there = ", ".join(f"{model.name} ({model.sha256[:8]})" for model in kept) or "none"
        message = f"the store has no model called {text}; its models are: {there}"
        raise ModelError(message, "reatt models list; to use a new model: reatt ingest --reencode --model NAME")
    if len({model.sha256 for model in found}) > 1:
        hashes = ", ".join(model.sha256[:8] for model in found)
        raise UsageError(f"the store has {len(found)} models called {text}: {hashes}", "name one by its hash")
    return next((model for model in found if model.current), found[-1])


def before(kept: Sequence[StoreModel]) -> StoreModel:
    """Return the model that the store had before the current one; raises UsageError if there is none."""
    now = next((model.id for model in kept if model.current), 0)
    earlier = [model for model in kept if model.id < now]
    if not earlier:
        raise UsageError("the store has no earlier model", "reatt models list")
    return earlier[-1]


def bring_back(
    library: Library, model: StoreModel, device: str = "auto", on_progress: OnProgress = lambda _: None
) -> int:
    """Switch to a model; texts added meanwhile are encoded first. Returns the number of new keys.

    The store answers as before until the transaction at the end, also after a kill.
    """
    folder = models.in_store(library, model.name, model.sha256)
    if not folder.path.is_dir() or folder.sha256 != model.sha256:
        raise ModelError(f"{model.name} is missing or damaged", "reatt check --repair", str(folder.path))
    made = 0
    with library.writing() as writer:
        if library.lacking(model.generation):
            method = next(each.method for each in library.generations() if each.id == model.generation)
            backbone = models.load_for(method, folder, device)
            made = complete(library, writer, backbone, model.generation, on_progress)
        writer.use(model.id)
    return made
