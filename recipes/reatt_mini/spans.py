"""What the pointer learns: the stretch that answers a question, among all of what was read for it.

Axes: G questions that are read, P passages of all of them, L tokens of a passage at most, p width of the vectors that
the pointer compares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.model.pointing import stretches
from recipes.reatt_mini.memory import NULL, Cell, Memory
from recipes.reatt_mini.packed import Layout


@dataclass(frozen=True)
class Spans:
    """How well the pointer did; a figure is NaN where a batch has nothing to tell."""

    loss: Tensor  # mean over the questions that it has something to choose for
    marks: float  # of those whose own chunk was read
    null: float  # of those that nothing read answers
    exact: float  # share of the former for which the right stretch comes first


def pointed(weight: Tensor, memory: Memory, *, null: bool) -> Spans:
    """Let a pointer of weight (2 + 2p, D) choose; `null`: it may choose that there is no answer."""
    layout = Layout(tuple(width for widths in memory.widths for width in widths), memory.text.device)
    marks = layout.table(F.linear(memory.states.values.float(), weight)).transpose(1, 2)  # (P, 2 + 2p, L)
    scores = allowed_only(stretches(marks), layout.table(memory.text), null=null)
    counts = [len(widths) for widths in memory.widths]
    chosen = [row for row, cells in enumerate(memory.cells) if cells]
    surprise = surprises(scores, counts, memory.cells)
    answered = torch.tensor([memory.begins[row] is not None for row in chosen], dtype=torch.bool, device=scores.device)
    best = first_choices(scores.detach(), counts)
    right = [float(best[row] in memory.cells[row]) for row in chosen]
    exact = torch.tensor(right, device=scores.device)[answered]
    known = surprise.detach()
    loss = surprise.mean() if chosen else surprise.sum()
    return Spans(loss, *(float(each.mean()) for each in (known[answered], known[~answered], exact)))


def allowed_only(scores: Tensor, text: Tensor, *, null: bool) -> Tensor:
    """Hide all stretches (P, L, L) that do not lie within the text (P, L), but for the null place if there is one."""
    allowed = text[:, :, None] & text[:, None, :]
    if null:
        allowed[:, NULL, NULL] = True
    return scores.masked_fill(~allowed, -math.inf)


def surprises(scores: Tensor, counts: Sequence[int], cells: Sequence[Sequence[Cell]]) -> Tensor:
    """Say how surprising the right cells are, all together, for each question that has some; `counts`: passages (G)."""
    totals = scores.flatten(1).logsumexp(1).split(list(counts))  # type: ignore[no-untyped-call]
    found = [
        every.logsumexp(0) - scores[tuple(torch.tensor(right, device=scores.device).T)].logsumexp(0)
        for every, right in zip(totals, cells, strict=True)
        if right
    ]
    return torch.stack(found) if found else scores.new_zeros(0)


def first_choices(scores: Tensor, counts: Sequence[int]) -> list[Cell]:
    """Find each question's best cell (G)."""
    best, flat = (each.tolist() for each in scores.flatten(1).max(1))
    length, found, first = scores.shape[2], list[Cell](), 0
    for count in counts:
        passage = max(range(first, first + count), key=best.__getitem__)
        found.append((passage, *divmod(flat[passage], length)))
        first += count
    return found
