"""ReAtt: one T5 whose first B encoder blocks encode question and chunks apart (Jiang et al., 2022, section 2).

- `lower_half`: blocks 0..B-1, each text alone; `alone`: on through B..R-1, for retrieval, where a model has R > B.
- `head_queries`, `head_keys`: one head of block B; `score = mean_i max_j <q_i, k_j>` is the retrieval attention
  (equation 1), without 1/sqrt(d), position bias or normalisation.
- `pack`, `upper_half`: blocks B..L-1 over each question-chunk pair, then fusion of all pairs in the decoder.

T5's position bias depends on differences of positions alone, and a pair is contiguous: so halves encoded apart, put
together at block B, are exactly what a joint encoding under a block mask would give.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from reatt.model.backbone import KEEPING, PLAIN, Answer, ChunkCode, ChunkText, Limits, Queries, Round, Span
from reatt.model.confidence import Calibration
from reatt.model.decoding import Source
from reatt.model.projections import Projections
from reatt.model.t5 import T5
from reatt.model.tokens import TextTokenizer, Tokens
from reatt.model.writer import AnswerWriter, Chooser, Reading, written

EVERYTHING = 1 << 30  # passages read together where a model does not say
STRETCH, SLACK = 1.25, 8  # a group's longest sequence has at most 1.25 times the tokens of its shortest, and 8
KEYS_VERSION = b"1"  # to be raised when the same weights come to give other keys


@dataclass(frozen=True)
class Head:
    """The retrieval head: block B (0-based `retrieval_layer`), a head of it, and how far above B retrieval looks."""

    layer: int
    number: int
    further: int = 0  # R - B, blocks that a text goes on through alone, for projections of a model's own

    @property
    def depth(self) -> int:
        """R: the blocks below which keys depend on."""
        return self.layer + self.further

    @property
    def form(self) -> tuple[int, ...]:
        """What the states that a store keeps depend on beside weights, where keys do not lie at block B themselves."""
        return (self.layer, self.depth) if self.further else ()


@dataclass(frozen=True)
class Padded:
    """Sequences of different length in one tensor."""

    values: Tensor  # (B, n) ids or (B, n, D) states
    keep: Tensor  # (B, n) bool, False on padding


def pad(sequences: Sequence[Sequence[int]], device: torch.device) -> Padded:
    """Put token ids of different lengths into one tensor."""
    lengths = torch.tensor([len(ids) for ids in sequences], device=device)
    values = pad_sequence([torch.tensor(ids) for ids in sequences], batch_first=True).to(device)  # (B, n)
    return Padded(values, torch.arange(values.shape[1], device=device) < lengths[:, None])


def lower_half(t5: T5, layer: int, ids: Padded) -> Padded:
    """Encode each row alone through blocks 0..layer-1 -> states (B, n, D)."""
    states = t5.encode_range(t5.embed(ids.values), t5.encoder_bias(ids.keep), slice(0, layer))
    return Padded(states, ids.keep)


def alone(t5: T5, head: Head, lower: Padded) -> Padded:
    """Take each row of the lower half's states on alone through blocks B..R-1 -> (B, n, D), what retrieval projects."""
    if not head.further:
        return lower
    mask = t5.encoder_bias(lower.keep)
    return Padded(t5.encode_range(lower.values, mask, slice(head.layer, head.depth)), lower.keep)


def head_queries(t5: T5, head: Head, states: Tensor) -> Tensor:
    """Project states (..., D) that enter block R to the retrieval head's query vectors (..., d)."""
    return _one_head(t5, head, "q", states)


def head_keys(t5: T5, head: Head, states: Tensor) -> Tensor:
    """Project states (..., D) that enter block R to the retrieval head's key vectors (..., d)."""
    return _one_head(t5, head, "k", states)


def _one_head(t5: T5, head: Head, side: str, states: Tensor) -> Tensor:
    return formed(t5, side, F.linear(t5.encoder.reads(head.depth, states), projection(t5, head, side)))


def formed(t5: T5, side: str, vectors: Tensor) -> Tensor:
    """Bring projected states (..., d) into the form that scores are made of: as they are, unless a model says else."""
    return vectors if t5.retrieval is None else t5.retrieval.formed(side, vectors)


def loudness(t5: T5, head: Head) -> Tensor:
    """Return the weights that all scores grow with, in proportion."""
    return projection(t5, head, "q") if t5.retrieval is None else t5.retrieval.loudness


def projection(t5: T5, head: Head, side: str) -> Tensor:
    """Return what makes queries ("q") or keys ("k") of block B's normed states: (d, D).

    It is the head's own part of block B's attention (section 2.3), or, where finding was learnt apart from reading,
    projections that began as that and that reading never uses.
    """
    if t5.retrieval is not None:
        own: Tensor = getattr(t5.retrieval, side).weight
        return own
    whole: Tensor = getattr(t5.encoder.layers()[head.layer].attention, side).weight
    return torch.unflatten(whole, 0, (t5.encoder.head_count, -1))[head.number]


def learn_apart(t5: T5, head: Head) -> Projections:
    """Give retrieval projections of its own, equal to the head's, unless it has some."""
    if t5.retrieval is None:
        own = Projections(t5.config.d_model, len(projection(t5, head, "q"))).to(t5.shared.weight)
        for side in "qk":
            getattr(own, side).weight.data.copy_(projection(t5, head, side))
        t5.retrieval = own
    return t5.retrieval


def places(states: Padded, offset: int = 0) -> list[list[int]]:
    """Number the kept positions of each row, as rows of `states.values.flatten(0, 1)` from `offset` on."""
    width = states.keep.shape[1]
    lengths = states.keep.sum(1).tolist()
    return [list(range(offset + i * width, offset + i * width + n)) for i, n in enumerate(lengths)]


def pack(pool: Tensor, rows: Sequence[Sequence[int]]) -> Padded:
    """Put together rows of states by number out of `pool` (N, D): a question before a chunk, pairs before pairs.

    One gather forward and one scatter backward, however many rows there are.
    """
    index = pad(rows, pool.device)
    values = pool.index_select(0, index.values.flatten()).view(*index.values.shape, -1)  # (B, n, D)
    return Padded(values, index.keep)


def side_by_side(rows: Sequence[Tensor]) -> Padded:
    """Put states of different lengths (n, D) into one tensor."""
    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    values = pad_sequence(list(rows), batch_first=True)  # (B, n, D)
    return Padded(values, torch.arange(values.shape[1], device=values.device) < lengths[:, None])


def upper_half(t5: T5, layer: int, joined: Padded) -> Tensor:
    """Encode pairs jointly through blocks layer..L-1 and the final norm -> (C, m+n, D)."""
    return t5.finish(t5.encode_range(joined.values, t5.encoder_bias(joined.keep), slice(layer, None)))


def by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Group sequence numbers so that little is padded, shortest first: what is padded, is computed in vain.

    >>> by_length([30, 10, 32, 11])
    [[1, 3], [0, 2]]
    """
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not groups or lengths[number] > STRETCH * lengths[groups[-1][0]] + SLACK:
            groups.append([])
        groups[-1].append(number)
    return groups


def encode_apart(t5: T5, layer: int, texts: Sequence[Sequence[int]], device: torch.device) -> list[Tensor]:
    """Encode each text alone through blocks 0..layer-1 -> states (n, D) each."""
    found = dict[int, Tensor]()
    for numbers in by_length([len(ids) for ids in texts]):
        lower = lower_half(t5, layer, pad([texts[n] for n in numbers], device))
        found |= zip(
            numbers, (states[keep] for states, keep in zip(lower.values, lower.keep, strict=True)), strict=True
        )
    return [found[n] for n in range(len(texts))]


def encode_jointly(t5: T5, layer: int, pairs: Sequence[Tensor]) -> list[Tensor]:
    """Encode pairs (m+n, D) through blocks layer..L-1 and the final norm -> states (m+n, D) each."""
    found = dict[int, Tensor]()
    for numbers in by_length([len(pair) for pair in pairs]):
        joined = side_by_side([pairs[n] for n in numbers])
        upper = zip(upper_half(t5, layer, joined), joined.keep, strict=True)
        found |= zip(numbers, (states[keep] for states, keep in upper), strict=True)
    return [found[n] for n in range(len(pairs))]


def target_attention(scores: Tensor, owner: Tensor, chunks: int) -> Tensor:
    """Sum the target attention per chunk (section 3.1): softmax over all tokens of all pairs, mean over heads.

    `scores` (h, t) are the first decoder position's logits in the last block, `owner` (t,) names each token's chunk;
    returns (C,), which sums to 1.
    """
    per_token = scores.float().softmax(-1).mean(0)  # (t,)
    return torch.zeros(chunks, device=scores.device).index_add(0, owner, per_token)


class ReAtt:
    """The model with its tokenizer on its device: encodes chunks and questions, reads evidence."""

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
        self.reads = reads  # how many passages, the best first, it was found to read well together
        self.prior = prior  # of retrieval's score of a passage, beside the decoder's attention to its tokens
        self.keeps_states = keeps_states  # whether a store keeps the lower half's states, so that reading starts there
        self.key_width = len(projection(t5, head, "k"))
        self.max_chunk_tokens = tokenizer.chunk_limit

    def with_head(self, number: int) -> ReAtt:
        """Return the same model, its weights shared, with another head of block B as the retrieval head."""
        other = copy.copy(self)
        other.head = replace(self.head, number=number)
        return other

    @property
    def method(self) -> str:
        """What a store calls its vectors."""
        return KEEPING if self.keeps_states else PLAIN

    @property
    def rounds(self) -> tuple[Round, ...]:
        """It asks once, of all keys."""
        return (Round(lambda question, _: self.encode_question(question)),)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text without prefix and end marks."""
        return self.tokenizer.count(text)

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Say where in `passage.text` each key comes from; (0, 0) for title, prefix and end marks."""
        return self.tokenizer.chunks([passage])[0].spans

    @torch.inference_mode()
    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Encode chunks apart into what the store keeps; best given in batches of like length."""
        tokens = self.tokenizer.chunks(passages)
        lower = lower_half(self.t5, self.head.layer, pad([t.ids for t in tokens], self.device))
        keys = head_keys(self.t5, self.head, alone(self.t5, self.head, lower).values).float()  # (B, n, d)
        rows = zip(keys, lower.values.float(), map(len, (t.ids for t in tokens)), strict=True)
        return [ChunkCode(key[:n], states[:n] if self.keeps_states else None) for key, states, n in rows]

    @torch.inference_mode()
    def encode_question(self, question: str) -> Queries:
        """Encode a question into the queries that score those keys: the mean over its tokens."""
        return self.queries(self.tokenizer.question(question))

    @torch.inference_mode()
    def queries(self, asked: Tokens) -> Queries:
        """Encode a question that is tokens already, such as a sentence with a mask."""
        lower = lower_half(self.t5, self.head.layer, pad([asked.ids], self.device))
        vectors = head_queries(self.t5, self.head, alone(self.t5, self.head, lower).values[0]).float()  # (m, d)
        return Queries.mean(vectors, asked.spans)

    @torch.inference_mode()
    def read(
        self, question: str | Tokens, evidence: Sequence[ChunkText], scores: Sequence[float] | None = None
    ) -> Reading:
        """Encode each question-chunk pair jointly and fuse them as one memory (section 2.2).

        Of the question the joint input has what the encoder pairs. A chunk whose states were kept is not encoded again:
        they are what the lower half would give. `scores` (C) are the evidence's retrieval scores, for a model with a
        prior.
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
        """Read the first `reads` of the evidence (C) jointly and answer; `scores` (C) are its retrieval scores.

        Empty text: nothing to say. What was not read has no share.
        """
        read = evidence[: self.reads]
        reading = self.read(question, read, scores[: len(read)])
        attended = self.shares(reading).tolist()
        return self._writer().answer(question, evidence, reading, attended, scores, limits)

    def _prior(self, scores: Sequence[float], owner: Tensor) -> Tensor:
        """Lay retrieval's scores (C) over the tokens that `owner` (t,) gives to passages, as a bias of attention: (t,).

        Not in the paper: the attention to a token is then its passage's probability times that of the token in it.
        """
        weighted = torch.tensor(scores, device=self.device, dtype=self.t5.shared.weight.dtype) * self.prior
        return (weighted - weighted.max())[owner]

    def source(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> Source:
        """Say what a grounded answer may be made of: runs of the evidence's tokens, and yes or no where asked for."""
        return self._writer().source(question, evidence, reading)

    @torch.inference_mode()
    def says(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> str:
        """Answer from what was read, in words alone; empty where there is nothing to say."""
        return self._writer().says(question, evidence, reading)

    def _writer(self) -> AnswerWriter:
        return AnswerWriter(self.t5, self.tokenizer, self.calibration, self.chooser)

    def fingerprint(self) -> str:
        """Hash what stored keys depend on: all below R, retrieval's key projection, their form, tokenizer, limits."""
        below = self.t5.encoder.below(self.head.depth)
        weights: list[Tensor] = [weight for module in (self.t5.shared, *below) for weight in module.parameters()]
        weights.append(projection(self.t5, self.head, "k"))
        total = hashlib.blake2b(KEYS_VERSION, digest_size=16)
        for weight in weights:
            total.update(weight.detach().float().cpu().contiguous().numpy().data)
        form = (*self.t5.encoder.form, *(self.t5.retrieval.key_form if self.t5.retrieval else ()), *self.head.form)
        total.update(repr((self.tokenizer.identity(), self.max_chunk_tokens, *form)).encode())
        return total.hexdigest()
