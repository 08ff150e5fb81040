"""Encode chunks into the draft of a segment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reatt.model.backbone import ChunkText, Encoder
from reatt_store.segments import Draft, Quantised, draft, quantise

_LEAST, _SECONDS = 16, 20.0  # chunks of a batch; what its encoding should take
ENCODE_CHUNKS = 16  # chunks encoded together; more do not fit into a CPU's caches


def encode(backbone: Encoder, passages: dict[bytes, ChunkText], on_chunks: Callable[[int], None]) -> Draft:
    """Encode chunks in groups of similar length, to need little padding; the draft keeps the given order.

    `on_chunks` is called with the size of each group when the group is done.
    """
    order = sorted(passages, key=lambda digest: len(passages[digest].text))
    keys: dict[bytes, NDArray[np.float32]] = {}
    states: dict[bytes, Quantised] = {}
    for group in (order[at : at + ENCODE_CHUNKS] for at in range(0, len(order), ENCODE_CHUNKS)):
        encoded = backbone.encode_chunks([passages[digest] for digest in group])
        for known, code in zip(group, encoded, strict=True):
            keys[known] = code.keys.cpu().numpy()
            if code.memory is not None:
                states[known] = quantise(code.memory.cpu().numpy())
        on_chunks(len(group))
    remembered = [states[digest] for digest in passages] if states else []
    return draft(list(passages), [keys[digest] for digest in passages], remembered)


def batch_after(chunks: int, seconds: float, most: int) -> int:
    """Return how many chunks are encoded in a while that nobody minds to lose, after `chunks` took `seconds`."""
    return min(max(int(_SECONDS * chunks / max(seconds, 1e-3)), _LEAST), most)
