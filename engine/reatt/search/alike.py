"""Which of the texts that were found say the same: copies, and copies that differ in what no reader would notice.

Two texts are alike if, but for case, accents, punctuation and blanks, they share 85 % of their runs of three words, and
if no number, no name and no negation stands in one alone: "flat 5 costs 110 euros" is not "flat 6 costs 120 euros",
however long the sentences around it. It is decided at question time, among the best chunks, so nothing is stored, and
old stores need no change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from reatt_store.lexical.characters import folded

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_RUN = 3  # words
_SHARED = 0.85  # of all runs
_LEAST = 12  # words of a text that may differ in any
_NEGATIONS = frozenset(
    "no not non never none nor neither without cannot except unless nicht kein keine keinen keiner keines nie ohne pas"
    " jamais aucun aucune sans ni nunca sin ningun ninguna não sem nunca nenhum mai senza nessuno niet geen nooit"
    " zonder inte ingen inget aldrig utan ikke intet aldri uten ei mitä".split()
)


_Forms = dict[str, tuple[str, bool]]  # of words that were met: how they are compared, and whether they must be kept


@dataclass(frozen=True)
class _Print:
    """What of a text is compared."""

    words: tuple[str, ...]  # folded
    kept: tuple[str, ...]  # of these, in order, what must stand in both: numbers, names, negations

    @cached_property
    def runs(self) -> frozenset[tuple[str, ...]]:
        """All runs of three words."""
        return frozenset(zip(*(self.words[start:] for start in range(_RUN)), strict=False))


def alike(texts: Sequence[str]) -> list[int]:
    """Return for each text the place of the first one that it is like; its own if there is none before it.

    >>> alike(["The gate is red.", "the  gate is RED", "The gate is not red."])
    [0, 0, 2]
    """
    first: list[int] = []
    leaders: dict[tuple[str, ...], dict[int, _Print]] = {}  # by what they keep
    equal: dict[tuple[str, ...], int] = {}
    forms: _Forms = {}
    for place, text in enumerate(texts):
        made = _print(text, forms)
        near = leaders.setdefault(made.kept, {})
        like = equal.get(made.words) if made.words else None
        if like is None:
            like = next((leader for leader, other in near.items() if _near(made, other)), place)
        if like == place:
            near[place] = made
        equal.setdefault(made.words, like)
        first.append(like)
    return first


def _print(text: str, forms: _Forms) -> _Print:
    words, kept = list[str](), list[str]()
    for written in _WORD.findall(text):
        form = forms.get(written)
        if form is None:
            word = folded(written).casefold()
            form = forms[written] = word, _is_kept(written, word)
        words.append(form[0])
        if form[1]:
            kept.append(form[0])
    return _Print(tuple(words), tuple(sorted(kept)))


def _is_kept(written: str, word: str) -> bool:
    return (
        written[0].isupper()
        or (not written.isalpha() and any(sign.isdigit() for sign in written))
        or word in _NEGATIONS
        or word.endswith(("n't", "n’t"))
    )


def _near(one: _Print, other: _Print) -> bool:
    """Return whether two texts that are not equal, but keep the same, differ in little that matters little."""
    if min(len(one.words), len(other.words)) < _LEAST:
        return False
    sizes = sorted((len(one.runs), len(other.runs)))
    if sizes[0] < _SHARED * sizes[1]:
        return False
    shared = len(one.runs & other.runs)
    return shared >= _SHARED * (sizes[0] + sizes[1] - shared)
