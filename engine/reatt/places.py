"""The default places of stores and models. Cheap to import, because every command needs it first."""

from __future__ import annotations

import os
from pathlib import Path


def store_folder(named: str | os.PathLike[str] | None = None, start: Path | None = None) -> Path:
    """Return the store's folder: the one named, `$REATT_STORE`, the nearest `.reatt/` upwards, or the default one.

    Command line and library resolve it in the same way, so `ask` uses the store that `ingest` filled.
    """
    if chosen := named or os.environ.get("REATT_STORE"):
        return Path(chosen).expanduser().absolute()
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / ".reatt").is_dir():
            return folder / ".reatt"
    return data_folder() / "default"


def data_folder() -> Path:
    """Return the default folder of stores and models."""
    from platformdirs import user_data_path

    return user_data_path("reatt", appauthor=False)


def registry() -> Path:
    """Return the folder of models that can be named."""
    return data_folder() / "models"
