"""Short questions out of masked sentences, as people ask them: they teach retrieval with no label and no reading.

A masked sentence holds all words of its passage's sentence; a person's question holds few of them, and a question word.
So some words around the mask are taken, some of those dropped, and a question word that suits the span stands for it
(the noisy cloze of Lewis et al., 2019, Unsupervised question answering by cloze translation). What is to be found is
the passage that the sentence stands in; but few words fit several passages, and a passage is not wrong for having been
written next to it. So the source is worth a part, and words (BM25) share out the rest: which words tell passages from
each other is what a corpus can teach by itself.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reatt.lessons.examples import Example

WORDS = (4, 10)  # of a sentence that a question keeps
DROPPED = 0.15  # share of them that is left out again
FRONT = 0.7  # share of questions that begin with their question word; the others have it where the mask was
OF_A_CHUNK = 2  # questions asked for one chunk at a step
NEAR = 3  # chunks that words find for a question, beside its source
SOURCE = 0.25  # what the source is worth by itself
SHARPNESS = 8.0  # of the softmax over what words say, where the best has 1

_ASKING: Mapping[str, Sequence[str]] = {
    "number": ("how many", "how much", "what"),
    "date": ("when", "what year", "what"),
    "name": ("who", "what", "where", "which"),
    "id": ("what",),
    "phrase": ("what", "why", "how"),
}


def by_chunk(examples: Iterable[Example]) -> dict[int, list[Example]]:
    """Sort masked sentences by the store id of the chunk they were made from; other examples are left out."""
    found: dict[int, list[Example]] = defaultdict(list)
    for example in examples:
        if example.source == "masked" and example.chunk is not None:
            found[example.chunk].append(example)
    return dict(found)


def question(example: Example, draw: random.Random) -> str:
    """Ask for a masked sentence's span in a few of its words.

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
    """Say what each of some chunks is worth to a question, its source first: together 1.

    `words` are their scores by words.

    >>> [round(share, 3) for share in shares([4.0, 4.0, 0.0])]
    [0.625, 0.375, 0.0]
    """
    most = max(words) or 1.0
    scores = [math.exp(SHARPNESS * (score / most - 1)) for score in words]
    found = [(1 - SOURCE) * score / sum(scores) for score in scores]
    return [SOURCE + found[0], *found[1:]]


def _thinned(words: Sequence[str], draw: random.Random) -> list[str]:
    return [word for word in words if draw.random() >= DROPPED]
