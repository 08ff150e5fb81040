"""The loss of a pointer, which learns the places of answers while the decoder learns to write them.

`L_pointer = -log of the sum of P(start, end) over all places of the answer`. P is a softmax over the null places and
all stretches of the chunks read for a question, as in `model.pointing`. An answer that does not occur word for word
gives no loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from reatt.lessons.batches import Ids
from reatt.model.pointing import stretches
from reatt.model.stacks.halves import Padded
from reatt.model.t5 import T5


def pointer_losses(
    t5: T5, fused: Padded, questions: Sequence[Ids], chunks: Sequence[Sequence[Ids]], answers: Sequence[Ids]
) -> Tensor:
    """Compute the loss of each question (B,) over its memory, a row of `fused` (B, t, D); 0 if there is no pointer.

    A memory consists of pairs, one after another: the question (`EncoderStack.paired`), then one of its chunks.
    """
    if t5.pointer is None:
        return fused.values.new_zeros(len(answers))
    with torch.autocast(fused.values.device.type, enabled=False):
        scores = t5.pointer(fused.values.to(t5.pointer.weight.dtype))  # (B, 2 + 2p, t)
    rows = zip(scores, questions, chunks, answers, strict=True)
    before = t5.encoder.paired
    return torch.stack(
        [_loss(row, len(before(asked)), close, answer, t5.pointer.separator) for row, asked, close, answer in rows]
    )


def _loss(marks: Tensor, asked: int, close: Sequence[Ids], answer: Ids, separator: int) -> Tensor:
    """Compute the loss of one question of `asked` ids from its marks (2 + 2p, t)."""
    every: list[Tensor] = []
    right: list[Tensor] = []
    at = 0
    for ids in close:
        first = at + asked
        scores = stretches(marks[:, first : first + len(ids)])
        every += [stretches(marks[:, at : at + 1]).flatten(), scores.flatten()]
        right += [scores[start, end] for start, end in occurrences(answer[:-1], ids, separator)]
        at = first + len(ids)
    if not right:
        return marks.new_zeros(())
    return torch.cat(every).logsumexp(0) - torch.stack(right).logsumexp(0)


def occurrences(answer: Ids, chunk: Ids, separator: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last token of each occurrence of an answer in a chunk's text, which follows the title.

    >>> list(occurrences((7, 8), (2, 7, 8, 3, 7, 8, 9, 7, 8, 3), 3))
    [(4, 5), (7, 8)]
    """
    begins = chunk.index(separator) + 1 if separator in chunk else 0
    for start in range(begins, len(chunk) - len(answer) + 1):
        if answer and chunk[start : start + len(answer)] == answer:
            yield start, start + len(answer) - 1
