"""Questions that lean on the one before: "and in 2019?", "who signed it?".

Only their words are looked at, and only English ones are known. A question that names what it is about stands alone and
is left as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reatt.model.answers.source import YES_NO as AUXILIARIES

MOST = 8  # words that are taken over
SHORT = 6  # words of an answer that a later "he" or "she" may stand for
_WORDS = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_LEAD = re.compile(r"(?i)^\s*(?:(?:and|but|so|also|ok|okay|or)\b[\s,]*)+")
_ABOUT = re.compile(r"(?i)^\s*(?:what|how) about\b\s*")
_PREPOSITIONS = "after at before by during for from in of on since to until with without"
_PLACED = re.compile(rf"(?i)^({'|'.join(_PREPOSITIONS.split())})\s+\S")
_EXPLETIVE = re.compile(
    r"(?i)\b(?:it (?:takes?|costs?|rains?|snows?|matters?)\b|(?:does|did|will|would|can) it (?:take|cost|rain|snow)\b"
    r"|(?:is|was|be) it \w+ (?:to|that|if|for)\b|it (?:is|was) \w+ (?:to|that|if|for)\b|(?:time|day|date) is it\b)"
)
_ASKING = frozenset("what which who whom whose when where why how".split())
_PERSONS = frozenset("he her hers him his she".split())
_LEANING = _PERSONS | frozenset("it its them these they their theirs this those".split())
_OWNING = frozenset("her his its their".split())
_POINTING = frozenset("these this those".split())
_AT_THE_END = frozenset("else one ones that then there".split())  # these lean only as the last word
_ARTICLES = frozenset("a an any each every my no our some the your".split())
_SAY_NOTHING = (
    _ASKING | AUXILIARIES | _LEANING | _AT_THE_END | _ARTICLES | frozenset(_PREPOSITIONS.split())
    | frozenset("about again all also and as be been but describe explain i list many me much name or please so still "
                "tell than too under up us we what's who's you".split())
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A question of a conversation as it was searched, and the short answer that it got, if any."""

    question: str
    answer: str | None = None


def whole(question: str, before: Asked | None) -> str:
    """Return a question with what it leans on of the one before; one that stands alone is returned unchanged.

    >>> whole("and in 2019?", Asked("How many visitors came in 2018?"))
    'How many visitors came in 2019?'
    >>> whole("Who signed it?", Asked("When does the lease end?"))
    'Who signed it (lease end)?'
    >>> whole("Who signed the lease?", Asked("When does the museum open?"))
    'Who signed the lease?'
    """
    if before is None:
        return question
    rest = _LEAD.sub("", question)
    about = _ABOUT.sub("", rest)
    if about != rest or (_PLACED.match(rest) and not _asks(rest)):
        return _instead(about, before.question)
    if rest != question and not _asks(rest) and _names(rest):
        return _instead(rest, before.question)
    return _with_topic(rest, before) if _leans(question, rest) else question


def _asks(text: str) -> bool:
    words = _lower(text)
    return bool(set(words) & _ASKING) or bool(words and words[0] in AUXILIARIES)


def _lower(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORDS.findall(text)]


def _names(text: str) -> bool:
    """Say whether all words are names or numbers."""
    words = _WORDS.findall(text)
    return bool(words) and all(word[0].isupper() or word[0].isdigit() for word in words)


def _leans(question: str, rest: str) -> bool:
    """Say whether a question points to something that it does not name, or consists of a question word alone."""
    words = _WORDS.findall(rest)
    low = _lower(rest)
    if not words or all(word in _SAY_NOTHING for word in low):
        return bool(words)
    if rest != question and not _asks(rest):
        return True  # "and the price?"
    if _EXPLETIVE.search(rest):
        return False
    named = next(
        (at for at, word in enumerate(words) if low[at] in _ARTICLES or (at and word[0].isupper())), len(words)
    )
    points = [at for at, word in enumerate(low) if word in _LEANING and not _has_owner(low, at)]
    return bool(points and points[0] < named) or (named == len(words) and low[-1] in _AT_THE_END)


def _has_owner(words: list[str], at: int) -> bool:
    """Say whether what "their year" or "these forms" points to is named: before it, or by the next word."""
    following = at + 1 < len(words) and words[at + 1] not in _SAY_NOTHING
    before = any(word not in _SAY_NOTHING for word in words[:at])
    return following and (words[at] in _POINTING or (words[at] in _OWNING and before))


def _instead(phrase: str, before: str) -> str:
    """Ask the question before with another phrase: in place of one of the same kind, or else behind it."""
    asked, phrase = before.rstrip(" ?.!"), phrase.strip().rstrip(" ?.!")
    begin = phrase.split(" ", 1)[0].lower()
    if _PLACED.match(phrase) and (found := re.search(rf"(?i)\b{begin} (?!.*\b{begin} )[^,;()]+$", asked)):
        return f"{asked[: found.start()]}{phrase}?"
    kind = r"\b[12]\d{3}\b" if re.fullmatch(r"[12]\d{3}", phrase) else r"(?<=\s)[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*)*"
    alike = list(re.finditer(kind, asked)) if _names(phrase) else []
    if len(alike) == 1:
        return f"{asked[: alike[0].start()]}{phrase}{asked[alike[0].end() :]}?"
    return f"{asked} {phrase}?" if _PLACED.match(phrase) else f"{asked} ({phrase})?"


def _with_topic(question: str, before: Asked) -> str:
    """Add what the question before was about; of a person, who was the answer."""
    own = set(_lower(question))
    if own & _PERSONS and before.answer and len(before.answer.split()) <= SHORT:
        topic = [before.answer]
    else:
        topic = [word for word in _WORDS.findall(before.question) if word.lower() not in own | _SAY_NOTHING][:MOST]
    return f"{question.rstrip(' ?.!')} ({' '.join(topic)})?" if topic else question
