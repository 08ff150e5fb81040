"""Files for an ingest: storable names, reading without changes in between, and files that are gone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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


def about(path: str, warning: str) -> str:
    """Add the file to a warning; keep its id if it has one."""
    message = f"{path}: {as_text(warning)}"
    return Notice(warning.id, message) if isinstance(warning, Notice) else message


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


@dataclass(frozen=True)
class Part:
    """One of several parts of all files: a file is in the same part wherever and whenever that is asked."""

    number: int  # from 0
    of: int

    def has(self, path: Path) -> bool:
        """Return whether a file is in this part, by its path alone."""
        digest = hashlib.blake2b(storable(path).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.of == self.number


def found_in(
    paths: Sequence[str],
    include: Sequence[str],
    exclude: Sequence[str],
    on_link: Callable[[Path], None] = lambda _: None,
    part: Part | None = None,
) -> Iterator[FoundFile]:
    """Yield every file that the paths name, "-" first; `on_link` gets the symbolic links that are not followed."""
    for found in _found_in(paths, include, exclude, on_link):
        if part is None or part.has(found.path):
            yield found


def _found_in(
    paths: Sequence[str], include: Sequence[str], exclude: Sequence[str], on_link: Callable[[Path], None]
) -> Iterator[FoundFile]:
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
    below = ((path, root) for path in stored for root in roots if path == root or path.startswith(_inside(root)))
    listed: dict[str, bool | None] = {}
    return list(dict.fromkeys(path for path, root in below if gone(on_disk(path)) and _all_listed(path, root, listed)))


def _all_listed(path: str, root: str, listed: dict[str, bool | None]) -> bool:
    """Return whether every folder from a root down to a file can be listed, as far as they exist."""
    while path != root and len(path) > len(root):
        path = os.path.dirname(path)
        if path not in listed:
            listed[path] = _listed(on_disk(path))
        if listed[path] is False:
            return False
    return True


def gone(path: str) -> bool:
    """Return whether a file is known to be gone: not if it cannot be seen, or its folder cannot be listed.

    The one answer for `--prune`, `--watch` and repair. No permission, a bad disk and a server that does not answer
    prove nothing.
    """
    while True:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            above = os.path.dirname(path)
            if above == path:
                return True
            listed = _listed(above)
            if listed is not None:
                return listed
            path = above
        except (OSError, ValueError):  # the second: a name that no file can have
            return False
        else:
            return False


def _listed(folder: str) -> bool | None:
    """Return whether a folder can be listed; None if it is itself gone."""
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        return True if os.path.lexists(folder) else None
    except OSError:
        return False
    return True


def digest(path: Path) -> str:
    """Digest a file's bytes; "" if it is not a file or cannot be read, which reading will report."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(cast(BufferedReader, file), _blake2b).hexdigest()
    except (OSError, DocumentError):
        return ""


def modified(stored: str) -> str:
    """Return when the file of a stored path was changed, ISO 8601 in UTC; "" if there is none."""
    try:
        changed = os.stat(on_disk(stored)).st_mtime
        return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")
    except (OSError, ValueError, OverflowError):  # the latter two: a time that no calendar has
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
