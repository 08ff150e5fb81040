"""What may learn: all, the reader alone, the retrieval head alone, or the question's side of it alone.

With `retriever` and `chunks` everything that a fingerprint covers stays as it is, so a store's keys stay valid. With
`reader` the states that everything is read from stay, so that answers hardly change and a step costs little: it is what
bare documents teach best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from reatt_engine.reatt import Head
from reatt_engine.t5 import T5


@dataclass(frozen=True)
class Freeze:
    """Which weights learn, and whether what they change is retrieval at all."""

    apply: Callable[[T5, Head], None]  # switches gradients on and off
    retrieves: bool  # without it there is nothing for the cross-document loss to move
    keeps_keys: bool  # chunks keep their keys: the fingerprint stays
    keeps_states: bool = False  # the lower half does not learn, and no answer teaches
    head_alone: bool = False  # nothing but the retrieval head learns: its scores may not grow
    pace: float = 1.0  # of the learning rate: a few weights alone take larger steps


def _all(t5: T5, head: Head) -> None:
    t5.requires_grad_(True)


def _reader(t5: T5, head: Head) -> None:
    """Fix the lower half and both projections of block B's attention; the blocks above share its position bias."""
    t5.requires_grad_(True)
    block = t5.encoder.layers()[head.layer]
    fixed = [t5.shared, t5.encoder.position, block.attention_norm, block.attention.q, block.attention.k]
    for module in [*fixed, *t5.encoder.layers(slice(head.layer))]:
        module.requires_grad_(False)


def _retrieval_head(t5: T5, head: Head, sides: Sequence[str] = "qk") -> None:
    """Let only the head's own rows of block B's query and key projections learn."""
    t5.requires_grad_(False)
    attention, width = t5.encoder.layers()[head.layer].attention, t5.config.d_kv
    rows = slice(head.number * width, (head.number + 1) * width)

    def only_its_rows(gradient: Tensor) -> Tensor:
        kept = gradient.new_zeros(gradient.shape)
        kept[rows] = gradient[rows]
        return kept

    for side in sides:
        weight: Tensor = getattr(attention, side).weight
        weight.requires_grad_(True)
        weight.register_hook(only_its_rows)  # type: ignore[no-untyped-call]


FREEZES = {
    "none": Freeze(_all, retrieves=True, keeps_keys=False),
    "retriever": Freeze(_reader, retrieves=False, keeps_keys=True),
    "reader": Freeze(_retrieval_head, retrieves=True, keeps_keys=False, keeps_states=True, head_alone=True, pace=20.0),
    "chunks": Freeze(partial(_retrieval_head, sides="q"), retrieves=True, keeps_keys=True, head_alone=True),
}


def usual(kinds: Mapping[str, int]) -> str:
    """Name what stays where nobody says: the reader, if there are only sentences of the documents to learn from.

    >>> usual({"name": 700, "phrase": 300}), usual({"question": 80})
    ('reader', 'none')
    """
    return "none" if {"question", "relevance"} & set(kinds) else "reader"
