"""What the decoder asks of its memory: cross-attention queries of every layer and head (INTRA, section 3).

A T5's cross-attention key is k = W_h x, without norm or position. So <q, W_h x> = <W_h^T q, x>: with the key
projection on the query's side ("reverse QWK") one set of stored encoder states serves every layer and head.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reatt_engine.t5 import T5, Cache


def cross_queries(t5: T5, x: Tensor, cache: Cache) -> Tensor:
    """Run the decoder on embeddings (n, D) over one memory; return its cross-attention queries (L, h, n, d).

    The last block is left as soon as its queries are known. Neither reads nor grows the past of `cache`.
    """
    x, blocks = x[None], t5.decoder.layers()
    bias = t5.decoder.bias(x.shape[1], x.shape[1])
    queries = []
    for number, block in enumerate(blocks):
        x = block.attend(x, bias)
        queries.append(block.cross.split(block.cross.q(block.cross_norm(x)))[0])  # (h, n, d)
        if number + 1 < len(blocks):
            x = block.think(block.read(x, *cache.memory[number], cache.memory_bias))
    return torch.stack(queries)


def on_states(t5: T5, queries: Tensor) -> Tensor:
    """Move queries (L, h, n, d) to where the states are: (L, h, n, D), whose products with states are the logits."""
    weights = torch.stack([block.cross.k.weight for block in t5.decoder.layers()])  # (L, h*d, D)
    per_head = weights.view(len(weights), queries.shape[1], -1, t5.config.d_model)  # (L, h, d, D)
    return torch.einsum("lhnd,lhde->lhne", queries, per_head)
