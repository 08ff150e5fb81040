"""Sealed vector files: keys and memory of some chunks, written once, checksummed, memory-mapped, never changed.

Keys and states have 8 bits a number, and one scale each. Beside a memory, keys are also kept in float16: entries of
theirs may be scales, for which 8 bits are too few. Earlier versions kept float16 in every segment; it is used where it
is there. `arrays.py` knows the format of the file. Nothing is copied, so hundreds of segments open in milliseconds.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reatt_store.records import DIGEST_BYTES
from reatt_store.vectors import arrays
from reatt_store.vectors.arrays import require

FORMAT = "reatt-segment/1"
# Wide types come first, so that every array is aligned although there are no gaps.
_EVERY: dict[str, tuple[str, Any]] = {
    "offsets": ("I64", np.int64),
    "memory_offsets": ("I64", np.int64),
    "scales": ("F32", np.float32),
    "memory_scales": ("F32", np.float32),
    "keys": ("F16", np.float16),
    "codes": ("I8", np.int8),
    "memory_codes": ("I8", np.int8),
    "digests": ("U8", np.uint8),
}
_OWN = ("offsets", "codes", "scales", "digests")
_MOST = 65504.0  # the largest number of half precision, in which a GPU multiplies
_MEMORY = ("offsets", "codes", "scales")


@dataclass(frozen=True)
class Memory:
    """Encoder states of c chunks: t of width D, at 8 bits. Each chunk owns a contiguous range, as with keys."""

    offsets: NDArray[np.int64]  # (c + 1,)
    codes: NDArray[np.int8]  # (t, D)
    scales: NDArray[np.float32]  # (t,)

    def __post_init__(self) -> None:
        require(self.codes.ndim == 2 and self.scales.shape == self.codes.shape[:1], "one scale for each state")
        require(_tiles(self.offsets, len(self.offsets) - 1, len(self.codes)), "offsets that tile the states")

    def states(self, position: int) -> NDArray[np.float32]:
        """Return the states of one chunk (t_i, D)."""
        rows = slice(*self.offsets[position : position + 2])
        with np.errstate(invalid="ignore"):  # a stranger's scales may be infinite
            return self.codes[rows] * self.scales[rows, None]


Quantised = tuple[NDArray[np.int8], NDArray[np.float32]]  # codes (n, d), scales (n,)


@dataclass(frozen=True)
class Draft:
    """A segment before publication: c chunks, n keys of width d.

    Chunk i owns the keys `offsets[i]:offsets[i + 1]`. A key is its codes times its scale; `half` is nearer to it.
    """

    digests: list[bytes]  # (c) of 16 bytes, all different
    offsets: NDArray[np.int64]  # (c + 1,)
    codes: NDArray[np.int8]  # (n, d)
    scales: NDArray[np.float32]  # (n,)
    half: NDArray[np.float16] | None = None  # (n, d)
    memory: Memory | None = None

    def __post_init__(self) -> None:
        require(len(set(self.digests)) == len(self.digests), "every digest once")
        require(all(len(digest) == DIGEST_BYTES for digest in self.digests), "digests of 16 bytes")
        require(self.codes.ndim == 2 and self.scales.shape == self.codes.shape[:1], "one scale for each key")
        require(self.half is None or self.half.shape == self.codes.shape, "keys shaped as the codes")
        require(_tiles(self.offsets, len(self.digests), len(self.codes)), "offsets that tile the keys")
        require(_remembers(self.memory, len(self.digests)), "a memory of every chunk")

    @property
    def tokens(self) -> int:
        """The number of encoded tokens; if states are stored, there may be fewer keys."""
        return len(self.codes if self.memory is None else self.memory.codes)


@dataclass(frozen=True)
class Segment:
    """A published segment; its arrays are read-only maps of the file, in the shapes of `Draft`."""

    id: int
    digests: NDArray[np.uint8]  # (c, 16)
    offsets: NDArray[np.int64]  # (c + 1,)
    codes: NDArray[np.int8]  # (n, d)
    scales: NDArray[np.float32]  # (n,)
    half: NDArray[np.float16] | None = None  # (n, d)
    memory: Memory | None = None

    def keys(self, rows: slice | NDArray[np.integer[Any]] = slice(None)) -> NDArray[np.float32]:
        """Return some of the keys (n, d), a copy, as near as they are kept."""
        if self.half is not None:
            return self.half[rows].astype(np.float32)
        with np.errstate(invalid="ignore"):  # a stranger's scales may be infinite
            return self.codes[rows] * self.scales[rows, None]


def draft(digests: Sequence[bytes], keys: Sequence[NDArray[np.float32]], states: Sequence[Quantised] = ()) -> Draft:
    """Gather the keys of some chunks, (n_i, d) each, into one draft, with their states if there are any.

    They are rounded chunk by chunk, so no second copy of all keys in full precision is made.
    """
    rounded = [quantise(each) for each in keys]
    codes = np.concatenate([each for each, _ in rounded])
    scales = np.concatenate([sizes for _, sizes in rounded])
    require(bool((scales <= _MOST / 127).all()), "keys that fit into half precision")
    half, memory = None, None
    if states:
        rows, sizes = zip(*states, strict=True)
        half = np.concatenate([each.astype(np.float16) for each in keys])
        memory = Memory(_offsets(rows), np.concatenate(rows), np.concatenate(sizes))
    return Draft(list(digests), _offsets(keys), codes, scales, half, memory)


def quantise(keys: NDArray[np.floating[Any]]) -> Quantised:
    """Round each key (n, d) to 8 bits: codes (n, d) in [-127, 127] and one scale per key (n,).

    Each key has its own scale because keys are not of unit length; with a common scale short keys would lose precision.
    """
    scales = np.maximum(keys.max(axis=1, initial=0), -keys.min(axis=1, initial=0)).astype(np.float32) / 127  # (n,)
    divisors = np.where(scales > 0, scales, 1).astype(np.float32)
    rounded = np.divide(keys, divisors[:, None], dtype=np.float32)  # (n, d)
    codes = np.rint(rounded, out=rounded).astype(np.int8)
    return codes, scales


def write(path: Path, drafted: Draft) -> tuple[int, bytes]:
    """Write a draft to disk and sync it; return its size in bytes and its BLAKE2b."""
    digests = np.frombuffer(b"".join(drafted.digests), np.uint8).reshape(-1, DIGEST_BYTES)
    found: dict[str, NDArray[Any]] = {name: getattr(drafted, name) for name in _OWN} | {"digests": digests}
    if drafted.half is not None:
        found["keys"] = drafted.half
    if drafted.memory is not None:
        found |= {f"memory_{name}": getattr(drafted.memory, name) for name in _MEMORY}
    return arrays.write(path, FORMAT, _layout(found), found)


def open_segment(path: Path, id: int, size: int) -> Segment:
    """Map a segment of `size` bytes; raises StoreDamaged if its shape is wrong. `checksum` verifies its contents."""
    content = arrays.mapped(path, size)
    try:
        found = arrays.read(content, FORMAT, _layout)
        chunks = len(found["digests"])
        require(found["digests"].shape == (chunks, DIGEST_BYTES), "digests of 16 bytes")
        codes = found["codes"]
        require(codes.ndim == 2 and found["scales"].shape == codes.shape[:1], "one scale for each key")
        half = found.get("keys")
        require(half is None or half.shape == codes.shape, "keys shaped as the codes")
        require(_tiles(found["offsets"], chunks, len(codes)), "offsets that tile the keys")
        own = {name: found[f"memory_{name}"] for name in _MEMORY if f"memory_{name}" in found}
        memory = Memory(**own) if own else None
        require(_remembers(memory, chunks), "a memory of every chunk")
    except arrays.WRONG as error:
        raise arrays.damaged(path, f"its header is wrong: {error}") from error
    return Segment(id=id, half=half, memory=memory, **{name: found[name] for name in _OWN})


def _layout(named: Container[str]) -> dict[str, tuple[str, Any]]:
    memory = _MEMORY if "memory_offsets" in named else ()
    names = {*_OWN, *(f"memory_{name}" for name in memory), *(["keys"] if "keys" in named else [])}
    return {name: kind for name, kind in _EVERY.items() if name in names}


def _offsets(rows: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum([len(each) for each in rows])]).astype(np.int64)  # (c + 1,)


def _remembers(memory: Memory | None, chunks: int) -> bool:
    return memory is None or len(memory.offsets) == chunks + 1


def _tiles(offsets: NDArray[np.int64], chunks: int, keys: int) -> bool:
    if offsets.shape != (chunks + 1,) or offsets[0] != 0 or offsets[-1] != keys:
        return False
    return bool((np.diff(offsets) >= 0).all())
