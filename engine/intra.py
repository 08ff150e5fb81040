"""INTRA: the decoder retrieves, from states encoded once, and answers from those same states (Hoffer et al., 2026).

- A chunk is encoded alone. Its states are its memory, their pooled means its keys.
- First round: the question's encoder states ask the keys, by raw dot products.
- Second round: the decoder reads the question with R retrieval tokens after it, over the memory of the best chunks of
  the first; its cross-attention queries at those tokens, of all layers and heads, ask the keys of every chunk.
- The answer is written over the memory of the best chunks: nothing is encoded again.

`score = sum_{l,h} w_lh * sum_r max_j <W_lh^T q_lhr, k_j>`: retrieval tokens and w are all that is learnt.
A T5 decoder has never read a prompt, so the question also stands in the memory, as a text before the chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from reatt_engine.answering import Reading, Writer
from reatt_engine.backbone import Answer, ChunkCode, ChunkText, Queries, Round, Span
from reatt_engine.cross_attention import cross_queries, on_states
from reatt_engine.decoding import Limits
from reatt_engine.pooling import pooled, pooled_spans
from reatt_engine.reatt import pad, target_attention
from reatt_engine.retrieval_tokens import RetrievalTokens
from reatt_engine.t5 import T5
from reatt_engine.tokens import TextTokenizer, Tokens
from reatt_store.errors import StoreDamaged

PARTS = 7  # L_p: keys of a chunk; 1 costs the paper 11 to 14 points of recall
FEED = 20  # n0: chunks of the first round that the decoder sees
FROM_DECODER, FROM_ENCODER = 4, 1  # what is read: the best of the second round, then of the first
NEGLIGIBLE = 1e-3  # heads that weigh less than this share of the heaviest do not ask
KEYS_VERSION = b"intra-1"  # to be raised when the same weights come to give other keys


class Intra:
    """The model with its tokenizer on its device; chunks keep their states as memory."""

    method = "intra"

    def __init__(
        self, t5: T5, tokenizer: TextTokenizer, tokens: RetrievalTokens, device: torch.device, parts: int = PARTS
    ) -> None:
        self.t5, self.tokenizer, self.device, self.parts = t5.to(device), tokenizer, device, parts
        self.tokens = RetrievalTokens(tokens.vectors.to(device), tokens.weights.to(device))
        self.reads = FROM_DECODER + FROM_ENCODER
        self.key_width = t5.config.d_model
        self.max_chunk_tokens = tokenizer.chunk_limit

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The encoder asks, then the decoder, which leaves a place to what the encoder found."""
        later = Round(self._decoder_asks, feed=FEED, carry=FROM_ENCODER, after=FROM_DECODER)
        return Round(lambda question, _: self._encoder_asks(question)), later

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text without prefix and end marks."""
        return self.tokenizer.count(text)

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Say where in `passage.text` each key comes from; (0, 0) for one of title, prefix and end marks alone."""
        return pooled_spans(self.tokenizer.chunks([passage])[0].spans, self.parts)

    @torch.inference_mode()
    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode chunks alone into the keys and the memory that the store keeps; best in batches of like length."""
        encoded = self.encode(self.tokenizer.chunks(passages))
        return [ChunkCode(pooled(states, self.parts), states) for states in encoded]

    def encode(self, texts: Sequence[Tokens]) -> list[Tensor]:
        """Encode texts alone -> states (t, D) each."""
        ids = pad([text.ids for text in texts], self.device)
        states = self.t5.encode(ids.values, ids.keep).float()  # (B, n, D)
        return [row[: len(text.ids)] for row, text in zip(states, texts, strict=True)]

    def asks(self, asked: Tokens, memory: Tensor, tokens: RetrievalTokens) -> Tensor:
        """Let the decoder ask after reading question and retrieval tokens over a memory (t, D) -> (L, h, R, D)."""
        start = self.t5.config.decoder_start_token_id
        words = self.t5.shared(torch.tensor([*asked.ids, start], device=self.device))
        heard = cross_queries(self.t5, torch.cat((words, tokens.vectors)), self.t5.remember(memory[None]))
        return on_states(self.t5, heard[:, :, len(words) :])

    def context(self, asked: Tokens, evidence: Sequence[ChunkText]) -> tuple[Tensor, Tensor]:
        """Join the question's states and the memory of the evidence: (t, D), and whose each row is (t,)."""
        kept = [passage.memory.to(self.device) for passage in evidence if passage.memory is not None]
        if len(kept) < len(evidence):
            raise StoreDamaged("the store holds no states of some passages", "reatt check --repair")
        rows = [self.encode([asked])[0], *kept]
        owner = [torch.full((len(row),), number, device=self.device) for number, row in enumerate(rows, -1)]
        return torch.cat(rows), torch.cat(owner)

    @torch.inference_mode()
    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Answer from the kept states of the first `reads` of the evidence (C), whose retrieval scores are `scores`."""
        read = evidence[: self.reads]
        reading = self.read(question, read)
        writer = Writer(self.t5, self.tokenizer, None)
        return writer.answer(question, evidence, reading, self.shares(reading).tolist(), scores, limits)

    @torch.inference_mode()
    def read(self, question: str, evidence: Sequence[ChunkText]) -> Reading:
        """Put the evidence's states before the decoder, as they were kept."""
        asked, chunks = self.tokenizer.question(question), self.tokenizer.chunks(evidence)
        memory, owner = self.context(asked, evidence)
        tokens, spans = tuple(c.ids for c in chunks), tuple(c.spans for c in chunks)
        return Reading(self.t5.remember(memory[None]), owner, tokens, spans, asked.ids)

    @torch.inference_mode()
    def shares(self, reading: Reading) -> Tensor:
        """Each evidence's share of the last block's attention, where the decoder is about to write: (C,), sums to 1."""
        ids = torch.tensor([*reading.prompt, self.t5.config.decoder_start_token_id], device=self.device)
        queries = cross_queries(self.t5, self.t5.shared(ids), reading.cache)[-1, :, -1:]  # (h, 1, d)
        scores = (queries @ reading.cache.memory[-1][0][0].transpose(1, 2)).squeeze(1)  # (h, t)
        theirs = reading.owner >= 0
        return target_attention(scores[:, theirs], reading.owner[theirs], len(reading.tokens))

    @torch.inference_mode()
    def _encoder_asks(self, question: str) -> Queries:
        asked = self.tokenizer.question(question)
        states = self.encode([asked])[0]
        return Queries(states, torch.full((len(states),), 1 / len(states), device=self.device), asked.spans)

    @torch.inference_mode()
    def _decoder_asks(self, question: str, found: Sequence[ChunkText]) -> Queries:
        asked = self.tokenizer.question(question)
        asking = self.asks(asked, self.context(asked, found)[0], self.tokens).float()  # (L, h, R, D)
        loud = self.tokens.weights.abs() > NEGLIGIBLE * self.tokens.weights.abs().max()  # (L, h)
        count = asking.shape[2]
        heads = tuple((layer, head) for layer, head in loud.nonzero().tolist() for _ in range(count))
        whole = (0, max(end for _, end in asked.spans))
        weights = self.tokens.weights[loud].repeat_interleave(count)
        return Queries(asking[loud].flatten(0, 1), weights, (whole,) * len(heads), heads)

    def fingerprint(self) -> str:
        """Hash what the stored keys and states depend on: the whole encoder, their form, tokenizer, limits."""
        total = hashlib.blake2b(KEYS_VERSION, digest_size=16)
        for weight in (self.t5.shared.weight, *self.t5.encoder.parameters()):
            total.update(weight.detach().float().cpu().contiguous().numpy().data)
        shape = self.t5.config
        form = (shape.feed_forward_proj, shape.layer_norm_epsilon, shape.relative_attention_max_distance, self.parts)
        total.update(repr((self.tokenizer.identity(), self.max_chunk_tokens, *form)).encode())
        return total.hexdigest()
