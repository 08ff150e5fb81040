"""The kinds of 2Wiki's questions, and choosers that see a comparison's question alone: what reading has to beat.

A comparison names two things and asks for one of them. Which one is often a matter of chance, but not always: people
who write such questions have habits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reatt.judging import metrics
from reatt.lessons.judged import Question
from recipes.reatt_mini.logistic import Logistic, fit

HOPS, COMPARISON, YES_NO = "compositional and inference", "comparison", "yes-no"
KINDS = (HOPS, COMPARISON, YES_NO)
FIRST, FITTED = "first-named", "fitted"
COMMON = 30  # words of the questions that the fitted chooser knows, the commonest ones
_VERBS = ("Was ", "Were ", "Is ", "Are ", "Did ", "Does ")  # that begin a question which ends in what is compared
_COMPARED = re.compile(r" (?:born|die|died|live|older|younger|released|the one)\b.*$")
_Floats = NDArray[np.float64]


def kind(question: Question) -> str:
    """Say of which kind a question is: yes or no answers it, or one of two names in it, or neither does.

    >>> kind(Question("1", "Who is older, Ann Lee or Bo Ray?", ("Bo Ray",)))
    'comparison'
    """
    if yes_no(question.answers[0]):
        return YES_NO
    named = names(question.text)
    return COMPARISON if named and any(metrics.exact_match(name, question.answers) for name in named) else HOPS


def yes_no(answer: str) -> str:
    """Return the yes or no that an answer is, else nothing."""
    said = answer.strip(" .").lower()
    return said if said in ("yes", "no") else ""


def names(question: str) -> tuple[str, str] | None:
    """Return the two things that a question names for choice.

    >>> names("Which film, seen first or last, came out earlier, Dawn or The Long Day?")
    ('Dawn', 'The Long Day')
    >>> names("Was Ann Lee or Bo Ray born first?")
    ('Ann Lee', 'Bo Ray')
    """
    before, between, other = question.strip(" ?").rpartition(" or ")
    if not between:
        return None
    if "," in before:
        return before.rpartition(", ")[2], other
    verb = next((verb for verb in _VERBS if before.startswith(verb)), None)
    return (before.removeprefix(verb), _COMPARED.sub("", other)) if verb else None


Chooser = Callable[[str], str]  # question -> one of the two names


def first_named(question: str) -> str:
    """Choose what stands first; nothing where no two are found."""
    named = names(question)
    return named[0] if named else ""


@dataclass(frozen=True)
class Fitted:
    """Chooses by words of the question and the shape of the names."""

    words: tuple[str, ...]
    model: Logistic

    def __call__(self, question: str) -> str:
        """Choose one of the two names."""
        named = names(question)
        if named is None:
            return ""
        second = float(self.model(features(question, named, self.words)[None])[0])
        return named[int(second > 0.5)]


def features(question: str, named: tuple[str, str], words: Sequence[str]) -> _Floats:
    """Describe a question without what its names are called: (F,)."""
    asked = set(_asked(question, named))
    lengths = [len(name) for name in named]
    counts = [len(name.split()) for name in named]
    shapes = [lengths[1] - lengths[0], counts[1] - counts[0], float("(" in named[1]) - float("(" in named[0])]
    return np.array([*shapes, *(float(word in asked) for word in words)], np.float64)


def fitted(questions: Sequence[Question]) -> Chooser:
    """Fit a chooser on comparisons whose answers are known; it is the fixed rule where there are none."""
    known = [(each, named) for each in questions if kind(each) == COMPARISON and (named := names(each.text))]
    second = np.array([metrics.exact_match(named[1], each.answers) for each, named in known], np.float64)
    if len(known) < 2 or second.min() == second.max():
        return first_named
    counted = Counter(word for each, named in known for word in set(_asked(each.text, named)))
    words = tuple(word for word, _ in counted.most_common(COMMON))
    return Fitted(words, fit(np.array([features(each.text, named, words) for each, named in known]), second))


def _asked(question: str, named: tuple[str, str]) -> list[str]:
    rest = question.replace(named[0], " ").replace(named[1], " ")
    return re.findall(r"\w+", rest.lower())
