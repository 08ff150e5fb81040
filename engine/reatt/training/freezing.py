"""What may learn: all, the reader alone, retrieval alone, or the question's side of it alone.

With `retriever` and `chunks` everything that a fingerprint covers stays as it is, so a store's keys stay valid. With
`reader` and `chunks` retrieval learns by projections of its own, which begin as those of its head: whatever they learn,
the same passages are read as before, bit by bit. A step then costs little, and it is what bare documents teach best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reatt.model.stacks.halves import Head, learn_apart
from reatt.model.t5 import T5

if TYPE_CHECKING:
    from reatt.lessons.examples import Example


@dataclass(frozen=True)
class Freeze:
    """Which weights learn, and whether what they change is retrieval at all."""

    choose: Callable[[T5, Head], None]  # switches gradients on and off
    retrieves: bool  # without it there is nothing for the cross-document loss to move
    keeps_keys: bool  # chunks keep their keys: the fingerprint stays
    apart: bool = False  # retrieval learns apart from all else: no answer teaches, states stay, scores may not grow
    pace: float = 1.0  # of the learning rate: a few weights alone take larger steps

    def apply(self, t5: T5, head: Head) -> None:
        """Switch gradients on and off; what a model says never learns does not."""
        self.choose(t5, head)
        for module in t5.fixed:
            module.requires_grad_(False)


def _all(t5: T5, head: Head) -> None:
    t5.requires_grad_(True)


def _reader(t5: T5, head: Head) -> None:
    """Fix all below R and both projections of block B's attention; the blocks above share its position bias."""
    t5.requires_grad_(True)
    block = t5.encoder.layers()[head.layer]
    fixed = [t5.shared, *t5.encoder.below(head.depth), block.attention.q, block.attention.k]
    own = [t5.retrieval] if t5.retrieval is not None else []
    for module in [*fixed, *own]:
        module.requires_grad_(False)


def _retrieval(t5: T5, head: Head, sides: Sequence[str] = "qk") -> None:
    """Let only retrieval's own projections learn."""
    own = learn_apart(t5, head)
    t5.requires_grad_(False)
    for side in sides:
        getattr(own, side).requires_grad_(True)


FREEZES = {
    "none": Freeze(_all, retrieves=True, keeps_keys=False),
    "retriever": Freeze(_reader, retrieves=False, keeps_keys=True),
    "reader": Freeze(_retrieval, retrieves=True, keeps_keys=False, apart=True, pace=10.0),
    "chunks": Freeze(partial(_retrieval, sides="q"), retrieves=True, keeps_keys=True, apart=True, pace=10.0),
}


def usual(examples: Iterable[Example]) -> str:
    """Name what stays where nobody says: the reader, if all there is are sentences whose passages are known."""
    return "reader" if all(each.source == "masked" and each.chunk is not None for each in examples) else "none"
