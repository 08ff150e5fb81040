"""Files that hold other files: zip and tar archives, and what is compressed with gzip, xz or bzip2.

The child only unpacks, within limits, and sends the members to the parent, which has each read as a file of its own; an
archive among them is unpacked by another child. Names are labels: nothing is ever written to where they point.
"""

from __future__ import annotations

import io
import os
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from reatt.parsers.archives import ENTRIES, UNPACKED, Archive, check_ratio, damaged, too_much
from reatt.parsers.compressed import DAMAGED, is_compressed, plain
from reatt.parsers.sandbox import Message
from reatt_store.errors import ArchiveLimit, DocumentError, TooBig

_BLOCK = 3 << 16  # bytes of a message: a multiple of three, so that its base64 needs no padding within a member
_TAR, _TAR_AT = b"ustar", 257
_ZIP = b"PK"
_LEFT_OUT = (".", "__MACOSX", "~$")  # names of files and folders that programs keep for themselves


def read_packed(file: BinaryIO, name: str, longest: int) -> Iterator[Message]:
    """Yield the members, in blocks: {"member": name, "data": base64}, {"member": name, "failed": why}.

    The one member of a compressed file has the name of the file without its suffix, and {"whole": true}.
    """
    size = os.fstat(file.fileno()).st_size
    if file.read(2) == _ZIP:
        yield from _zip(file, size, longest)
        return
    inner = PurePosixPath(name).stem if is_compressed(file) else name
    stream = io.BufferedReader(cast(io.RawIOBase, _Limited(plain(file), size)))
    try:
        if stream.peek(_TAR_AT + len(_TAR))[_TAR_AT:].startswith(_TAR):
            yield from _tar(stream, longest)
        else:
            yield from ({**said, "whole": True} for said in _member(inner, stream, longest))
    except (*DAMAGED, tarfile.TarError, OSError) as error:
        raise damaged(f"it is cut off or cannot be unpacked ({error})") from error


class _Limited(io.RawIOBase):
    """A stream that ends with an error where it unpacks to too much."""

    def __init__(self, inner: IO[bytes], packed: int) -> None:
        self._inner, self._packed, self._total = inner, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        block = self._inner.read(len(buffer))
        self._total += len(block)
        if self._total > UNPACKED:
            raise too_much(self._total, self._packed)
        check_ratio(self._total, self._packed)
        buffer[: len(block)] = block
        return len(block)


def _member(name: str, stream: IO[bytes], longest: int) -> Iterator[Message]:
    """Yield one member in blocks; raises TooBig."""
    total = 0
    while True:
        block = stream.read(_BLOCK)
        total += len(block)
        if total > longest:
            raise TooBig(f"more than {longest:,} bytes when unpacked", "--max-file-size")
        yield {"member": _whole(name), "data": b64encode(block).decode()}
        if not block:
            return


def _zip(file: BinaryIO, size: int, longest: int) -> Iterator[Message]:
    if size > longest:
        raise TooBig(f"{size:,} bytes; the limit is {longest:,}", f"--max-file-size {size // 10**6 + 1}M")
    file.seek(0)
    archive = Archive(file.read(size))
    for name in archive.names():
        if not _is_left_out(name):
            try:
                data = archive.read(name)
            except ArchiveLimit:
                raise
            except DocumentError as error:
                yield {"member": _whole(name), "failed": error.message}
                continue
            yield from _tried(name, io.BytesIO(data), longest)


def _tar(stream: IO[bytes], longest: int) -> Iterator[Message]:
    seen = set()
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for number, entry in enumerate(archive):
            if number >= ENTRIES:
                raise ArchiveLimit(f"holds more than {ENTRIES:,} files", "unpack and check it")
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is not None and not _is_left_out(entry.name) and entry.name not in seen:
                seen.add(entry.name)
                yield from _tried(entry.name, content, longest)


def _tried(name: str, stream: IO[bytes], longest: int) -> Iterator[Message]:
    try:
        yield from _member(name, stream, longest)
    except TooBig as error:
        yield {"member": _whole(name), "failed": error.message}


def _is_left_out(name: str) -> bool:
    parts = [part for part in PurePosixPath(name).parts if part not in (".", "..", "/")]
    return name.endswith("/") or not parts or any(part.startswith(_LEFT_OUT) for part in parts)


def _whole(name: str) -> str:
    return name.encode("utf-8", "replace").decode().replace("\0", "")
