"""The keys of a segment as tensors, and the keys of chunks from any segments gathered into one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from reatt_store.vectors.segments import Segment

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Shard:
    """A segment as tensors on one device; on the CPU they share the file's memory map."""

    id: int
    keys: Tensor  # (n, d) float16
    codes: Tensor  # (n, d) int8
    scales: Tensor  # (n,) float32
    offsets: Integers  # (c + 1,); chunk i owns the keys from offsets[i] up to offsets[i + 1]

    @cached_property
    def parts(self) -> Parts:
        """The arrays, to be cut into many pieces: NumPy cuts ten times as fast as PyTorch."""
        arrays = (self.keys, self.codes, self.scales)
        return Parts(*(array.numpy() if array.is_cpu else array for array in arrays))


class Parts(NamedTuple):
    """The arrays of a shard: of NumPy on the CPU, else tensors."""

    keys: Any
    codes: Any
    scales: Any


class Gathered:
    """Some chunks of any shards as one shard; each array is copied only if it is asked for."""

    def __init__(self, chunks: Sequence[tuple[Shard, int]]) -> None:
        rows = [shard.offsets[position : position + 2].tolist() for shard, position in chunks]
        self._rows = [(shard.parts, slice(start, stop)) for (shard, _), (start, stop) in zip(chunks, rows, strict=True)]
        self.offsets = np.cumsum([0, *(stop - start for start, stop in rows)])

    @cached_property
    def keys(self) -> Tensor:
        """The keys (n, d) in float16."""
        return _joined([parts.keys[rows] for parts, rows in self._rows])

    @cached_property
    def codes(self) -> Tensor:
        """The keys (n, d) in int8."""
        return _joined([parts.codes[rows] for parts, rows in self._rows])

    @cached_property
    def scales(self) -> Tensor:
        """The factor of each row of codes (n,)."""
        return _joined([parts.scales[rows] for parts, rows in self._rows])


def load(segment: Segment, device: str = "cpu") -> Shard:
    """Load a segment for scoring; a GPU receives a copy of only the keys, because it needs no codes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nothing here writes
        keys, codes, scales = (torch.from_numpy(a) for a in (segment.keys, segment.codes, segment.scales))
    if device != "cpu":
        keys, codes, scales = keys.to(device), codes[:0].to(device), scales[:0].to(device)
    return Shard(segment.id, keys, codes, scales, np.asarray(segment.offsets))


def _joined(pieces: Sequence[Any]) -> Tensor:
    if isinstance(pieces[0], Tensor):
        return torch.cat(list(pieces))
    return torch.from_numpy(np.concatenate(pieces))
