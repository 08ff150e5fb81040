"""What was read for each question: its passages side by side, what in them may be an answer, and what is one.

Axes: G questions that are read, N tokens of all of them, D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recipes.reatt_mini.batches import Batch
from recipes.reatt_mini.data import Ids
from recipes.reatt_mini.packed import Layout, Packed, joined
from recipes.reatt_mini.passages import Passage

ANSWER_LIMIT = 16  # pieces; longer answers are learnt by their beginning
Cell = tuple[int, int, int]  # a stretch: the passage by its number among all, its first token and its last one there
NULL = 0  # the token of a passage that stands for no answer: the first


@dataclass(frozen=True)
class Memory:
    """What the pointer and the decoder see of each question (G)."""

    states: Packed  # (N, D): for each passage, the question's states and those kept of the chunk
    rows: list[int]  # the question's number in the batch
    passages: list[list[Passage]]
    widths: list[list[int]]  # tokens of each passage, the question's among them
    text: Tensor  # (N,) bool: chunks' tokens, in which answers stand
    cells: list[list[Cell]]  # of each question: all its answer's places, or null places where nothing read answers
    begins: list[int | None]  # where among its own tokens a question's answer begins; None: nothing read answers
    answers: list[Ids]  # its pieces as they stand there, or yes or no

    def first_pieces(self, rows: Sequence[int], width: int) -> Tensor:
        """Mark where the answers of some questions (A) begin among their tokens: (A, width) bool."""
        found = torch.zeros(len(rows), width, dtype=torch.bool, device=self.text.device)
        starts = [sum(map(len, self.passages[:row])) for row in rows]  # the number of each one's first passage
        for number, (row, first) in enumerate(zip(rows, starts, strict=True)):
            for passage, start, _ in self.cells[row]:
                found[number, sum(self.widths[row][: passage - first]) + start] = True
        return found

    def shares(self, rows: Sequence[int], attention: Tensor) -> list[Tensor]:
        """Sum attention (A, t) over each passage of some questions (A)."""
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
) -> Memory:
    """Read questions jointly with the passages given to them."""
    before = len(asked.values)
    pairs, widths = [], []
    for row, passages in given.items():
        question = range(asked.layout.starts[row], asked.layout.starts[row] + asked.layout.lengths[row])
        firsts = [before + chunks.layout.starts[passage.chunk] for passage in passages]
        pairs += [[*question, *(first + at for at in p.kept)] for first, p in zip(firsts, passages, strict=True)]
        widths.append([len(question) + len(passage.kept) for passage in passages])
    states = upper(joined((asked, chunks), pairs)).values
    layout = Layout(tuple(map(sum, widths)), states.device)
    return Memory(
        Packed(states, layout),
        list(given),
        list(given.values()),
        widths,
        _text(asked.layout, given).to(states.device),
        _cells(asked.layout, batch, given),
        [_begin(asked.layout.lengths[row], passages) for row, passages in given.items()],
        [batch.questions[row].said or _answer(batch, passages) for row, passages in given.items()],
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


def _text(asked: Layout, given: Mapping[int, list[Passage]]) -> Tensor:
    """Mark the chunks' tokens among all (N,)."""
    shown = [[False] * asked.lengths[row] + [True] * len(p.kept) for row, passages in given.items() for p in passages]
    return torch.tensor([token for passage in shown for token in passage])


def _cells(asked: Layout, batch: Batch, given: Mapping[int, list[Passage]]) -> list[list[Cell]]:
    """List what the pointer should choose for each question; nothing where yes or no is the answer."""
    found: list[list[Cell]] = []
    first = 0
    for row, passages in given.items():
        before = asked.lengths[row]
        numbered = list(enumerate(passages, first))
        right = [(number, before + s, before + e) for number, passage in numbered for s, e in passage.spans]
        nowhere = [(number, NULL, NULL) for number, _ in numbered]
        found.append([] if batch.questions[row].said else right or nowhere)
        first += len(passages)
    return found


def _answer(batch: Batch, passages: list[Passage]) -> Ids:
    """Take the pieces of the first place of an answer."""
    for passage in passages:
        for start, end in passage.spans[:1]:
            ids = batch.chunks[passage.chunk].ids
            return tuple(ids[at] for at in passage.kept[start : end + 1])[:ANSWER_LIMIT]
    return ()
