"""What INTRA asks of a model: to encode, to let every head of its decoder ask a memory, and to write over one.

The logit of decoder head h of layer l for a state x is `<q_lh, W_lh x> * s_lh(x)`. With the key projection moved to the
query's side, `<W_lh^T q_lh, x> * s_lh(x)`, the states alone are what is asked. `s` is 1 but for a model that norms its
keys, whose scale is one number for each state, layer and key head: those stand behind the entries of a key.
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

    hears_question: bool  # whether the question is to stand in the memory as well, before the chunks

    @property
    def decoder(self) -> Decoder:
        """What writes."""

    @property
    def width(self) -> int:
        """D: of a state, and of an embedding."""

    @property
    def key_width(self) -> int:
        """d: of a key; D, and as many scales as the model has."""

    @property
    def heads(self) -> tuple[int, int]:
        """Say how many layers the decoder has (L), and how many heads a layer (h)."""

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""

    @property
    def columns(self) -> Tensor | None:
        """Say which entry of a key scales a head's products: (L, h); None where nothing does."""

    def to(self, device: torch.device) -> Self:
        """Move to a device."""

    def encode(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Encode token ids (B, n), of which `keep` are not padding -> states (B, n, D)."""

    def embed(self, ids: Tensor) -> Tensor:
        """Look up what the decoder reads: (n,) -> (n, D)."""

    def remember(self, memory: Tensor) -> Cache:
        """Project a memory (t, D) once for all that is asked of it or written over it; t may be 0."""

    def queries(self, x: Tensor, cache: Cache) -> Tensor:
        """Run the decoder on embeddings (n, D); its products with the keys of `cache` are the logits: (L, h, n, w)."""

    def on_states(self, queries: Tensor) -> Tensor:
        """Move queries (L, h, n, w) to where the keys are: (L, h, n, d), with zeros where a key has its scales."""

    def ask_by(self, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Let a question's states (m, D) ask the keys: vectors (m, d), and which entry of a key scales each (m,)."""

    def keys(self, states: Tensor) -> Tensor:
        """Make keys (n, d) of states (n, D)."""

    def prompt(self, asked: Tokens, tokenizer: TextTokenizer) -> tuple[int, ...]:
        """Name what the decoder reads of a question before it asks or writes, its start token among it."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """List all weights, each once."""

    def published(self) -> dict[str, Tensor]:
        """Give the weights under the names that its family publishes them by, each once."""

    def depends_on(self) -> Iterable[Tensor]:
        """List the weights that states and keys depend on."""

    @property
    def form(self) -> tuple[object, ...]:
        """What else they depend on."""
