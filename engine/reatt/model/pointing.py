"""Find answers by pointing: choose the best start and the best end among all tokens that were read.

The model (`projections.Pointer`) scores every joint state as a start and as an end, and says how well a start and an
end belong together. All stretches of all chunks that were read share one distribution with the null places: the first
token of each pair, which stands for "no answer in this chunk". `answers.source.Source` says which stretches are
allowed. The decoder may rank the best few, too.

Axes: t memory tokens, n tokens of a passage's text, p width of the vectors compared, C candidates, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    """A stretch chosen by the pointer."""

    @property
    def mean(self) -> float:
        """The log-probability of the whole stretch: a pointer does not choose token by token."""
        return self.log_probability


@dataclass(frozen=True)
class Pointing:
    """Chooses an answer by the pointer, and also by the decoder if `decoder_weight` is not 0.

    Yes and no have no place in the text. If they are possible, no stretch is an answer: the decoder ranks the two.
    """

    candidates: int = CANDIDATES
    decoder_weight: float = 0.0  # of the mean log-probability of an answer's tokens, beside the pointer's
    brevity: float = 0.0  # what every further token of a stretch costs

    def __call__(self, decoder: Decoder, reading: Reading, limits: Limits, source: Source | None) -> list[Hypothesis]:
        """Return answers, best first. An answer that may use other words is written by the decoder."""
        if source is None:
            return written(decoder, reading, limits, source)
        texts, null = logarithms(reading)
        texts = [scores - self.brevity * lengths(scores) for scores in texts]
        pointed = best_stretches(source, texts, null, limits.max_tokens, self.candidates)
        if others := yes_and_no(source, null):
            heard = likelihoods(decoder, reading.cache, [h.ids for h in others])
            told = [replace(h, log_probability=m * (len(h.ids) + 1)) for h, m in zip(others, heard, strict=True)]
            return sorted(told, key=lambda h: -h.mean)
        if not (self.decoder_weight and pointed):
            return pointed
        heard = likelihoods(decoder, reading.cache, [h.ids for h in pointed])
        totals = [h.log_probability + self.decoder_weight * m for h, m in zip(pointed, heard, strict=True)]
        return [pointed[number] for number in sorted(range(len(totals)), key=lambda number: -totals[number])]


def stretches(marks: Tensor) -> Tensor:
    """Score all stretches of a text from the pointer's marks (..., 2 + 2p, t): (..., t, t) by their start and end.

    `score(i, j) = marks[0, i] + marks[1, j] + <u_i, v_j>`, where u are the next p rows of the marks and v the last p.
    It is -inf where the end comes before the start.
    """
    width = (marks.shape[-2] - 2) // 2
    firsts, lasts = marks[..., 2 : 2 + width, :], marks[..., 2 + width :, :]
    scores = marks[..., 0, :, None] + marks[..., 1, None, :] + firsts.transpose(-1, -2) @ lasts
    backwards = torch.ones(scores.shape[-2:], dtype=torch.bool, device=marks.device).tril(-1)
    return scores.masked_fill(backwards, -math.inf)


def logarithms(reading: Reading) -> tuple[list[Tensor], float]:
    """Turn the pointer's marks into log-probabilities of stretches of each passage's text, (n, n), and of no answer.

    One distribution covers the null places and all stretches of all passages. A passage's prior is added to the scores
    of its starts and of its ends.
    """
    assert reading.marks is not None, "a model that points has a pointer"
    marks = reading.marks
    if reading.cache.memory_bias is not None:
        marks = torch.cat((marks[:2] + reading.cache.memory_bias.flatten(), marks[2:]))
    texts, totals, nowhere = list[Tensor](), list[Tensor](), list[Tensor]()
    for number, (ids, spans) in enumerate(zip(reading.tokens, reading.spans, strict=True)):
        rows = (reading.owner == number).nonzero().flatten()
        scores = stretches(marks[:, rows[len(rows) - len(ids) :]])
        shown = torch.tensor([end > start for start, end in spans], dtype=torch.bool, device=scores.device)
        texts.append(scores[shown][:, shown])
        totals.append(scores.flatten().logsumexp(0))
        nowhere.append(stretches(marks[:, rows[:1]]).flatten())
    null = torch.cat(nowhere).logsumexp(0)
    total = torch.stack((*totals, null)).logsumexp(0)
    return [scores - total for scores in texts], float(null - total)


def lengths(scores: Tensor) -> Tensor:
    """Count the tokens of all stretches (n, n) after the first one."""
    places = torch.arange(len(scores), device=scores.device)
    return places - places[:, None]


def best_stretches(source: Source, texts: Sequence[Tensor], null: float, most: int, count: int) -> list[Hypothesis]:
    """List the `count` best allowed stretches of at most `most` tokens; `texts` has their log-probabilities."""
    found: list[tuple[float, int, int]] = []
    at = 0
    for scores in texts:
        places = range(at, at + len(scores))
        found += [(total, at + first, at + last) for total, first, last in _best(source, places, scores, most, count)]
        at = places.stop
    best = sorted(found, key=lambda each: -each[0])[:count]
    return [Pointed(source.ids[first : last + 1], total, (last,), null=null) for total, first, last in best]


def _best(source: Source, places: range, scores: Tensor, most: int, count: int) -> list[tuple[float, int, int]]:
    """List the best allowed stretches within one text, whose tokens stand at `places` of the source."""
    begins = torch.tensor([place in source.begins for place in places], dtype=torch.bool)
    closes = torch.tensor([source.until_end[place] == 0 for place in places], dtype=torch.bool)
    apart = torch.tensor([source.following[place] < 0 for place in places], dtype=torch.bool)
    run = apart.cumsum(0) - apart.long()  # (n,) the number of the run of consecutive tokens that a place belongs to
    allowed = begins[:, None] & closes & (run[:, None] == run)
    allowed &= torch.ones_like(allowed).tril(most - 1)
    scores = scores.masked_fill(~allowed.to(scores.device), -math.inf).flatten()
    best = scores.topk(min(count, len(scores)))
    rows = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [(total, *divmod(flat, len(places))) for total, flat in rows if total > -math.inf]


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
