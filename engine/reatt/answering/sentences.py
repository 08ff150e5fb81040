"""Which sentences hold most of the answer: a run of them in one passage, quoted exactly."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reatt.documents.segmentation import sentences
from reatt.model.backbone import Span, Weights

MOST = 3  # sentences that are shown together
LONGEST = 600  # characters shown together, unless a single sentence has more
_BLANK = re.compile(r"(?:\r\n?+|\n)[^\S\r\n]*+[\r\n]")
_ENDED = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
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


def around(text: str, span: Span) -> Span:
    """Grow a span to the whole sentences in which it stands.

    >>> text = "It rains. Take a coat!"
    >>> text[slice(*around(text, (text.index("coat"), text.index("!"))))]
    'Take a coat!'
    """
    touched = [(start, end) for start, end in pieces(text) if start < span[1] and span[0] < end]
    return min([span[0], *(start for start, _ in touched)]), max([span[1], *(end for _, end in touched)])


def held(spans: Sequence[Span], weights: Weights) -> list[float]:
    """Sum the weights of the tokens that begin within each span."""
    return [sum(weight for (start, _), weight in weights if first <= start < last) for first, last in spans]


def best_run(text: str, weights: Weights, most: int = MOST) -> Span | None:
    """Find the sentences that hold most: the heaviest, and its heavier neighbours beside it, `most` in all."""
    spans = pieces(text)
    mass = held(spans, weights)
    if not spans or max(mass) <= 0:
        return None
    first = last = mass.index(max(mass))
    while last - first + 1 < most:
        ways = [(mass[at], at) for at in (first - 1, last + 1) if _joins(text, spans, at, first, last)]
        if not ways:
            break
        _, at = max(ways)
        first, last = min(first, at), max(last, at)
    return spans[first][0], spans[last][1]


def _joins(text: str, spans: Sequence[Span], at: int, first: int, last: int) -> bool:
    """Say whether a sentence may be shown with `first` to `last`: not too long, and no heading above or below them."""
    if not 0 <= at < len(spans):
        return False
    start, end = spans[min(at, first)][0], spans[max(at, last)][1]
    beside = spans[first] if at < first else spans[last]
    one, other = sorted((beside, spans[at]))
    apart = _BLANK.search(text[one[1] : other[0]])
    prose = all(_ENDED.search(text[slice(*span)]) for span in (one, other))
    return end - start <= LONGEST and (prose or not apart)
