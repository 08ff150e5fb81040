"""A T5 encoder-decoder whose layers can be called one by one (Raffel et al., 2020; equal to transformers' T5).

It differs from the usual Transformer in four ways. Dot products are not scaled by 1/sqrt(d). Positions enter only as a
bias on the attention logits, learnt in block 0 and shared by all blocks of a stack. Norms subtract no mean and add no
offset. Linear maps have no offset.

Axes: B batch, m query positions, n key positions, h heads, d head width, D model width, V vocabulary.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from reatt.model.projections import Pointer, Projections
from reatt.model.stacks.encoder import EncoderStack
from reatt.model.stacks.t5_layers import Block, Norm

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}


@dataclass(frozen=True)
class T5Config:
    """The shape of a T5, under the names of its published `config.json`."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_layers: int
    num_decoder_layers: int
    feed_forward_proj: str = "gated-gelu"
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6
    dropout_rate: float = 0.1
    tie_word_embeddings: bool = False
    scale_decoder_outputs: bool = False
    pad_token_id: int = 0
    eos_token_id: int = 1
    decoder_start_token_id: int = 0

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> T5Config:
        """Read a published config; keys that do not shape the model are ignored.

        In old files `tie_word_embeddings` means two things: a shared head and scaled outputs. Since transformers 5 the
        latter is called `scale_decoder_outputs`.
        """
        known = {f.name: raw[f.name] for f in fields(cls) if raw.get(f.name) is not None}
        known.setdefault("num_decoder_layers", known["num_layers"])
        known.setdefault("feed_forward_proj", "relu")
        known.setdefault("tie_word_embeddings", True)
        known.setdefault("scale_decoder_outputs", known["tie_word_embeddings"])
        return cls(**known)

    @property
    def gated(self) -> bool:
        """Whether the feed-forward layers multiply two projections."""
        return self.feed_forward_proj.startswith("gated-")

    @property
    def activation(self) -> Callable[[Tensor], Tensor]:
        """The feed-forward layers' nonlinearity; T5 v1.1's `gated-gelu` means the tanh form."""
        name = "gelu_new" if self.feed_forward_proj == "gated-gelu" else self.feed_forward_proj.removeprefix("gated-")
        return ACTIVATIONS[name]


class Stack(nn.Module):
    """The blocks of the encoder or the decoder, with their common position bias; the first is an `EncoderStack`."""

    kind = "t5"

    def __init__(self, config: T5Config, *, decoder: bool) -> None:
        super().__init__()
        self.head_count = config.num_heads
        self.form = (config.feed_forward_proj, config.layer_norm_epsilon, config.relative_attention_max_distance)
        depth = config.num_decoder_layers if decoder else config.num_layers
        self.bidirectional = not decoder
        self.max_distance = config.relative_attention_max_distance
        self.position = nn.Embedding(config.relative_attention_num_buckets, config.num_heads)
        self.blocks = nn.ModuleList(Block(config, decoder=decoder) for _ in range(depth))
        self.final_norm = Norm(config.d_model, config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def layers(self, which: slice = slice(None)) -> list[Block]:
        """List the blocks, or some of them, with their type."""
        return [cast(Block, block) for block in self.blocks[which]]

    def enter(self, words: Tensor, ids: Tensor) -> Tensor:
        """Return the embedded words (B, n, D) as they are."""
        out: Tensor = self.dropout(words)
        return out

    def mask(self, keep: Tensor) -> Tensor:
        """Position bias and padding mask of an encoder for `keep` (B, n): (B, h, n, n)."""
        bias = self.bias(keep.shape[1], keep.shape[1])
        return bias + hide(keep, bias.dtype)

    def finish(self, x: Tensor) -> Tensor:
        """Norm the last states (B, n, D)."""
        out: Tensor = self.dropout(self.final_norm(x))
        return out

    def reads(self, layer: int, x: Tensor) -> Tensor:
        """Norm states (..., D) as a block does for its heads; above the last block, as `finish` does."""
        out: Tensor = self._norm(layer)(x)
        return out

    def below(self, layer: int) -> Sequence[nn.Module]:
        """List the position table, a block's norm and the blocks below it; the blocks above share the table."""
        return [self.position, self._norm(layer), *self.layers(slice(layer))]

    def _norm(self, layer: int) -> Norm:
        return [*(block.attention_norm for block in self.layers()), self.final_norm][layer]

    def paired(self, question: tuple[int, ...]) -> tuple[int, ...]:
        """Leave out a question's end mark when a chunk follows, as the released models do."""
        return question[:-1]

    def bias(self, m: int, n: int) -> Tensor:
        """Compute the position bias of the last `m` of `n` positions for all: (1, h, m, n); causal in a decoder.

        It depends only on the distance of two positions. So each distance is looked up once, and every row of the
        result is a window on those values, one step before that of the row above.
        """
        distance = torch.arange(1 - n, m, device=self.position.weight.device)  # (n + m - 1,) key minus query position
        bucket = relative_bucket(distance, self.bidirectional, self.position.num_embeddings, self.max_distance)
        values: Tensor = self.position(bucket).T.contiguous()  # (h, n + m - 1)
        if not self.bidirectional:
            values = values.masked_fill(distance > 0, -math.inf)
        return values.unfold(1, n, 1).flip(1).contiguous()[None]  # (1, h, m, n)


def relative_bucket(distance: Tensor, bidirectional: bool, buckets: int, max_distance: int) -> Tensor:
    """Put distances (key minus query position) into buckets: exact if small, logarithmic up to `max_distance`."""
    base = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        base = (distance > 0).long() * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    near = buckets // 2
    far = torch.log(distance.clamp(min=1).float() / near) / math.log(max_distance / near) * (buckets - near)
    return base + torch.where(distance < near, distance, (near + far.long()).clamp(max=buckets - 1))


def hide(keep: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn kept positions (B, n) into an additive mask (B, 1, 1, n): 0 where kept, -inf where padded."""
    return torch.zeros(keep.shape, dtype=dtype, device=keep.device).masked_fill(~keep, -math.inf)[:, None, None, :]


@dataclass
class Cache:
    """What a decoder keeps between steps: the projected memory, which stays, and its own past, which grows."""

    memory: list[tuple[Tensor, Tensor]]  # per block two of (B, h, t, d)
    memory_bias: Tensor | None  # (B, 1, 1, t)
    past: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # per block two of (B*beams, h, n, d)

    def keep(self, rows: Tensor) -> None:
        """Replace the past of each hypothesis by that of another; `rows` (B*beams) says which."""
        self.past = [(keys[rows], values[rows]) for keys, values in self.past]


class T5(nn.Module):
    """The whole model: `encode` and `decode` are the plain T5; the other methods are for code that splits it.

    The encoder is T5's own unless another is given. Encoder and decoder share the word embeddings.
    """

    encoder: EncoderStack

    def __init__(self, config: T5Config, encoder: EncoderStack | None = None, *, recompute: bool = False) -> None:
        super().__init__()
        self.config = config
        self._recompute = recompute  # keep only one state per block for the backward pass, and recompute the rest
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = encoder or Stack(config, decoder=False)
        self.decoder = Stack(config, decoder=True)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.retrieval: Projections | None = None  # ReAtt's, if retrieval was learnt separately from reading
        self.pointer: Pointer | None = None  # to the answer in what was read, if the model has one
        self.fixed: tuple[nn.Module, ...] = ()  # parts that are never trained
        if config.tie_word_embeddings:
            self.lm_head.weight = self.shared.weight

    def copied(self, *, recompute: bool) -> T5:
        """Return a copy with its own weights; with `recompute` a training step takes less memory and more time."""
        copied = copy.deepcopy(self)
        copied._recompute = recompute
        return copied

    def embed(self, ids: Tensor) -> Tensor:
        """Look up token ids (B, n) -> (B, n, D)."""
        return self.encoder.enter(self.shared(ids), ids)

    def encoder_bias(self, keep: Tensor) -> Tensor:
        """Return the encoder's position bias and padding mask for `keep` (B, n): broadcasts to (B, h, n, n)."""
        return self.encoder.mask(keep)

    def encode_range(self, x: Tensor, bias: Tensor, blocks: slice) -> Tensor:
        """Run some of the encoder's blocks on states (B, n, D)."""
        for block in self.encoder.layers(blocks):
            x = checkpoint(block, x, bias, use_reentrant=False) if self._recompute else block(x, bias)
        return x

    def finish(self, x: Tensor) -> Tensor:
        """Turn the encoder's last states (B, n, D) into the memory that the decoder reads."""
        return self.encoder.finish(x)

    def encode(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Encode token ids (B, n); `keep` is False on padding -> (B, n, D)."""
        return self.finish(self.encode_range(self.embed(ids), self.encoder_bias(keep), slice(None)))

    def points(self, memory: Tensor) -> Tensor | None:
        """Map a memory (t, D) to the pointer's marks (2 + 2p, t); None if the model has no pointer."""
        return None if self.pointer is None else self.pointer(memory)

    def remember(self, memory: Tensor, keep: Tensor | None = None, prior: Tensor | None = None) -> Cache:
        """Project a memory (B, t, D) once for all decoding steps; `prior` (B, t) is added to every attention to it."""
        projected = [block.cross.keys_values(memory) for block in self.decoder.layers()]
        biases = [] if keep is None else [hide(keep, memory.dtype)]
        biases += [] if prior is None else [prior[:, None, None].to(memory.dtype)]
        return Cache(projected, sum(biases[1:], biases[0]) if biases else None)

    def decode(self, ids: Tensor, cache: Cache) -> Tensor:
        """Run the decoder on the next tokens (B*beams, m) and append them to `cache` -> (B*beams, m, D).

        The hypotheses of one question are consecutive and share its memory, as if they were further query positions.
        """
        x, bias = self._decoder_input(ids, cache)
        past = []
        for number, block in enumerate(self.decoder.layers()):
            x, pair = self._look_back(block, x, cache.past[number] if cache.past else None, bias)
            past.append(pair)
            keys, values = cache.memory[number]
            folded = x.reshape(keys.shape[0], -1, x.shape[-1])  # (B, beams*m, D)
            x = block.think(block.read(folded, keys, values, cache.memory_bias).view_as(x))
        cache.past = past
        out: Tensor = self.decoder.dropout(self.decoder.final_norm(x))
        return out

    def logits(self, states: Tensor) -> Tensor:
        """Score the vocabulary for decoder states (..., D) -> (..., V)."""
        if self.config.scale_decoder_outputs:
            states = states * self.config.d_model**-0.5
        out: Tensor = self.lm_head(states)
        return out

    def target_scores(self, cache: Cache) -> Tensor:
        """Compute the cross-attention logits of the first decoder position in the last block: (B, h, t).

        The first position sees only the start token, so this needs no answer (ReAtt section 3.1, target attention).
        `cache` does not change; padding scores -inf.
        """
        batch = cache.memory[0][0].shape[0]
        x, bias = self._decoder_input(torch.full((batch, 1), self.config.decoder_start_token_id), Cache([], None))
        blocks = self.decoder.layers()
        for number, block in enumerate(blocks[:-1]):
            x, _ = self._look_back(block, x, None, bias)
            x = block.think(block.read(x, *cache.memory[number], cache.memory_bias))
        x, _ = self._look_back(blocks[-1], x, None, bias)
        queries = blocks[-1].cross.split(blocks[-1].cross.q(blocks[-1].cross_norm(x)))  # (B, h, 1, d)
        scores = queries @ cache.memory[-1][0].transpose(2, 3)  # (B, h, 1, t)
        return (scores if cache.memory_bias is None else scores + cache.memory_bias).squeeze(2)

    def _decoder_input(self, ids: Tensor, cache: Cache) -> tuple[Tensor, Tensor]:
        before = cache.past[0][0].shape[2] if cache.past else 0
        ids = ids.to(self.shared.weight.device)
        return self.decoder.dropout(self.shared(ids)), self.decoder.bias(ids.shape[1], before + ids.shape[1])

    @staticmethod
    def _look_back(
        block: Block, x: Tensor, past: tuple[Tensor, Tensor] | None, bias: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        normed = block.attention_norm(x)
        keys, values = block.attention.keys_values(normed)
        if past is not None:
            keys, values = torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)
        mixed: Tensor = block.dropout(block.attention(normed, keys, values, bias))
        return x + mixed, (keys, values)


def t5_encoder(t5: T5) -> Stack:
    """Return the encoder of a model that has T5's own, with its type."""
    return cast(Stack, t5.encoder)
