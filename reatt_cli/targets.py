"""Which documents of a store an argument names: an id, a path, a part of it, a folder or a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from reatt_cli.patterns import as_utf8

if TYPE_CHECKING:
    from reatt_store.library import Library
    from reatt_store.records import StoredChunk, StoredDocument

_PART = re.compile(
    r"(?P<path>.+)(?:(?::p| p\.)(?P<page>[0-9]{1,9})|:(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?)", re.DOTALL
)
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
    """Split `PATH:10-40`, `PATH:10` and `PATH:p3`, or `PATH p.3`, as `reatt search` prints a page.

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
    """Find the documents of a path, or of a path and the id that `reatt list` prints behind it.

    A path is one from this folder, or else from the store's `root`, as JSON prints paths.
    """
    return _exactly(library, target, _from_here) or _exactly(library, target, partial(_from_root, library.root()))


def _exactly(library: Library, target: str, forms: Callable[[str], list[str]]) -> list[StoredDocument]:
    """Find the documents of a path, or of a path and an id behind it; `forms` of the path may be the stored one."""
    from reatt_store.selection import Selection

    def of(path: str) -> list[StoredDocument]:
        every = (list(library.documents(Selection(only=(glob.escape(form),)))) for form in forms(path))
        return next(filter(None, every), [])

    path, blank, id = target.partition(" ")
    while blank:
        if found := [stored for stored in of(path) if stored.document.external_id == id]:
            return found
        more, blank, id = id.partition(" ")
        path = f"{path} {more}"
    return of(target)


def _from_here(path: str) -> list[str]:
    """Return how the store may write a path: a name that is not UTF-8 may be given as it is, or as it is printed."""
    from reatt.documents.files import storable

    place = os.path.abspath(os.path.expanduser(path))
    printed = as_utf8(place) or ""
    return [storable(place), *([printed] if "\\x" in printed and printed.isprintable() else [])]


def _from_root(root: str, path: str) -> list[str]:
    """Return the same for a path from a root; none if there is something of that name here, because that is meant."""
    meant = os.path.expanduser(path)
    return [] if not root or os.path.lexists(meant) else _from_here(os.path.join(root, meant))


def matching(library: Library, target: str) -> list[StoredDocument]:
    """Find the documents that an argument names: an id, a file, all files below a folder, or a pattern."""
    from reatt_store.errors import NoSuchId
    from reatt_store.selection import Selection

    kind, number = _parsed(target)
    if kind == "D":
        return [library.document(number)]
    if found := _named_so(library, target):
        return found
    # A bare name means a file or folder; only a pattern matches files of that name elsewhere.
    folders = [f"{glob.escape(form).rstrip('/')}/*" for form in _from_here(target)]
    for pattern in [*folders, *([str(as_utf8(target))] if glob.has_magic(target) else [])]:
        if found := list(library.documents(Selection(only=(pattern,)))):
            return found
    raise NoSuchId(f"no document in this store matches {target}", "reatt list")


def _parsed(text: str) -> tuple[str, int]:
    """Read an id such as D-12; ("", 0) if it is not one."""
    found = re.fullmatch(r"([CD])-([0-9]{1,18})", text)
    return (found[1], int(found[2])) if found else ("", 0)
