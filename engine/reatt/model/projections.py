"""Small maps of a model's own beside its Transformer: what retrieval finds by, and what points at answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Form:
    """Which vectors of retrieval have unit length: then a product of two is their cosine."""

    unit_queries: bool = False  # they are then multiplied by `Projections.scale`
    unit_keys: bool = False


class Projections(nn.Module):
    """A query and a key projection of states (..., D) to vectors (..., d), where finding is learnt apart."""

    scale: Tensor  # (1,) of queries of unit length

    def __init__(self, width: int, head_width: int, form: Form = Form()) -> None:
        super().__init__()
        self.form = form
        self.q, self.k = (nn.Linear(width, head_width, bias=False) for _ in "qk")
        if form.unit_queries:
            self.register_buffer("scale", torch.ones(1))

    def formed(self, side: str, vectors: Tensor) -> Tensor:
        """Bring projected states (..., d) of the side "q" or "k" into the form that scores are made of."""
        if side == "k":
            return F.normalize(vectors, dim=-1) if self.form.unit_keys else vectors
        return self.scale * F.normalize(vectors, dim=-1) if self.form.unit_queries else vectors

    @property
    def key_form(self) -> tuple[object, ...]:
        """What keys depend on beside weights: nothing where they are raw, as those of published models are."""
        return ("unit",) if self.form.unit_keys else ()

    @property
    def loudness(self) -> Tensor:
        """The weights that all scores grow with, in proportion."""
        return self.scale if self.form.unit_queries else self.q.weight


class Pointer(nn.Module):
    """Two vectors whose products with a joint state say how well an answer would start there, and end there."""

    def __init__(self, width: int, separator: int) -> None:
        super().__init__()
        self.separator = separator  # after a chunk's title: answers stand behind it
        self.weight = nn.Parameter(torch.zeros(2, width))

    def forward(self, states: Tensor) -> Tensor:
        """Score states (..., t, D) as starts and ends: (..., 2, t), in float32 at least."""
        scores = F.linear(states, self.weight)
        return scores.to(torch.promote_types(scores.dtype, torch.float32)).transpose(-1, -2)
