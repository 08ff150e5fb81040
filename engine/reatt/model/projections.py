"""What retrieval finds by where it has learnt apart from reading: projections that began as those of its head."""

from __future__ import annotations

from torch import nn


class Projections(nn.Module):
    """A query and a key projection of states (..., D) to vectors (..., d)."""

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.q, self.k = (nn.Linear(width, head_width, bias=False) for _ in "qk")
