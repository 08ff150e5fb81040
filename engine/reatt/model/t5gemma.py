"""T5Gemma2, text only: transformers' own layers, called one by one over a memory of stored states.

It differs from T5 as follows (the equality tests check this):
- Attention is merged: one softmax over the decoder's own past and the memory, with the same projections and norms.
- There are fewer key heads than query heads: key head g serves the query heads g*r .. g*r + r-1.
- Queries and keys are normed per head, by x/rms(x) * (1 + weight); a query's products are scaled by s.
- Rotary positions rotate queries and the past, but not the memory, so scores do not depend on the order of chunks.

So the logit of head h for a state x is `s <q, (1 + w) * W_g x / r_g(x)>`, where `r_g(x)` is the root mean square of
W_g x. This equals `<W_g^T (s (1 + w) q), x> / r_g(x)`: it needs only x and one scalar for each layer and key head.
These scalars are the last entries of a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.t5 import Cache
from reatt.model.tokens import TextTokenizer, Tokens

PUBLISHED = (("encoder.", "model.encoder."), ("stack.", "model.decoder."), ("head", "lm_head.out_proj.weight"))
ANSWER = " answer:"  # after the question in the decoder's prompt; unlike T5's, this decoder reads a prompt

Turn = tuple[Tensor, Tensor]  # cosine and sine of rotary positions, (1, m, w) each
Pair = tuple[Tensor, Tensor]  # keys and values, (B, key heads, n, w) each


@dataclass(frozen=True)
class T5GemmaIds:
    """The ids of the start token, the end mark and the padding."""

    decoder_start_token_id: int
    eos_token_id: int
    pad_token_id: int


class T5Gemma(nn.Module):
    """A T5Gemma2 without its vision tower, as an `asker.Asker`.

    `encoder` is a `T5Gemma2TextEncoder`, `decoder` a `T5Gemma2Decoder`; `head` (V, D) scores the vocabulary.
    """

    hears_question = False

    def __init__(self, encoder: Any, decoder: Any, marks: T5GemmaIds) -> None:
        super().__init__()
        self.encoder, self.stack, self.config = encoder, decoder, marks
        self.head = nn.Parameter(decoder.embed_tokens.weight)
        shape = decoder.config
        self.width: int = shape.hidden_size
        self.vocabulary: int = shape.vocab_size
        self.heads: tuple[int, int] = (shape.num_hidden_layers, shape.num_attention_heads)
        self.key_heads: int = shape.num_key_value_heads

    @property
    def decoder(self) -> T5Gemma:
        """The decoder that writes: this object."""
        return self

    @property
    def layers(self) -> list[Any]:
        """The decoder's layers."""
        return list(self.stack.layers)

    @property
    def key_width(self) -> int:
        """D, plus one scale for each layer and key head."""
        return self.width + self.heads[0] * self.key_heads

    @property
    def columns(self) -> Tensor | None:
        """The entry of a key that holds the scale of each head: (L, h)."""
        layers, heads = self.heads
        serves = torch.arange(heads, device=self.head.device) // (heads // self.key_heads)  # (h,)
        first = torch.arange(layers, device=self.head.device)[:, None] * self.key_heads  # (L, 1)
        return self.width + first + serves

    def encode(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Encode token ids (B, n); `keep` is False on padding -> states (B, n, D)."""
        states: Tensor = self.encoder(input_ids=ids, attention_mask=keep.long()).last_hidden_state
        return states

    def embed(self, ids: Tensor) -> Tensor:
        """Look up and scale the decoder's embeddings of token ids: (..., n) -> (..., n, D)."""
        found: Tensor = self.stack.embed_tokens(ids)
        return found

    def remember(self, memory: Tensor) -> Cache:
        """Project a memory (t, D) once, without positions and without the norm for the decoder's own states."""
        projected = []
        for layer in self.layers:
            attention = layer.self_attn
            keys = self.normed(attention, _split(attention, attention.k_proj(memory[None])))
            projected.append((keys, _split(attention, attention.v_proj(memory[None]))))
        return Cache(projected, None)

    def decode(self, ids: Tensor, cache: Cache) -> Tensor:
        """Run on the next tokens (beams, m) and append them to `cache` -> (beams, m, D)."""
        x, past = self.embed(ids.to(self.head.device)), []
        before = cache.past[0][0].shape[2] if cache.past else 0
        turns, masks = self._places(x, before, cache)
        for number, layer in enumerate(self.layers):
            queries, own = _look(layer, x, turns[layer.attention_type])
            if cache.past:
                own = _joined(cache.past[number], own)
            past.append(own)
            x = _read(layer, x, queries, _joined(own, cache.memory[number]), masks[layer.attention_type])
        cache.past = past
        out: Tensor = self.stack.norm(x)
        return out

    def logits(self, states: Tensor) -> Tensor:
        """Score the vocabulary for decoder states (..., D) -> (..., V)."""
        scores, most = F.linear(states, self.head), self.stack.config.final_logit_softcapping
        return scores if most is None else torch.tanh(scores / most) * most

    def queries(self, x: Tensor, cache: Cache) -> Tensor:
        """Run the decoder on embeddings (n, D) -> (L, h, n, w), whose products with the keys of `cache` are logits.

        The rest of the last layer is skipped. The past of `cache` is neither used nor changed.
        """
        x, found, layers = x[None], [], self.layers
        turns, masks = self._places(x, 0, cache)
        for number, layer in enumerate(layers):
            queries, own = _look(layer, x, turns[layer.attention_type])
            found.append(queries[0])
            if number + 1 < len(layers):
                x = _read(layer, x, queries, _joined(own, cache.memory[number]), masks[layer.attention_type])
        return torch.stack(found)

    def on_states(self, queries: Tensor) -> Tensor:
        """Map queries (L, h, n, w) to the space of the keys: (L, h, n, d), with zeros at the scales."""
        moved = []
        for layer, asked in zip(self.layers, queries, strict=True):
            gained = asked * (1 + layer.self_attn.k_norm.weight)  # (h, n, w)
            grouped = gained.view(self.key_heads, -1, asked.shape[-1]) @ self._key_weights(layer)  # (g, r*n, D)
            moved.append(grouped.view(*asked.shape[:2], -1))  # (h, n, D)
        return F.pad(torch.stack(moved), (0, self.key_width - self.width))

    def ask_by(self, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Use states (m, D) as queries, for raw products without scales."""
        return F.pad(states, (0, self.key_width - self.width)), None

    def keys(self, states: Tensor) -> Tensor:
        """Append to states (n, D) one over the root mean square of their key in each layer and key head: (n, d)."""
        epsilon = self.stack.config.rms_norm_eps
        keys = (states @ self._key_weights(layer).mT for layer in self.layers)  # (g, n, w)
        scales = [(each.square().mean(-1) + epsilon).rsqrt() for each in keys]  # (g, n)
        return torch.cat((states, torch.cat(scales).mT), 1)

    def prompt(self, asked: Tokens, tokenizer: TextTokenizer) -> tuple[int, ...]:
        """Return the decoder's start token, the question's tokens, and the words that announce an answer."""
        question = asked.ids[len(tokenizer.begin) : -1]
        return (self.config.decoder_start_token_id, *question, *tokenizer.answer(ANSWER)[:-1])

    def depends_on(self) -> Iterable[Tensor]:
        """List the weights of the encoder, and those of the decoder that the scales depend on."""
        return (*self.encoder.parameters(), *(layer.self_attn.k_proj.weight for layer in self.layers))

    def published(self) -> dict[str, Tensor]:
        """Return the weights under their published names; tied ones once, and none of the vision tower."""
        every = dict(self.named_parameters(remove_duplicate=False))
        sides = [(theirs + name.removeprefix(ours), every[name])
                 for ours, theirs in PUBLISHED for name in every if name.startswith(ours)]  # fmt: skip
        first = {id(weight): name for name, weight in reversed(sides)}
        return {name: weight.data for name, weight in sides if first[id(weight)] == name}

    @property
    def form(self) -> tuple[object, ...]:
        """The settings by which transformers builds the encoder."""
        shape = self.encoder.config
        turns = sorted((kind, sorted(turn.items())) for kind, turn in shape.rope_parameters.items())
        attends = (tuple(shape.layer_types), shape.sliding_window, shape.query_pre_attn_scalar, str(turns))
        return "t5gemma2", *attends, shape.num_attention_heads, shape.hidden_activation, shape.rms_norm_eps

    def normed(self, attention: Any, keys: Tensor) -> Tensor:
        """Norm a memory's keys (1, g, t, w)."""
        out: Tensor = attention.k_norm(keys)
        return out

    def _key_weights(self, layer: Any) -> Tensor:
        """View a layer's key projection by heads: (g, w, D)."""
        weights: Tensor = layer.self_attn.k_proj.weight
        return weights.view(self.key_heads, -1, self.width)

    def _places(self, x: Tensor, before: int, cache: Cache) -> tuple[dict[str, Turn], dict[str, Tensor]]:
        """Return rotations and masks (m, n + t) for each kind of layer, for `x` (B, m, D) after `before` positions.

        Every layer sees the whole memory, even if it sees only a window of the past.
        """
        count, config = x.shape[1], self.stack.config
        at = torch.arange(before, before + count, device=x.device)
        back = at[:, None] - torch.arange(before + count, device=x.device)  # (m, n)
        memory = back.new_ones(count, cache.memory[0][0].shape[2])  # (m, t)
        seen = {"full_attention": back >= 0, "sliding_attention": (back >= 0) & (back < (config.sliding_window or 0))}
        masks = {kind: torch.cat((own, memory.bool()), 1) for kind, own in seen.items()}
        return {kind: self.stack.rotary_emb(x, at[None], kind) for kind in set(config.layer_types)}, masks


class Reparameterised(T5Gemma):
    """A T5Gemma2 that was trained with normed states and without normed keys (Hoffer et al., 2026, appendix B.1).

    It needs no scales: the logit is `<W_g^T (s (1 + w) q), x>` with x of unit root mean square, and the value is W x.
    """

    columns = None

    @property
    def key_width(self) -> int:
        """D."""
        return self.width

    def encode(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Encode token ids (B, n); `keep` is False on padding -> normed states (B, n, D)."""
        return F.rms_norm(super().encode(ids, keep), (self.width,), eps=self.stack.config.rms_norm_eps)

    def keys(self, states: Tensor) -> Tensor:
        """Use states (n, D) as keys."""
        return states

    def normed(self, attention: Any, keys: Tensor) -> Tensor:
        """Multiply a memory's keys (1, g, t, w) by the norm's weight, without norming them."""
        scaled: Tensor = keys * (1 + attention.k_norm.weight)
        return scaled

    @property
    def form(self) -> tuple[object, ...]:
        """The same settings, marked as another kind of model."""
        return "reparameterised", *super().form


def _split(attention: Any, x: Tensor) -> Tensor:
    """(B, n, heads*w) -> (B, heads, n, w)."""
    width: int = attention.head_dim
    return x.view(*x.shape[:-1], x.shape[-1] // width, width).transpose(1, 2)


def _turned(x: Tensor, turn: Turn) -> Tensor:
    """Rotate the two halves of each vector (B, heads, n, w) by the angles of its position."""
    first, second = x.chunk(2, -1)
    return x * turn[0][:, None] + torch.cat((-second, first), -1) * turn[1][:, None]


def _look(layer: Any, x: Tensor, turn: Turn) -> tuple[Tensor, Pair]:
    """Project states (B, m, D) to scaled queries (B, h, m, w), and to keys and values for later positions."""
    attention, normed = layer.self_attn, layer.pre_self_attn_layernorm(x)
    queries = _turned(attention.q_norm(_split(attention, attention.q_proj(normed))), turn)
    keys = _turned(attention.k_norm(_split(attention, attention.k_proj(normed))), turn)
    return queries * attention.scaling, (keys, _split(attention, attention.v_proj(normed)))


def _joined(first: Pair, second: Pair) -> Pair:
    """Append keys and values to others; all beams share one memory."""
    rows = first[0].shape[0]
    keys, values = (torch.cat((a, b.expand(rows, -1, -1, -1)), 2) for a, b in zip(first, second, strict=True))
    return keys, values


def _read(layer: Any, x: Tensor, queries: Tensor, seen: Pair, mask: Tensor) -> Tensor:
    """Add merged attention and the feed-forward layer to states (B, m, D)."""
    mixed = F.scaled_dot_product_attention(queries, *seen, attn_mask=mask, scale=1.0, enable_gqa=True)
    x = x + layer.post_self_attn_layernorm(layer.self_attn.o_proj(mixed.transpose(1, 2).flatten(2)))
    thought: Tensor = layer.post_feedforward_layernorm(layer.mlp(layer.pre_feedforward_layernorm(x)))
    return x + thought
