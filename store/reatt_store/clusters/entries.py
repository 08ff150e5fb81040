"""An entry of a list: the number of the chunk that owns a key, and the key at two bits a number.

What is coded is how far the key is from its centroid, in units of the cluster's spread: four steps, where a normal
distribution loses least. A search multiplies the codes as small odd integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reatt_store.clusters.means import Floats, Integers, Means

STEP = 0.996  # spreads between two codes of a number
OWNER = 4  # bytes of an entry
_PER_BYTE = 4  # numbers

Entries = NDArray[np.uint8]  # (n, OWNER + a quarter of a key's width)


def width(numbers: int) -> int:
    """Return the bytes of an entry for keys of so many numbers."""
    return OWNER + -(-numbers // _PER_BYTE)


def encoded(keys: Floats, clusters: Integers, owners: Integers, means: Means) -> Entries:
    """Make the entries of keys (n, d) on the lists of their clusters (n,), for the chunks that own them (n,)."""
    apart = (keys - means.fine[clusters]) / (STEP * means.spread[clusters, None])
    steps = np.clip(np.floor(apart) + 2, 0, 3).astype(np.uint8)  # (n, d)
    steps = np.pad(steps, ((0, 0), (0, -keys.shape[1] % _PER_BYTE))).reshape(len(keys), _PER_BYTE, -1)
    packed = steps[:, 0] | steps[:, 1] << 2 | steps[:, 2] << 4 | steps[:, 3] << 6
    return np.concatenate([owners.astype("<u4")[:, None].view(np.uint8), packed], axis=1)


def owners(entries: Entries) -> NDArray[np.uint32]:
    """Return the numbers of the chunks (n,)."""
    return np.ascontiguousarray(entries[:, :OWNER]).view("<u4")[:, 0]


def decoded(entries: Entries) -> NDArray[np.int8]:
    """Return the codes as odd integers from -3 to 3: how far keys are from centroids, in half steps.

    They are (n, 4 b), with b bytes of codes in an entry; their numbers stand in the order of `ordered`.
    """
    kind, table = _TABLES[entries.shape[1] % 2]
    packed = entries.view(kind)[:, OWNER // np.dtype(kind).itemsize :]
    found = np.take(table, packed, mode="clip").view(np.int8)  # to clip is faster, and there is nothing to clip
    return found.reshape(len(entries), -1)


def ordered(vectors: Floats) -> Floats:
    """Return vectors (m, d) with their numbers in the order that decoded codes have, and 0 where there is none."""
    padded = np.pad(vectors, ((0, 0), (0, -vectors.shape[1] % _PER_BYTE)))
    return np.ascontiguousarray(padded.reshape(len(vectors), _PER_BYTE, -1).swapaxes(1, 2)).reshape(padded.shape)


def _table(bytes: int) -> NDArray[np.unsignedinteger[Any]]:
    """Return the codes that so many bytes hold, for each value of theirs: all codes of one value as one integer."""
    values = np.arange(1 << 8 * bytes)[:, None] >> 2 * np.arange(_PER_BYTE * bytes)
    return (2 * (values & 3) - 3).astype(np.int8).view(f"<u{_PER_BYTE * bytes}")[:, 0]


_TABLES = (("<u2", _table(2)), ("u1", _table(1)))  # for entries of an even, and of an odd number of bytes
