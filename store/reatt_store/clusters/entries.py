"""An entry of a list: the number of the chunk that owns a key, and the key at two bits a number.

What is coded is how far the key is from its centroid, in units of the cluster's spread: four steps, where a normal
distribution loses least. A search multiplies the codes as small odd integers.
"""

from __future__ import annotations

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


def decoded(entries: Entries, numbers: int) -> NDArray[np.int8]:
    """Return the codes (n, d) as odd integers from -3 to 3: how far keys are from centroids, in half steps."""
    packed = entries[:, OWNER:]
    steps = np.empty((len(packed), _PER_BYTE, packed.shape[1]), np.uint8)
    for place in range(_PER_BYTE):
        np.bitwise_and(packed >> (2 * place), 3, out=steps[:, place])
    return 2 * steps.reshape(len(packed), -1)[:, :numbers].view(np.int8) - 3
