"""Questions about someone who is only described: who that is, and what is asked of that person.

"When was the author of Dawn born?" may need two documents: one names the author, and another tells of her life. The
model reads each alone beside the question. So it is asked who the author of Dawn is, and then the question with her
name. Only English words are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from reatt.answering.comparisons import LONGEST, Step, V
from reatt.answering.kinds import PERSON

_ROLE = "|".join(
    "actor actress architect artist author boss captain coach commander composer creator daughter designer director "
    "doctor editor employer father founder head host husband inventor landlord landlady lawyer leader manager mother "
    "owner painter partner performer poet president producer publisher sculptor secretary singer son spouse teacher "
    "tenant translator wife writer".split()
)
_GRAND = "(?:paternal|maternal) grand(?:father|mother)"
_WORK = "(?:film|movie|book|song|album|play|novel|series|poem|opera|painting) "
_ENDS = "born|die|died|buried|live|work|study|graduate|educated|come from|go to school|is from|was from|from"
_OF = re.compile(
    rf"(?P<before>.*)\bthe (?P<role>{_ROLE}|{_GRAND}) of (?:the )?(?:{_WORK})?(?P<name>.+?)"
    rf"(?P<after>(?: (?:{_ENDS})\b.*)?)"
)
_OWN = re.compile(
    r"(?P<before>.*?\b(?:did|does|do|is|was|were|are|of|country|has|had)) (?P<name>[A-Z\d].*?) ?['’]s "
    rf"(?P<role>{_ROLE}|{_GRAND})\b(?P<after>.*)"
)
_WHO = re.compile(r"who (?:is|was) \{\}\?", re.IGNORECASE)
_PARENTS = {"paternal": "father", "maternal": "mother", "grandfather": "father", "grandmother": "mother"}


@dataclass(frozen=True)
class Chain:
    """A thing that is named, the steps from it to a person, and the question about that person, who is `{}` in it."""

    name: str
    steps: tuple[Step, ...]
    question: str

    def about(self, person: str) -> str:
        """Ask the question of a person."""
        return self.question.replace("{}", person)

    def follow(self, read: Callable[[Step, str], V | None]) -> list[V] | None:
        """Read the answer of each step, the next one about the last; None where one has none."""
        thing, found = self.name, list[V]()
        for step in self.steps:
            value = read(step, thing)
            if value is None:
                return None
            found.append(value)
            thing = value.text
        return found


def chain(question: str) -> Chain | None:
    """Part a question about someone who is described; None if nobody is, or if it only asks who that is.

    >>> found = chain("When was the author of Dawn born?")
    >>> found.name, found.steps[0].text, found.question
    ('Dawn', 'Who is the author of {}?', 'When was {} born?')
    >>> chain("Who is the author of Dawn?")
    """
    text = " ".join(question.split()).strip(" ?")
    if len(text) > LONGEST or "{" in text:
        return None
    found = _OWN.fullmatch(text) or _OF.fullmatch(text)
    if not found:
        return None
    steps = [Step(f"Who is the {role} of {{}}?", PERSON) for role in _roles(found["role"])]
    rest = f"{found['before'].strip()} {{}}{found['after']}?"
    if _WHO.fullmatch(rest):
        rest = steps.pop().text
    return Chain(found["name"], tuple(steps), rest) if steps else None


def _roles(role: str) -> list[str]:
    """Part a grandparent into two parents.

    >>> _roles("maternal grandfather"), _roles("author")
    (['mother', 'father'], ['author'])
    """
    side, _, parent = role.rpartition(" ")
    return [_PARENTS[side], _PARENTS[parent]] if side else [role]
