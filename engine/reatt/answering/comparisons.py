"""Questions that compare two things: what is asked of each of them, and how their values decide.

"Who is older, Ann Lee or Bo Ray?" asks when each was born. The model reads each passage beside the question and not
beside the other passages: it finds a value well, and compares two of them badly. So it is asked for the values alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from reatt.answering import kinds
from reatt.answering.distinct import content
from reatt.answering.kinds import Asked
from reatt.answering.quoting import Quote, Read, shown
from reatt.answering.sentences import around
from reatt.answering.values import alike, compared
from reatt.model.backbone import Answer, ChunkText

Order = Literal["least", "most", "same"]
LEAST: Order = "least"
MOST: Order = "most"
SAME: Order = "same"
LONGEST = 500  # characters of a question that is parted into steps: patterns take the square of a longer one's length


@dataclass(frozen=True)
class Step:
    """A question about one thing, with `{}` where it is named, and the kind of its answer."""

    text: str
    wants: str | None = None

    def about(self, thing: str) -> str:
        """Ask it of a thing."""
        return self.text.replace("{}", thing)


@dataclass(frozen=True)
class Comparison:
    """Two things, the steps to the value of each, and which value is asked for.

    A later step is about the answer of the one before it.
    """

    names: tuple[str, str]
    steps: tuple[Step, ...]
    order: Order


class Value(Protocol):
    """What was read for a step."""

    @property
    def text(self) -> str:
        """The answer."""

    @property
    def confidence(self) -> float:
        """How sure the model is of it."""


V = TypeVar("V", bound=Value)


@dataclass(frozen=True)
class Decision(Generic[V]):
    """The answer of a comparison: one of the two names, or yes or no."""

    text: str
    values: tuple[V, V]  # that decide, of the first thing and of the second
    confidence: float  # that both are right


def decide(comparison: Comparison, read: Callable[[Step, str], V | None]) -> Decision[V] | None:
    """Read the value of each thing, and compare them; None if one has none, or if they cannot be compared.

    `read` answers a step about a thing. What it gives for both was not told apart, so that it decides nothing.
    """
    one, other = (_value(comparison.steps, name, read) for name in comparison.names)
    if one is None or other is None or one[0] == other[0]:
        return None
    text = _decided(comparison, one[0].text, other[0].text)
    return Decision(text, (one[0], other[0]), min(one[1], other[1])) if text else None


def _value(steps: tuple[Step, ...], name: str, read: Callable[[Step, str], V | None]) -> tuple[V, float] | None:
    """Follow the steps from a thing to its value; with how sure the model is of the least sure step."""
    thing, sure, value = name, 1.0, None
    for step in steps:
        value = read(step, thing)
        if value is None:
            return None
        thing, sure = value.text, min(sure, value.confidence)
    return (value, sure) if value is not None else None


def _decided(comparison: Comparison, one: str, other: str) -> str:
    if comparison.order == SAME:
        return "yes" if alike(one, other) else "no"
    found = compared(one, other, comparison.steps[-1].wants)
    if not found:
        return ""
    return comparison.names[(found > 0) == (comparison.order == LEAST)]


@dataclass(frozen=True)
class Told:
    """The value of a thing, as the model reads it."""

    text: str
    confidence: float
    quote: Quote  # where it stands, in its sentence
    answer: Answer


def value(
    step: Step, thing: str, passages: Sequence[ChunkText], read: Callable[[str, Sequence[int]], Answer]
) -> Told | None:
    """Read a value in the passages that name its thing; None if none does, or if there is no value of that kind.

    `read` answers a question from passages, which are given by their numbers. It reads all of them, since it is as sure
    as it is beside others; what it finds in passages that do not name the thing is left out.
    """
    naming = about(thing, [f"{passage.title} {passage.text}" for passage in passages])
    if not naming:
        return None
    numbers = range(len(passages))
    told = read(step.about(thing), numbers)
    texts = [passage.text for passage in passages]
    told = replace(told, stretches=tuple(each for each in told.stretches if each.source in naming))
    made = Read(told, texts, numbers, step.about(thing))
    given = shown(Asked(kinds.SPAN, "", step.wants), made) if told.stretches else None
    if given is None or not given.quotes:
        return None
    quote, text = given.quotes[0], texts[given.quotes[0].source]
    quote = replace(quote, around=quote.around or around(text, quote.span))
    return Told(text[slice(*quote.span)], given.confidence, quote, told)


def about(thing: str, passages: Sequence[str]) -> list[int]:
    """Number the passages, titles included, that name a thing: all of its words, or those outside of brackets.

    A value is taken from these alone, since the model would give another thing's value rather than none.

    >>> about("Dawn (1920 film)", ["Dusk. A film of 1920.", "Dawn. A film.", "Dawn (1920 film)"])
    [2]
    """
    held = [content(passage) for passage in passages]
    for name in (thing, re.sub(r"\([^()]*\)", " ", thing)):
        words = content(name)
        if found := [number for number, there in enumerate(held) if words and words <= there]:
            return found
    return []
