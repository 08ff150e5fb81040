"""Text -> chunks that tile it exactly: the units that are encoded, found and cited.

A chunk has about 120 words and ends at the end of a paragraph or a sentence. Its borders are chosen together: of all
ways to cut a stretch into chunks of at most 200 words, the cheapest is taken. A chunk costs the square of its distance
from 120 words. A border costs nothing before a heading, little between paragraphs, more between sentences, and much
inside a sentence. So a paragraph of 160 words stays whole, one of 220 becomes 110 + 110, and short paragraphs are
joined. No chunk crosses a page, so its page number is exact.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from reatt.documents.reader import Text
from reatt.documents.segmentation import SPACE, Unit, units
from reatt_store.records import Chunk

WORDS = 120  # target length of a chunk
_LONGEST = 5 / 3  # of that: 200 words
_WINDOW = 1 << 16  # characters whose borders are chosen together; limits time and memory
_LINED = frozenset({"code", "csv", "xlsx"})  # kinds whose lines matter more than their sentences
_CROSSING = 0.95  # cost of a heading inside a chunk; only sections of about a dozen words are joined
_TITLE_LENGTH = 120  # characters
_LINE_END = re.compile(r"[\r\n]")
_FIRST = re.compile(r"\S")
_MIDDLES = tuple(map(re.compile, (r"[.!?。！？][\"'”’)\]]*+\s*+", r"(?:\r\n?+|\n)\s*+", r"\s++")))


def split(text: Text, count_tokens: Callable[[str], int], max_tokens: int, words: int = WORDS) -> list[Chunk]:
    """Cut a text into chunks; a blank text has none.

    The joined texts of the chunks are the text. No chunk is blank. None has more than `max_tokens` tokens, without the
    white space around it, unless a single character does. Titles are not counted, so leave room for them.
    """
    return list(stream(text, count_tokens, max_tokens, words))


def stream(text: Text, count_tokens: Callable[[str], int], max_tokens: int, words: int = WORDS) -> Iterator[Chunk]:
    """Yield the chunks of `split` one by one, for documents whose chunks should not be in memory all at once."""
    source = text.text
    new_line = "\n" if "\n" in source else "\r"
    heading_at = [at for at, _ in text.headings]
    line, counted, start = 1, 0, 0
    for ordinal, end in enumerate(_ends(text, heading_at, count_tokens, max_tokens, words)):
        first = _first(source, start)
        line += source.count(new_line, counted, first)
        counted = first
        page = bisect_right(text.pages, first) or None
        title = _title(text, heading_at, first, end)
        yield Chunk(ordinal, start, end, line, page, title, source[start:end])
        start = end


def _ends(
    text: Text, heading_at: Sequence[int], count_tokens: Callable[[str], int], max_tokens: int, words: int
) -> Iterator[int]:
    """Yield the ends of the chunks."""
    source, code, start = text.text, text.kind in _LINED, 0
    for stretch in _stretches(text):
        while start < stretch:
            end = SPACE.match(source, min(_first(source, start) + _WINDOW, stretch)).end()  # type: ignore[union-attr]
            end = min(end, stretch)
            inside = heading_at[bisect_left(heading_at, start) : bisect_left(heading_at, end)]
            ends = _cheapest(units(source, start, end, inside, words, code), words)
            if end < stretch and len(ends) > 1:
                ends.pop()  # the window's border is arbitrary, so its last chunk is decided with the next window
            for cut in ends:
                yield from _fitting(source, start, cut, count_tokens, max_tokens)
                start = cut


def _stretches(text: Text) -> Iterator[int]:
    """Yield the ends of the stretches that no chunk may cross: pages; blank pages belong to the page before."""
    borders = [*(at for at in text.pages if at > 0), len(text.text)]
    end = 0
    for start, following in pairwise([0, *borders]):
        if _FIRST.search(text.text, start, following):
            if end:
                yield start
            end = following
    if end:
        yield len(text.text)


def _cheapest(pieces: Sequence[Unit], words: int) -> list[int]:
    """Choose the borders: dynamic programming over the cheapest way to cut everything before each border."""
    longest = words * _LONGEST
    cost_before, previous = [0.0], [0]
    for last in range(len(pieces)):
        size, crossed = 0, 0.0
        least, best = float("inf"), last
        for first in range(last, -1, -1):
            _, length, _, heading = pieces[first]
            size += length
            if size > longest and first < last:
                break
            cost = cost_before[first] + (size / words - 1) ** 2 + crossed
            if cost < least:
                least, best = cost, first
            if heading:
                crossed += _CROSSING
        cost_before.append(least + pieces[last].border)
        previous.append(best)
    ends, at = [], len(pieces)
    while at:
        ends.append(pieces[at - 1].end)
        at = previous[at]
    return ends[::-1]


def _fitting(source: str, start: int, end: int, count_tokens: Callable[[str], int], max_tokens: int) -> Iterator[int]:
    """Yield the cuts needed for every part to have at most `max_tokens`, then `end`."""
    piece = source[start:end].strip()
    # ASCII text has at most one token per character and one for the start, so such a piece need not be counted.
    if (len(piece) < max_tokens and piece.isascii()) or len(piece) < 2 or count_tokens(piece) <= max_tokens:
        yield end
        return
    middle = _middle(source, _first(source, start), len(piece))
    yield from _fitting(source, start, middle, count_tokens, max_tokens)
    yield from _fitting(source, middle, end, count_tokens, max_tokens)


def _middle(source: str, start: int, length: int) -> int:
    """Find where to halve a stretch of at least two characters: at a sentence, line or word near its middle."""
    middle, end = start + length // 2, start + length
    for pattern in _MIDDLES:
        found = pattern.finditer(source, start + length // 4, end - length // 4)
        places = [match.end() for match in found if start < match.end() < end]
        if places:
            nearest = min(places, key=lambda place: abs(place - middle))
            return _first(source, nearest)
    return _first(source, middle)


def _first(source: str, start: int) -> int:
    """Return the first position from `start` on that is not white space; it must exist."""
    found = _FIRST.search(source, start)
    assert found is not None
    return found.start()


def _title(text: Text, heading_at: Sequence[int], first: int, end: int) -> str:
    """Return the nearest heading above the chunk's first body text, or else the title of the text."""
    index = bisect_right(heading_at, first) - 1
    if index < 0:
        return _short(text.title)
    while heading_at[index] >= first and index + 1 < len(heading_at) and heading_at[index + 1] < end:
        line_end = _LINE_END.search(text.text, heading_at[index], heading_at[index + 1])
        if line_end is None or text.text[line_end.end() : heading_at[index + 1]].strip():
            break
        index += 1
    return _short(text.headings[index][1])


def _short(title: str) -> str:
    if len(title) <= _TITLE_LENGTH:
        return title
    return title[: _TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
