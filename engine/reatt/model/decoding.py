"""Generate an answer: greedy or beam search over a cached decoder, free or grounded in the evidence.

Grounded, the answer is a stretch of the evidence's own text: its first token begins a word, every next token is the
one that follows in the text, and it may end only where a word ends; what could not end within the length limit is
never begun. So an answer always has an exact source. Questions that can be answered by yes or no may be answered so,
without a source.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from reatt.model.backbone import Limits, Span
from reatt.model.t5 import Cache
from reatt.model.wholes import border, inside

YES_NO = frozenset(
    "am are can could did do does had has have is may might must shall should was were will would".split()
)
NEVER = 1 << 30  # tokens until the end of a word that was cut off with its text


class SpecialIds(Protocol):
    """The ids that begin an answer, end it, and fill up."""

    @property
    def decoder_start_token_id(self) -> int: ...  # noqa: D102
    @property
    def eos_token_id(self) -> int: ...  # noqa: D102
    @property
    def pad_token_id(self) -> int: ...  # noqa: D102


class Decoder(Protocol):
    """What writes: a decoder with a head for the vocabulary."""

    @property
    def config(self) -> SpecialIds:
        """Which ids are marks."""

    def decode(self, ids: Tensor, cache: Cache) -> Tensor:
        """Run on the next tokens (B*beams, m) after what `cache` holds, extending it -> (B*beams, m, D)."""

    def logits(self, states: Tensor) -> Tensor:
        """Score the vocabulary for states (..., D) -> (..., V)."""


@dataclass(frozen=True)
class Hypothesis:
    """An answer in the making; `ids` have neither start nor end mark."""

    ids: tuple[int, ...]
    log_probability: float  # summed over the tokens, the end mark among them once it is written
    places: tuple[int, ...] = ()  # grounded: where in the source the last token stands
    row: int = 0  # which row of the cache it goes on from
    null: float = 0.0  # log-probability that there is no answer; 0 where the model does not say

    @property
    def mean(self) -> float:
        """Log-probability per token, end mark included."""
        return self.log_probability / (len(self.ids) + 1)


@dataclass(frozen=True)
class Source:
    """All token sequences that a grounded answer can be cut from, end to end."""

    ids: tuple[int, ...]
    following: tuple[int, ...]  # the place that comes next within the same text; -1 at its end
    begins: frozenset[int]  # places where a word begins
    until_end: tuple[int, ...]  # how many further tokens it takes to where a word ends; 0 there
    owner: tuple[int, ...]  # which evidence each place belongs to; -1 for yes and no
    spans: tuple[Span, ...]  # where in that evidence's text

    def after(self, places: Sequence[int], room: int) -> dict[int, tuple[int, ...]]:
        """Map each token that may come after an answer standing at `places` to where it then stands.

        `room` is how many tokens may still come after that one.
        """
        return self._by_token((self.following[place] for place in places), room)

    def first(self, room: int) -> dict[int, tuple[int, ...]]:
        """Map each token that may begin an answer to where it stands."""
        return self._by_token(sorted(self.begins), room)

    def can_end(self, places: Sequence[int]) -> bool:
        """Whether a word ends at one of the places."""
        return any(self.until_end[place] == 0 for place in places)

    def _by_token(self, places: Iterable[int], room: int) -> dict[int, tuple[int, ...]]:
        found: dict[int, list[int]] = defaultdict(list)
        for place in places:
            if place >= 0 and self.until_end[place] <= room:
                found[self.ids[place]].append(place)
        return {token: tuple(at) for token, at in found.items()}


class SourceToken(NamedTuple):
    """A token that an answer can be cut from."""

    token: int
    span: Span
    begins: bool  # a word
    ends: bool
    goes_on: bool = True  # the next token may be of the same answer


def source_of(
    tokens: Sequence[Sequence[int]],
    spans: Sequence[Sequence[Span]],
    texts: Sequence[str],
    extra: Sequence[Sequence[int]] = (),
) -> Source:
    """Lay out the evidence's text tokens (those with a span), and `extra` answers that need no source."""
    stretches = [(number, _steps(*row)) for number, row in enumerate(zip(tokens, spans, texts, strict=True))]
    stretches += [(-1, _whole(answer)) for answer in extra]
    following: list[int] = []
    until_end: list[int] = []
    for _, steps in stretches:
        first = len(following)
        goes_on = [step.goes_on and i + 1 < len(steps) for i, step in enumerate(steps)]
        following += [first + i + 1 if on else -1 for i, on in enumerate(goes_on)]
        until_end += _until_end(steps)
    every = [(owner, step) for owner, steps in stretches for step in steps]
    return Source(
        ids=tuple(step.token for _, step in every),
        following=tuple(following),
        begins=frozenset(place for place, (_, step) in enumerate(every) if step.begins),
        until_end=tuple(until_end),
        owner=tuple(owner for owner, _ in every),
        spans=tuple(step.span for _, step in every),
    )


def _steps(tokens: Sequence[int], spans: Sequence[Span], text: str) -> list[SourceToken]:
    """Mark where words begin and end; a number, or a character that is spelt by several tokens, is not torn apart."""
    inner = inside(text)
    shown = [(token, span) for token, span in zip(tokens, spans, strict=True) if span[1] > span[0]]
    before = [0, *(end for _, (_, end) in shown)]
    after = [*(span for _, span in shown[1:]), (len(text), len(text))]
    return [
        SourceToken(
            token,
            (start, end),
            begins=last <= start and start not in inner and not _in_word(text, start) and not border(text, start, end),
            ends=end <= next[0] and end not in inner and not _in_word(text, end),
            goes_on=not border(text, end, next[1]),
        )
        for (token, (start, end)), last, next in zip(shown, before, after, strict=False)
    ]


def _whole(answer: Sequence[int]) -> list[SourceToken]:
    return [SourceToken(token, (0, 0), i == 0, i + 1 == len(answer)) for i, token in enumerate(answer)]


def _until_end(steps: Sequence[SourceToken]) -> list[int]:
    distance, found = NEVER, []
    for step in reversed(steps):
        distance = 0 if step.ends else distance + 1
        found.append(distance)
    return found[::-1]


def _in_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and _of_word(text[at - 1]) and _of_word(text[at])


def _of_word(character: str) -> bool:
    """Whether words are made of it: letters, digits, and the marks that are combined with them."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def is_yes_no(question: str) -> bool:
    """Whether a question begins as those do that can be answered by yes or no, and offers no choice."""
    words = question.lower().split()
    return bool(words) and words[0] in YES_NO and "or" not in words


def generate(
    decoder: Decoder, cache: Cache, limits: Limits, source: Source | None, prompt: Sequence[int] = ()
) -> list[Hypothesis]:
    """Write answers, best mean log-probability first; never empty unless a grounded answer has nothing to be cut from.

    `cache` holds one question's memory; the decoder reads `prompt` before it writes, or else its start token alone.
    With one beam this is greedy search.
    """
    live, finished = [Hypothesis((), 0.0)], []
    inputs = torch.tensor([prompt or (decoder.config.decoder_start_token_id,)])
    for step in range(limits.max_tokens + 1):
        scores = torch.log_softmax(decoder.logits(decoder.decode(inputs, cache)[:, -1]).float(), -1)  # (rows, V)
        must_end = step == limits.max_tokens
        ways = (_options(h, row, scores[row], limits, source, decoder.config, must_end) for row, h in enumerate(live))
        options = [option for way in ways for option in way]
        options.sort(key=lambda option: -option[0].log_probability)
        # A hypothesis that ends takes a place in the beam, as the others do.
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
    """List the best ways on from a hypothesis, and whether each ends it."""
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
    """Say which evidence (-1: none) an answer that ends at `place` was cut from, and where in its text."""
    first = place - len(hypothesis.ids) + 1
    return source.owner[place], (source.spans[first][0], source.spans[place][1])
