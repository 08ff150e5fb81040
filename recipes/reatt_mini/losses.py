"""What the bundled model learns from: which chunks answer, where in them the answer stands, and its words.

Five losses on one pass over a batch: retrieval (equation 1) among the batch's chunks and those of a few batches before;
retrieval against what a teacher finds; the stretch that is the answer, among all of the passages that the question was
read with; the answer's likelihood; the last decoder block's attention at each step against the place of the token to be
written.

Axes: Q questions, C chunks, G questions that are read, t tokens of what was read for one, T steps, h heads, D width.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reatt.model.projections import Form
from reatt.model.reatt import pad
from reatt.model.stacks.bert import BertBlock, BertStack
from reatt.model.t5 import T5, Cache
from recipes.reatt_mini.batches import Batch
from recipes.reatt_mini.memory import Memory, remember
from recipes.reatt_mini.packed import Layout, Packed, embed, encode
from recipes.reatt_mini.passages import Passage, evidence
from recipes.reatt_mini.spans import pointed
from recipes.reatt_mini.stages import Stage

OTHERS = 1000  # random pieces that an answer's pieces compete with, beside the batch's own
HIDDEN = -1e4
TEMPERATURE = 20.0  # of cosines, where training begins


class Learner(nn.Module):
    """The model, and the temperature of retrieval, which an exported model has in its projection of queries."""

    def __init__(self, t5: T5, layer: int, depth: int, *, narrow: bool = False) -> None:
        super().__init__()
        assert t5.retrieval is not None
        assert t5.retrieval.form == Form(unit_queries=False, unit_keys=True)
        self.t5, self.layer, self.depth, self.narrow = t5, layer, depth, narrow
        self.temperature = nn.Parameter(torch.tensor(TEMPERATURE).log())  # its logarithm

    def products(self) -> torch.autocast:
        """Let what is within multiply in bfloat16, if it is to."""
        return torch.autocast(self.temperature.device.type, torch.bfloat16, enabled=self.narrow)

    @property
    def stack(self) -> BertStack:
        """The encoder."""
        return cast(BertStack, self.t5.encoder)

    def lower(self, rows: Sequence[Sequence[int]], kind: int) -> Packed:
        """Encode texts of one kind, question (0) or chunk (1), each alone."""
        return encode(self._blocks(slice(0, self.layer)), embed(self.t5, self.stack, rows, kind))

    def deeper(self, alone: Packed) -> Packed:
        """Go on with states of the lower half, each text alone still, to those that retrieval projects."""
        return encode(self._blocks(slice(self.layer, self.depth)), alone) if self.depth > self.layer else alone

    def upper(self, pairs: Packed) -> Packed:
        """Encode pairs jointly."""
        return encode(self._blocks(slice(self.layer, None)), pairs)

    def queries(self, states: Tensor) -> Tensor:
        """Project states (N, D) to queries (N, d): a token that matters more has a longer one."""
        assert self.t5.retrieval is not None
        queries: Tensor = self.t5.retrieval.q(states).float() * self.temperature.exp()
        return queries

    def keys(self, states: Tensor) -> Tensor:
        """Project states (N, D) to keys (N, d)."""
        assert self.t5.retrieval is not None
        return F.normalize(self.t5.retrieval.k(states).float(), dim=-1)

    def _blocks(self, which: slice) -> list[BertBlock]:
        return list(self.stack.layers(which))


@dataclass(frozen=True)
class Keys:
    """A batch's keys, for the questions of later ones."""

    values: Tensor  # (N, d)
    layout: Layout
    numbers: list[int]  # of the chunks in their set


@dataclass(frozen=True)
class Losses:
    """The parts of a step's loss, and how well it did; a figure is NaN where a batch has nothing to tell."""

    retrieval: Tensor
    taught: Tensor
    spans: Tensor
    answer: Tensor
    copying: Tensor
    hit: float  # questions whose own chunk scored highest in the batch
    marks: float  # spans, of the questions whose own chunk was read
    null: float  # spans, of those that nothing read answers
    exact: float  # start and end right, of the questions whose own chunk was read
    pieces: float  # pieces of answers that come first
    teacher: float  # most target attention on the own chunk, of the questions read with others, too

    def detached(self) -> Losses:
        """Give the figures without the graph that they came from."""
        return replace(
            self,
            retrieval=self.retrieval.detach(),
            taught=self.taught.detach(),
            spans=self.spans.detach(),
            answer=self.answer.detach(),
            copying=self.copying.detach(),
        )


def losses(
    learner: Learner, batch: Batch, bank: Sequence[Keys], stage: Stage, seed: int, wanted: Tensor | None = None
) -> tuple[Losses, Keys]:
    """Compute one step's losses, and the keys for the bank; `wanted` are a teacher's log-probabilities (Q, C)."""
    device = learner.temperature.device
    with learner.products():
        asked = learner.lower([question.ids for question in batch.questions], 0)
        chunks = learner.lower([chunk.ids for chunk in batch.chunks], 1)
        finding, found_by = learner.deeper(asked).values, learner.deeper(chunks).values
    queries = learner.queries(finding)
    keys = Keys(learner.keys(found_by), chunks.layout, batch.numbers)
    scores = maxsim(queries, asked.layout, keys)
    own = torch.tensor([question.own for question in batch.questions], device=device)
    hit = float((scores.detach().argmax(1) == own).float().mean())
    preferred = scores.detach().argsort(1, descending=True).tolist()
    given = evidence(batch, preferred, stage.reading, random.Random(seed))
    found = nothing(device, hit)
    if given:
        with learner.products():
            memory = remember(asked, chunks, batch, given, learner.upper)
        found = read(learner, batch, memory, scores, found, stage, seed)
    if wanted is not None:
        distance = F.kl_div(scores.log_softmax(1), wanted, reduction="batchmean", log_target=True)
        found = replace(found, taught=distance)
    if not stage.twin:
        every = torch.cat([scores, *(maxsim(queries, asked.layout, old) for old in bank)], 1)
        found = replace(found, retrieval=retrieval_loss(every, *judged(batch, bank, device)))
    return found, replace(keys, values=keys.values.detach())


def nothing(device: torch.device, hit: float) -> Losses:
    """Begin with what a batch tells that nothing is read of."""
    none = torch.zeros((), device=device)
    return Losses(none, none, none, none, none, hit, math.nan, math.nan, math.nan, math.nan, math.nan)


def maxsim(queries: Tensor, asked: Layout, keys: Keys) -> Tensor:
    """Score every question and chunk (Q, C), equation 1: mean over the one's tokens of the maximum over the other's."""
    products = keys.layout.table(keys.values @ queries.T)  # (C, n, tokens of all questions)
    best = products.masked_fill(~keys.layout.keep[:, :, None], HIDDEN).amax(1)  # (C, tokens)
    total = best.new_zeros(len(asked.lengths), len(best)).index_add(0, asked.owner, best.T)
    return total / torch.tensor(asked.lengths, device=best.device)[:, None]


def judged(batch: Batch, bank: Sequence[Keys], device: torch.device) -> tuple[Tensor, Tensor]:
    """Say which chunks of the batch answer each question, and which of the bank do and so do not count: two (Q, N)."""
    old = [number for keys in bank for number in keys.numbers]
    right = [[number in q.positives for number in batch.numbers] + [False] * len(old) for q in batch.questions]
    unjudged = [[False] * len(batch.numbers) + [number in q.positives for number in old] for q in batch.questions]
    return torch.tensor(right, device=device), torch.tensor(unjudged, device=device)


def retrieval_loss(scores: Tensor, right: Tensor, unjudged: Tensor) -> Tensor:
    """Every right chunk against all wrong ones, without the others that are right; the mean over scores (Q, N)."""
    scores = scores.masked_fill(unjudged, HIDDEN)
    wrong = scores.masked_fill(right, HIDDEN).logsumexp(1, keepdim=True)  # (Q, 1)
    each = torch.logaddexp(scores, wrong.expand_as(scores)) - scores  # (Q, N)
    return ((each * right).sum(1) / right.sum(1)).mean()


def read(
    learner: Learner, batch: Batch, memory: Memory, scores: Tensor, found: Losses, stage: Stage, seed: int
) -> Losses:
    """Add what reading tells: spans, and where there is an answer its words and the twin's retrieval."""
    assert learner.t5.pointer is not None
    spans = pointed(learner.t5.pointer.weight, memory, null=stage.null)
    found = replace(found, spans=spans.loss, marks=spans.marks, null=spans.null, exact=spans.exact)
    rows = [row for row, answer in enumerate(memory.answers) if answer]
    if not rows or not stage.answer:
        return found
    answer = answering(learner, memory, rows, batch, seed)
    found = replace(found, answer=answer.loss, pieces=answer.accuracy)
    standing = [number for number, row in enumerate(rows) if memory.begins[row] is not None]
    if not standing:
        return found
    attention, there = answer.attention[standing], [rows[number] for number in standing]
    copied = copying(attention, memory.first_pieces(there, attention.shape[2]), answer.places[standing])
    teacher, distance = attended(memory.shares(there, attention[:, 0].detach()), there, scores, memory)
    found = replace(found, copying=copied, teacher=teacher)
    return replace(found, retrieval=distance) if stage.twin else found


@dataclass(frozen=True)
class Answers:
    """The decoder's words for the questions that have an answer (A)."""

    loss: Tensor
    accuracy: float
    attention: Tensor  # (A, T, t) probabilities of the last block's attention, mean over heads
    places: Tensor  # (A, T) where in what was read the piece stands that is to be written; -1: nowhere


def answering(learner: Learner, memory: Memory, rows: list[int], batch: Batch, seed: int) -> Answers:
    """Let the decoder write each answer as it stands in the chunk, or yes or no, with its end."""
    t5, layout = learner.t5, memory.states.layout
    device = layout.device
    wanted = pad([(*memory.answers[row], t5.config.eos_token_id) for row in rows], device)
    start = torch.full_like(wanted.values[:, :1], t5.config.decoder_start_token_id)
    inputs = torch.cat((start, wanted.values[:, :-1]), 1)  # (A, T)
    states = layout.table(memory.states.values)[rows]
    with learner.products():
        heard, attention = decode_with_attention(t5, inputs, t5.remember(states, layout.keep[rows]))
        chosen = heard[wanted.keep] * t5.config.d_model**-0.5
        words = candidates(t5.config.vocab_size, wanted.values[wanted.keep], batch, seed)
        logits = F.linear(chosen, t5.shared.weight[words])
    target = torch.searchsorted(words, wanted.values[wanted.keep])
    accuracy = float((logits.detach().argmax(1) == target).float().mean())
    places = torch.full_like(wanted.values, -1)
    for number, row in enumerate(rows):
        begin, count = memory.begins[row], len(memory.answers[row])
        if begin is not None:
            places[number, :count] = torch.arange(begin, begin + count)
    return Answers(F.cross_entropy(logits.float(), target), accuracy, attention, places)


def candidates(size: int, answers: Tensor, batch: Batch, seed: int) -> Tensor:
    """Choose the pieces that an answer's pieces compete with: the batch's own, which is what grounded decoding chooses
    from, and OTHERS more. The whole vocabulary would cost more than the encoder.
    """
    dice = torch.Generator().manual_seed(seed)
    others = torch.randint(size, (OTHERS,), generator=dice)
    mine = torch.tensor(sorted({id for chunk in batch.chunks for id in chunk.ids}))
    found: Tensor = torch.cat((mine.to(answers), others.to(answers), answers)).unique()  # type: ignore[no-untyped-call]
    return found


def copying(attention: Tensor, starts: Tensor, places: Tensor) -> Tensor:
    """Surprise of attention (A, T, t) at the places of the pieces to be written: of the first one any start (A, t)."""
    logs = attention.clamp(min=1e-9).log()
    first = -(attention[:, 0] * starts).sum(1).clamp(min=1e-9).log().mean()
    later = places[:, 1:] >= 0
    if not bool(later.any()):
        return first
    return first - 0.5 * logs[:, 1:][later].gather(1, places[:, 1:][later][:, None]).mean()


def attended(shares: Sequence[Tensor], rows: Sequence[int], scores: Tensor, memory: Memory) -> tuple[float, Tensor]:
    """Compare each question's target attention, summed over its passages, with retrieval's scores (Q, C) of them.

    How often the own chunk has most, and the KL divergence: a sum over passages, a mean over questions (ReAtt, section
    3.1). A question that was read with one passage compares nothing.
    """
    several = [(row, share) for row, share in zip(rows, shares, strict=True) if len(share) > 1]
    hits, distances = [], []
    for row, share in several:
        passages: list[Passage] = memory.passages[row]
        logs = scores[memory.rows[row], [passage.chunk for passage in passages]].log_softmax(0)
        distances.append(F.kl_div(logs, share, reduction="sum"))
        hits.append(float(passages[int(share.argmax())].spans != ()))
    if not several:
        return math.nan, scores.new_zeros(())
    return sum(hits) / len(hits), torch.stack(distances).mean()


def decode_with_attention(t5: T5, inputs: Tensor, cache: Cache) -> tuple[Tensor, Tensor]:
    """Run the decoder on whole answers -> states (A, T, D), the last block's cross-attention (A, T, t), heads' mean."""
    x, bias = t5.shared(inputs), t5.decoder.bias(inputs.shape[1], inputs.shape[1])
    for number, block in enumerate(t5.decoder.layers()):
        x = block.attend(x, bias)
        keys, values = cache.memory[number]
        queries = block.cross.split(block.cross.q(block.cross_norm(x)))  # (A, h, T, d)
        x = block.think(block.read(x, keys, values, cache.memory_bias))
    logits = (queries @ keys.transpose(2, 3)).float()
    if cache.memory_bias is not None:
        logits = logits + cache.memory_bias.float()
    states: Tensor = t5.decoder.final_norm(x)
    return states, logits.softmax(3).mean(1)
