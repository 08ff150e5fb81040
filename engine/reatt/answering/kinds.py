"""Which kind of answer a question asks for, told from its words alone.

A fact is answered by a span, "why" and "how" by sentences, "which" and "list" by all spans that are about as good as
the best, and "is it" by yes or no. Only English words are known; any other question is answered by a span.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from typing import Literal

from reatt.model.answers.source import YES_NO as AUXILIARIES
from reatt.model.answers.source import asking_clause, is_yes_no

Mode = Literal["span", "sentence", "list", "yes-no", "comparison", "free"]
SPAN: Mode = "span"
SENTENCE: Mode = "sentence"
LIST: Mode = "list"
YES_NO: Mode = "yes-no"
COMPARISON: Mode = "comparison"
FREE: Mode = "free"
AMOUNT, TIME, PERSON, PLACE = "an amount", "a time", "a person", "a place"

_WORDS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_POLITE = frozenset("briefly can could give kindly me please show tell us will would you".split())
_TELL = frozenset(
    "analyse analyze compare contrast define describe discuss elaborate explain illustrate outline summarise "
    "summarize".split()
)
_NAME = frozenset("enumerate list name".split())
_OF_A_QUESTION = frozenset("how what what's whats when where which who who's whos whom whose why".split())
_MUCH = frozenset(
    "big cold deep far fast few heavy high hot large late little long many much old often small soon tall thick wide "
    "young".split()
)
_AFTER_HOW = AUXILIARIES | {"to", "come"}
_BE = frozenset("are is was were".split())
_HAPPENS = frozenset("caused follows followed happen happened happens if led made prompted triggered".split())
_ACTS = frozenset(
    "agree argue believe comment conclude debate decide describe discuss do elaborate explain feel learn mention "
    "recommend respond say suggest talk tell think".split()
)
_MATTERS = frozenset(
    "advice approach argument aspect attitude attitudes comment comments conclusion conclusions contribution "
    "contributions criticism debate debates decision difference differences discussion discussions effect evidence "
    "explanation extent feedback finding findings impact implication implications importance influence insight "
    "insights justification mechanism mechanisms methodologies methodology motivation opinion opinions outcome "
    "outcomes perspective perspectives purpose rationale reaction reactions reason reasoning reasons relationship "
    "response role significance strategy validation view views way ways".split()
)
_WANTS = {"who": PERSON, "who's": PERSON, "whos": PERSON, "whom": PERSON, "when": TIME, "where": PLACE}
_NOUNS = {
    AMOUNT: "amount cost distance fee length number percentage price rent salary speed temperature",
    PERSON: "actor actress author person president singer",
    PLACE: "city continent country county district location place region state town village",
    TIME: "age century date day decade month season time week weekday year",
}
_KINDS = {noun: kind for kind, nouns in _NOUNS.items() for noun in nouns.split()}
_SINGULAR = ("ss", "us", "is", "'s")  # ends of words that are no plurals
_ARTICLES = frozenset("a an her his its the their these this those your".split())
_BEHIND = frozenset(  # what stands behind a noun
    "about and at between by for from he i in of on or she that they to towards used we when who which with you".split()
)
LONGEST_NAME = 4  # words of a thing that is to be defined
_NO_NAME = ("'s", "s'", "ed", "ing")  # ends of words that say more than what a thing is called
_NO_THING = (
    AUXILIARIES
    | _ARTICLES
    | _BEHIND
    | frozenset(_KINDS)
    | frozenset("all best inside main most other some these those".split())
)
_WHO_IS = re.compile(r"\s*[Ww]ho(?:['’]s| is| was)(?: [A-Z][\w.’-]*[a-z]){1,4}\s*\?*\s*")


@dataclass(frozen=True)
class Asked:
    """What a question asks for: how it is answered, by which of its words that is told, and what a span must be."""

    mode: Mode
    why: str
    wants: str | None = None
    many: bool = False  # of a list: whether there surely is more than one
    among: tuple[str, ...] = ()  # what the question offers for choice, as in "which form, A or B"


def asked(question: str) -> Asked:
    """Tell how a question is answered.

    >>> asked("Why is the sky blue?")
    Asked(mode='sentence', why='"why" asks for an explanation', wants=None, many=False, among=())
    >>> [asked(text).mode for text in ("Is it red?", "Which of them are red?", "How many are red?", "Describe red.")]
    ['yes-no', 'list', 'span', 'sentence']
    """
    if is_yes_no(question):
        return Asked(YES_NO, "it can be answered by yes or no")
    words = _lower(question)
    if _WHO_IS.fullmatch(question):
        return Asked(SENTENCE, '"who is" with a name asks who that is')
    told = _request(words) or _asking(_lower(asking_clause(question))) or _asking(words)
    return told or Asked(SPAN, "nothing in its words asks for more than a fact")


def _lower(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORDS.findall(text)]


def _request(words: list[str]) -> Asked | None:
    """Tell what a request such as "please list" asks for."""
    begin = next((word for word in words if word not in _POLITE), "")
    if begin in _TELL or words[:3] == ["tell", "me", "about"]:
        return Asked(SENTENCE, f'"{begin if begin in _TELL else "tell me about"}" asks for an explanation')
    return Asked(LIST, f'"{begin}" asks for all that there are', many=True) if begin in _NAME else None


def _asking(words: list[str]) -> Asked | None:
    """Tell what a question word and those after it ask for."""
    at = _question_word(words)
    if at is None:
        return None
    word, rest = words[at], words[at + 1 :]
    if word == "how" and rest[:1] and rest[0] in _MUCH:
        return Asked(SPAN, f'"how {rest[0]}" asks for a fact', AMOUNT)
    if word == "why" or (word == "how" and (not rest or set(rest[:2]) & _AFTER_HOW)):
        return Asked(SENTENCE, f'"{word}" asks for an explanation')
    if more := next((after for before, after in pairwise(words) if before == "and" and after in ("how", "why")), ""):
        return Asked(SENTENCE, f'"and {more}" asks for an explanation')
    if word == "which":
        return _which(rest)
    if word == "who" and rest[:1] in (["are"], ["were"]):
        return Asked(LIST, f'"who {rest[0]}" asks for all that there are', PERSON, many=True)
    return (
        _what(rest if word == "what" else ["is", *rest])
        if word in ("what", "what's", "whats")
        else Asked(SPAN, f'"{word}" asks for a fact', _WANTS.get(word))
    )


def _question_word(words: list[str]) -> int | None:
    """Find the word that asks; "when the king came, what did he do?" asks by its "what"."""
    found = [at for at, word in enumerate(words) if word in _OF_A_QUESTION]
    for at in found:
        begins_clause = words[at] in ("when", "where") and not {*words[at + 1 : at + 2]} <= AUXILIARIES
        if not begins_clause:
            return at
    return None


def _which(rest: list[str]) -> Asked:
    """Tell what the words after "which" ask for: "which year" has one answer, "which years" and "which of" several."""
    noun = _noun(rest)
    if noun in _MATTERS:
        return Asked(SENTENCE, f'"{noun}" asks for an explanation')
    many = _is_plural(noun) or bool({"are", "were"} & set(rest[:4]))
    if many or not noun:
        return Asked(LIST, '"which" asks for all that there are', _KINDS.get(noun), many)
    return Asked(SPAN, f'"which {noun}" asks for a fact', _KINDS.get(noun))


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
    if begin in _BE and _defines(rest):
        return Asked(SENTENCE, f'"what {begin}" asks for a definition')
    if begin in ("are", "were") or (begin not in AUXILIARIES and _is_plural(noun)):
        return Asked(LIST, f'"what {begin if begin in _BE else noun}" asks for more than one', many=True)
    return Asked(SPAN, '"what" asks for a fact', _KINDS.get(noun))


def _defines(rest: list[str]) -> bool:
    """Say whether a question asks what something is: "what is a glacier", not "what is the height of a glacier"."""
    thing = list(dropwhile(_BE.__contains__, rest))
    thing = thing[1:] if thing[:1] in (["a"], ["an"]) else thing
    fact = any(word in _NO_THING or word.endswith(_NO_NAME) for word in thing)
    return 1 <= len(thing) <= LONGEST_NAME and not fact


def _is_plural(noun: str) -> bool:
    return noun.endswith("s") and not noun.endswith(_SINGULAR)


def _noun(rest: list[str]) -> str:
    """Guess the noun that "what" asks for: the last word before a verb or a preposition."""
    noun = ""
    for word in rest[1:] if rest[:1] and rest[0] in _BE else rest:
        if word in AUXILIARIES or word in _BEHIND or (noun and word.endswith(("ed", "ing"))):
            break
        noun = "" if word in _ARTICLES else word
    return noun
