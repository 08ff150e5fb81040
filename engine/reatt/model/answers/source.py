"""The allowed grounded answers: stretches of the evidence's text that begin and end at word boundaries.

The first token begins a word, each next token is the one that follows in the text, and the last one ends a word.
Questions that can be answered by yes or no may also be answered by these words, without a source.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reatt.model.answers.wholes import border, inside
from reatt.model.backbone import Span

YES_NO = frozenset(
    "am are can could did do does had has have is may might must shall should was were will would".split()
)
ASKING = frozenset("what which who whom whose when where why how".split())
TELLING = frozenset("analyse analyze compare define describe discuss explain give list name outline show summarise "
                    "summarize tell".split())  # fmt: skip
_NEVER_RELATIVE = frozenset("what why how".split())  # "children who cough" asks nothing
STATEMENT = 5  # words: "bus is late?" may be a search for those words
_CLAUSES = re.compile(r"[:;.!?]\s+|(?:--+|[—–])")
_ASKS_ITSELF = re.compile(  # "in July, who came", "in which year", but not "children who cough"
    rf"(?:^|,|\b(?:about|after|at|before|by|for|from|in|of|on|to|until|with))\s*(?:{'|'.join(sorted(ASKING))})\b"
)
NEVER = 1 << 30  # tokens until the end of a word that the end of the text has cut off


@dataclass(frozen=True)
class Source:
    """All token sequences that a grounded answer can be cut from, one after the other."""

    ids: tuple[int, ...]
    following: tuple[int, ...]  # the next place in the same text; -1 at its end
    begins: frozenset[int]  # places where a word begins
    until_end: tuple[int, ...]  # the number of further tokens until a word ends; 0 at the end of a word
    owner: tuple[int, ...]  # the number of the evidence that each place belongs to; -1 for yes and no
    spans: tuple[Span, ...]  # the part of that evidence's text

    def after(self, places: Sequence[int], room: int) -> dict[int, tuple[int, ...]]:
        """Map each token that may continue an answer whose last token is at `places` to its own places.

        `room` is the number of tokens that may still follow that one.
        """
        return self._by_token((self.following[place] for place in places), room)

    def first(self, room: int) -> dict[int, tuple[int, ...]]:
        """Map each token that may begin an answer to its places."""
        return self._by_token(sorted(self.begins), room)

    def can_end(self, places: Sequence[int]) -> bool:
        """Return whether a word ends at one of the places."""
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
    goes_on: bool = True  # whether the next token may belong to the same answer


def source_of(
    tokens: Sequence[Sequence[int]],
    spans: Sequence[Sequence[Span]],
    texts: Sequence[str],
    extra: Sequence[Sequence[int]] = (),
) -> Source:
    """List the evidence's text tokens (those with a span), then `extra` answers that need no source."""
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
    """Mark where words begin and end; numbers, and characters that take several tokens, are not split."""
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
    """Return whether a character is part of a word: a letter, a digit, or a combining mark."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def is_yes_no(question: str) -> bool:
    """Return whether a question asks for yes or no: it begins with such a verb, and offers no choice and asks no more.

    A heading may stand before it. A statement with a question mark asks so, too, and so does a thing behind a heading.

    >>> [is_yes_no(text) for text in ("Is it red?", "Is it red or blue?", "Can you say where?", "Red: is it?")]
    [True, False, False, True]
    >>> [is_yes_no(text) for text in ("The bridge is open to cars?", "Clean sand: a cure for rust?", "What's on?")]
    [True, True, False]
    """
    words, clause = _words(question), _words(asking_clause(question))
    lead = words[: len(words) - len(clause)]
    headed = bool(lead and clause) and not (_NEVER_RELATIVE & {*lead} or _ASKS_ITSELF.search(question.strip().lower()))
    if words[STATEMENT - 1 :] and question.rstrip().endswith("?") and words[0] not in YES_NO | TELLING:
        if headed and clause[0] in ("a", "an"):
            return not {"or", *ASKING} & {*clause}
        if not headed or clause[0] not in YES_NO:
            return bool(YES_NO & {*words[1:]}) and "or" not in words and not ASKING & {*words}
    first = clause[0] if clause else ""
    more = ASKING | TELLING if first in ("can", "could", "will", "would") else ASKING
    return first in YES_NO and not {"or", *more} & {*clause}


def _words(text: str) -> list[str]:
    """Return the words of a question in lower case; "what's" is "what"."""
    found = re.findall(r"[\w'’-]+", text.lower())
    bare = (re.sub("['’]?s$", "", word) for word in found)
    return [short if short in ASKING else word for word, short in zip(found, bare, strict=True)]


def asking_clause(question: str) -> str:
    """Return the last clause of a question: what stands before a colon, a dash or a full stop leads up to it.

    >>> asking_clause("Amblyopia: is visual loss permanent?")
    'is visual loss permanent?'
    """
    return ([clause for clause in map(str.strip, _CLAUSES.split(question)) if clause] or [""])[-1]
