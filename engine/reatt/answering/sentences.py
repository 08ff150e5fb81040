"""Which sentences hold most of the answer: a run of them in one passage, quoted exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reatt.documents.segmentation import sentences
from reatt.model.backbone import Span, Weights

MOST = 5  # sentences that are shown together
LONGEST = 600  # characters shown together, unless a single sentence has more
_BLANK = re.compile(r"(?:\r\n?+|\n)[^\S\r\n]*+[\r\n]")
_ENDED = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_NUMBER = re.compile(r"\d+[.)]")
_ROW_END = re.compile(
    r"\n(?=\s*(?:[-*•◦▪|]|\d+[.)]\s))|(?<=\|)\n|\n(?=[^\n]*\t)|(?<=\t)\n|\n(?=\w[\w .]{0,30}: )"
    r"|\n(?=\[[^\]\n]{3,40}\]|<[^<>\n]{1,30}>|[\d][\d./:,\s-]{3,24}[^:\n\d][^:\n]{0,30}: )"
)


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


def best_run(text: str, weights: Weights, most: int = MOST, holding: Span | None = None) -> Span | None:
    """Find the sentences that hold most together: at most so many, beside each other, and not too long.

    A stretch that they have to be `holding` is in them. None if none hold anything, or such a stretch.
    """
    spans = pieces(text)
    mass = held(spans, weights)
    if not spans or max(mass) <= 0:
        return None
    runs = [run for first in range(len(spans)) for run in _runs(text, spans, first, most)]
    if holding is not None:
        runs = [run for run in runs if spans[run[0]][0] <= holding[0] and holding[1] <= spans[run[1]][1]]
    if not runs:
        return None
    first, last = max(runs, key=lambda run: (sum(mass[run[0] : run[1] + 1]), run[1] - run[0], run[0]))
    return spans[first][0], spans[last][1]


def _runs(text: str, spans: Sequence[Span], first: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of sentences from one on: the numbers of their first and last ones."""
    yield first, first
    for last in range(first + 1, min(first + most, len(spans))):
        if not _joins(text, spans, first, last):
            return
        yield first, last


def _joins(text: str, spans: Sequence[Span], first: int, last: int) -> bool:
    """Say whether a sentence may be shown with those before it: not too long, and no heading between them."""
    one, other = spans[last - 1], spans[last]
    apart = _BLANK.search(text[one[1] : other[0]])
    prose = all(_ENDED.search(text[slice(*span)]) for span in (one, other))
    return other[1] - spans[first][0] <= LONGEST and (prose or not apart)
