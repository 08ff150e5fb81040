"""The interface between INTRA and a model: encode, let every decoder head query a memory, write from a memory.

The logit of decoder head h of layer l for a state x is `<q_lh, W_lh x> * s_lh(x)`. With the key projection moved to the
query's side it is `<W_lh^T q_lh, x> * s_lh(x)`, so the states themselves serve as keys. `s` is 1 unless the model norms
its keys. Then it is one number for each state, layer and key head, and these numbers are appended to each key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from reatt.model.answers.decoding import Decoder
from reatt.model.t5 import Cache
from reatt.model.tokens import TextTokenizer, Tokens


class Asker(Protocol):
    """An encoder-decoder as INTRA sees it, with L layers of h heads in its decoder."""

    hears_question: bool  # whether the memory must also contain the question, before the chunks

    @property
    def decoder(self) -> Decoder:
        """The decoder, which writes the answer."""

    @property
    def width(self) -> int:
        """D, the width of a state and of an embedding."""

    @property
    def key_width(self) -> int:
        """d, the width of a key: D plus the number of scales."""

    @property
    def heads(self) -> tuple[int, int]:
        """The number of decoder layers (L) and of heads in each (h)."""

    @property
    def vocabulary(self) -> int:
        """The number of token ids."""

    @property
    def columns(self) -> Tensor | None:
        """The entry of a key that scales the products of each head: (L, h); None if keys have no scales."""

    def to(self, device: torch.device) -> Self:
        """Move to a device."""

    def encode(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Encode token ids (B, n), of which `keep` are not padding -> states (B, n, D)."""

    def embed(self, ids: Tensor) -> Tensor:
        """Look up the decoder's embeddings of token ids: (n,) -> (n, D)."""

    def remember(self, memory: Tensor) -> Cache:
        """Project a memory (t, D) once for all later queries and answers; t may be 0."""

    def queries(self, x: Tensor, cache: Cache) -> Tensor:
        """Run the decoder on embeddings (n, D) -> (L, h, n, w), whose products with the keys of `cache` are logits."""

    def on_states(self, queries: Tensor) -> Tensor:
        """Map queries (L, h, n, w) to the space of the keys: (L, h, n, d), with zeros at the entries for scales."""

    def ask_by(self, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Turn a question's states (m, D) into query vectors (m, d), and the entry of a key that scales each (m,)."""

    def keys(self, states: Tensor) -> Tensor:
        """Turn states (n, D) into keys (n, d)."""

    def prompt(self, asked: Tokens, tokenizer: TextTokenizer) -> tuple[int, ...]:
        """Return the tokens that the decoder reads before it queries or writes, including its start token."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """List all weights, each once."""

    def published(self) -> dict[str, Tensor]:
        """Return the weights under the names used in published files, each once."""

    def depends_on(self) -> Iterable[Tensor]:
        """List the weights that states and keys depend on."""

    @property
    def form(self) -> tuple[object, ...]:
        """Everything except weights that states and keys depend on."""
