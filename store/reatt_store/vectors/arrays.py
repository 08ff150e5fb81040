"""Files of arrays: written once, memory-mapped.

A file has the layout of safetensors: eight bytes of header length, a JSON header, then the arrays without gaps. The
reader checks every number in the header against the size of the file, and copies nothing.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reatt_store.errors import StoreDamaged
from reatt_store.opening import open_regular

HEADER_LIMIT = 1 << 16  # bytes
WRONG = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # what reading a wrong header raises

# Name -> (type in the header, type in memory). Wide types come first, so that every array is aligned without gaps.
Layout = Mapping[str, tuple[str, Any]]


@dataclass(frozen=True)
class Stream:
    """An array (n, bytes) that is too large for memory: its blocks come in order."""

    shape: tuple[int, int]
    blocks: Iterable[NDArray[np.uint8]]

    @property
    def nbytes(self) -> int:
        """The size of all blocks."""
        return self.shape[0] * self.shape[1]


def write(path: Path, format: str, layout: Layout, found: Mapping[str, NDArray[Any] | Stream]) -> tuple[int, bytes]:
    """Write arrays to a new file and sync it; return its size in bytes and its BLAKE2b."""
    state = hashlib.blake2b(digest_size=32)
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        blocks = (block for name in layout for block in _blocks(found[name]))
        for block in chain([memoryview(_header(format, layout, found))], blocks):
            state.update(block)
            size += file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size, state.digest()


def mapped(path: Path, size: int) -> mmap.mmap:
    """Map a file, which must have `size` bytes; raises StoreDamaged if it has not."""
    with open_regular(path) as file:
        found = os.fstat(file.fileno()).st_size
        if found != size:
            raise damaged(path, f"it has {found} bytes and should have {size}")
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:  # which does not say of which file
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def read(content: mmap.mmap, format: str, layout_of: Callable[[Container[str]], Layout]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a mapped file; raises one of `WRONG` if its header is wrong.

    `layout_of` returns the layout that an array of some name belongs to.
    """
    require(len(content) >= 8, "eight bytes of header length")
    (length,) = struct.unpack("<Q", content[:8])
    require(length <= min(HEADER_LIMIT, len(content) - 8), "a header inside the file")
    entries = json.loads(content[8 : 8 + length])
    require(entries.pop("__metadata__") == {"format": format}, f"format {format}")
    layout = layout_of(entries)
    require(list(entries) == list(layout), f"the arrays {', '.join(layout)}")
    found = {}
    position = 0
    for name, (dtype, kind) in layout.items():
        entry = entries[name]
        shape = entry["shape"]
        require(entry["dtype"] == dtype, f"{name} of type {dtype}")
        require(all(type(axis) is int and 0 <= axis <= len(content) for axis in shape), f"a shape of {name}")
        count = int(np.prod(shape, dtype=object))  # Python integers cannot overflow
        start, end = entry["data_offsets"]
        require(start == position and end == start + count * np.dtype(kind).itemsize, f"{name} without gaps")
        require(8 + length + end <= len(content), f"{name} inside the file")
        found[name] = np.frombuffer(content, kind, count, offset=8 + length + start).reshape(shape)
        position = end
    require(8 + length + position == len(content), "nothing after the last array")
    return found


def let_go(array: NDArray[Any]) -> None:
    """Take what was read of an array's file out of this process's memory; what is read again comes from the file."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)


def checksum(path: Path, key: bytes = b"") -> bytes:
    """Return the BLAKE2b of a file, read in blocks; with a key, only the owner of the key can compute it."""
    state = hashlib.blake2b(digest_size=32, key=key)
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.digest()


def require(holds: bool, what: str) -> None:
    """Raise ValueError unless something holds."""
    if not holds:
        raise ValueError(f"expected {what}")


def damaged(path: Path, detail: str) -> StoreDamaged:
    """Return the error for a damaged file of a store."""
    return StoreDamaged(f"{path} is damaged: {detail}", "reatt check --repair", str(path))


def _blocks(array: NDArray[Any] | Stream) -> Iterator[memoryview]:
    for block in array.blocks if isinstance(array, Stream) else [array]:
        yield np.ascontiguousarray(block).reshape(-1).view(np.uint8).data


def _header(format: str, layout: Layout, found: Mapping[str, NDArray[Any] | Stream]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": format}}
    end = 0
    for name, (dtype, _) in layout.items():
        start, end = end, end + found[name].nbytes
        entries[name] = {"dtype": dtype, "shape": found[name].shape, "data_offsets": (start, end)}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)  # the arrays start on a cache line
    return struct.pack("<Q", len(text)) + text
