"""Text -> the smallest units of a chunk, and the cost of ending a chunk after each.

Prose is cut at blank lines, then at sentence ends; code at blank lines, then at line ends. Only units that are still
too long are cut inside: a sentence of a thousand words, a table, a line of 5 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

# The cost of ending a chunk here; for comparison, a chunk of 200 words instead of 120 costs 0.44.
SECTION = 0.0  # before a heading
PARAGRAPH = 0.2
INNER_PARAGRAPH = 0.3  # a blank line inside an indented block of code
SENTENCE = 0.4
LINE = 0.6
CLAUSE = 0.9
WORD = 1.5
HEADING = 2.0  # between a heading and its text
CHARACTER = 3.0


class Unit(NamedTuple):
    """A unit that starts where the one before ends; never blank, and includes the white space after it."""

    end: int
    words: int
    border: float  # the cost of ending a chunk here
    heading: bool  # it starts with a heading


class _Block(NamedTuple):
    """A paragraph or a heading's line: text[start:end], and what ending a chunk behind it costs."""

    start: int
    end: int
    border: float


_BLANK_LINES = re.compile(r"(?:\r\n?+|\n)[^\S\r\n]*+(?:\r\n?+|\n)\s*+")
_LINES = re.compile(r"(?:\r\n?+|\n)\s*+")
SPACE = re.compile(r"\s*+")
_CLAUSES = re.compile(r"[,;:)\]—–、，；：]\s*+")
_WORDS = re.compile(r"\s++")
_SENTENCES = re.compile(r"(?:[.!?…][\"'”’)\]]*+\s++|[。！？]\s*+)")
# The characters of scripts without spaces, for a regular expression: Thai, Lao, Burmese, Khmer, kana, Han.
UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_UNSPACED = re.compile(f"[{UNSPACED}]")  # two of them count as a word
_QUOTES = re.compile(r"[“„‟‘‚‛«»‹›「『〝《〈]")
_MANY_TICKS = 4000  # characters of a block
_ODD_SPACE = re.compile(r"[^\S \n\t\r]")


def units(text: str, start: int, end: int, headings: Sequence[int], words: int, code: bool) -> list[Unit]:
    """Cut text[start:end], which is not blank and ends where a chunk may end.

    `headings` are the positions where heading lines start; `words` is the target length of a chunk.
    """
    found: list[Unit] = []
    starts = frozenset(headings)
    for block in _blocks(text, start, end, headings, code):
        is_heading = block.start in starts
        whole = count_words(text[block.start : block.end], code)
        if whole <= words // 2:
            found.append(Unit(block.end, whole, block.border, is_heading))
            continue
        at = block.start
        for cut, cost in _inside(text, block.start, block.end, words, code):
            last = block.border if cut == block.end else cost
            found.append(Unit(cut, count_words(text[at:cut], code), last, is_heading and at == block.start))
            at = cut
    return found


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the sentences of a prose text as [start, end), without surrounding space; blank lines also end one."""
    at = 0
    for end in [*(match.end() for match in _BLANK_LINES.finditer(text)), len(text)]:
        for cut in _sentence_ends(text, at, end):
            start, stop = _behind_space(text, at), at + len(text[at:cut].rstrip())
            if start < stop:
                yield start, stop
            at = cut


def count_words(text: str, code: bool) -> int:
    """Count words: by spaces, by pairs of characters in scripts without spaces, and by length otherwise."""
    text = text.strip()
    spaced = len(text.split())
    unspaced = 0 if text.isascii() else len(_UNSPACED.findall(text)) // 2
    return max(spaced + unspaced, len(text) // (7 if code else 12), 1)


def _blocks(text: str, start: int, end: int, headings: Sequence[int], code: bool) -> Iterator[_Block]:
    """Yield paragraphs and heading lines."""
    borders: dict[int, float] = {}
    for match in _BLANK_LINES.finditer(text, start, end):
        inner = code and text[match.end() - 1] in " \t"
        borders[match.end()] = INNER_PARAGRAPH if inner else PARAGRAPH
    for heading in headings:
        borders[heading] = SECTION
        line = _LINES.search(text, _behind_space(text, heading), end)
        if line:
            borders[line.end()] = HEADING
    borders[end] = PARAGRAPH
    first = _behind_space(text, start)
    inside = sorted(at for at in borders if first < at <= end)
    for at, following in pairwise([start, *inside]):
        yield _Block(at, following, borders[following])


def _inside(text: str, start: int, end: int, words: int, code: bool) -> Iterator[tuple[int, float]]:
    """Yield the places where a block may be cut, including its end, with their costs."""
    at = start
    for cut in _line_ends(text, start, end) if code else _sentence_ends(text, start, end):
        if cut - at > 12 * words or count_words(text[at:cut], code) > words * 5 // 6:
            yield from _pieces(text, at, cut, max(2 * words, 8))
        yield cut, LINE if code else SENTENCE
        at = cut


def _line_ends(text: str, start: int, end: int) -> list[int]:
    return _at_starts(text, start, end, (match.end() for match in _LINES.finditer(text, start, end)))


def _sentence_ends(text: str, start: int, end: int) -> list[int]:
    return _at_starts(text, start, end, accumulate(_sentences(text[start:end]), initial=start))


def _at_starts(text: str, start: int, end: int, ends: Iterable[int]) -> list[int]:
    """Move each end after the white space that follows it, so that no unit is blank."""
    first = _behind_space(text, start)
    return [*sorted({at for at in (_behind_space(text, at) for at in ends) if first < at < end}), end]


def _sentences(block: str) -> list[int]:
    """Return the lengths of a block's sentences, by sentencex or, where that is known to fail, by punctuation."""
    from sentencex import segment  # type: ignore[import-untyped]

    lengths: list[int] = []
    if not _quadratic(block):
        try:
            # sentencex 1.0 panics on some white space next to initials, so it gets plain spaces instead.
            lengths = [len(sentence) for sentence in segment("en", _ODD_SPACE.sub(" ", block))]
        except UnicodeEncodeError:  # lone surrogates
            lengths = []
    if sum(lengths) == len(block):  # it may drop some of several line ends
        return lengths
    ends = [0, *(match.end() for match in _SENTENCES.finditer(block)), len(block)]
    return [following - at for at, following in pairwise(ends)]


def _quadratic(block: str) -> bool:
    """Return whether a block has so many quotation marks that sentencex would take long to pair them."""
    ticks = block.count("`") if len(block) > _MANY_TICKS else 0  # short ones are code in a sentence
    quotes = 0 if block.isascii() else len(_QUOTES.findall(block))
    return ticks + quotes >= 8 + len(block) // 16


def _pieces(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, float]]:
    """Cut a stretch without usable sentence or line ends after about `longest` characters; its end is not yielded."""
    at = start
    while True:
        first = _behind_space(text, at)
        low, high = first + longest // 2, first + longest
        if high >= end:
            return
        cut, cost = _best(text, low, high)
        cut = _behind_space(text, cut)
        if cut >= end:
            return
        yield cut, cost
        at = cut


def _best(text: str, low: int, high: int) -> tuple[int, float]:
    """Find the last place of the best kind in a range."""
    for pattern, cost in ((_LINES, LINE), (_CLAUSES, CLAUSE), (_WORDS, WORD)):
        places = [match.end() for match in pattern.finditer(text, low, high)]
        if places:
            return places[-1], cost
    return high, CHARACTER


def _behind_space(text: str, at: int) -> int:
    """Return the first position from `at` on that is not white space."""
    found = SPACE.match(text, at)
    assert found is not None  # it also matches the empty string
    return found.end()
