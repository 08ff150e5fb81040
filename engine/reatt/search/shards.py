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

ALL = slice(None)

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Shard:
    """A segment as tensors on one device; on the CPU they share the file's memory map."""

    id: int
    half: Tensor | None  # (n, d) float16; None: a key is its codes times its scale
    codes: Tensor  # (n, d) int8
    scales: Tensor  # (n,) float32
    offsets: Integers  # (c + 1,); chunk i owns the keys from offsets[i] up to offsets[i + 1]

    @cached_property
    def parts(self) -> Parts:
        """The arrays, to be cut into many pieces: NumPy cuts ten times as fast as PyTorch."""
        arrays = (self.half, self.codes, self.scales)
        return Parts(*(array.numpy() if array is not None and array.is_cpu else array for array in arrays))

    def keys(self, rows: slice, columns: int | slice = ALL) -> Tensor:
        """Return some of the keys, or some of their columns, in float32, as near as they are kept."""
        if self.half is not None:
            return self.half[rows, columns].float()
        codes, scales = self.codes[rows, columns].float(), self.scales[rows]
        return codes.mul_(scales if codes.ndim == 1 else scales[:, None])


class Parts(NamedTuple):
    """The arrays of a shard: of NumPy on the CPU, else tensors."""

    half: Any
    codes: Any
    scales: Any


class Gathered:
    """Some chunks of any shards as one shard; each array is copied only if it is asked for."""

    def __init__(self, shards: Sequence[Shard], starts: Integers, stops: Integers) -> None:
        """Gather from the i-th shard its rows from `starts[i]` up to `stops[i]`."""
        rows = map(slice, starts.tolist(), stops.tolist())
        self._shards, self._rows = shards, [(shard.parts, own) for shard, own in zip(shards, rows, strict=True)]
        self.offsets = np.cumsum(np.concatenate([[0], stops - starts]))

    def keys(self, rows: slice, columns: int | slice = ALL) -> Tensor:
        """Return some of the keys, or some of their columns, in float32, as near as they are kept."""
        return self._keys[rows, columns]

    @cached_property
    def _keys(self) -> Tensor:
        halves = [parts.half[rows] for parts, rows in self._rows if parts.half is not None]
        if not halves:
            return self.codes.float().mul_(self.scales[:, None])
        if len(halves) == len(self._rows):
            return _joined(halves).float()
        return torch.cat([shard.keys(own) for shard, (_, own) in zip(self._shards, self._rows, strict=True)])

    @cached_property
    def codes(self) -> Tensor:
        """The codes (n, d) in int8."""
        return _joined([parts.codes[rows] for parts, rows in self._rows])

    @cached_property
    def scales(self) -> Tensor:
        """The factor of each row of codes (n,)."""
        return _joined([parts.scales[rows] for parts, rows in self._rows])


def load(segment: Segment, device: str = "cpu") -> Shard:
    """Load a segment for scoring; a GPU receives a copy of its keys in float16, or else of their codes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nothing here writes
        half = None if segment.half is None else torch.from_numpy(segment.half)
        codes, scales = torch.from_numpy(segment.codes), torch.from_numpy(segment.scales)
    if device != "cpu":
        rows = slice(None) if half is None else slice(0)
        half = None if half is None else half.to(device)
        codes, scales = codes[rows].to(device), scales[rows].to(device)
    return Shard(segment.id, half, codes, scales, np.asarray(segment.offsets))


def _joined(pieces: Sequence[Any]) -> Tensor:
    if isinstance(pieces[0], Tensor):
        return torch.cat(list(pieces))
    return torch.from_numpy(np.concatenate(pieces))
