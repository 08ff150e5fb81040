"""User input: patterns for documents, and text in any locale."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reatt_store.selection import Selection


def as_utf8(given: str | None) -> str | None:
    """Read a command line argument as UTF-8 even if the locale is ASCII, because texts and names are stored as UTF-8.

    Python represents bytes unknown to the locale as lone surrogates; a path to be opened must keep them.
    """
    if given is None or not re.search("[\udc80-\udcff]", given):
        return given
    try:
        return os.fsencode(given).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other surrogates, which do not occur on a command line
        return given


def as_text(line: str) -> str:
    """Read a line of input; invalid bytes become U+FFFD, so that they do not stop the other lines."""
    return re.sub("[\udc80-\udcff]", "\ufffd", as_utf8(line) or "")


def folder_or_globs(given: str) -> tuple[str, ...]:
    """Read `--only`: a folder means everything in it; a pattern or a document's name is used as given.

    A path with `..`, `.` or `~` in it is one from here. What may be a pattern may also be a name that looks like one.
    """
    named = as_utf8(given) or ""
    if glob.has_magic(given):
        return named, glob.escape(named)
    path = os.path.abspath(os.path.expanduser(given))
    folder = given.endswith("/") or os.path.isdir(path)
    if not folder and not (given.startswith("~") or {".", ".."} & set(given.split("/"))):
        return (named,)
    from reatt.documents.files import storable

    whole = glob.escape(storable(path))
    return (f"{whole.rstrip('/')}/*",) if folder else (whole,)


def described(among: Selection) -> str:
    """Name a selection by its options."""
    repeated = (("--only", among.only), ("--except", among.without), ("--type", among.kinds))
    options = [f"{option} {value}" for option, values in repeated for value in _written(values)]
    options += [f"{option} {day}" for option, day in (("--after", among.after), ("--before", among.before)) if day]
    return " ".join(options)


def _written(values: Sequence[str]) -> list[str]:
    """Leave out what was added to patterns for names that look like them; people have not written it."""
    added = {glob.escape(value) for value in values if glob.has_magic(value)}
    return [value for value in values if value not in added]
