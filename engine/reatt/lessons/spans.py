"""Salient spans: the parts of a sentence worth asking for. Found by rules and corpus statistics, without a model.

Masking a name, a date or a number and asking for it gives a question that nobody had to write (salient-span masking:
REALM; ReAtt section 3.3). Seven in ten come from the entity tier (`entities`); three in ten from the phrase tier: word
sequences that recur in other chunks (recurring spans: Ram et al., 2022), which need neither capitals nor English.
"""

from __future__ import annotations

import math
import random
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from reatt.lessons.entities import (
    NameFinder,
    Salient,
    WordToken,
    by_rules,
    may_name,
    name_finder,
    outermost,
    tokens,
    unspaced,
)
from reatt_store.errors import QueriesFormat
from reatt_store.lexical.stopwords import STOP_WORDS

KINDS = ("number", "date", "name", "id", "phrase")
ENTITY_SHARE = 0.7  # share of questions; the rest ask for recurring phrases
CAP = 20  # maximum number of questions for the same span
LONGEST_PHRASE = 4  # words
COMMON, COMMON_WORD = 0.1, 0.01  # a phrase, or a word, in a larger share of chunks says nothing
RECURRING = 3.0  # weight of a span that also occurs in other chunks, which are then further evidence


class Statistics:
    """Word statistics of a corpus: how many chunks contain each word, which are names, which phrases recur."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.chunks = 0
        self._holding: Counter[str] = Counter()
        self._capital: Counter[str] = Counter()  # within sentences
        self._small: Counter[str] = Counter()
        phrases = array("q")
        for text in texts:
            self.chunks += 1
            words = tokens(text)
            self._holding.update({token.word for token in words})
            self._capital.update(token.word for token in words if token.capital and not token.opens)
            self._small.update(token.word for token in words if not token.capital)
            phrases.extend({_key(words[start:end]) for start, end in _phrases(text, words)})
        self._recurring = _repeated(phrases)

    def is_name(self, token: WordToken) -> bool:
        """Return whether a word with a capital is a name here; True if it never occurs inside a sentence."""
        small, capital = self._small[token.word], self._capital[token.word]
        return may_name(token) and (capital > small if token.opens else capital >= small)

    def idf(self, words: Sequence[WordToken]) -> float:
        """Return the rarity of some words together: the sum of ln(chunks / chunks that hold the word)."""
        return sum(math.log((self.chunks + 1) / (self._holding[token.word] + 0.5)) for token in words)

    def recurs(self, words: Sequence[WordToken]) -> int:
        """Return how many chunks contain these consecutive words; 0 if there is at most one."""
        return self._recurring.get(_key(words), 0)

    def phrases(self, text: str, words: Sequence[WordToken]) -> Iterator[Salient]:
        """Find the recurring phrases of a text that are not too common."""
        for start, end in _phrases(text, words):
            part = words[start:end]
            most = max(2, (COMMON if len(part) > 1 else COMMON_WORD) * self.chunks)
            if _telling(part) and 1 < self.recurs(part) <= most:
                yield Salient(part[0].start, part[-1].end, "phrase")


class PhraseBook:
    """Known phrases, found in a text in one pass: first word -> lengths -> words in a row."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._lengths: dict[str, set[int]] = {}
        self._known: set[tuple[str, ...]] = set()
        for phrase in phrases:
            words = tuple(token.word for token in tokens(phrase))
            if words:
                self._known.add(words)
                self._lengths.setdefault(words[0], set()).add(len(words))

    def __len__(self) -> int:
        return len(self._known)

    def find(self, words: Sequence[WordToken]) -> Iterator[tuple[int, int]]:
        """Yield the positions of known phrases, as [start, end) in words."""
        for start, token in enumerate(words):
            for length in self._lengths.get(token.word, ()):
                row = tuple(each.word for each in words[start : start + length])
                if len(row) == length and row in self._known:
                    yield start, start + length


def read_spans(path: Path) -> PhraseBook:
    """Read a list of phrases to mask, one per line; raises QueriesFormat if it cannot be read or is empty."""
    fix = "list one name or term per line, such as: Ada Lovelace"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueriesFormat(f"{path} cannot be read: {reason}", fix, str(path)) from error
    book = PhraseBook(line for line in lines if line.strip())
    if not len(book):
        raise QueriesFormat(f"{path}: no phrases", fix, str(path))
    return book


class Sampler:
    """Draws one span of a sentence: first the tier, then by rarity within it; no span more than `CAP` times."""

    def __init__(
        self, statistics: Statistics, draw: random.Random, book: PhraseBook | None = None, recurring_only: bool = False
    ) -> None:
        self._statistics, self._draw, self._book = statistics, draw, book
        self._recurring_only = recurring_only
        self._find_names: NameFinder = name_finder()
        self._used: Counter[str] = Counter()

    def draw(self, sentences: Sequence[str]) -> Iterator[Salient | None]:
        """Choose what to mask in each sentence; None if nothing is worth it. Phrases listed by the user come first."""
        for sentence, names in zip(sentences, self._find_names(sentences, self._statistics.is_name), strict=True):
            words = tokens(sentence)
            entity = outermost([*by_rules(sentence), *names])
            tiers = [entity, list(self._statistics.phrases(sentence, words))]
            if self._draw.random() >= ENTITY_SHARE:
                tiers.reverse()
            if self._book:
                listed = [Salient(words[i].start, words[j - 1].end, "name") for i, j in self._book.find(words)]
                tiers.insert(0, listed)
            chosen = (self._one(sentence, words, tier) for tier in tiers)
            yield next((span for span in chosen if span is not None), None)

    def _one(self, sentence: str, words: Sequence[WordToken], tier: Sequence[Salient]) -> Salient | None:
        weights = [self._weight(sentence, words, span) for span in tier]
        if not sum(weights):
            return None
        span = self._draw.choices(tier, weights)[0]
        self._used[sentence[span.start : span.end].lower()] += 1
        return span

    def _weight(self, sentence: str, words: Sequence[WordToken], span: Salient) -> float:
        if self._used[sentence[span.start : span.end].lower()] >= CAP:
            return 0.0
        inside = [token for token in words if span.start <= token.start and token.end <= span.end]
        recurs = self._statistics.recurs(inside) > 1
        if not inside or (self._recurring_only and not recurs):
            return 0.0
        return max(self._statistics.idf(inside), 0.01) * (RECURRING if recurs else 1.0)


def _phrases(text: str, words: Sequence[WordToken]) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of possible phrases: no stop word at either end, only spaces between words."""
    joined = [text[a.end : b.start] in ("", " ", "\n", "-") for a, b in pairwise(words)]
    for start, token in enumerate(words):
        if _empty(token):
            continue
        for end in range(start + 1, min(start + LONGEST_PHRASE, len(words)) + 1):
            if end > start + 1 and not joined[end - 2]:
                break
            if not _empty(words[end - 1]):
                yield start, end


def _empty(token: WordToken) -> bool:
    """Return whether a word may not begin or end a phrase: stop words, and letters after an apostrophe."""
    return token.word in STOP_WORDS or (len(token.word) == 1 and not unspaced(token))


def _telling(words: Sequence[WordToken]) -> bool:
    """Return whether a phrase is more than a number, a letter or a short word."""
    letters = sum(len(token.word) for token in words if not token.word.isdecimal())
    return letters >= (2 if unspaced(words[0]) else 4)


def _key(words: Sequence[WordToken]) -> int:
    return hash(
        " ".join([token.word for token in words])
    )  # 64 bits, so that collisions among millions of phrases are unlikely


def _repeated(keys: array[int]) -> dict[int, int]:
    """Count keys and keep those that occur more than once."""
    import numpy as np

    found, counts = np.unique(np.asarray(keys, np.int64), return_counts=True)
    often = counts > 1
    return dict(zip(found[often].tolist(), counts[often].tolist(), strict=True))
