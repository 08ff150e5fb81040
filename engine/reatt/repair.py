"""Repair a damaged store: sound parts stay, vectors are encoded again, texts are read from their files.

The store repairs whatever it can derive from its own data (`reatt_store.repairing`). The rest needs a model or the
sources: damaged segments are encoded again, changed documents are read again if their files still exist, and a damaged
copy of a model is replaced by an installed one with the same hash.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from reatt import ingest
from reatt.documents.files import on_disk
from reatt.ingest import IngestOptions
from reatt.progress import OnProgress
from reatt.weights import models
from reatt_store import vouching
from reatt_store.library import Library
from reatt_store.records import Doubted
from reatt_store.repairing import repair as repair_rows


@dataclass
class RepairReport:
    """What a repair had to restore."""

    tokens: int = 0  # keys encoded again from stored text
    read_again: list[str] = field(default_factory=list)  # files
    left: list[Doubted] = field(default_factory=list)  # documents whose files are gone or not ours; kept unchanged


def repair(library: Library, registry: Path, device: str, on_progress: OnProgress) -> RepairReport:
    """Repair a store; `Library.check` names what remains damaged. Raises StoreLocked if another process writes."""
    report = RepairReport()
    doubted = repair_rows(library.folder)
    _restore_models(library, registry)
    # A store from a stranger could name any file of ours, and get it into itself with our help.
    ours = vouching.remembered(library.folder, {each.path for each in doubted})
    there = sorted(filter(_is_there, ours))
    report.left = [each for each in doubted if each.path not in there]
    made = library.generation()
    if made is None or not (there or library.lacking(made.id)):
        with library.writing():
            return report  # a writer makes the clusters anew
    folder = models.find(None, registry, library)
    backbone = models.load_for(made.method, folder, device)
    with library.writing() as writer:
        report.tokens = ingest.complete(library, writer, backbone, made.id, on_progress)
    if there:
        read = ingest.ingest(library, backbone, folder, [on_disk(path) for path in there], IngestOptions(), on_progress)
        report.tokens += read.tokens
        report.read_again = there
    return report


def _is_there(path: str) -> bool:
    """Return whether the file of a stored path is still there."""
    try:
        return stat.S_ISREG(os.stat(on_disk(path)).st_mode)
    except (OSError, ValueError):
        return False


def _restore_models(library: Library, registry: Path) -> None:
    """Replace damaged models by installed ones of the same hash."""
    wanted = {made.model_sha256: made.model_name for made in library.generations()}
    wanted |= {model.sha256: model.name for model in library.models()}
    damaged = {folder.path for folder in models.damaged(library)}
    for sha256, name in wanted.items():
        path = models.in_store(library, name, sha256).path
        found = next((folder for folder in models.installed(registry) if models.has_hash(folder, sha256)), None)
        if path in damaged and found is not None:
            with library.writing():
                shutil.rmtree(path, ignore_errors=True)
                models.keep_in_store(models.ModelFolder(found.path, found.origin, name), library.folder)
