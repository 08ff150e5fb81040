"""Choices: questions, each with the stored chunks among which it should find its own.

The questions are those of examples; of a masked sentence a cloze question is asked. The other chunks are those that
words and attention find today: none are harder to tell apart. All is made of the store's texts and keys; no chunk is
encoded.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from reatt.lessons import cloze
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.backbone import Queries
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import alone, formed, lower_half, pad, projection
from reatt.search.index import AttentionIndex
from reatt.search.retriever import CANDIDATES
from reatt_store.library import Library

FOUND = 12  # chunks that words find, and as many that attention finds


@dataclass(frozen=True)
class Choice:
    """A question, and the stored chunks among which it should find its own."""

    states: Tensor  # (m, D) of the question, as its projection reads them
    chunks: tuple[int, ...]  # (C,) store ids, its own first
    words: Tensor  # (C,) word scores, as shares of the best


@dataclass(frozen=True)
class Chooser:
    """Makes choices from a store, with the model that encoded it."""

    library: Library
    index: AttentionIndex
    model: ReAtt
    corpus: Corpus

    def choices(self, examples: Sequence[Example], seed: int) -> list[Choice]:
        """Make one choice of each example whose chunk is known; the same for the same seed."""
        known = [(example, example.chunk) for example in examples if example.chunk is not None]
        asked = [asking(example, seed) for example, _ in known]
        states = read(self.model, asked)
        return [
            self._choice(" ".join(parts), own, each) for parts, (_, own), each in zip(asked, known, states, strict=True)
        ]

    def _choice(self, question: str, own: int, states: Tensor) -> Choice:
        first = self._first(own)
        words: dict[int, float] = {}
        for id, score in self.library.words(question, CANDIDATES):
            words.setdefault(self._first(id), score)
        others = [id for id in words if id != first][:FOUND]
        t5 = self.model.t5
        queries = Queries.mean(formed(t5, "q", F.linear(states, projection(t5, self.model.head, "q").float())))
        near = [self._first(id) for id, _ in self.index.search(queries, FOUND, "auto")]
        chunks = tuple(dict.fromkeys([first, *others, *near]))
        most = max(words.values(), default=0.0) or 1.0
        return Choice(states, chunks, torch.tensor([words.get(id, 0.0) / most for id in chunks]))

    def _first(self, id: int) -> int:
        """Return the first chunk of the same text."""
        return self.corpus.ids[self.corpus.equal[self.corpus.number[id]]]


def asking(example: Example, seed: int) -> tuple[str, ...]:
    """Return the question of an example; of a masked sentence a cloze question, the same for the same seed."""
    if example.source != "masked":
        return example.question
    return (cloze.question(example, random.Random(f"{seed} {example.text}")),)  # noqa: S311


@torch.no_grad()
def read(model: ReAtt, asked: Sequence[tuple[str, ...]]) -> list[Tensor]:
    """Encode questions together into states (m, D), as the query projection reads them."""
    tokens = pad([model.tokenizer.masked(parts).ids for parts in asked], model.device)
    states = alone(model.t5, model.head, lower_half(model.t5, model.head.layer, tokens)).values
    ready = model.t5.encoder.reads(model.head.depth, states).float()  # (B, m, D)
    return [row[keep] for row, keep in zip(ready, tokens.keep, strict=True)]
