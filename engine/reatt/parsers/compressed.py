"""Text in gzip, xz or bzip2: told by a file's suffix, or by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

DAMAGED = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)  # what reading a file that is cut off may raise


@dataclass(frozen=True)
class Compression:
    """One way that a file may be compressed."""

    suffix: str
    magic: bytes  # its first bytes
    open: Callable[..., Any]


COMPRESSIONS = (
    Compression(".gz", b"\x1f\x8b", gzip.open),
    Compression(".xz", b"\xfd7zXZ\0", lzma.open),
    Compression(".bz2", b"BZh", bz2.open),
)


def open_text(path: Path) -> IO[str]:
    """Open a file as UTF-8, with or without a byte order mark, by its suffix."""
    way = next((each.open for each in COMPRESSIONS if path.suffix == each.suffix), open)
    return cast(IO[str], way(path, "rt", encoding="utf-8-sig"))


def plain(file: BinaryIO) -> IO[bytes]:
    """Read an open file from its start, unpacked if its first bytes say that it is compressed."""
    way = _way(file)
    return cast(IO[bytes], way.open(file)) if way else file


def is_compressed(file: BinaryIO) -> bool:
    """Return whether the first bytes of an open file say that it is compressed."""
    return _way(file) is not None


def _way(file: BinaryIO) -> Compression | None:
    file.seek(0)
    magic = file.read(max(len(each.magic) for each in COMPRESSIONS))
    file.seek(0)
    return next((each for each in COMPRESSIONS if magic.startswith(each.magic)), None)
