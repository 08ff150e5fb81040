"""INTRA: the decoder retrieves, from states encoded once, and answers from those same states (Hoffer et al., 2026).

- A chunk is encoded alone. Its states are its memory, their pooled means its keys.
- First round: the question's encoder states ask the keys, by raw dot products.
- Second round: the decoder reads the question with R retrieval tokens after it, over the memory of the best chunks of
  the first; its cross-attention queries at those tokens, of all layers and heads, ask the keys of every chunk.
- The answer is written over the memory of the best chunks: nothing is encoded again.

`score = sum_{l,h} w_lh * sum_r max_j <W_lh^T q_lhr, k_j> * s_lh(k_j)`: retrieval tokens and w are all that is learnt.
Which model that is, a T5 or a T5Gemma2, is the affair of its `asking.Asker`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reatt.model.asker import Asker
from reatt.model.backbone import Answer, ChunkCode, ChunkText, Limits, Queries, Round, Span
from reatt.model.pooling import pooled, pooled_spans
from reatt.model.retrieval_tokens import RetrievalTokens
from reatt.model.stacks.halves import pad, target_attention
from reatt.model.tokens import TextTokenizer, Tokens
from reatt.model.writer import AnswerWriter, Reading
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
        self, asker: Asker, tokenizer: TextTokenizer, tokens: RetrievalTokens, device: torch.device, parts: int = PARTS
    ) -> None:
        self.asker, self.tokenizer, self.device, self.parts = asker.to(device), tokenizer, device, parts
        self.tokens = RetrievalTokens(tokens.vectors.to(device), tokens.weights.to(device))
        self.reads = FROM_DECODER + FROM_ENCODER
        self.key_width = asker.key_width
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
        return [ChunkCode(self.asker.keys(pooled(states, self.parts)), states) for states in encoded]

    def encode(self, texts: Sequence[Tokens]) -> list[Tensor]:
        """Encode texts alone -> states (t, D) each."""
        ids = pad([text.ids for text in texts], self.device)
        states = self.asker.encode(ids.values, ids.keep).float()  # (B, n, D)
        return [row[: len(text.ids)] for row, text in zip(states, texts, strict=True)]

    def asks(self, asked: Tokens, memory: Tensor, tokens: RetrievalTokens) -> Tensor:
        """Let the decoder ask after reading question and retrieval tokens over a memory (t, D) -> (L, h, R, d)."""
        words = self._read_first(asked)
        heard = self.asker.queries(torch.cat((words, tokens.vectors)), self.asker.remember(memory))
        return self.asker.on_states(heard[:, :, len(words) :])

    def context(self, asked: Tokens, evidence: Sequence[ChunkText]) -> tuple[Tensor, Tensor]:
        """Join the memory of the evidence, with the question's states where a model needs them before it.

        Returns (t, D), and whose each row is (t,), -1 for the question's.
        """
        kept = [passage.memory.to(self.device) for passage in evidence if passage.memory is not None]
        if len(kept) < len(evidence):
            raise StoreDamaged("the store holds no states of some passages", "reatt check --repair")
        before = self.encode([asked]) if self.asker.hears_question else []
        rows = [torch.empty(0, self.asker.width, device=self.device), *before, *kept]
        owner = [torch.full((len(row),), at, device=self.device) for at, row in enumerate(rows, -1 - len(before))]
        return torch.cat(rows), torch.cat(owner)

    @torch.inference_mode()
    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Answer from the kept states of the first `reads` of the evidence (C), whose retrieval scores are `scores`."""
        read = evidence[: self.reads]
        reading = self.read(question, read)
        writer = AnswerWriter(self.asker.decoder, self.tokenizer, None)
        return writer.answer(question, evidence, reading, self.shares(reading).tolist(), scores, limits)

    @torch.inference_mode()
    def read(self, question: str, evidence: Sequence[ChunkText]) -> Reading:
        """Put the evidence's states before the decoder, as they were kept."""
        asked, chunks = self.tokenizer.question(question), self.tokenizer.chunks(evidence)
        memory, owner = self.context(asked, evidence)
        tokens, spans = tuple(c.ids for c in chunks), tuple(c.spans for c in chunks)
        prompt = self.asker.prompt(asked, self.tokenizer)
        return Reading(self.asker.remember(memory), owner, tokens, spans, prompt)

    @torch.inference_mode()
    def shares(self, reading: Reading) -> Tensor:
        """Each evidence's share of the last block's attention, where the decoder is about to write: (C,), sums to 1."""
        words = self.asker.embed(torch.tensor(reading.prompt, device=self.device))
        queries = self.asker.queries(words, reading.cache)[-1, :, -1]  # (h, w)
        keys = reading.cache.memory[-1][0][0]  # (key heads, t, w)
        scores = torch.einsum("hw,htw->ht", queries, keys.repeat_interleave(len(queries) // len(keys), 0))
        theirs = reading.owner >= 0
        return target_attention(scores[:, theirs], reading.owner[theirs], len(reading.tokens))

    @torch.inference_mode()
    def _encoder_asks(self, question: str) -> Queries:
        asked = self.tokenizer.question(question)
        states = self.encode([asked])[0]
        vectors, scaled = self.asker.ask_by(states)
        return replace(Queries.mean(vectors, asked.spans), scaled_by=scaled)

    @torch.inference_mode()
    def _decoder_asks(self, question: str, found: Sequence[ChunkText]) -> Queries:
        asked = self.tokenizer.question(question)
        asking = self.asks(asked, self.context(asked, found)[0], self.tokens).float()  # (L, h, R, d)
        loud = self.tokens.weights.abs() > NEGLIGIBLE * self.tokens.weights.abs().max()  # (L, h)
        count = asking.shape[2]
        heads = tuple((layer, head) for layer, head in loud.nonzero().tolist() for _ in range(count))
        whole = (0, max(end for _, end in asked.spans))
        weights = self.tokens.weights[loud].repeat_interleave(count)
        columns = self.asker.columns
        scaled = None if columns is None else columns[loud].repeat_interleave(count)
        return Queries(asking[loud].flatten(0, 1), weights, (whole,) * len(heads), heads, scaled)

    def _read_first(self, asked: Tokens) -> Tensor:
        """Embed what the decoder reads of a question: (n, D)."""
        return self.asker.embed(torch.tensor(self.asker.prompt(asked, self.tokenizer), device=self.device))

    def fingerprint(self) -> str:
        """Hash what the stored keys and states depend on: the whole encoder, their form, tokenizer, limits."""
        total = hashlib.blake2b(KEYS_VERSION, digest_size=16)
        for weight in self.asker.depends_on():
            total.update(weight.detach().float().cpu().contiguous().numpy().data)
        form = (self.tokenizer.identity(), self.max_chunk_tokens, *self.asker.form, self.parts)
        total.update(repr(form).encode())
        return total.hexdigest()
