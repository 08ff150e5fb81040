"""Short questions made from masked sentences, like those of people. They teach retrieval without labels or reading.

A masked sentence contains all words of a sentence; a person's question contains few of them and a question word. So
some words around the mask are kept, some of those are dropped, and a question word that suits the span replaces it
(the noisy cloze of Lewis et al., 2019, Unsupervised question answering by cloze translation). The target is the
passage of the sentence. But a few words fit several passages, and those are not wrong. So the source gets a part of
the target, and word search (BM25) distributes the rest: a corpus shows by itself which words distinguish its
passages.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reatt.lessons.examples import Example

WORDS = (4, 10)  # words of a sentence that a question keeps
DROPPED = 0.15  # share of them that is dropped
FRONT = 0.7  # share of questions that start with the question word; in the others it replaces the mask
OF_A_CHUNK = 2  # questions per chunk in a step
NEAR = 3  # chunks found by words for a question, in addition to its source
SOURCE = 0.25  # share of the source
SHARPNESS = 8.0  # factor of the softmax over word scores, where the best has 1

_ASKING: Mapping[str, Sequence[str]] = {
    "number": ("how many", "how much", "what"),
    "date": ("when", "what year", "what"),
    "name": ("who", "what", "where", "which"),
    "id": ("what",),
    "phrase": ("what", "why", "how"),
}


def by_chunk(examples: Iterable[Example]) -> dict[int, list[Example]]:
    """Group masked sentences by the store id of their chunk; other examples are left out."""
    found: dict[int, list[Example]] = defaultdict(list)
    for example in examples:
        if example.source == "masked" and example.chunk is not None:
            found[example.chunk].append(example)
    return dict(found)


def question(example: Example, draw: random.Random) -> str:
    """Ask for the span of a masked sentence in a few of its words.

    >>> from reatt.lessons.examples import Example
    >>> masked = Example(("Ada Lovelace wrote the first program in ", "."), ("1843",), "a", 1, "date")
    >>> question(masked, random.Random(5))
    'when wrote the first program in?'
    """
    before, after = example.question[0].split(), " ".join(example.question[1:]).split()
    count = min(draw.randint(*WORDS), len(before) + len(after))
    left = draw.randint(max(0, count - len(after)), min(count, len(before)))
    head, tail = (_thinned(words, draw) for words in (before[len(before) - left :], after[: count - left]))
    asking = draw.choice(_ASKING[example.kind])
    words = [asking, *head, *tail] if draw.random() < FRONT else [*head, asking, *tail]
    return " ".join(words).strip(" .,;:?!") + "?"


def shares(words: Sequence[float]) -> list[float]:
    """Return the share of each chunk as a target, the source first; they sum to 1.

    `words` are their scores in word search.

    >>> [round(share, 3) for share in shares([4.0, 4.0, 0.0])]
    [0.625, 0.375, 0.0]
    """
    most = max(words) or 1.0
    scores = [math.exp(SHARPNESS * (score / most - 1)) for score in words]
    found = [(1 - SOURCE) * score / sum(scores) for score in scores]
    return [SOURCE + found[0], *found[1:]]


def _thinned(words: Sequence[str], draw: random.Random) -> list[str]:
    return [word for word in words if draw.random() >= DROPPED]
