"""Files for an ingest: storable names, reading without changes in between, and files that are gone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import cast

from reatt.documents.reader import FoundFile, ReadLimits, Text, find, open_file, read
from reatt_store.errors import ChangedDuringRead, DocumentError, Notice

_ESCAPE = rb"\\(?=x(?:5c|[89a-f][0-9a-f]))"  # text in a name that looks like one of our escapes
_ESCAPED = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")
_NO_TEXT = re.compile("[\udc80-\udcff]")  # Python's representation of bytes in a name that are not UTF-8


def storable(path: Path | str) -> str:
    r"""Write a name as text, with \xe9 for bytes that are not UTF-8; names stay distinct, and `on_disk` reverses it."""
    return re.sub(_ESCAPE, rb"\\x5c", os.fsencode(path)).decode("utf-8", "backslashreplace")


def on_disk(stored: str) -> str:
    """Reverse `storable`."""
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), stored.encode()))


def as_text(text: str) -> str:
    """Make a text derived from a file name storable."""
    return _NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def steady(found: FoundFile, limits: ReadLimits) -> Iterator[Text]:
    """Read a file; read it again if it changed meanwhile, and give up if it changes again.

    The check happens with the first document. For JSON Lines that is the first record. Later records have their own
    digests, so the next ingest replaces those that a later change made stale.
    """
    for _ in range(2):
        before, first, failed = stamp(found.path), None, None
        texts = read(found, limits)
        try:
            first = next(texts, None)
        except DocumentError as error:
            failed = error
        if stamp(found.path) == before:
            break
    else:
        raise ChangedDuringRead("changed twice while it was read", "ingest it again when nothing writes to it")
    if failed is not None:
        raise failed
    if first is not None:
        yield with_storable_names(first)
        yield from map(with_storable_names, texts)
    if stamp(found.path) != before:
        raise ChangedDuringRead("changed while it was read", "ingest it again when nothing writes to it")


def found_in(
    paths: Sequence[str],
    include: Sequence[str],
    exclude: Sequence[str],
    on_link: Callable[[Path], None] = lambda _: None,
) -> Iterator[FoundFile]:
    """Yield every file that the paths name, "-" first; `on_link` gets the symbolic links that are not followed."""
    if "-" in paths:
        yield FoundFile(Path("-"), explicit=True)
    named = [path for path in paths if path != "-"]
    if named:
        yield from find(named, include, exclude, on_link)


def not_followed(links: Sequence[Path]) -> list[Notice]:
    """Return one warning for all symbolic links of a run."""
    if not links:
        return []
    more = f" and {len(links) - 1:,} more" if len(links) > 1 else ""
    return [Notice("SYMLINK_SKIPPED", f"{storable(links[0])}{more}: symbolic links are not followed")]


def vanished(stored: Iterable[str], paths: Sequence[str]) -> list[str]:
    """Return the stored paths that are below the given ones and whose files are gone."""
    roots = [storable(os.path.abspath(os.path.expanduser(path))) for path in paths]
    below = (path for path in stored if any(path == root or path.startswith(_inside(root)) for root in roots))
    return [path for path in below if not os.path.lexists(on_disk(path))]


def digest(path: Path) -> str:
    """Digest a file's bytes; "" if it is not a file or cannot be read, which reading will report."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(cast(BufferedReader, file), _blake2b).hexdigest()
    except (OSError, DocumentError):
        return ""


def _blake2b() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _inside(root: str) -> str:
    return root.rstrip("/") + "/"


def with_storable_names(text: Text) -> Text:
    """Make the path of a document, and a title derived from it, storable."""
    return replace(text, path=storable(text.path), title=as_text(text.title))


def stamp(path: Path) -> tuple[int, ...]:
    """Return the metadata that changes with a file; () if there is no file."""
    try:
        now = os.stat(path)
    except OSError:
        return ()
    return now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
