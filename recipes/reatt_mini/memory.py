"""What was read for each question: its passages side by side, what in them may be an answer, and what is one.

Axes: G questions that are read, N tokens of all of them, D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.reatt_mini.batches import Batch
from recipes.reatt_mini.data import Ids
from recipes.reatt_mini.packed import Layout, Packed, joined
from recipes.reatt_mini.passages import Passage

ANSWER_LIMIT = 16  # pieces; longer answers are learnt by their beginning


@dataclass(frozen=True)
class Memory:
    """What the pointer and the decoder see of each question (G)."""

    states: Packed  # (N, D): for each passage, the question's states and those kept of the chunk
    rows: list[int]  # the question's number in the batch
    passages: list[list[Passage]]
    widths: list[list[int]]  # tokens of each passage, the question's among them
    allowed: Tensor  # (N,) bool: chunks' tokens and null places, which are the first tokens of the pairs
    target: Tensor  # (N, 2) bool: where the answer starts and ends; all null places where nothing read answers
    begins: list[int | None]  # where among its own tokens a question's answer begins; None: nothing read answers
    answers: list[Ids]  # its pieces as they stand there

    def shares(self, attention: Tensor) -> list[Tensor]:
        """Sum attention (A, t) over each passage, for the questions whose own chunk was read."""
        rows = [row for row, place in enumerate(self.begins) if place is not None]
        pieces = (
            each[: sum(self.widths[row])].split(self.widths[row]) for each, row in zip(attention, rows, strict=True)
        )
        return [torch.stack([piece.sum() for piece in passages]) for passages in pieces]


def remember(
    asked: Packed,
    chunks: Packed,
    batch: Batch,
    given: Mapping[int, list[Passage]],
    upper: Callable[[Packed], Packed],
    *,
    null: bool,
) -> Memory:
    """Read questions jointly with the passages given to them; `null`: they may have no answer there."""
    before = len(asked.values)
    pairs, widths = [], []
    for row, passages in given.items():
        question = range(asked.layout.starts[row], asked.layout.starts[row] + asked.layout.lengths[row])
        firsts = [before + chunks.layout.starts[passage.chunk] for passage in passages]
        pairs += [[*question, *(first + at for at in p.kept)] for first, p in zip(firsts, passages, strict=True)]
        widths.append([len(question) + len(passage.kept) for passage in passages])
    states = upper(joined((asked, chunks), pairs)).values
    layout = Layout(tuple(map(sum, widths)), states.device)
    begins = [_begin(asked.layout.lengths[row], passages) for row, passages in given.items()]
    allowed, target = _marked(asked.layout, given, begins, null=null)
    return Memory(
        Packed(states, layout),
        list(given),
        list(given.values()),
        widths,
        allowed.to(states.device),
        target.to(states.device),
        begins,
        [_answer(batch, passages) for passages in given.values()],
    )


def _begin(before: int, passages: list[Passage]) -> int | None:
    """Find where the first place of an answer begins among a question's tokens."""
    at = 0
    for passage in passages:
        at += before
        if passage.spans:
            return at + passage.spans[0][0]
        at += len(passage.kept)
    return None


def _marked(
    asked: Layout, given: Mapping[int, list[Passage]], begins: list[int | None], *, null: bool
) -> tuple[Tensor, Tensor]:
    """Mark what may be a start or an end (N,), and what is one (N, 2)."""
    allowed: list[bool] = []
    starts, ends = list[int](), list[int]()
    for (row, passages), begin in zip(given.items(), begins, strict=True):
        for passage in passages:
            first, nowhere = len(allowed) + asked.lengths[row], [] if begin is not None else [len(allowed)]
            starts += [*nowhere, *(first + start for start, _ in passage.spans)]
            ends += [*nowhere, *(first + end for _, end in passage.spans)]
            allowed += [null, *[False] * (asked.lengths[row] - 1), *[True] * len(passage.kept)]
    target = torch.zeros(len(allowed), 2, dtype=torch.bool)
    target[starts, 0] = True
    target[ends, 1] = True
    return torch.tensor(allowed), target


def _answer(batch: Batch, passages: list[Passage]) -> Ids:
    """Take the pieces of the first place of an answer."""
    for passage in passages:
        for start, end in passage.spans[:1]:
            ids = batch.chunks[passage.chunk].ids
            return tuple(ids[at] for at in passage.kept[start : end + 1])[:ANSWER_LIMIT]
    return ()
