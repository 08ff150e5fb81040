"""The stages of training: what is read, what is learnt from it, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.reatt_mini.passages import Reading


@dataclass(frozen=True)
class Stage:
    """How a part of the training reads, and what its losses weigh."""

    until: float  # share of the whole training at which it ends
    limit: int  # tokens of a chunk, all marks included
    reading: Reading
    null: bool  # whether a question may have no answer in what is read
    words: bool  # whether the words' embeddings learn, too
    retrieval: float
    taught: float = 0.0  # retrieval beside a teacher
    spans: float = 1.0
    answer: float = 0.0
    copying: float = 0.0
    twin: bool = False  # retrieval is learnt from the reader's attention alone


# Where answers stand, in short chunks, is learnt first and fastest; then the rest.
LABELLED = (
    Stage(0.4, 160, Reading(near=0.0), null=False, words=True, retrieval=0.4, taught=1.0),
    Stage(
        1.0,
        256,
        Reading(near=0.3, without=0.3, told=True),
        null=True,
        words=False,
        retrieval=0.4,
        taught=1.0,
        answer=0.3,
        copying=0.15,
    ),
)
TWIN = (Stage(1.0, 256, Reading(0.5, 4), null=True, words=False, retrieval=0.4, answer=0.3, copying=0.15, twin=True),)


def stage_at(stages: Sequence[Stage], share: float) -> Stage:
    """Name the stage after a share of the training.

    >>> [stage_at(LABELLED, share).limit for share in (0.0, 0.39, 0.4, 1.0)]
    [160, 160, 256, 256]
    """
    return next((stage for stage in stages if share < stage.until), stages[-1])
