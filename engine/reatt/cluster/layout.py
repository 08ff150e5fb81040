"""The folder of a sharded corpus: one store for each shard, and a file that says how many, and whether all are whole.

The file is replaced in one step: it says "no" before the first shard is written to, and "yes" after the last has ended.
So shards of an ingest that was killed are never taken for the whole corpus.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from reatt_store.connection import replace_text
from reatt_store.errors import StoreDamaged, UsageError
from reatt_store.opening import open_regular, private_folder, small_json

FORMAT = "reatt-shards/1"
NAME = "shards.json"
MOST = 1000
_LARGEST = 10_000  # bytes of the file


def shards(folder: Path, count: int) -> list[Path]:
    """Name the stores of a sharded corpus."""
    return [folder / f"shard-{number:04d}-of-{count:04d}" for number in range(1, count + 1)]


def begin(folder: Path, count: int) -> list[Path]:
    """Say that the shards are not whole now, and name them; raises UsageError if there are another number of them."""
    there = _read(folder)
    if there is not None and there[0] != count:
        message = f"{folder} has {there[0]} shards, and a document stays in its own"
        raise UsageError(message, f"--shards {there[0]}, or another --out", str(folder))
    if there is None and (folder / "reatt.db").exists():
        raise UsageError(f"{folder} is a store; shards need a folder of their own", "--out DIR", str(folder))
    private_folder(folder)
    _write(folder, count, whole=False)
    return shards(folder, count)


def end(folder: Path, count: int) -> None:
    """Say that all shards are whole."""
    _write(folder, count, whole=True)


def stores(named: Sequence[Path]) -> list[Path]:
    """Return the stores that are named, and those of each sharded corpus; raises UsageError for one not yet whole."""
    found = dict[str, Path]()
    for folder in named:
        there = _read(folder)
        for corpus in (folder, folder.parent):
            _require_whole(corpus)
        for store in [folder] if there is None else shards(folder, there[0]):
            found.setdefault(os.path.realpath(store), store)
    return list(found.values())


def _require_whole(folder: Path) -> None:
    there = _read(folder)
    if there is not None and not there[1]:
        message = f"the ingest into {folder} has not ended, so documents are missing"
        raise UsageError(message, f"run it again: reatt cluster ingest PATH --out {folder}", str(folder))


def _write(folder: Path, count: int, whole: bool) -> None:
    replace_text(folder / NAME, json.dumps({"format": FORMAT, "shards": count, "whole": whole}) + "\n")


def _read(folder: Path) -> tuple[int, bool] | None:
    """Return how many shards a folder has, and whether they are whole; None if it has none."""
    try:
        with open_regular(folder / NAME) as file:
            said = small_json(file.read(_LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        said = None
    if isinstance(said, dict) and said.get("format") == FORMAT:
        count, whole = said.get("shards"), said.get("whole")
        if type(count) is int and 1 <= count <= MOST and isinstance(whole, bool):
            return count, whole
    raise StoreDamaged(f"{folder / NAME} is damaged", "remove it, and run the ingest again", str(folder / NAME))
