"""The parts of a model that learn: all, only the reader, only retrieval, or only its question side.

With `retriever` and `chunks`, everything that a fingerprint covers stays the same, so the store's keys stay valid. With
`reader` and `chunks`, retrieval learns in separate projections, which start as copies of its head's. Whatever they
learn, reading gives exactly the same results as before. Such a step is cheap, and suits documents without questions.
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
    """Which weights learn, and whether these affect retrieval."""

    choose: Callable[[T5, Head], None]  # switches gradients on and off
    retrieves: bool  # whether retrieval learns; if not, there is no cross-document loss
    keeps_keys: bool  # whether chunks keep their keys, and the model its fingerprint
    apart: bool = False  # whether retrieval learns separately: no answer loss, fixed states, scores keep their spread
    pace: float = 1.0  # factor of the learning rate; few weights can take larger steps

    def apply(self, t5: T5, head: Head) -> None:
        """Switch gradients on and off; off for parts that the model declares fixed."""
        self.choose(t5, head)
        for module in t5.fixed:
            module.requires_grad_(False)


def _all(t5: T5, head: Head) -> None:
    t5.requires_grad_(True)


def _reader(t5: T5, head: Head) -> None:
    """Fix everything below R and both projections of block B's attention; the blocks above share its position bias."""
    t5.requires_grad_(True)
    block = t5.encoder.layers()[head.layer]
    fixed = [t5.shared, *t5.encoder.below(head.depth), block.attention.q, block.attention.k]
    own = [t5.retrieval] if t5.retrieval is not None else []
    for module in [*fixed, *own]:
        module.requires_grad_(False)


def _retrieval(t5: T5, head: Head, sides: Sequence[str] = "qk") -> None:
    """Let only retrieval's separate projections learn."""
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
    """Return the default for `--freeze`: the reader, if all examples are sentences with known passages."""
    return "reader" if all(each.source == "masked" and each.chunk is not None for each in examples) else "none"
