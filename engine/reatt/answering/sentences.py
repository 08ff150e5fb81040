"""Which sentences hold most of the answer: a run of them in one passage, quoted exactly."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reatt.documents.segmentation import sentences
from reatt.model.backbone import Span, Weights

MOST = 3  # sentences that are shown together
ENOUGH = 0.6  # of their passage's weight: no more are shown than hold this much
LONGEST = 600  # characters shown together, unless a single sentence has more
_NUMBER = re.compile(r"\d+[.)]")
_ROW_END = re.compile(r"\n(?=\s*(?:[-*•◦▪|]|\d+[.)]\s))|(?<=\|)\n|\n(?=[^\n]*\t)|(?<=\t)\n|\n(?=\w[\w .]{0,30}: )")


def pieces(text: str) -> list[Span]:
    """Cut a passage into its sentences; rows of tables, items of lists and turns of a talk count as such.

    >>> text = "It rains. Take a coat!"
    >>> [text[start:end] for start, end in pieces(text)]
    ['It rains.', 'Take a coat!']
    """
    found, at = list[Span](), 0
    for end in [*(match.start() for match in _ROW_END.finditer(text)), len(text)]:
        found += [(at + start, at + stop) for start, stop in sentences(text[at:end])]
        at = end
    return _numbered(text, found)


def _numbered(text: str, spans: Sequence[Span]) -> list[Span]:
    """Join the number of an item to the sentence behind it."""
    found, begin = list[Span](), None
    for start, end in spans:
        first = start if begin is None else begin
        begin = first if _NUMBER.fullmatch(text[start:end]) else None
        if begin is None:
            found.append((first, end))
    return found if begin is None else [*found, (begin, spans[-1][1])]


def held(spans: Sequence[Span], weights: Weights) -> list[float]:
    """Sum the weights of the tokens that begin within each span."""
    return [sum(weight for (start, _), weight in weights if first <= start < last) for first, last in spans]


def best_run(text: str, weights: Weights, *, most: int = MOST) -> Span | None:
    """Find the sentences that hold most of a passage's weight: the heaviest, and neighbours until it is enough."""
    spans = pieces(text)
    mass = held(spans, weights)
    if not spans or max(mass) <= 0:
        return None
    first = last = mass.index(max(mass))
    enough = ENOUGH * sum(mass)
    while sum(mass[first : last + 1]) < enough and last - first + 1 < most:
        before, after = (mass[at] if 0 <= at < len(mass) else -1.0 for at in (first - 1, last + 1))
        grown = (first - 1, last) if before > after else (first, last + 1)
        if max(before, after) < 0 or spans[grown[1]][1] - spans[grown[0]][0] > LONGEST:
            break
        first, last = grown
    return spans[first][0], spans[last][1]
