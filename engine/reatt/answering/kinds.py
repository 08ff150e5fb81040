"""Which kind of answer a question asks for, told from its words alone.

A fact is answered by a span, "why" and "how" by sentences, "which" and "list" by all spans that are about as good as
the best, and "is it" by yes or no. Only English words are known; any other question is answered by a span.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from reatt.model.answers.source import YES_NO as AUXILIARIES
from reatt.model.answers.source import asking_clause, is_yes_no

Mode = Literal["span", "sentence", "list", "yes-no", "free"]
SPAN: Mode = "span"
SENTENCE: Mode = "sentence"
LIST: Mode = "list"
YES_NO: Mode = "yes-no"
FREE: Mode = "free"
AMOUNT, TIME, PERSON, PLACE = "an amount", "a time", "a person", "a place"

_WORDS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_TELL = frozenset(
    "analyse analyze compare contrast define describe discuss elaborate explain illustrate outline summarise "
    "summarize".split()
)
_NAME = frozenset("enumerate list name".split())
_POLITE = frozenset("please kindly briefly can could would will you me us give show tell".split())
_OF_A_QUESTION = frozenset("what what's which who who's whom whose when where why how".split())
_CLAUSE = frozenset("when where how".split())  # these may begin a clause that is no question
_HAPPENS = frozenset("happen happens happened follows followed caused made led prompted triggered if".split())
_ACTS = frozenset(
    "agree argue believe comment conclude decide describe discuss do elaborate explain feel learn mention recommend "
    "respond say suggest tell think".split()
)
_MATTERS = frozenset(
    "advice attitude attitudes comment comments conclusion conclusions difference discussion discussions decision "
    "explanation feedback opinion opinions perspective purpose rationale reaction reason reasoning relationship "
    "response significance view views way ways".split()
)
_TIMES = frozenset("age century date day decade month season time week weekday year".split())
_PLACES = frozenset("area city continent country county district location place province region state town".split())
_WANTS = {"who": PERSON, "who's": PERSON, "whom": PERSON, "when": TIME, "where": PLACE, "how": AMOUNT}
_SINGULAR = ("ss", "us", "is", "'s")


@dataclass(frozen=True)
class Asked:
    """What a question asks for: how it is answered, by which of its words that is told, and what a span must be."""

    mode: Mode
    why: str
    wants: str | None = None


def asked(question: str) -> Asked:
    """Tell how a question is answered.

    >>> asked("Why is the sky blue?")
    Asked(mode='sentence', why='"why" asks for an explanation', wants=None)
    >>> [asked(text).mode for text in ("Is it red?", "Which of them are red?", "How many are red?", "Describe red.")]
    ['yes-no', 'list', 'span', 'sentence']
    """
    if is_yes_no(question):
        return Asked(YES_NO, "it can be answered by yes or no")
    words = [word.lower().replace("’", "'") for word in _WORDS.findall(question)]
    last = [word.lower().replace("’", "'") for word in _WORDS.findall(asking_clause(question))]
    told = _request(words) or _asking(last) or _asking(words)
    return told or Asked(SPAN, "nothing in its words asks for more than a fact")


def _request(words: list[str]) -> Asked | None:
    """Tell what a request such as "please list" asks for."""
    begin = next((word for word in words if word not in _POLITE), "")
    if begin in _TELL or words[:3] == ["tell", "me", "about"]:
        return Asked(SENTENCE, f'"{begin}" asks for an explanation')
    return Asked(LIST, f'"{begin}" asks for all that there are') if begin in _NAME else None


def _asking(words: list[str]) -> Asked | None:
    """Tell what a question word and those after it ask for."""
    at = _question_word(words)
    if at is None:
        return None
    word, rest = words[at], words[at + 1 :]
    if word == "why" or (word == "how" and (not rest or rest[0] in AUXILIARIES or rest[0] in ("to", "come"))):
        return Asked(SENTENCE, f'"{word}" asks for an explanation')
    if word == "which" or (word == "who" and rest[:1] in (["are"], ["were"])):
        said = word if word == "which" else f"{word} {rest[0]}"
        return Asked(LIST, f'"{said}" asks for all that there are', PERSON if word == "who" else None)
    return _what(rest) if word in ("what", "what's") else Asked(SPAN, f'"{word}" asks for a fact', _WANTS.get(word))


def _question_word(words: list[str]) -> int | None:
    """Find the word that asks; "when the king came, what did he do?" asks by its "what"."""
    found = [at for at, word in enumerate(words) if word in _OF_A_QUESTION]
    for at in found:
        if (
            words[at] not in _CLAUSE
            or words[at + 1 : at + 2] == []
            or words[at + 1] in AUXILIARIES
            or words[at] == "how"
        ):
            return at
    return found[0] if found else None


def _what(rest: list[str]) -> Asked:
    """Tell what the words after "what" ask for."""
    noun, begin = _noun(rest), rest[0] if rest else ""
    act = next((word for word in rest if word in _ACTS), "")
    if begin in _HAPPENS or "happen" in rest[:4]:
        return Asked(SENTENCE, f'"what {begin}" asks what happened')
    if act and begin in AUXILIARIES - _BE:
        return Asked(SENTENCE, f'"what {begin}" and "{act}" ask what was said or done')
    if noun in _MATTERS:
        return Asked(SENTENCE, f'"{noun}" asks for an explanation')
    if begin in ("are", "were") or (begin not in AUXILIARIES and noun.endswith("s") and not noun.endswith(_SINGULAR)):
        return Asked(LIST, f'"what {begin if begin in _BE else noun}" asks for more than one')
    return Asked(SPAN, '"what" asks for a fact', TIME if noun in _TIMES else PLACE if noun in _PLACES else None)


def _noun(rest: list[str]) -> str:
    """Guess the noun that "what" asks for: the last word before a verb or a preposition."""
    noun = ""
    for word in rest[1:] if rest and rest[0] in _BE else rest:
        if word in AUXILIARIES or word in _SMALL or (noun and word.endswith(("ed", "ing"))):
            break
        noun = "" if word in _ARTICLES else word
    return noun


_BE = frozenset("is was are were".split())
_SMALL = frozenset(
    "about and at between by for from he i in of on or she that they to towards used we when who which with you".split()
)
_ARTICLES = frozenset("a an her his its the their these this those your".split())
