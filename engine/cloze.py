"""Short questions out of masked sentences, as people ask them: they teach retrieval with no label and no reading.

A masked sentence holds all words of its passage's sentence; a person's question holds few of them, and a question word.
So some words around the mask are taken, some of those dropped, and a question word that suits the span stands for it
(the noisy cloze of Lewis et al., 2019, Unsupervised question answering by cloze translation). What is to be found is
the passage that the sentence stands in: which of its words tell it from others is what a corpus can teach by itself.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reatt_engine.examples import Example

WORDS = (4, 10)  # of a sentence that a question keeps
DROPPED = 0.15  # share of them that is left out again
FRONT = 0.7  # share of questions that begin with their question word; the others have it where the mask was
OF_A_CHUNK = 4  # questions asked for one chunk at a step: they cost a tenth of encoding it

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

    >>> from reatt_engine.examples import Example
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


def _thinned(words: Sequence[str], draw: random.Random) -> list[str]:
    return [word for word in words if draw.random() >= DROPPED]
