"""Open and make files, never through a link: a store may come from a stranger.

Does not import SQLite, for clients of a warm process.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PASSING = ".reatt-"  # how the names of unfinished files begin


LARGE = 1 << 28  # bytes: to read a smaller file takes no time, whatever it holds
HOLLOW = 8  # a file is hollow if less than one in so many of its bytes is on the disk


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file of a store for reading; a pipe of that name would block, and a device never end.

    Nor does a hollow file end soon: a stranger can send terabytes of nothing in a few kilobytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or (found.st_size > LARGE and found.st_blocks * 512 < found.st_size // HOLLOW):
        file.close()
        what = "it is nearly all holes" if stat.S_ISREG(found.st_mode) else "it is not a regular file"
        raise OSError(errno.EINVAL, what, os.fspath(path))
    return file


def private(name: str, flags: int) -> int:
    """Open a file so that a new one is for its owner alone to read: an `opener` of `open`."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextmanager
def fresh(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a new file under a name that nobody can guess, for its owner alone; it is removed if the block fails.

    The block gives it its final name. It is never one that was there before, nor one that a link leads to.
    """
    path = folder / f"{PASSING}{secrets.token_hex(12)}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield path, file
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def replace_bytes(file: Path, content: bytes, sync: bool = True) -> None:
    """Write a file whole or not at all; a link of that name is replaced, not followed."""
    with fresh(file.parent) as (path, stream):
        stream.write(content)
        stream.flush()
        if sync:
            os.fsync(stream.fileno())
        os.replace(path, file)
