"""The latest answers, as small files beside the database, so that a page can be made of one later.

They are not in the database because `ask` must neither wait for a writer nor fail if the store is read-only. Each is a
file of its own, renamed into place; one that cannot be written is dropped. The caller must not put text of a document
into one, because it would outlive the document. Chunks are named by their ids, which are never reused.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from reatt_store.opening import PASSING, open_regular, replace_bytes

FOLDER = "answers"
LARGEST = 10_000_000  # bytes; larger files are not read
LAST = 1 << 61  # nanoseconds: no time of a file is taken for later
# The second and third pattern: left by a killed process, of this version or an earlier one.
_OURS = re.compile(rf"A-[0-9a-f]+\.json|{re.escape(PASSING)}[0-9a-f]+|\.A-[0-9a-f]+\.[0-9]+", re.ASCII)


def keep(folder: Path, id: str, content: bytes, most: int) -> bool:
    """Keep an answer among the `most` latest of a store; return False if it cannot be kept, for any reason."""
    place = folder / FOLDER
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        if place.is_symlink():  # in a stranger's store it could lead anywhere
            return False
        latest = place.stat().st_mtime_ns  # of the last answer, or later
        replace_bytes(place / f"{id}.json", content, sync=False)
        _put_last(place / f"{id}.json", latest)
        _forget(place, most)
    except OSError:
        return False
    return most > 0


def kept(folder: Path, id: str) -> bytes | None:
    """Return a kept answer; None if it was not kept or no longer exists."""
    try:
        with open_regular(folder / FOLDER / f"{id}.json") as file:
            return file.read(LARGEST)
    except OSError:
        return None


def _put_last(file: Path, latest: int) -> None:
    """Let an answer come after the earlier ones although the clock has gone back."""
    if file.stat().st_mtime_ns <= latest:
        with os.scandir(file.parent) as entries:
            ages = [entry.stat(follow_symlinks=False).st_mtime_ns for entry in entries if _OURS.fullmatch(entry.name)]
        last = min(max(ages), LAST)
        os.utime(file, ns=(last + 1, last + 1))


def _forget(place: Path, most: int) -> None:
    """Remove the oldest above `most`; other processes may do the same at the same time."""
    with os.scandir(place) as entries:
        ours = [entry for entry in entries if _OURS.fullmatch(entry.name)]
    if len(ours) <= most:
        return
    aged = []
    for entry in ours:
        with suppress(FileNotFoundError):
            aged.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
    for _, path in sorted(aged)[: max(0, len(aged) - most)]:
        Path(path).unlink(missing_ok=True)
