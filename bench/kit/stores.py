"""Stores of real passages, encoded by the real model: made once, gone on with after an interruption, then kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.kit import corpus, processes
from bench.kit.plan import Plan
from reatt.weights.models import load_for
from reatt_store.errors import StoreError
from reatt_store.library import Library

ASKED = {"reatt": (), "reatt-states": ("--keep-states",), "intra": ("--method", "intra")}  # of `reatt ingest`


def store(plan: Plan, chunks: int, method: str = "reatt") -> Path:
    """Return a store of so many chunks in the model's keys; what another model encoded is thrown away."""
    folder = plan.work / (f"chunks-{chunks}" if method == "reatt" else f"chunks-{chunks}-{method}")
    if not _made_by(folder, load_for(method, plan.model, plan.device).fingerprint()):
        shutil.rmtree(folder, ignore_errors=True)
    file = corpus.write_passages(plan.data, plan.work / f"passages-{chunks}.jsonl", chunks)
    _ingest(plan, folder, file, ASKED[method])
    return folder


def fresh(plan: Plan, folder: Path, file: Path) -> None:
    """Make a store of one file anew."""
    shutil.rmtree(folder, ignore_errors=True)
    _ingest(plan, folder, file)


def _ingest(plan: Plan, folder: Path, file: Path, asked: Sequence[str] = ()) -> None:
    """Run `reatt ingest`: what the store already holds is passed over."""
    named = ["--store", str(folder), "--model", str(plan.model.path), "--device", plan.device]
    command = [*processes.REATT, "ingest", *named, *asked, str(file)]
    subprocess.run(command, check=True, stdout=sys.stderr, env=processes.environment(plan.home))


def _made_by(folder: Path, fingerprint: str) -> bool:
    try:
        with closing(Library.open(folder)) as library:
            return all(made.fingerprint == fingerprint for made in library.generations())
    except StoreError:
        return False
