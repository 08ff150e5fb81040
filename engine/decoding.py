"""Generate an answer: greedy or beam search over a cached decoder, free or grounded in the evidence.

Grounded, the answer is a stretch of the evidence's own text: its first token begins a word, every next token is the
one that follows in the text, and it may end only where a word ends. So an answer always has an exact source. Questions
that can be answered by yes or no may be answered so, without a source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reatt_engine.backbone import Span
from reatt_engine.t5 import T5, Cache

YES_NO = frozenset(
    "am are can could did do does had has have is may might must shall should was were will would".split()
)


@dataclass(frozen=True)
class Limits:
    """How long to write, how many answers to keep in mind, and whether to leave the evidence's words."""

    max_tokens: int = 32
    beams: int = 1
    free: bool = False


@dataclass(frozen=True)
class Hypothesis:
    """An answer in the making; `ids` have neither start nor end mark."""

    ids: tuple[int, ...]
    log_probability: float  # summed over the tokens, the end mark among them once it is written
    places: tuple[int, ...] = ()  # grounded: where in the source the last token stands
    row: int = 0  # which row of the cache it goes on from

    @property
    def mean(self) -> float:
        """Log-probability per token, end mark included."""
        return self.log_probability / (len(self.ids) + 1)


@dataclass(frozen=True)
class Source:
    """All token sequences that a grounded answer can be cut from, end to end."""

    ids: tuple[int, ...]
    following: tuple[int, ...]  # the place that comes next within the same text; -1 at its end
    preceding: tuple[int, ...]  # the place that comes before; -1 at its beginning
    begins: frozenset[int]  # places where a word begins
    ends: frozenset[int]  # places where a word ends
    owner: tuple[int, ...]  # which evidence each place belongs to; -1 for yes and no
    spans: tuple[Span, ...]  # where in that evidence's text

    def after(self, places: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Map each token that may come after an answer standing at `places` to where it then stands."""
        found: dict[int, list[int]] = defaultdict(list)
        for place in (self.following[p] for p in places):
            if place >= 0:
                found[self.ids[place]].append(place)
        return {token: tuple(at) for token, at in found.items()}

    def first(self) -> dict[int, tuple[int, ...]]:
        """Map each token that may begin an answer to where it stands."""
        found: dict[int, list[int]] = defaultdict(list)
        for place in sorted(self.begins):
            found[self.ids[place]].append(place)
        return {token: tuple(at) for token, at in found.items()}

    def can_end(self, places: Sequence[int]) -> bool:
        """Whether a word ends at one of the places."""
        return any(place in self.ends for place in places)


def source_of(
    tokens: Sequence[Sequence[int]],
    spans: Sequence[Sequence[Span]],
    texts: Sequence[str],
    extra: Sequence[Sequence[int]] = (),
) -> Source:
    """Lay out the evidence's text tokens (those with a span), and `extra` answers that need no source."""
    ids: list[int] = []
    following: list[int] = []
    owner: list[int] = []
    where: list[Span] = []
    begins: set[int] = set()
    ends: set[int] = set()
    for number, (row, row_spans, text) in enumerate(zip(tokens, spans, texts, strict=True)):
        inside = [(token, span) for token, span in zip(row, row_spans, strict=True) if span[1] > span[0]]
        for token, (start, end) in inside:
            if not _same_word(text, start):
                begins.add(len(ids))
            if not _same_word(text, end):
                ends.add(len(ids))
            ids.append(token)
            following.append(len(ids))
            owner.append(number)
            where.append((start, end))
        if inside:
            following[-1] = -1
    for answer in extra:
        begins.add(len(ids))
        ids += answer
        following += [*range(len(following) + 1, len(ids)), -1]
        owner += [-1] * len(answer)
        where += [(0, 0)] * len(answer)
        ends.add(len(ids) - 1)
    preceding = [-1] * len(ids)
    for place, after in enumerate(following):
        if after >= 0:
            preceding[after] = place
    return Source(
        tuple(ids), tuple(following), tuple(preceding), frozenset(begins), frozenset(ends), tuple(owner), tuple(where)
    )


def _same_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def is_yes_no(question: str) -> bool:
    """Whether a question begins as those do that can be answered by yes or no, and offers no choice."""
    words = question.lower().split()
    return bool(words) and words[0] in YES_NO and "or" not in words


def generate(t5: T5, cache: Cache, limits: Limits, source: Source | None) -> list[Hypothesis]:
    """Write answers, best mean log-probability first; never empty unless a grounded answer has nothing to be cut from.

    `cache` holds one question's memory. With one beam this is greedy search.
    """
    live, finished = [Hypothesis((), 0.0)], []
    inputs = torch.tensor([[t5.config.decoder_start_token_id]])
    for step in range(limits.max_tokens + 1):
        scores = torch.log_softmax(t5.logits(t5.decode(inputs, cache)[:, -1]).float(), -1)  # (rows, V)
        must_end = step == limits.max_tokens
        options = [o for row, h in enumerate(live) for o in _options(h, row, scores[row], limits, source, t5, must_end)]
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
    hypothesis: Hypothesis, row: int, scores: Tensor, limits: Limits, source: Source | None, t5: T5, must_end: bool
) -> list[tuple[Hypothesis, bool]]:
    """List the best ways on from a hypothesis, and whether each ends it."""
    end = t5.config.eos_token_id
    places = _continuations(hypothesis, source)
    ended = source is None or source.can_end(hypothesis.places)
    options = []
    if must_end or (ended and hypothesis.ids):
        total = hypothesis.log_probability + float(scores[end])
        options.append((Hypothesis(hypothesis.ids, total, hypothesis.places, row), True))
    if must_end:
        return options
    for token, at in _best(scores, places, limits.beams + 1, without=(end, t5.config.pad_token_id)):
        total = hypothesis.log_probability + float(scores[token])
        options.append((Hypothesis((*hypothesis.ids, token), total, at, row), False))
    return options


def _continuations(hypothesis: Hypothesis, source: Source | None) -> dict[int, tuple[int, ...]] | None:
    if source is None:
        return None
    return source.after(hypothesis.places) if hypothesis.ids else source.first()


def _best(
    scores: Tensor, places: dict[int, tuple[int, ...]] | None, count: int, without: tuple[int, ...]
) -> list[tuple[int, tuple[int, ...]]]:
    if places is None:
        tokens: list[int] = scores.topk(min(count + len(without), len(scores))).indices.tolist()
        free = [token for token in tokens if token not in without][:count]
        return [(token, ()) for token in free]
    ordered = sorted(places, key=lambda token: -float(scores[token]))
    return [(token, places[token]) for token in ordered[:count]]


def cut_back(hypothesis: Hypothesis, source: Source) -> Hypothesis:
    """Shorten a grounded answer that ran into the length limit inside a word to the last word's end."""
    ids, places = list(hypothesis.ids), list(hypothesis.places)
    while len(ids) > 1 and not source.can_end(places):
        ids.pop()
        places = [source.preceding[place] for place in places]
    return Hypothesis(tuple(ids), hypothesis.log_probability, tuple(places), hypothesis.row)


def text_span(hypothesis: Hypothesis, source: Source, place: int) -> tuple[int, Span]:
    """Say which evidence (-1: none) an answer that ends at `place` was cut from, and where in its text."""
    first = place
    for _ in range(len(hypothesis.ids) - 1):
        first = source.preceding[first]
    return source.owner[place], (source.spans[first][0], source.spans[place][1])
