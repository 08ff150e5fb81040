"""What safetensors files say of their weights: names, types and shapes, read and checked before any weight is."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reatt.weights.files import AGAIN, opened
from reatt.weights.folder import weight_files
from reatt_store.errors import ModelError
from reatt_store.opening import small_json

LONGEST = 16 << 20  # bytes of a header; a hundred thousand weights need no more
DIMENSIONS = 8
# Bytes of a number of each type. A file may hold any of them, but a weight is of a type in `FLOATS`.
BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "BOOL": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
}  # fmt: skip
FLOATS = frozenset(("F64", "F32", "F16", "BF16"))


@dataclass(frozen=True)
class Entry:
    """What a file says of one weight."""

    type: str  # a key of `BYTES`
    shape: tuple[int, ...]
    place: tuple[int, int]  # its first byte, and the one after its last

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        return BYTES[self.type] * math.prod(self.shape)


def of_folder(folder: Path, without: re.Pattern[str] | None = None) -> dict[str, Entry]:
    """Read what the files of a model say, under the published names; weights that match `without` are left out."""
    entries: dict[str, Entry] = {}
    for file in weight_files(folder):
        entries |= of_file(file)
    return {name: entry for name, entry in entries.items() if without is None or not without.match(name)}


def of_file(file: Path) -> dict[str, Entry]:
    """Read what one file says; raises ModelError unless its weights fill it exactly."""
    with opened(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(size - 8, LONGEST):
            raise damaged(file, "it is cut off, or no safetensors file")
        header = stream.read(length)
    try:
        said = small_json(header)
        if not isinstance(said, dict):
            raise ValueError("its header is no JSON object")
        entries = {name: _entry(name, said[name]) for name in said if name != "__metadata__"}
        _filled(entries, size - 8 - length)
    except (ValueError, RecursionError) as error:
        raise damaged(file, str(error)) from None
    return entries


def damaged(file: Path, why: str) -> ModelError:
    """Describe a file of weights that cannot be used."""
    return ModelError(f"{file} is damaged: {why:.200}", AGAIN, str(file))


def require_floats(entries: Mapping[str, Entry], source: Path) -> None:
    """Raise ModelError naming the weights whose type is none that a model computes with."""
    wrong = sorted(name for name, entry in entries.items() if entry.type not in FLOATS)
    if wrong:
        types = ", ".join(sorted({entries[name].type for name in wrong}))
        message = f"{len(wrong)} weights in {source} are of a type that is not read, {types}: {', '.join(wrong[:3])}"
        raise ModelError(message, "take a copy in float32, float16 or bfloat16", str(source))


def _entry(name: str, said: object) -> Entry:
    """Read a weight's type, shape and place."""
    kind, shape, place = (
        said.get(key) if isinstance(said, dict) else None for key in ("dtype", "shape", "data_offsets")
    )
    if not isinstance(kind, str) or kind not in BYTES:
        raise ValueError(f"{name:.80} is of type {kind!r:.40}")
    sizes, places = _counts(shape), _counts(place)
    if len(sizes) > DIMENSIONS or len(places) != 2:
        raise ValueError(f"{name:.80} has no shape or place")
    return Entry(kind, sizes, (places[0], places[1]))


def _counts(found: object) -> tuple[int, ...]:
    """Read a list of numbers of things; anything else raises ValueError."""
    if isinstance(found, list) and all(type(number) is int and number >= 0 for number in found):
        return tuple(found)
    raise ValueError(f"{found!r:.40} is no shape or place")


def _filled(entries: Mapping[str, Entry], size: int) -> None:
    """Raise ValueError unless the weights lie one after the other and fill the file, each of its shape's size."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].place):
        start, end = entry.place
        if start != at or end - start != entry.bytes:
            raise ValueError(f"{name:.80} does not lie where its shape needs it")
        at = end
    if at != size:
        raise ValueError(f"its weights take {at:,} bytes, and it has {size:,}")
