"""Initial weights: T5's own, except where matching and copying can be wired from the start.

Three circuits that a small model is slow to find by itself, each a handful of weights that training goes on from:
- matching: the retrieval head's keys start as a multiple of its queries, so that equal tokens attract each other;
- looking back: head 0 of the first encoder block attends to the previous token and adds a 64-wide projection of it;
- copying: the decoder's last cross-attention looks for the place whose *previous* token is the current one, and writes
  the token found there, which the output head, started as the embedding, turns into its word.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reatt_engine.reatt import Head
from reatt_engine.t5 import T5, Attention, FeedForward, T5Config

SHAPE = T5Config(
    vocab_size=16_000,
    d_model=256,
    d_kv=64,
    d_ff=768,
    num_heads=4,
    num_layers=6,
    num_decoder_layers=3,
    dropout_rate=0.0,
)
HEAD = Head(layer=3, number=1)
MATCH = 8.0  # keys per query in the retrieval head
PREVIOUS_BUCKET, PREVIOUS_BIAS = 1, 10.0
COPY_MATCH, COPY_WRITE = 0.8, 4.0


@torch.no_grad()
def initialise(seed: int) -> T5:
    """Build the model with its initial weights."""
    torch.manual_seed(seed)
    model = T5(SHAPE)
    for module in model.modules():
        if isinstance(module, Attention):
            _attention(module)
        if isinstance(module, FeedForward):
            for projection in module.wi:
                projection.weight.normal_(0, SHAPE.d_model**-0.5)  # type: ignore[union-attr, operator]
            module.wo.weight.normal_(0, SHAPE.d_ff**-0.5 / 2)
    model.shared.weight.normal_(0, 1)
    model.lm_head.weight.copy_(model.shared.weight * SHAPE.d_model**-0.5)
    for stack in (model.encoder, model.decoder):
        stack.position.weight.normal_(0, 0.1)
    _wire_matching(model)
    _wire_copying(model)
    return model


def _attention(attention: Attention) -> None:
    width = SHAPE.d_model
    attention.q.weight.normal_(0, (width * SHAPE.d_kv) ** -0.5)
    attention.k.weight.normal_(0, width**-0.5)
    attention.v.weight.normal_(0, width**-0.5)
    attention.o.weight.normal_(0, width**-0.5)


def _wire_matching(model: T5) -> None:
    attention = model.encoder.layers()[HEAD.layer].attention
    rows = slice(HEAD.number * SHAPE.d_kv, (HEAD.number + 1) * SHAPE.d_kv)
    attention.k.weight[rows] = MATCH * attention.q.weight[rows]


def _wire_copying(model: T5) -> None:
    width, head = SHAPE.d_model, slice(0, SHAPE.d_kv)
    look, write, own = _orthogonal(width), _orthogonal(width), _orthogonal(width)
    model.encoder.position.weight[PREVIOUS_BUCKET, 0] = PREVIOUS_BIAS
    first = model.encoder.layers()[0].attention
    first.v.weight[head] = look[head]  # (d, D): what the previous token was
    first.o.weight[:, head] = write[head].T  # (D, d): kept in a subspace of its own
    last = model.decoder.layers()[-1].cross
    last.q.weight.copy_(COPY_MATCH * look[head].repeat(SHAPE.num_heads, 1))
    last.k.weight.copy_(COPY_MATCH * write[head].repeat(SHAPE.num_heads, 1))
    last.v.weight.copy_(own)
    last.o.weight.copy_(COPY_WRITE * own.T)


def _orthogonal(width: int) -> Tensor:
    return torch.linalg.qr(torch.randn(width, width))[0]
