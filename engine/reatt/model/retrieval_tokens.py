"""All that INTRA learns: the embeddings of R retrieval tokens, and what each layer and head weighs (section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reatt.model.asker import Asker

TOKENS = 64  # R


@dataclass(frozen=True)
class RetrievalTokens:
    """Where the decoder asks from, and how much each of its heads is listened to."""

    vectors: Tensor  # (R, D)
    weights: Tensor  # (L, h)


def untrained(asker: Asker, count: int = TOKENS) -> RetrievalTokens:
    """Begin with the embeddings of words, the same ones every time, and all heads alike: a mean over all queries."""
    words = torch.randperm(asker.vocabulary, generator=torch.Generator().manual_seed(0))[:count]
    layers, heads = asker.heads
    weights = torch.full((layers, heads), 1 / (layers * heads * len(words)))
    return RetrievalTokens(asker.embed(words).float().clone(), weights)
