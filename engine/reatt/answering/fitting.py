"""Whether a span is of the kind that a question asks for: an amount, a time, a person or a place.

Only clear misfits are refused: a name for "how many", a number for "who". Everything else may be right.
"""

from __future__ import annotations

import re

from reatt.answering.kinds import AMOUNT, PERSON, PLACE, TIME

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen "
    "half quarter third once twice thrice single double triple both none no all every several few many some most "
    "couple first second always never daily weekly monthly yearly annually hourly free nothing forever until"
)
_TIMES = (
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday spring summer autumn fall winter "
    "morning noon afternoon evening night midnight today tomorrow yesterday century decade year years month months "
    "week weeks day days hour hours minute minutes second seconds season time era period age reign war before after "
    "during since until when while once always never daily weekly monthly yearly annually christmas easter now soon "
    "later end beginning start birth death dawn dusk sunrise sunset semester term quarter"
)
_WORDS = re.compile(r"[^\W\d_]+")
_KNOWN = {AMOUNT: frozenset(_NUMBERS.split()), TIME: frozenset(_TIMES.split())}


def fits(text: str, wants: str | None) -> bool:
    """Say whether a span may be what a question asks for.

    >>> [fits(text, "an amount") for text in ("1,280 euros", "twice", "Frau Sato")]
    [True, True, False]
    >>> [fits(text, "a person") for text in ("the king", "1990", "49 %")]
    [True, False, False]
    """
    words = {word.lower() for word in _WORDS.findall(text)}
    number = any(letter.isdigit() for letter in text)
    if wants in (AMOUNT, TIME):
        return number or bool(words & _KNOWN[wants]) or any(_of_numbers(word) for word in words)
    if wants in (PERSON, PLACE):
        return bool(words - _KNOWN[TIME] - _UNITS) if number else bool(words)
    return True


def _of_numbers(word: str) -> bool:
    """Recognise "twenty-first" in its parts, "fortnight", "fifties", "hundreds"."""
    return word.rstrip("s") in _KNOWN[AMOUNT] or word.endswith(("teen", "teenth", "tieth", "ties", "fold", "night"))


_UNITS = frozenset("euros euro dollars dollar pounds kg km m cm mm g l ml percent per cent am pm bc ad".split())
