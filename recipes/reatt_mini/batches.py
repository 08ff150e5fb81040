"""Draw a batch out of the packed sets: some articles of one set, of each a few chunks with a few questions.

The other chunks of an article are what a question has to be told apart from, and questions on one chunk share the cost
of encoding it. All else that answers a question is in its batch, too, as far as there is room.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recipes.reatt_mini.data import Ids, Questions, Sets

UNTITLED, UNMARKED = 0.1, 0.2  # share of chunks without their title, of questions without their mark
# Shares of the batches: with chunks that share a question's words, and with chunks of other articles alone, so that
# names tell chunks apart, too. In the others chunks are of the same articles.
CLOSE, FAR = 0.3, 0.35
CLOSE_CHUNKS = 2  # of a question
CHUNKS, MOST = 48, 60  # of a batch at most: those that are drawn, and with those that also answer or are close
FINDING = 30  # tokens that a question costs that is not read


@dataclass(frozen=True)
class Form:
    """How long batches and their chunks are, and the ids around texts."""

    budget: int  # tokens to encode for a batch, about
    limit: int  # tokens of a chunk, marks included
    opening: int  # [CLS]
    separator: int  # [SEP]


@dataclass(frozen=True)
class Chunk:
    """A chunk's ids with marks, and how many of them come before its text."""

    ids: Ids
    head: int


@dataclass(frozen=True)
class Asked:
    """A question of a batch."""

    ids: Ids
    own: int  # the chunk it was drawn by, by its number in the batch
    spans: tuple[tuple[int, int], ...]  # first and last token of the answer in that chunk; (): not to be read
    positives: frozenset[int]  # chunks that answer it, by their numbers in the set
    answers: tuple[Ids, ...]
    others: tuple[int, ...] = ()  # chunks that it has to be read with, too, by their numbers in the batch
    said: Ids = ()  # yes or no, which stands in no chunk


@dataclass(frozen=True)
class Batch:
    """Questions on chunks of one set."""

    source: str
    numbers: list[int]  # of the chunks in the set
    chunks: list[Chunk]
    questions: list[Asked]


def holds(chunk: Ids, answers: Sequence[Ids]) -> bool:
    """Say whether one of the answers stands in a chunk, piece by piece.

    >>> holds((1, 2, 3, 4), [(9,), (2, 3)]), holds((1, 2, 3, 4), [(2, 4)])
    (True, False)
    """
    text = "".join(map(chr, chunk))
    return any("".join(map(chr, answer)) in text for answer in answers if answer)


def draw(sets: Sets, form: Form, seed: int) -> Batch:
    """Draw a batch; the same for the same seed."""
    dice = random.Random(seed)
    name = dice.choices(list(sets), [source.weight for _, source in sets.values()])[0]
    questions, source = sets[name]
    chosen: dict[int, Chunk] = {}
    asked: list[tuple[int, int]] = []  # question, chunk
    tokens, there = 0, sum(map(len, questions.articles))
    kind = dice.random()
    together = 1 if kind < CLOSE + FAR else source.chunks
    while tokens < form.budget and len(chosen) < min(CHUNKS, there):
        article = dice.choice(questions.articles)
        for number in dice.sample(sorted(article), min(together, len(article))):
            if number in chosen or tokens >= form.budget:
                continue
            chosen[number] = chunk_of(questions, number, form, titled=dice.random() > UNTITLED)
            tokens += 2 * len(chosen[number].ids)
            for question in dice.sample(article[number], min(source.questions, len(article[number]))):
                asked.append((question, number))
                tokens += len(chosen[number].ids) if len(questions.starts[question]) else FINDING
                near = questions.close[question] if kind < CLOSE else ()
                beside = dice.sample(near, min(CLOSE_CHUNKS, len(near)))
                for other in (*questions.positives[question], *questions.others[question], *beside):
                    if other not in chosen and len(chosen) < MOST:
                        chosen[other] = chunk_of(questions, other, form, titled=True)
                        tokens += 2 * len(chosen[other].ids)
    numbers = list(chosen)
    place = {number: i for i, number in enumerate(numbers)}
    found = [_asked(questions, question, chosen[n], n, place, dice) for question, n in asked]
    return Batch(name, numbers, list(chosen.values()), [each for each in found if each is not None])


def chunk_of(questions: Questions, number: int, form: Form, *, titled: bool) -> Chunk:
    """Put a chunk together: `[CLS] title [SEP] text [SEP]`, cut at its end."""
    head = (form.opening, *(questions.titles[number] if titled else ()), form.separator)
    text = questions.texts[number][: form.limit - 1 - len(head)]
    return Chunk((*head, *text, form.separator), len(head))


def _asked(
    questions: Questions, number: int, chunk: Chunk, home: int, place: Mapping[int, int], dice: random.Random
) -> Asked | None:
    """Take a question; None if its answer was cut off its chunk."""
    places = list(zip(questions.starts[number], questions.ends[number], strict=True))
    spans = [(chunk.head + s, chunk.head + e) for s, e in places if chunk.head + e < len(chunk.ids) - 1]
    if places and not spans:
        return None
    others = tuple(place[chunk] for chunk in questions.others[number] if chunk in place)
    answers = tuple(questions.answers[n] for n in questions.given[number])
    said = answers[0] if others and answers and not places else ()
    if len(others) < len(questions.others[number]):
        spans, said = [], ()  # what is there does not answer it
    ids = (questions.typed if dice.random() < UNMARKED else questions.asked)[number]
    return Asked(ids, place[home], tuple(spans), frozenset(questions.positives[number]), answers, others, said)
