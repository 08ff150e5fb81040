"""The English words of comparisons: which two things a question names, and which of their properties it compares."""

from __future__ import annotations

import re

from reatt.answering.comparisons import LEAST, LONGEST, MOST, SAME, Comparison, Order, Step
from reatt.answering.kinds import AMOUNT, PERSON, TIME

Pair = tuple[str, str]
Property = tuple[tuple[Step, ...], Order]

_BE = "is|are|was|were"
_EARLY = "first|earliest|earlier|sooner"
_LATE = "last|latest|later|more recently|most recently"
_THAN = re.compile(r" than the other(?: one)?$")
# The adjective of each comparative; a minus where less of it is asked for.
_ADJECTIVES = {
    "heavier": "heavy", "lighter": "-heavy", "longer": "long", "shorter": "-long", "taller": "tall", "higher": "high",
    "lower": "-high", "larger": "large", "bigger": "big", "smaller": "-large", "faster": "fast", "slower": "-fast",
    "wider": "wide", "narrower": "-wide", "deeper": "deep", "shallower": "-deep", "thicker": "thick",
    "thinner": "-thick", "hotter": "hot", "colder": "-hot", "warmer": "warm", "cooler": "-warm",
}  # fmt: skip
_PRICES = {"costs more": MOST, "is more expensive": MOST, "is dearer": MOST, "costs less": LEAST, "is cheaper": LEAST,
           "is less expensive": LEAST}  # fmt: skip
_AGES = {"older": LEAST, "oldest": LEAST, "younger": MOST, "youngest": MOST, "newer": MOST, "newest": MOST}
_DID = {
    "began": "begin", "came out": "come out", "died": "die", "ended": "end", "happened": "happen", "left": "leave",
    "lived": "live", "ran": "run", "started": "start", "took place": "take place", "won": "win",
}  # fmt: skip
_WORKS = "(?:films?|movies?|books?|songs?|albums?|plays?|novels?|series)"


def comparison(question: str) -> Comparison | None:
    """Tell what a question compares; None if it compares nothing, or not two things.

    >>> comparison("Which boat is heavier, Kestrel or Plover?")
    Comparison(names=('Kestrel', 'Plover'), steps=(Step(text='How heavy is {}?', wants='an amount'),), order='most')
    >>> [step.text for step in comparison("Do the directors of films Dawn and Dusk have the same nationality?").steps]
    ['Who is the director of {}?', 'What is the nationality of {}?']
    """
    text = " ".join(question.split()).strip(" ?")
    return (_same(text) or _ordered(text)) if len(text) <= LONGEST and "{" not in text else None


def offered(question: str) -> tuple[str, ...]:
    """Return the two things that a question ends in for choice; none if it ends otherwise.

    >>> offered("Which form do I need, the red one or the blue one?"), offered("Which form do I need?")
    (('the red one', 'the blue one'), ())
    """
    text = " ".join(question.split()).strip(" ?")
    found = _CHOICE.fullmatch(text) if len(text) <= LONGEST else None
    return (found["one"], found["other"]) if found else ()


_CHOICE = re.compile(r"(?:who|which|what)\b[^,:]+[,:] (?P<one>[^,:]+) or (?P<other>[^,:]+)", re.IGNORECASE)
_ENDING = re.compile(r"(?P<ask>.+?)(?:,|:) (?P<one>.+) or (?P<other>.+)", re.IGNORECASE)
_AMONG = re.compile(r"(?P<ask>.+?),? (?:out of|between|of) (?P<one>[^,]+) and (?P<other>[^,]+)", re.IGNORECASE)
_BEGINNING = re.compile(
    rf"(?P<be>{_BE}|did|does) (?P<one>.+?) or (?P<other>.+?) (?P<ask>(?:\w+ed|born|built|made|written|die|open|start"
    rf"|begin|end|leave|come out|cheaper|{'|'.join((*_AGES, *_ADJECTIVES))})\b.*)",
    re.IGNORECASE,
)


def _ordered(text: str) -> Comparison | None:
    """Read "which is older, A or B" and "was A or B born first"."""
    if found := _BEGINNING.fullmatch(text):
        ask = f"which {found['be'].lower()} {found['ask']}"
    elif found := _ENDING.fullmatch(text) or _AMONG.fullmatch(text):
        ask = found["ask"]
    else:
        return None
    told = _property(ask)
    return Comparison((found["one"], found["other"]), *told) if told else None


_ROLE = re.compile(
    r"(?:which|what) .+? (?:(?:has|have|had|with) (?:the|an?) |whose )(?P<role>\w+) (?:(?:who|that|which) )?"
    r"(?P<rest>.+)",
    re.IGNORECASE,
)


def _property(ask: str) -> Property | None:
    """Read what is compared: a property of the things, or of who stands in a role to them.

    >>> _property("Which film has the director who died earlier")[0][1]
    Step(text='When did {} die?', wants='a time')
    """
    if found := _ROLE.fullmatch(ask):
        told = _told(found["rest"], person=True)
        if told:
            return (Step(f"Who is the {found['role']} of {{}}?", PERSON), told[0]), told[1]
    word, *rest = ask.split(" ")
    starts = range(len(rest)) if word.lower() in ("who", "which", "what") else ()
    read = (_told(" ".join(rest[start:]), person=word.lower() == "who") for start in starts)
    told = next(filter(None, read), None)
    return ((told[0],), told[1]) if told else None


def _told(rest: str, *, person: bool) -> tuple[Step, Order] | None:
    """Read a property and its order.

    >>> _told("was born earlier", person=True)
    (Step(text='When was {} born?', wants='a time'), 'least')
    >>> _told("has fewer rooms", person=False)
    (Step(text='How many rooms does {} have?', wants='an amount'), 'least')
    """
    rest = _THAN.sub("", rest.lower())
    return _measured(rest, person=person) or _timed(rest)


def _measured(rest: str, *, person: bool) -> tuple[Step, Order] | None:
    if rest in _PRICES:
        return Step("How much does {} cost?", AMOUNT), _PRICES[rest]
    if found := re.fullmatch(r"ha(?:s|d) (?:the )?(more|most|fewer|fewest|less|least) (\w+(?: \w+)?)", rest):
        many = "many" if found[2].endswith("s") else "much"
        return Step(f"How {many} {found[2]} does {{}} have?", AMOUNT), MOST if found[1] in ("more", "most") else LEAST
    is_ = re.fullmatch(rf"(?:{_BE}) (?:the )?(\w+)", rest)
    word = is_[1] if is_ else ""
    if word in _AGES:
        return Step("When was {} born?" if person else "When was {} made?", TIME), _AGES[word]
    adjective = _ADJECTIVES.get(word)
    if adjective is None:
        return None
    return Step(f"How {adjective.lstrip('-')} is {{}}?", AMOUNT), LEAST if adjective.startswith("-") else MOST


def _timed(rest: str) -> tuple[Step, Order] | None:
    found = re.fullmatch(rf"(.+?) ({_EARLY}|{_LATE})(?: .+)?", rest)
    if not found:
        return None
    verb, order = found[1], MOST if re.fullmatch(_LATE, found[2]) else LEAST
    if verb in _DID:
        return Step(f"When did {{}} {_DID[verb]}?", TIME), order
    if did := re.fullmatch(r"(did|does) (\w+(?: out| place)?)", verb):
        return Step(f"When {did[1]} {{}} {did[2]}?", TIME), order
    if was := re.fullmatch(rf"(?:(?:{_BE}|has been) )?(born|built|made|written|begun|held|\w+ed)(?: first)?", verb):
        return Step(f"When was {{}} {was[1]}?", TIME), order
    does = re.fullmatch(r"(?!was|is|has|does)(\w{2,}?)s", verb)
    return (Step(f"When does {{}} {does[1]}?", TIME), order) if does else None


_SAME = re.compile(
    r"(?:are|were|is|was|do|does|did|have|has) (?P<things>.+?),? (?:both )?(?P<verb>(?:that |who )?"
    r"(?:located|situated|born|based|held|made|written|published|set|from|of(?= the same)|have|has|share|come from"
    r"|originate from|who are from|that share|who share)\b[^,]*?) ?the same (?P<noun>\w+)"
    r"(?: (?:as|with) (?P<other>.+))?",
    re.IGNORECASE,
)
_OWNED = re.compile(r"(.+?),? ha(?:ve|s) (?:the )?(\w+?)s?(?: (?:who|that))?(?: are)?(?: from| share)?", re.IGNORECASE)
# Small letters tell a role and a kind from names: "the director of Dawn", "The Battle Of Dawn".
_ROLE_OF = re.compile(rf"(?:(?:the|both) )*(?P<role>[a-z]+?)s? of (?:(?:the|both) )*(?:{_WORKS},? )?")
_KIND_OF = re.compile(rf"both (?:(?:[a-z]+ )?[a-z]+s[,:] |{_WORKS}:? )?|the (?:{_WORKS}|[a-z]+s),? ")


def _same(text: str) -> Comparison | None:
    """Read "are A and B of the same N", "does A have the same N as B", "do the Rs of A and B share the same N"."""
    found = _SAME.fullmatch(text)
    if not found:
        return None
    things, verb, role = found["things"], found["verb"].lower(), ""
    if owned := _OWNED.fullmatch(f"{things} {verb}"):
        things, role, verb = owned[1], owned[2].lower(), verb if verb.endswith("from") else "share"
    if of := _ROLE_OF.match(things):
        role = of["role"].lower()
    pair = (things, found["other"]) if found["other"] else _pair(things)
    if pair is None:
        return None
    names = tuple(_named(each) for each in pair)
    before = (Step(f"Who is the {role} of {{}}?", PERSON),) if role and role != found["noun"] else ()
    return Comparison((names[0], names[1]), (*before, Step(_shared(verb, found["noun"].lower()))), SAME)


def _pair(things: str) -> Pair | None:
    """Part two things; names that hold an "and" themselves are parted at the first that stands alone.

    >>> _pair("both villages, Dawn and Dusk")
    ('both villages, Dawn', 'Dusk')
    """
    before, between, after = things.rstrip(",").partition(" and ")
    return (before, after) if between else None


def _named(thing: str) -> str:
    """Leave out what stands before a name: "both films", "the director of film".

    >>> _named("both villages, Dawn"), _named("director of film The Long Day"), _named("Dusk films")
    ('Dawn', 'The Long Day', 'Dusk')
    """
    if of := _ROLE_OF.match(thing):
        return thing[of.end() :]
    kind = _KIND_OF.match(thing)
    return re.sub(rf" {_WORKS}$", "", thing[kind.end() if kind else 0 :])


def _shared(verb: str, noun: str) -> str:
    """Ask for the property that is said to be the same.

    >>> _shared("located in", "country"), _shared("born in", "place"), _shared("share", "nationality")
    ('In which country is {} located?', 'In which place was {} born?', 'What is the nationality of {}?')
    """
    words = [word for word in verb.split() if word not in ("who", "that", "are")]
    if len(words) == 2 and words[0] not in ("come", "originate"):
        be = "is" if words[0] in ("located", "situated", "based", "set") else "was"
        return f"{words[1].capitalize()} which {noun} {be} {{}} {words[0]}?"
    return f"Which {noun} is {{}} from?" if words[-1:] == ["from"] else f"What is the {noun} of {{}}?"
