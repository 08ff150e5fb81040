"""The queries of a T5 decoder: its cross-attention queries, of every layer and head (INTRA, section 3).

A T5's cross-attention key is k = W_h x, without norm or position. So <q, W_h x> = <W_h^T q, x>: with the key
projection on the query's side ("reverse QWK"), one set of stored encoder states serves every layer and head.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.stacks.names import published
from reatt.model.t5 import T5, Cache
from reatt.model.tokens import TextTokenizer, Tokens

TINY = 1e-6  # the smallest length of a state


def cross_queries(t5: T5, x: Tensor, cache: Cache) -> Tensor:
    """Run the decoder on embeddings (n, D) over one memory; return its cross-attention queries (L, h, n, d).

    The rest of the last block is skipped. The past of `cache` is neither used nor changed.
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
    """Map queries (L, h, n, d) to the space of the states: (L, h, n, D); products with states are the logits."""
    weights = torch.stack([block.cross.k.weight for block in t5.decoder.layers()])  # (L, h*d, D)
    per_head = weights.view(len(weights), queries.shape[1], -1, t5.config.d_model)  # (L, h, d, D)
    return torch.einsum("lhnd,lhde->lhne", queries, per_head)


class T5Asker:
    """A T5 as an `asker.Asker`; its keys are its states.

    A T5 decoder was not trained on prompts, so the memory also contains the question, as a text before the chunks.
    """

    hears_question = True
    columns = None

    def __init__(self, t5: T5) -> None:
        self.decoder = t5
        self.width = self.key_width = t5.config.d_model
        self.heads = (t5.config.num_decoder_layers, t5.config.num_heads)
        self.vocabulary = t5.config.vocab_size

    def to(self, device: torch.device) -> Self:
        """Move to a device."""
        self.decoder.to(device)
        return self

    def parameters(self) -> Iterable[nn.Parameter]:
        """List all weights."""
        return self.decoder.parameters()

    def published(self) -> dict[str, Tensor]:
        """Return the weights under their published names."""
        return published(self.decoder)

    def encode(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Encode token ids (B, n); `keep` is False on padding -> states (B, n, D)."""
        return self.decoder.encode(ids, keep)

    def embed(self, ids: Tensor) -> Tensor:
        """Look up the decoder's embeddings of token ids: (n,) -> (n, D)."""
        found: Tensor = self.decoder.shared(ids)
        return found

    def remember(self, memory: Tensor) -> Cache:
        """Project a memory (t, D) once. An empty one becomes a zero vector, which adds nothing: T5 has no biases."""
        return self.decoder.remember((memory if len(memory) else memory.new_zeros(1, self.width))[None])

    def queries(self, x: Tensor, cache: Cache) -> Tensor:
        """Run the decoder on embeddings (n, D) -> (L, h, n, w)."""
        return cross_queries(self.decoder, x, cache)

    def on_states(self, queries: Tensor) -> Tensor:
        """Map queries (L, h, n, w) to the space of the states: (L, h, n, D)."""
        return on_states(self.decoder, queries)

    def ask_by(self, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Use states (m, D) as queries, for raw products."""
        return states, None

    def keys(self, states: Tensor) -> Tensor:
        """Use states (n, D) as keys."""
        return states

    def prompt(self, asked: Tokens, tokenizer: TextTokenizer) -> tuple[int, ...]:
        """Return the question's tokens as the encoder reads them, then the decoder's start token."""
        return (*asked.ids, self.decoder.config.decoder_start_token_id)

    def depends_on(self) -> Iterable[Tensor]:
        """List the weights of the encoder."""
        return (self.decoder.shared.weight, *self.decoder.encoder.parameters())

    @property
    def form(self) -> tuple[object, ...]:
        """The encoder's activation, norm and largest relative distance."""
        return self.decoder.encoder.form


class CosineAsker(T5Asker):
    """A T5 decoder on an encoder whose states are compared by their cosine.

    The last entry of a key is one over the length of its state. It scales the products of the encoder's queries, which
    have unit length. The decoder's queries are compared with the states themselves.
    """

    def __init__(self, t5: T5) -> None:
        super().__init__(t5)
        self.key_width = self.width + 1

    def ask_by(self, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Use states (m, D) as queries, for the cosine."""
        column = torch.full((len(states),), self.width, device=states.device)
        return F.pad(F.normalize(states, dim=-1), (0, 1)), column

    def on_states(self, queries: Tensor) -> Tensor:
        """Map queries (L, h, n, w) to the space of the keys: (L, h, n, D + 1), with a zero at the scale."""
        return F.pad(super().on_states(queries), (0, 1))

    def keys(self, states: Tensor) -> Tensor:
        """Append to each state (n, D) one over its length."""
        return torch.cat((states, 1 / states.norm(dim=-1, keepdim=True).clamp(min=TINY)), -1)

    @property
    def form(self) -> tuple[object, ...]:
        """Everything except weights that keys depend on."""
        return *super().form, "cosine"
