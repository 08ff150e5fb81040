"""Small maps beside a model's Transformer: projections for retrieval, and a pointer to answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Form:
    """Which retrieval vectors have unit length; if both have, their product is a cosine."""

    unit_queries: bool = False  # and are multiplied by `Projections.scale`
    unit_keys: bool = False


class Projections(nn.Module):
    """A query and a key projection of states (..., D) to vectors (..., d), for retrieval that is learnt separately."""

    scale: Tensor  # (1,) for queries of unit length

    def __init__(self, width: int, head_width: int, form: Form = Form()) -> None:
        super().__init__()
        self.form = form
        self.q, self.k = (nn.Linear(width, head_width, bias=False) for _ in "qk")
        if form.unit_queries:
            self.register_buffer("scale", torch.ones(1))

    def formed(self, side: str, vectors: Tensor) -> Tensor:
        """Normalise and scale projected states (..., d) of side "q" or "k" as the form says."""
        if side == "k":
            return F.normalize(vectors, dim=-1) if self.form.unit_keys else vectors
        return self.scale * F.normalize(vectors, dim=-1) if self.form.unit_queries else vectors

    @property
    def key_form(self) -> tuple[object, ...]:
        """What keys depend on beside weights: nothing if they are raw, as in published models."""
        return ("unit",) if self.form.unit_keys else ()

    @property
    def loudness(self) -> Tensor:
        """The weights that all scores are proportional to."""
        return self.scale if self.form.unit_queries else self.q.weight


class Pointer(nn.Module):
    """Maps each joint state to a score of an answer that starts there, a score of one that ends there, and two vectors.

    The product of a start's first vector and an end's second one says how well the two belong together.
    """

    def __init__(self, width: int, separator: int, pair_width: int = 0) -> None:
        super().__init__()
        self.separator = separator  # the token after a chunk's title; answers come after it
        self.weight = nn.Parameter(torch.zeros(2 + 2 * pair_width, width))

    def forward(self, states: Tensor) -> Tensor:
        """Map states (..., t, D) to marks (..., 2 + 2p, t), at least in float32: see `pointing.stretches`."""
        scores = F.linear(states, self.weight)
        return scores.to(torch.promote_types(scores.dtype, torch.float32)).transpose(-1, -2)
