"""Open a file of a store, which may come from a stranger. Does not import SQLite, for clients of a warm process."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file of a store for reading; a pipe of that name would block, and a device never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
    return file


def private(name: str, flags: int) -> int:
    """Open a file so that a new one is for its owner alone to read: an `opener` of `open`."""
    return os.open(name, flags, 0o600)
