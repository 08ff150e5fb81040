"""What a person may type to name some of the documents of a store."""

from __future__ import annotations

import glob
import os


def folder_or_glob(given: str | None) -> str | None:
    """Read `--only`: a folder stands for all that is in it; a glob, or the name of a document, for itself."""
    if given is None or glob.has_magic(given):
        return given
    path = os.path.abspath(os.path.expanduser(given))
    if not (given.endswith("/") or os.path.isdir(path)):
        return given
    from reatt_engine.sources import storable

    return glob.escape(storable(path)).rstrip("/") + "/*"
