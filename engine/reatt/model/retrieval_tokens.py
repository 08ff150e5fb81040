"""What INTRA learns: the embeddings of R retrieval tokens, and a weight for each layer and head (section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reatt.model.asker import Asker

TOKENS = 64  # R


@dataclass(frozen=True)
class RetrievalTokens:
    """The tokens at which the decoder asks, and the weight of each of its heads."""

    vectors: Tensor  # (R, D)
    weights: Tensor  # (L, h)


def untrained(asker: Asker, count: int = TOKENS) -> RetrievalTokens:
    """Start with the embeddings of some words, always the same, and with equal weights: a mean over all queries."""
    words = torch.randperm(asker.vocabulary, generator=torch.Generator().manual_seed(0))[:count]
    layers, heads = asker.heads
    weights = torch.full((layers, heads), 1 / (layers * heads * len(words)))
    return RetrievalTokens(asker.embed(words).float().clone(), weights)
