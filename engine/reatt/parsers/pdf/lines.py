"""The lines of pages, mended: words cut at line ends joined, heads and page numbers said once, broken text found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A hyphenated word at the end of a line; some PDFs have U+FFFE or U+0002 for the hyphen, and no line end.
_CUT_WORD = re.compile(
    r"([^\W\d_]+)(?:[-\u00ad\u2010](?P<line>\n)|[\ufffe\x02])([^\W\d_]+)(?P<rest>[^\s-]*(?!\S)(?: (?=\S))?)?"
)
_HYPHENATED = re.compile(r"[^\W\d_]+-[^\W\d_]+")
# What hyphenated words begin with.
_BEGINNINGS = frozenset(
    """
    well self half high low long short full part all ex cross so by first second third last one two three four five six
    seven eight nine ten twenty thirty forty fifty sixty seventy eighty ninety state old new good better best ill real
    right left large small great open close hard soft light heavy free non-english user year day week month hand
    """.split()
)
# What a word ends with and none begins with: "low-ered" is one word.
_ENDINGS = re.compile(
    r"(?:ly|e?r|e?rs|est|e?red|e?ring|e?ned|e?ning|ing|ings|ed|en|ness|nesses|ments?|doms?|ish|ful|fully|less|able|ably"
    r"|wards?|hoods?|ships?|some|ners?|ciety|cieties|cial|cially|ally|e?ous|ously|ity|ities|tions?|nal|eous|ality|ized?)"
)
_EDGE = 2  # lines at the top and at the bottom of a page, among which running heads are
_LEAST = 3  # pages that a running head stands on
_NEAR = 2  # pages between two that have the same head: left and right pages may have their own
_NUMBER = re.compile(r"\d+")
# What such a word counts are bills and the like, and no pages.
_COUNTED = re.compile(
    r"\b(?:no|nr|num|number|nummer|num[eé]ro|n[º°]|invoice|rechnung|facture|factura|bill|receipt|case|ticket|order|"
    r"room|lot|item|week|day|employee|customer|client|account|patient)\b[.:]?\s*\W?\d",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"[ivxlc]{1,7}", re.IGNORECASE)

_LONG_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{24,}")  # hardly one word
_LETTERS = re.compile(r"[A-Za-z\u00c0-\u024f]")
_BROKEN = 0.3  # share of the letters of a page in such words, or of its characters that have no meaning
_FEWEST = 80  # letters of a page that is judged


class _Edge(NamedTuple):
    """A line at the top or at the bottom of a page, and as those of several pages are equal."""

    line: str
    form: str


def join_cut_words(pages: Sequence[str]) -> list[str]:
    """Join words cut at a line's end.

    A hyphen that belongs to the word ("well-known") stays: the word stands so elsewhere, or begins as such words do, as
    with one letter ("e-mail"), or its halves are words of the document and the joined word is none.
    """
    whole = [_CUT_WORD.sub(" ", page) for page in pages]
    words = {word.lower() for page in whole for word in re.findall(r"\w+", page)}
    compounds = {word.lower() for page in whole for word in _HYPHENATED.findall(page)}

    def joined(match: re.Match[str]) -> str:
        left, line, right = match[1], match["line"] or "", match[3]
        low, end, together = left.lower(), right.lower(), (left + right).lower()
        apart = low in words and end in words
        keeps = f"{low}-{end}" in compounds or (
            together not in words
            and (apart or ((low in _BEGINNINGS or len(left) == 1) and not _ENDINGS.fullmatch(end)))
        )
        word = f"{left}-{right}" if keeps or not right[0].islower() else left + right
        rest = match["rest"] or ""
        return word + (rest.rstrip(" ") + line if line else rest)

    return [_CUT_WORD.sub(joined, page) for page in pages]


def said_once(pages: Sequence[str]) -> list[str]:
    """Remove running heads and feet from all pages but the first that has them, and page numbers."""
    lines = [page.split("\n") for page in pages]
    edges = [{at: _Edge(line, _form(line)) for at, line in _edges(page)} for page in lines]
    seen: set[str] = set()
    kept = []
    for number, page in enumerate(lines):
        gone = set()
        for at, edge in edges[number].items():
            if _runs(edges, number, edge):
                if edge.form in seen or _is_number(edge.line):
                    gone.add(at)
                seen.add(edge.form)
        kept.append("\n".join(line for at, line in enumerate(page) if at not in gone).strip("\n"))
    return kept


def _edges(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the first and the last lines of a page that are not blank, with their places."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    for at in dict.fromkeys([*filled[:_EDGE], *filled[-_EDGE:]]):
        yield at, lines[at]


def _form(line: str) -> str:
    """Write a line so that those of several pages are equal."""
    line = " ".join(line.split())
    return "#" if _ROMAN.fullmatch(line) else _NUMBER.sub("#", line)


def _is_number(line: str) -> bool:
    """Return whether a line is the number of a page and no words."""
    return not any(map(str.isalpha, _NUMBER.sub("", line))) or _ROMAN.fullmatch(line.strip()) is not None


def _runs(edges: Sequence[dict[int, _Edge]], page: int, edge: _Edge) -> bool:
    """Return whether a line stands at the edge of enough pages near a page, with numbers that count the pages."""
    near = range(max(0, page - 2 * _NEAR), min(len(edges), page + 2 * _NEAR + 1))
    same = [other for other in near if any(_same(edge, each, other - page) for each in edges[other].values())]
    return len(same) >= _LEAST


def _same(edge: _Edge, other: _Edge, pages: int) -> bool:
    if other.form != edge.form or (other.line != edge.line and _COUNTED.search(edge.line)):
        return False
    return _counts(edge.line, other.line, pages)


def _counts(line: str, other: str, pages: int) -> bool:
    """Return whether the numbers of two lines are the same, or differ as their pages do."""
    rows = zip(_NUMBER.findall(line), _NUMBER.findall(other), strict=False)
    return all(ours[:9] == theirs[:9] or int(theirs[:9]) - int(ours[:9]) == pages for ours, theirs in rows)


def broken(pages: Sequence[str]) -> list[int]:
    """Return the numbers of pages whose text looks broken: words run together, or characters without a meaning."""
    return [number for number, page in enumerate(pages, 1) if _is_broken(page)]


def _is_broken(page: str) -> bool:
    letters = len(_LETTERS.findall(page))
    unknown = sum(count for character, count in Counter(page).items() if _is_unknown(character))
    if unknown > _BROKEN * max(1, len(page)) and unknown >= _FEWEST // 2:
        return True
    return letters >= _FEWEST and sum(len(word) for word in _LONG_WORD.findall(page)) > _BROKEN * letters


def _is_unknown(character: str) -> bool:
    return (
        character == "\ufffd"
        or "\ue000" <= character <= "\uf8ff"
        or not (character.isprintable() or character.isspace())
    )
