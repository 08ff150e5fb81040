"""One training step over several processes: each has its questions, all have each other's chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Ranks(Protocol):
    """The processes that make one batch together."""

    number: int  # which of them this one is

    def gather(self, rows: Tensor) -> list[Tensor]:
        """Return every process's tensor, in the order of their numbers; sizes may differ, not the number of axes."""
        ...

    def add(self, values: Tensor) -> None:
        """Replace a tensor, of one shape everywhere, by its sum over the processes."""
        ...


class Alone:
    """One process."""

    number = 0

    def gather(self, rows: Tensor) -> list[Tensor]:
        """Return the tensor itself."""
        return [rows]

    def add(self, values: Tensor) -> None:
        """Leave the tensor as it is."""


class Distributed:
    """The processes of `torch.distributed`, whose group has been started (by `torchrun`)."""

    def __init__(self) -> None:
        self.number = dist.get_rank()

    def gather(self, rows: Tensor) -> list[Tensor]:
        """Pad to the largest, gather, and cut to each one's size: gloo and NCCL want equal shapes."""
        own = torch.tensor(rows.shape, device=rows.device)
        sizes = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(sizes, own)
        padded = rows.new_zeros(torch.stack(sizes).amax(0).tolist())
        padded[tuple(map(slice, rows.shape))] = rows
        everyone = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(everyone, padded)
        return [part[tuple(map(slice, size.tolist()))] for part, size in zip(everyone, sizes, strict=True)]

    def add(self, values: Tensor) -> None:
        """Sum over the processes."""
        dist.all_reduce(values)


ALONE = Alone()


def add_gradients(ranks: Ranks, parameters: Iterable[nn.Parameter]) -> None:
    """Sum what the processes have learnt, so that all make the same step; one that saw nothing counts as zero."""
    for parameter in parameters:
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            ranks.add(parameter.grad)
