"""The distinct stretches that are about as good as the best: items of a list, or two answers that disagree.

Stretches that overlap, or that say the same in the same words, are one: its probability is theirs together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reatt.model.backbone import Span, Stretch

_WORDS = re.compile(r"[^\W_]+")
_SMALL = frozenset("a an the of in on at to for by and or is was".split())


@dataclass(frozen=True)
class Answering:
    """An answer among several: its best stretch, and the probability of all that are the same answer."""

    stretch: Stretch
    text: str
    probability: float


def distinct(stretches: Sequence[Stretch], texts: Sequence[str]) -> list[Answering]:
    """Put stretches of the same answer together: first that of the first stretch, then the most probable.

    `texts` are those of the evidence.
    """
    groups: list[list[Stretch]] = []
    for each in stretches:
        same = next((group for group in groups if _same(each, group[0], texts)), None)
        if same is None:
            groups.append([each])
        else:
            same.append(each)
    found = [Answering(group[0], _text(group[0], texts), _together(group)) for group in groups]
    return found[:1] + sorted(found[1:], key=lambda each: -each.probability)


def near(found: Sequence[Answering], probability: float) -> list[Answering]:
    """Keep those that are at least as probable."""
    return [each for each in found if each.probability >= probability]


def _together(group: Sequence[Stretch]) -> float:
    return min(1.0, math.fsum(math.exp(each.log_probability) for each in group))


def _same(one: Stretch, other: Stretch, texts: Sequence[str]) -> bool:
    if one.source == other.source and _overlap(one.span, other.span):
        return True
    words, others = (content(_text(each, texts)) for each in (one, other))
    return words == others or bool(words and others and (words <= others or others <= words))


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _text(stretch: Stretch, texts: Sequence[str]) -> str:
    return texts[stretch.source][slice(*stretch.span)]


def content(text: str) -> frozenset[str]:
    """Return the words of an answer, in lower case; without small ones, unless it has no others."""
    words = frozenset(word.lower() for word in _WORDS.findall(text))
    return words - _SMALL or words
