"""Find answers by pointing: choose the best start and the best end among all tokens that were read.

Two vectors of the model (`projections.Pointer`) score every joint state as a start and an end. Each is a distribution
over the tokens of all chunks that were read, and over null places: the first token of each pair, which stands for "no
answer in this chunk". `answers.source.Source` says which stretches are allowed. The decoder may rank the best few, too.

Axes: t memory tokens, n places of the source, K tokens of an answer at most, C candidates, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from reatt.model.answers.decoding import Decoder, Hypothesis
from reatt.model.answers.source import Source
from reatt.model.backbone import Limits
from reatt.model.t5 import Cache
from reatt.model.writer import Reading, written

CANDIDATES = 8  # stretches that the decoder ranks


@dataclass(frozen=True)
class Pointed(Hypothesis):
    """A stretch chosen by the pointer; its log-probability is the sum of those of its start and its end."""

    @property
    def mean(self) -> float:
        """Half of that sum."""
        return self.log_probability / 2


@dataclass(frozen=True)
class Pointing:
    """Chooses an answer by the pointer, and also by the decoder if `decoder_weight` is not 0.

    Yes and no have no place in the text. If they are possible, the decoder alone ranks them and the best stretches.
    """

    candidates: int = CANDIDATES
    decoder_weight: float = 0.0  # of the mean log-probability of an answer's tokens, beside the pointer's

    def __call__(self, decoder: Decoder, reading: Reading, limits: Limits, source: Source | None) -> list[Hypothesis]:
        """Return answers, best first. An answer that may use other words is written by the decoder."""
        if source is None:
            return written(decoder, reading, limits, source)
        starts, ends, null = logarithms(reading)
        pointed = best_stretches(source, starts, ends, null, limits.max_tokens, self.candidates)
        others = yes_and_no(source, null)
        if not (others or self.decoder_weight) or not (others or pointed):
            return pointed
        heard = likelihoods(decoder, reading.cache, [h.ids for h in (*pointed, *others)])
        others = [Hypothesis(h.ids, mean * (len(h.ids) + 1), h.places, null=null)
                for h, mean in zip(others, heard[len(pointed) :], strict=True)]  # fmt: skip
        pointers = [0.0 if others else h.log_probability for h in pointed] + [0.0] * len(others)
        weight = 1.0 if others else self.decoder_weight
        totals = [pointer + weight * mean for pointer, mean in zip(pointers, heard, strict=True)]
        order = sorted(range(len(totals)), key=lambda number: -totals[number])
        return [[*pointed, *others][number] for number in order]


def logarithms(reading: Reading) -> tuple[Tensor, Tensor, float]:
    """Turn the pointer's scores into log-probabilities of starts (n,), of ends (n,), and of no answer.

    A passage's prior is added to all of its scores. The log-probability of no answer is the mean of two: that no answer
    starts, and that none ends.
    """
    assert reading.marks is not None, "a model that points has a pointer"
    texts, nowhere, tokens = [], [], []
    for number, (ids, spans) in enumerate(zip(reading.tokens, reading.spans, strict=True)):
        rows = (reading.owner == number).nonzero().flatten()
        own = rows[len(rows) - len(ids) :]
        nowhere.append(rows[:1])
        tokens.append(own)
        texts.append(own[torch.tensor([end > start for start, end in spans], device=own.device)])
    scores = reading.marks if reading.cache.memory_bias is None else reading.marks + reading.cache.memory_bias.flatten()
    allowed = torch.cat((*nowhere, *tokens))
    found = torch.full_like(scores, -math.inf)
    found[:, allowed] = scores[:, allowed].log_softmax(1)
    starts, ends = found[:, torch.cat(texts)]
    null = found[:, torch.cat(nowhere)].logsumexp(1)  # (2,)
    return starts, ends, float(null.mean())


def best_stretches(
    source: Source, starts: Tensor, ends: Tensor, null: float, most: int, count: int
) -> list[Hypothesis]:
    """List the `count` best allowed stretches of at most `most` tokens, by the sum of start and end scores."""
    places = torch.arange(len(starts), device=starts.device)
    begins = torch.tensor([place in source.begins for place in places.tolist()], device=starts.device)
    closes = torch.tensor([source.until_end[place] == 0 for place in places.tolist()], device=starts.device)
    apart = torch.tensor([source.following[place] < 0 for place in places.tolist()], device=starts.device)
    run = apart.cumsum(0) - apart.long()  # (n,) the number of the run of consecutive tokens that a place belongs to
    if not len(places) or not most:
        return []
    first = starts.masked_fill(~begins, -math.inf)
    last = torch.cat((ends.masked_fill(~closes, -math.inf), ends.new_full((most - 1,), -math.inf))).unfold(0, most, 1)
    runs = torch.cat((run, run.new_full((most - 1,), -1))).unfold(0, most, 1)  # (n, K)
    totals = (first[:, None] + last).masked_fill(runs != run[:, None], -math.inf).flatten()
    best = totals.topk(min(count, len(totals)))
    rows = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [_stretch(source, at // most, at % most, total, null) for total, at in rows if total > -math.inf]


def _stretch(source: Source, first: int, more: int, total: float, null: float) -> Hypothesis:
    return Pointed(source.ids[first : first + more + 1], total, (first + more,), null=null)


def yes_and_no(source: Source, null: float) -> list[Hypothesis]:
    """List the answers that need no source: yes and no, if they are possible."""
    found = []
    for place in sorted(source.begins):
        last = place + source.until_end[place]
        if source.owner[place] < 0:
            found.append(Hypothesis(source.ids[place : last + 1], 0.0, (last,), null=null))
    return found


def likelihoods(decoder: Decoder, cache: Cache, answers: Sequence[Sequence[int]]) -> list[float]:
    """Compute the mean log-probability of each answer's tokens, including the end mark, in one pass of the decoder."""
    marks = decoder.config
    wanted = [torch.tensor([*ids, marks.eos_token_id]) for ids in answers]
    inputs = [torch.tensor([marks.decoder_start_token_id, *ids]) for ids in answers]
    states = decoder.decode(pad_sequence(inputs, batch_first=True), Cache(cache.memory, cache.memory_bias))
    logs = torch.log_softmax(decoder.logits(states).float(), -1)  # (C, T, V)
    return [
        float(row[: len(ids)].gather(1, ids.to(row.device)[:, None]).mean())
        for row, ids in zip(logs, wanted, strict=True)
    ]
