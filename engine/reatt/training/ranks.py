"""One training step over several processes: each has its own questions, and all share their chunks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Ranks(Protocol):
    """The processes that make one batch together."""

    number: int  # of this process
    count: int

    def gather(self, rows: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, in their order; sizes may differ, but not the number of axes."""
        ...

    def add(self, values: Tensor) -> None:
        """Replace a tensor by its sum over the processes; its shape must be the same in all."""
        ...

    def same(self, value: float) -> float:
        """Return the first process's value, because clocks and rounding differ and all must do the same."""
        ...


class Alone:
    """One process."""

    number, count = 0, 1

    def gather(self, rows: Tensor) -> list[Tensor]:
        """Return the tensor itself."""
        return [rows]

    def add(self, values: Tensor) -> None:
        """Leave the tensor as it is."""

    def same(self, value: float) -> float:
        """Return the value itself."""
        return value


class Distributed:
    """The processes of `torch.distributed`, in a group that was started (by `torchrun`)."""

    def __init__(self) -> None:
        self.number, self.count = dist.get_rank(), dist.get_world_size()

    def gather(self, rows: Tensor) -> list[Tensor]:
        """Pad to the largest size, gather, and cut to each size, because gloo and NCCL need equal shapes."""
        own = torch.tensor(rows.shape, device=rows.device)
        sizes = [torch.empty_like(own) for _ in range(self.count)]
        dist.all_gather(sizes, own)
        padded = rows.new_zeros(torch.stack(sizes).amax(0).tolist())
        padded[tuple(map(slice, rows.shape))] = rows
        everyone = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(everyone, padded)
        return [part[tuple(map(slice, size.tolist()))] for part, size in zip(everyone, sizes, strict=True)]

    def add(self, values: Tensor) -> None:
        """Sum over the processes."""
        dist.all_reduce(values)

    def same(self, value: float) -> float:
        """Send the first process's value to all."""
        sent = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(sent, 0)
        return float(sent)


ALONE = Alone()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that `torchrun` has started, each with its own GPU if there are GPUs.

    They wait for the first process while it measures and encodes, up to a day.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=timedelta(days=1))
    try:
        yield Distributed()
    finally:
        dist.destroy_process_group()


def add_gradients(ranks: Ranks, parameters: Iterable[nn.Parameter]) -> None:
    """Sum the gradients of all processes, so that all take the same step; missing gradients count as zero."""
    for parameter in parameters:
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            ranks.add(parameter.grad)
