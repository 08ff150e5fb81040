"""Encode chunks into the draft of a segment."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reatt.model.backbone import ChunkCode, ChunkText, Encoder
from reatt_store.vectors.segments import Draft, Quantised, draft, quantise

_LEAST, _SECONDS = 16, 20.0  # chunks of a batch; what its encoding should take
ENCODE_CHUNKS = 16  # chunks encoded together; more do not fit into a CPU's caches
_GROWN = 100 << 20  # bytes by which this process grows before it gives freed memory back
Groups = Sequence[Sequence[ChunkText]]
EncodeGroups = Callable[[Groups], Iterable[tuple[int, list[ChunkCode]]]]  # the numbers of groups, and their codes


def alone(backbone: Encoder) -> EncodeGroups:
    """Encode one group after the other, in this process."""
    return lambda groups: ((number, backbone.encode_chunks(group)) for number, group in enumerate(groups))


def encode(each: EncodeGroups, passages: dict[bytes, ChunkText], on_chunks: Callable[[int], None]) -> Draft:
    """Encode chunks in groups of similar length, to need little padding; the draft keeps the given order.

    The groups do not depend on who encodes them. `on_chunks` is called with the size of each group when it is done.
    """
    order = sorted(passages, key=lambda digest: len(passages[digest].text))
    keys: dict[bytes, NDArray[np.float32]] = {}
    states: dict[bytes, Quantised] = {}
    groups = [order[at : at + ENCODE_CHUNKS] for at in range(0, len(order), ENCODE_CHUNKS)]
    least = _resident()
    for number, encoded in each([[passages[digest] for digest in group] for group in groups]):
        group = groups[number]
        for known, code in zip(group, encoded, strict=True):
            keys[known] = code.keys.cpu().numpy()
            if code.memory is not None:
                states[known] = quantise(code.memory.cpu().numpy())
        on_chunks(len(group))
        if _resident() > least + _GROWN:
            give_back()
            least = _resident()
    remembered = [states[digest] for digest in passages] if states else []
    drafted = draft(list(passages), [keys[digest] for digest in passages], remembered)
    keys.clear()
    give_back()
    return drafted


def _resident() -> int:
    """Return the bytes of memory that this process takes; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def give_back() -> None:
    """Return to the system what glibc keeps of freed memory: after some batches that is more than is in use."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def batch_after(chunks: int, seconds: float, most: int) -> int:
    """Return how many chunks are encoded in a while that nobody minds to lose, after `chunks` took `seconds`."""
    return min(max(int(_SECONDS * chunks / max(seconds, 1e-3)), _LEAST), most)
