"""Generate an answer: greedy or beam search with a cached decoder, free or grounded in the evidence.

A grounded answer is a stretch of its `Source`, so its place is always known exactly. No stretch is begun that cannot
end within the length limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from reatt.model.answers.source import Source
from reatt.model.backbone import Limits, Span
from reatt.model.t5 import Cache


class SpecialIds(Protocol):
    """The ids of the start token, the end mark and the padding."""

    @property
    def decoder_start_token_id(self) -> int: ...  # noqa: D102
    @property
    def eos_token_id(self) -> int: ...  # noqa: D102
    @property
    def pad_token_id(self) -> int: ...  # noqa: D102


class Decoder(Protocol):
    """A decoder with a head for the vocabulary."""

    @property
    def config(self) -> SpecialIds:
        """The special ids."""

    def decode(self, ids: Tensor, cache: Cache) -> Tensor:
        """Run on the next tokens (B*beams, m) and append them to `cache` -> (B*beams, m, D)."""

    def logits(self, states: Tensor) -> Tensor:
        """Score the vocabulary for states (..., D) -> (..., V)."""


@dataclass(frozen=True)
class Hypothesis:
    """An answer, or the beginning of one; `ids` contain neither start token nor end mark."""

    ids: tuple[int, ...]
    log_probability: float  # summed over the tokens, and over the end mark once it is written
    places: tuple[int, ...] = ()  # if grounded: the places of the last token in the source
    row: int = 0  # the row of the cache that it continues
    null: float = 0.0  # log-probability that there is no answer; 0 if the model does not estimate it

    @property
    def mean(self) -> float:
        """Log-probability per token, including the end mark."""
        return self.log_probability / (len(self.ids) + 1)


def generate(
    decoder: Decoder, cache: Cache, limits: Limits, source: Source | None, prompt: Sequence[int] = ()
) -> list[Hypothesis]:
    """Write answers, best mean log-probability first; the list is empty only if the source allows no answer.

    `cache` holds the memory of one question. The decoder reads `prompt` first, or only its start token if that is
    empty. With one beam this is greedy search.
    """
    live, finished = [Hypothesis((), 0.0)], []
    inputs = torch.tensor([prompt or (decoder.config.decoder_start_token_id,)])
    for step in range(limits.max_tokens + 1):
        scores = torch.log_softmax(decoder.logits(decoder.decode(inputs, cache)[:, -1]).float(), -1)  # (rows, V)
        must_end = step == limits.max_tokens
        ways = (_options(h, row, scores[row], limits, source, decoder.config, must_end) for row, h in enumerate(live))
        options = [option for way in ways for option in way]
        options.sort(key=lambda option: -option[0].log_probability)
        # A hypothesis that ends takes a place in the beam like the others.
        finished += [hypothesis for hypothesis, ended in options[: limits.beams] if ended]
        live = [hypothesis for hypothesis, ended in options if not ended][: limits.beams]
        if not live or len(finished) >= limits.beams or must_end:
            break
        cache.keep(torch.tensor([h.row for h in live], device=scores.device))
        inputs = torch.tensor([[h.ids[-1]] for h in live])
    return sorted(finished or [h for h in live if h.ids], key=lambda h: -h.mean)


def _options(
    hypothesis: Hypothesis,
    row: int,
    scores: Tensor,
    limits: Limits,
    source: Source | None,
    marks: SpecialIds,
    must_end: bool,
) -> list[tuple[Hypothesis, bool]]:
    """List the best continuations of a hypothesis, and whether each ends it."""
    end = marks.eos_token_id
    places = _continuations(hypothesis, source, limits.max_tokens - len(hypothesis.ids) - 1)
    ended = source is None or source.can_end(hypothesis.places)
    options = []
    if must_end or (ended and hypothesis.ids):
        total = hypothesis.log_probability + float(scores[end])
        options.append((Hypothesis(hypothesis.ids, total, hypothesis.places, row), True))
    if must_end:
        return options
    for token, at in _best(scores, places, limits.beams + 1, without=(end, marks.pad_token_id)):
        total = hypothesis.log_probability + float(scores[token])
        options.append((Hypothesis((*hypothesis.ids, token), total, at, row), False))
    return options


def _continuations(hypothesis: Hypothesis, source: Source | None, room: int) -> dict[int, tuple[int, ...]] | None:
    if source is None:
        return None
    return source.after(hypothesis.places, room) if hypothesis.ids else source.first(room)


def _best(
    scores: Tensor, places: dict[int, tuple[int, ...]] | None, count: int, without: tuple[int, ...]
) -> list[tuple[int, tuple[int, ...]]]:
    if places is None:
        tokens: list[int] = scores.topk(min(count + len(without), len(scores))).indices.tolist()
        free = [token for token in tokens if token not in without][:count]
        return [(token, ()) for token in free]
    ordered = sorted(places, key=lambda token: -float(scores[token]))
    return [(token, places[token]) for token in ordered[:count]]


def text_span(hypothesis: Hypothesis, source: Source, place: int) -> tuple[int, Span]:
    """Return the evidence (-1: none) that an answer ending at `place` was cut from, and the part of its text."""
    first = place - len(hypothesis.ids) + 1
    return source.owner[place], (source.spans[first][0], source.spans[place][1])
