"""The entity tier of salient spans: numbers, dates, identifiers and quotations by rule, names by capitals or by spaCy.

On XQuAD's paragraphs these rules propose 46 % of the answers that people marked. That is close to what a model for
names could reach, at a thousandth of its cost. A word at the start of a sentence is a name if the corpus writes it
inside sentences more often with a capital than without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from reatt.documents.segmentation import UNSPACED
from reatt_store.lexical.stopwords import STOP_WORDS


class WordToken(NamedTuple):
    """A word of a text, or one character of a script without spaces."""

    start: int
    end: int
    word: str  # lower case
    capital: bool
    opens: bool  # at the start of a sentence, line, quotation or bracket


class Salient(NamedTuple):
    """A stretch of a text that may be masked."""

    start: int
    end: int
    kind: str  # "number" "date" "name" "id" "phrase"


Texts = Sequence[str]
IsName = Callable[[WordToken], bool]
NameFinder = Callable[[Texts, IsName], Iterator[list[Salient]]]

_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_OPENS = re.compile(r"""[.!?:;"“„«(\[•\n]""")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:1\d|20)\d{2}"
_DATES = (
    rf"{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?|{_MONTH} {_DAY}(?:,? {_YEAR})?(?!\d)|{_MONTH} {_YEAR}"
    rf"|\d{{4}}-\d\d-\d\d|\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d\d){{1,2}}"
    r"|\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]\.?m\b\.?)?|\d{1,2} ?[ap]\.?m\b\.?"
    rf"|\d{{1,2}}(?:st|nd|rd|th) [Cc]entur(?:y|ies)|(?<![\d$€£][,.]){_YEAR}(?:s|[–-]\d{{2,4}})?(?![,.]?\d|%)"
)
_ONES = "two three four five six seven eight nine ten eleven twelve".split()
_TEENS = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:-(?:one|{'|'.join(_ONES[:8])}))?|{'|'.join(_ONES + _TEENS)})"
_SCALE = r"(?:hundred|thousand|million|billion|trillion)"
_NUMBERS = (
    rf"(?:[$€£¥] ?)?\d+(?:[.,]\d+)*(?:st\b|nd\b|rd\b|th\b)?(?: ?%| per ?cent\b)?(?: {_SCALE}\b)?"
    rf"|(?i:\b{_WORD})(?: {_SCALE})*(?: per ?cent)?"
)
_RULES = (
    ("date", re.compile(rf"(?<![\w$€£])(?:{_DATES})(?!\w)")),
    ("number", re.compile(rf"(?<![\w.-])(?:{_NUMBERS})(?![\w-])")),
    ("id", re.compile(r"(?<![\w-])(?=[\w/-]*\d)(?=[\w/-]*[A-Z])[A-Za-z0-9]+(?:[-/][A-Za-z0-9]+)*(?![\w-])")),
)
# Speech is skipped as a whole, or text between two quotations would be taken for a quotation.
_QUOTED = re.compile(r"[“\"„«](?:([^“”\"„«»\n.!?,;]{2,60})|[^“”\"„«»\n]*)[”\"»]")
_INNER = frozenset("of the de la le du van von der den del della di da al bin ibn".split())  # within a name
_GAPS = frozenset((" ", "\n", "-", "’", "'", ". ", " & "))
_SPACY_KINDS = dict.fromkeys(("DATE", "TIME"), "date") | dict.fromkeys(
    ("CARDINAL", "ORDINAL", "PERCENT", "MONEY", "QUANTITY"), "number"
)


def tokens(text: str) -> list[WordToken]:
    """Cut a text into words."""
    found: list[WordToken] = []
    before = 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        word = match.group()
        opens = before == 0 or _OPENS.search(text, before, start) is not None
        found.append(WordToken(start, end, word.lower(), word[0].isupper(), opens))
        before = end
    return found


def unspaced(token: WordToken) -> bool:
    """Return whether a token is a character of a script without spaces."""
    return _UNSPACED.match(token.word) is not None


def by_rules(text: str) -> list[Salient]:
    """Find numbers, dates, identifiers and quotations; they may be nested."""
    quoted = [Salient(*match.span(1), "name") for match in _QUOTED.finditer(text) if match.group(1)]
    return quoted + [Salient(*match.span(), kind) for kind, rule in _RULES for match in rule.finditer(text)]


def by_capitals(texts: Texts, is_name: IsName) -> Iterator[list[Salient]]:
    """Find names: runs of words with capitals that are not just the start of a sentence, judged by the corpus."""
    for text in texts:
        yield list(_runs(text, tokens(text), is_name))


def outermost(found: Iterable[Salient]) -> list[Salient]:
    """Drop spans that are inside a longer one or overlap one; of two equal ones keep the first."""
    kept: list[Salient] = []
    for span in sorted(found, key=lambda each: each.start - each.end):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept)


def name_finder() -> NameFinder:
    """Choose the finder of names: spaCy if it and one of its models are installed, else capitals."""
    if find_spec("spacy") is not None:
        spacy = import_module("spacy")
        for model in sorted(spacy.util.get_installed_models()):
            return _Spacy(spacy.load(model)).find
    return by_capitals


class _Spacy:
    """An installed spaCy model as a finder of names."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def find(self, texts: Texts, _: IsName) -> Iterator[list[Salient]]:
        for document in self._model.pipe(texts):
            yield [Salient(e.start_char, e.end_char, _SPACY_KINDS.get(e.label_, "name")) for e in document.ents]


def _runs(text: str, words: Sequence[WordToken], is_name: IsName) -> Iterator[Salient]:
    """Yield runs of words with capitals; a single word, or the first of a sentence, must be a name by itself."""
    at = 0
    while at < len(words):
        start, last = at, at
        if may_name(words[at]) and (not words[at].opens or is_name(words[at])):
            while (following := _continued(text, words, last)) is not None:
                last = following
            if last > start or is_name(words[start]):
                yield Salient(words[start].start, words[last].end, "name")
        at = last + 1


def _continued(text: str, words: Sequence[WordToken], last: int) -> int | None:
    """Return the next word of the name that ends at `last` so far, possibly after one or two small words."""
    for following in range(last + 1, min(last + 4, len(words))):
        gap = text[words[following - 1].end : words[following].start]
        if gap not in _GAPS or (gap == ". " and words[following - 1].end - words[following - 1].start > 1):
            return None
        if may_name(words[following]) or (following == last + 1 and _short_number(words[following])):
            return following
        if words[following].word not in _INNER:
            return None
    return None


def _short_number(token: WordToken) -> bool:
    """Return whether a token may end a name: Apollo 11, Super Bowl 50."""
    return token.word.isdecimal() and len(token.word) <= 3


def may_name(token: WordToken) -> bool:
    """Return whether a word could be a name by itself: it has a capital and is not a function word."""
    return token.capital and token.word not in STOP_WORDS
