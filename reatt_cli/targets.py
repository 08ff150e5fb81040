"""Which documents of a store an argument names: an id, a path, a part of it, a folder or a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reatt_cli.patterns import as_utf8

if TYPE_CHECKING:
    from reatt_store.library import Library
    from reatt_store.records import StoredChunk, StoredDocument

_PART = re.compile(r"(?P<path>.+):(?:p(?P<page>[0-9]{1,9})|(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?)", re.DOTALL)
_IDS = 5  # ids of documents of one path that are named


class Part(NamedTuple):
    """Which part of a document is to be shown: some of its lines, or a page if there is no last line."""

    first: int
    last: int | None = None


def find(library: Library, shown: str) -> tuple[StoredDocument, list[StoredChunk], Part | None]:
    """Look up an id or a path: a document with its chunks, or those that hold the part that was asked for."""
    from reatt_store.errors import NoSuchId

    kind, number = _parsed(shown)
    if kind == "C":
        chunk = library.chunk(number)
        return library.document(chunk.document_id), [chunk], None
    if kind == "D":
        return library.document(number), library.chunks_of(number), None
    name, part = _parted(shown)
    whole = _named_so(library, shown)  # a file's name may end like a part
    found, each, of = (whole, shown, None) if whole else (_named_so(library, name), name, part)
    if not found:
        raise NoSuchId(f"{shown} is neither an id (D-12, C-345) nor the path of a document in this store", "reatt list")
    if len(found) > 1:
        ids = ", ".join(f"D-{document.id}" for document in found[:_IDS])
        raise NoSuchId(
            f"{each} names {len(found):,} documents: {ids}{' …' * (len(found) > _IDS)}", f"reatt show D-{found[0].id}"
        )
    chunks = library.chunks_of(found[0].id)
    inside = _within(chunks, of) if of else chunks
    if not inside:
        raise NoSuchId(f"{shown}: the document has no such part", f"reatt show {each}")
    return found[0], inside, of


def _parted(shown: str) -> tuple[str, Part | None]:
    """Split `PATH:10-40`, `PATH:10` and `PATH:p3`.

    >>> _parted("a.md:10-40"), _parted("a.pdf:p3")
    (('a.md', Part(first=10, last=40)), ('a.pdf', Part(first=3, last=None)))
    """
    found = _PART.fullmatch(shown)
    if not found:
        return shown, None
    if found["page"]:
        return found["path"], Part(int(found["page"]))
    first = int(found["first"])
    return found["path"], Part(first, int(found["last"] or first))


def _within(chunks: Sequence[StoredChunk], part: Part) -> list[StoredChunk]:
    """Return the chunks that hold a page, or some lines."""
    if part.last is None:
        return [stored for stored in chunks if stored.chunk.page == part.first]
    last = part.last
    starts = [stored.chunk.line for stored in chunks]
    ends = [*starts[1:], starts[-1] + chunks[-1].chunk.text.strip().count("\n") + 1] if starts else []
    rows = zip(chunks, starts, ends, strict=True)
    return [stored for stored, start, end in rows if start <= last and end >= part.first]


def _named_so(library: Library, target: str) -> list[StoredDocument]:
    """Find the documents of a path, or of a path and the id that `reatt list` prints behind it."""
    from reatt.documents.files import storable
    from reatt_store.selection import Selection

    def of(path: str) -> list[StoredDocument]:
        pattern = glob.escape(storable(os.path.abspath(os.path.expanduser(path))))
        return list(library.documents(Selection(only=(pattern,))))

    path, blank, id = target.partition(" ")
    while blank:
        if found := [stored for stored in of(path) if stored.document.external_id == id]:
            return found
        more, blank, id = id.partition(" ")
        path = f"{path} {more}"
    return of(target)


def matching(library: Library, target: str) -> list[StoredDocument]:
    """Find the documents that an argument names: an id, a file, all files below a folder, or a pattern."""
    from reatt.documents.files import storable
    from reatt_store.errors import NoSuchId
    from reatt_store.selection import Selection

    kind, number = _parsed(target)
    if kind == "D":
        return [library.document(number)]
    path = glob.escape(storable(os.path.abspath(os.path.expanduser(target))))
    # A bare name means a file in this folder; only a pattern matches files of that name elsewhere.
    patterns = [path, f"{path.rstrip('/')}/*", *([str(as_utf8(target))] if glob.has_magic(target) else [])]
    for pattern in patterns:
        if found := list(library.documents(Selection(only=(pattern,)))):
            return found
    raise NoSuchId(f"no document in this store matches {target}", "reatt list")


def _parsed(text: str) -> tuple[str, int]:
    """Read an id such as D-12; ("", 0) if it is not one."""
    found = re.fullmatch(r"([CD])-([0-9]{1,18})", text)
    return (found[1], int(found[2])) if found else ("", 0)
