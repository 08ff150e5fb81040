"""ReAtt: one Transformer that encodes questions and chunks alone, retrieves by one head, and reads the best jointly.

The first B encoder blocks see one text at a time (`stacks/halves.py`; Jiang et al., 2022, section 2). A head of block B
scores the chunks. The blocks above read each question-chunk pair, and the decoder reads all pairs as one memory.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reatt.model.answers.source import Source
from reatt.model.backbone import KEEPING, PLAIN, Answer, ChunkCode, ChunkText, Limits, Queries, Round, Span
from reatt.model.candidates import with_candidates
from reatt.model.confidence import Calibration
from reatt.model.stacks.halves import (
    Head,
    Padded,
    alone,
    encode_apart,
    encode_jointly,
    head_keys,
    head_queries,
    lower_half,
    pad,
    projection,
    target_attention,
    token_attention,
)
from reatt.model.t5 import T5
from reatt.model.tokens import TextTokenizer, Tokens
from reatt.model.writer import AnswerWriter, Chooser, Reading, written

# The class, and the pieces of `stacks/halves.py` that are used together with it.
__all__ = ["EVERYTHING", "Head", "Padded", "ReAtt", "alone", "head_keys", "head_queries", "lower_half", "pad"]

EVERYTHING = 1 << 30  # how many passages are read together if the model's config does not limit them
KEYS_VERSION = b"1"  # raise this when the same weights give other keys than before


class ReAtt:
    """A model with its tokenizer, on a device: encodes chunks and questions, and reads evidence."""

    def __init__(
        self,
        t5: T5,
        tokenizer: TextTokenizer,
        head: Head,
        device: torch.device,
        calibration: Calibration | None = None,
        reads: int = EVERYTHING,
        prior: float = 0.0,
        chooser: Chooser = written,
        *,
        keeps_states: bool = False,
    ) -> None:
        self.t5, self.tokenizer, self.head, self.device = t5.to(device), tokenizer, head, device
        self.calibration, self.chooser = calibration, chooser
        self.reads = reads  # how many passages, the best first, it reads together
        self.prior = prior  # the weight of a passage's retrieval score in the decoder's attention to its tokens
        self.keeps_states = keeps_states  # whether a store keeps the lower half's states, so that reading starts there
        self.key_width = len(projection(t5, head, "k"))
        self.max_chunk_tokens = tokenizer.chunk_limit

    def with_head(self, number: int) -> ReAtt:
        """Return the same model with shared weights, and another head of block B as the retrieval head."""
        other = copy.copy(self)
        other.head = replace(self.head, number=number)
        return other

    @property
    def method(self) -> str:
        """The name of the method in a store."""
        return KEEPING if self.keeps_states else PLAIN

    @property
    def rounds(self) -> tuple[Round, ...]:
        """One round, over all keys."""
        return (Round(lambda question, _: self.encode_question(question)),)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text without prefix and end marks."""
        return self.tokenizer.count(text)

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Return the part of `passage.text` that each key comes from; (0, 0) for title, prefix and end marks."""
        return self.tokenizer.chunks([passage])[0].spans

    @torch.inference_mode()
    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode each chunk alone into what the store keeps; batches of similar length are best."""
        tokens = self.tokenizer.chunks(passages)
        lower = lower_half(self.t5, self.head.layer, pad([t.ids for t in tokens], self.device))
        keys = head_keys(self.t5, self.head, alone(self.t5, self.head, lower).values).float()  # (B, n, d)
        rows = zip(keys, lower.values.float(), map(len, (t.ids for t in tokens)), strict=True)
        return [ChunkCode(key[:n], states[:n] if self.keeps_states else None) for key, states, n in rows]

    @torch.inference_mode()
    def encode_question(self, question: str | Tokens) -> Queries:
        """Encode a question, or tokens such as a sentence with a mask, into queries.

        Their score is the mean over the tokens.
        """
        asked = self.tokenizer.question(question) if isinstance(question, str) else question
        lower = lower_half(self.t5, self.head.layer, pad([asked.ids], self.device))
        vectors = head_queries(self.t5, self.head, alone(self.t5, self.head, lower).values[0]).float()  # (m, d)
        return Queries.mean(vectors, asked.spans)

    @torch.inference_mode()
    def read(
        self, question: str | Tokens, evidence: Sequence[ChunkText], scores: Sequence[float] | None = None
    ) -> Reading:
        """Encode each question-chunk pair jointly, and join all pairs into one memory (section 2.2).

        The encoder says which tokens of the question stand before a chunk (`EncoderStack.paired`). A chunk whose states
        are stored is not encoded again: these states are what the lower half would give. `scores` (C) are the
        evidence's retrieval scores, for a model with a prior.
        """
        asked = self.tokenizer.question(question) if isinstance(question, str) else question
        chunks = self.tokenizer.chunks(evidence)
        texts = [c.ids for c, passage in zip(chunks, evidence, strict=True) if passage.memory is None]
        first, *fresh = encode_apart(self.t5, self.head.layer, [self.t5.encoder.paired(asked.ids), *texts], self.device)
        left = iter(fresh)
        lower = [next(left) if passage.memory is None else passage.memory.to(first) for passage in evidence]
        pairs = encode_jointly(self.t5, self.head.layer, [torch.cat((first, states)) for states in lower])
        memory = torch.cat(pairs)  # (t, D)
        lengths = torch.tensor([len(pair) for pair in pairs], device=self.device)
        owner = torch.arange(len(pairs), device=self.device).repeat_interleave(lengths)
        prior = self._prior(scores, owner)[None] if self.prior and scores is not None else None
        cache = self.t5.remember(memory[None], prior=prior)
        tokens, spans = tuple(c.ids for c in chunks), tuple(c.spans for c in chunks)
        return Reading(cache, owner, tokens, spans, marks=self.t5.points(memory))

    @torch.inference_mode()
    def shares(self, reading: Reading) -> Tensor:
        """Each evidence's share of the target attention: (C,), sums to 1."""
        return target_attention(self.t5.target_scores(reading.cache)[0], reading.owner, len(reading.tokens))

    @torch.inference_mode()
    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Read the first `reads` pieces of evidence jointly and answer; `scores` (C) are retrieval scores.

        The text is empty if there is no answer. Evidence that was not read has a share of 0.
        """
        read = evidence[: self.reads]
        reading = self.read(question, read, scores[: len(read)])
        source = None if limits.free else self.source(question, read, reading)
        looked = self.t5.target_scores(reading.cache)[0]
        attended = target_attention(looked, reading.owner, len(read)).tolist()
        told = self._writer().answer(evidence, reading, attended, scores, limits, source)
        return with_candidates(told, reading, source, token_attention(looked), limits.max_tokens)

    def _prior(self, scores: Sequence[float], owner: Tensor) -> Tensor:
        """Turn retrieval scores (C) into an attention bias for each token (t,), whose passage `owner` (t,) names.

        This is not in the paper. The attention to a token becomes proportional to its passage's retrieval probability.
        """
        weighted = torch.tensor(scores, device=self.device, dtype=self.t5.shared.weight.dtype) * self.prior
        return (weighted - weighted.max())[owner]

    def source(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> Source:
        """List the allowed grounded answers: stretches of the evidence, and yes or no if the question asks for it."""
        return self._writer().source(question, evidence, reading)

    @torch.inference_mode()
    def says(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> str:
        """Return only the text of the answer from what was read; empty if there is none."""
        return self._writer().says(question, evidence, reading)

    def _writer(self) -> AnswerWriter:
        return AnswerWriter(self.t5, self.tokenizer, self.calibration, self.chooser)

    def fingerprint(self) -> str:
        """Hash what stored keys depend on: weights below R, key projection, form, tokenizer, limits."""
        below = self.t5.encoder.below(self.head.depth)
        weights: list[Tensor] = [weight for module in (self.t5.shared, *below) for weight in module.parameters()]
        weights.append(projection(self.t5, self.head, "k"))
        total = hashlib.blake2b(KEYS_VERSION, digest_size=16)
        for weight in weights:
            total.update(weight.detach().float().cpu().contiguous().numpy().data)
        form = (*self.t5.encoder.form, *(self.t5.retrieval.key_form if self.t5.retrieval else ()), *self.head.form)
        total.update(repr((self.tokenizer.identity(), self.max_chunk_tokens, *form)).encode())
        return total.hexdigest()
