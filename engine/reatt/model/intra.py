"""INTRA: the decoder retrieves from states that were encoded once, and answers from them (Hoffer et al., 2026).

- A chunk is encoded alone. Its states are its memory, and their pooled means are its keys.
- First round: the queries are the question's encoder states; scores are raw dot products with the keys.
- Second round: the decoder reads the question, followed by R retrieval tokens, with the best chunks of the first round
  as its memory. The queries are its cross-attention queries at those tokens, of all layers and heads.
- The decoder writes the answer from the memory of the best chunks; nothing is encoded again.

`score = sum_{l,h} w_lh * sum_r max_j <W_lh^T q_lhr, k_j> * s_lh(k_j)`. Only the retrieval tokens and w are learnt.
An `asker.Asker` hides whether the model is a T5 or a T5Gemma2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reatt.model.asker import Asker
from reatt.model.backbone import Answer, ChunkCode, ChunkText, Limits, Queries, Round, Span
from reatt.model.candidates import with_candidates
from reatt.model.pooling import pooled, pooled_spans
from reatt.model.retrieval_tokens import RetrievalTokens
from reatt.model.stacks.halves import pad, target_attention, token_attention
from reatt.model.tokens import TextTokenizer, Tokens
from reatt.model.writer import AnswerWriter, Reading
from reatt_store.errors import StoreDamaged

PARTS = 7  # L_p: keys of a chunk; with 1 the paper loses 11 to 14 points of recall
FEED = 20  # n0: chunks of the first round that the decoder sees
FROM_DECODER, FROM_ENCODER = 4, 1  # chunks to read: the best of the second round, then the best of the first
NEGLIGIBLE = 1e-3  # heads with less than this share of the largest weight are left out
KEYS_VERSION = b"intra-1"  # raise this when the same weights give other keys than before


class Intra:
    """A model with its tokenizer, on a device; chunks keep their states as memory."""

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
        """The first round asks with the encoder, the second with the decoder; one chunk of the first is kept."""
        later = Round(self._decoder_asks, feed=FEED, carry=FROM_ENCODER, after=FROM_DECODER)
        return Round(lambda question, _: self._encoder_asks(question)), later

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text without prefix and end marks."""
        return self.tokenizer.count(text)

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Return the part of `passage.text` that each key comes from; (0, 0) for title, prefix and end marks."""
        return pooled_spans(self.tokenizer.chunks([passage])[0].spans, self.parts)

    @torch.inference_mode()
    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode each chunk alone into the keys and memory that the store keeps; batches of similar length are best."""
        encoded = self.encode(self.tokenizer.chunks(passages))
        return [ChunkCode(self.asker.keys(pooled(states, self.parts)), states) for states in encoded]

    def encode(self, texts: Sequence[Tokens]) -> list[Tensor]:
        """Encode each text alone -> states (t, D) each."""
        ids = pad([text.ids for text in texts], self.device)
        states = self.asker.encode(ids.values, ids.keep).float()  # (B, n, D)
        return [row[: len(text.ids)] for row, text in zip(states, texts, strict=True)]

    def asks(self, asked: Tokens, memory: Tensor, tokens: RetrievalTokens) -> Tensor:
        """Run the decoder on question and retrieval tokens over a memory (t, D) -> its queries (L, h, R, d)."""
        words = self._read_first(asked)
        heard = self.asker.queries(torch.cat((words, tokens.vectors)), self.asker.remember(memory))
        return self.asker.on_states(heard[:, :, len(words) :])

    def context(self, asked: Tokens, evidence: Sequence[ChunkText]) -> tuple[Tensor, Tensor]:
        """Join the memories of the evidence, after the question's states if the model needs them.

        Returns the rows (t, D) and the number of the evidence that each belongs to (t,), -1 for the question.
        """
        kept = [passage.memory.to(self.device) for passage in evidence if passage.memory is not None]
        if len(kept) < len(evidence):
            raise StoreDamaged("the states of some passages are missing from the store", "reatt check --repair")
        before = self.encode([asked]) if self.asker.hears_question else []
        rows = [torch.empty(0, self.asker.width, device=self.device), *before, *kept]
        owner = [torch.full((len(row),), at, device=self.device) for at, row in enumerate(rows, -1 - len(before))]
        return torch.cat(rows), torch.cat(owner)

    @torch.inference_mode()
    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Answer from the stored states of the first `reads` pieces of evidence; `scores` (C) are retrieval scores."""
        read = evidence[: self.reads]
        reading = self.read(question, read)
        writer = AnswerWriter(self.asker.decoder, self.tokenizer, None)
        source = None if limits.free else writer.source(question, read, reading)
        told = writer.answer(evidence, reading, self.shares(reading).tolist(), scores, limits, source)
        return with_candidates(told, reading, source, token_attention(self._scores(reading)), limits.max_tokens)

    @torch.inference_mode()
    def read(self, question: str, evidence: Sequence[ChunkText]) -> Reading:
        """Make the evidence's stored states the decoder's memory."""
        asked, chunks = self.tokenizer.question(question), self.tokenizer.chunks(evidence)
        memory, owner = self.context(asked, evidence)
        tokens, spans = tuple(c.ids for c in chunks), tuple(c.spans for c in chunks)
        prompt = self.asker.prompt(asked, self.tokenizer)
        return Reading(self.asker.remember(memory), owner, tokens, spans, prompt)

    @torch.inference_mode()
    def shares(self, reading: Reading) -> Tensor:
        """Each evidence's share of the last block's attention at the decoder's last prompt token: (C,), sums to 1."""
        theirs = reading.owner >= 0
        return target_attention(self._scores(reading), reading.owner[theirs], len(reading.tokens))

    def _scores(self, reading: Reading) -> Tensor:
        """Score the evidence's tokens by the last block, at the decoder's last prompt token: (h, t)."""
        words = self.asker.embed(torch.tensor(reading.prompt, device=self.device))
        queries = self.asker.queries(words, reading.cache)[-1, :, -1]  # (h, w)
        keys = reading.cache.memory[-1][0][0]  # (key heads, t, w)
        scores = torch.einsum("hw,htw->ht", queries, keys.repeat_interleave(len(queries) // len(keys), 0))
        return scores[:, reading.owner >= 0]

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
        """Embed the decoder's prompt for a question: (n, D)."""
        return self.asker.embed(torch.tensor(self.asker.prompt(asked, self.tokenizer), device=self.device))

    def fingerprint(self) -> str:
        """Hash everything that stored keys and states depend on: encoder weights, form, tokenizer, limits."""
        total = hashlib.blake2b(KEYS_VERSION, digest_size=16)
        for weight in self.asker.depends_on():
            total.update(weight.detach().float().cpu().contiguous().numpy().data)
        form = (self.tokenizer.identity(), self.max_chunk_tokens, *self.asker.form, self.parts)
        total.update(repr(form).encode())
        return total.hexdigest()
