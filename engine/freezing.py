"""What may learn: all, the reader alone, or the question's side of the retrieval head alone.

The latter two leave everything that a fingerprint covers as it is, so a store's keys stay valid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from reatt_engine.reatt import Head
from reatt_engine.t5 import T5


@dataclass(frozen=True)
class Freeze:
    """Which weights learn, and whether what they change is retrieval at all."""

    apply: Callable[[T5, Head], None]  # switches gradients on and off
    retrieves: bool  # without it there is nothing for the cross-document loss to move
    keeps_keys: bool  # chunks keep their keys: the fingerprint stays


def _all(t5: T5, head: Head) -> None:
    t5.requires_grad_(True)


def _reader(t5: T5, head: Head) -> None:
    """Fix the lower half and both projections of block B's attention; the blocks above share its position bias."""
    t5.requires_grad_(True)
    block = t5.encoder.layers()[head.layer]
    fixed = [t5.shared, t5.encoder.position, block.attention_norm, block.attention.q, block.attention.k]
    for module in [*fixed, *t5.encoder.layers(slice(head.layer))]:
        module.requires_grad_(False)


def _question_side(t5: T5, head: Head) -> None:
    """Let only the head's own rows of block B's query projection learn."""
    t5.requires_grad_(False)
    weight, width = t5.encoder.layers()[head.layer].attention.q.weight, t5.config.d_kv
    weight.requires_grad_(True)
    rows = slice(head.number * width, (head.number + 1) * width)

    def only_its_rows(gradient: Tensor) -> Tensor:
        kept = gradient.new_zeros(gradient.shape)
        kept[rows] = gradient[rows]
        return kept

    weight.register_hook(only_its_rows)  # type: ignore[no-untyped-call]


FREEZES = {
    "none": Freeze(_all, retrieves=True, keeps_keys=False),
    "retriever": Freeze(_reader, retrieves=False, keeps_keys=True),
    "chunks": Freeze(_question_side, retrieves=True, keeps_keys=True),
}
