"""Open and make files, never through a link: a store may come from a stranger.

Does not import SQLite, for clients of a warm process.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

PASSING = ".reatt-"  # how the names of unfinished files begin


DEEP = 40  # arrays and objects within each other
LONGEST_NUMBER = 20  # digits of a whole number
# A string counts as one, so brackets in it do not. One that never ends is one, too: else each quote would look for its
# end, which takes minutes.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[][{}]', re.DOTALL)
LARGE = 1 << 28  # bytes: to read a smaller file takes no time, whatever it holds
HOLLOW = 8  # a file is hollow if less than one in so many of its bytes is on the disk


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone, whatever the umask."""
    for above in reversed(list(takewhile(lambda each: not each.exists(), folder.parents))):
        above.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file of a store for reading; a pipe of that name would block, and a device never end.

    Nor does a hollow file end soon: a stranger can send terabytes of nothing in a few kilobytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    what = unfit(os.fstat(descriptor))
    if what is not None:
        file.close()
        raise OSError(errno.EINVAL, what, os.fspath(path))
    return file


def unfit(found: os.stat_result) -> str | None:
    """Say why a file of a store is not read; None for a good one."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_size > LARGE and found.st_blocks * 512 < found.st_size // HOLLOW:
        return "it is nearly all holes"
    return None


def small_json(content: bytes | str) -> Any:
    """Read JSON that may come from a stranger; raises ValueError for whatever is no JSON, or no sane one.

    `json` recurses, so nesting is limited before; and a number of a thousand digits, or none at all, is not ours.
    """
    text = content if isinstance(content, str) else content.decode()
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        bracket = found[0]
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
        if deepest > DEEP:
            raise ValueError("it is nested too deep")
    return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refused)


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")


def private(name: str, flags: int) -> int:
    """Open a file so that a new one is for its owner alone to read: an `opener` of `open`."""
    return os.open(name, flags, 0o600)


@contextmanager
def fresh(folder: Path, mode: int = 0o600) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a new file under a name that nobody can guess; it is removed if the block fails.

    The block gives it its final name. It is never one that was there before, nor one that a link leads to. Its mode is
    the one given less the umask, whatever it replaces.
    """
    path = folder / f"{PASSING}{secrets.token_hex(12)}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield path, file
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def replace_bytes(file: Path, content: bytes, sync: bool = True, mode: int = 0o600) -> None:
    """Write a file whole or not at all; a link of that name is replaced, not followed."""
    with fresh(file.parent, mode) as (path, stream):
        stream.write(content)
        stream.flush()
        if sync:
            os.fsync(stream.fileno())
        os.replace(path, file)
