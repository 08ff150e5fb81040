"""What a person may type: names of some of the documents of a store, and texts in whatever locale."""

from __future__ import annotations

import glob
import os
import re


def as_utf8(given: str | None) -> str | None:
    """Read a word of the command line as UTF-8, as texts and names are stored, where the locale knows ASCII alone.

    Python holds bytes that its locale does not know as lone surrogates; a path that is to be opened must stay so.
    """
    if given is None or not re.search("[\udc80-\udcff]", given):
        return given
    try:
        return os.fsencode(given).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other surrogates, which no command line holds
        return given


def as_text(line: str) -> str:
    """Read a line that was typed or piped; what is no text in it becomes U+FFFD, as it must not end the other lines."""
    return re.sub("[\udc80-\udcff]", "\ufffd", as_utf8(line) or "")


def folder_or_glob(given: str | None) -> str | None:
    """Read `--only`: a folder stands for all that is in it; a glob, or the name of a document, for itself."""
    if given is None or glob.has_magic(given):
        return as_utf8(given)
    path = os.path.abspath(os.path.expanduser(given))
    if not (given.endswith("/") or os.path.isdir(path)):
        return as_utf8(given)
    from reatt.documents.files import storable

    return glob.escape(storable(path)).rstrip("/") + "/*"
