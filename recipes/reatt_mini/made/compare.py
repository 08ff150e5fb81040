"""Comparison and yes-no questions that two articles answer together, out of their first sentences' facts.

No answer can be guessed by the question alone. Subjects stand in a ring: each is compared with the next, once by the
one word and once by its opposite, so that it is as often named first as second, and as often the answer as not. A
yes-no question is asked both ways, or of the same subject once with what is so and once with what is not.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.reatt_mini.made.facts import Subject, nations
from recipes.reatt_mini.made.texts import Made


@dataclass(frozen=True)
class Scale:
    """What can be compared: wordings for less and for more, with {a} and {b}, and of questions on an order."""

    fact: str
    most: int  # subjects
    less: str
    more: str
    before: str
    after: str
    living: bool  # subjects that have died are left out


SCALES = Path(__file__).with_name("scales.txt")
_SAME = {
    "nation": (
        900,
        "Are {a} and {b} from the same country?|Do {a} and {b} have the same nationality?|Were {a} and {b} from the "
        "same country?|Do {a} and {b} come from the same country?|Is {a} of the same nationality as {b}?",
    ),
    "country": (
        500,
        "Are {a} and {b} in the same country?|Do {a} and {b} lie in the same country?|Are {a} and {b} located in the "
        "same country?|Is {a} in the same country as {b}?",
    ),
}
# Professions that exclude each other, as far as an article's first sentences go.
_FIELDS = (
    "politician|lawyer|diplomat|statesman|economist|attorney|judge|jurist",
    "actor|actress|movie actor|movie actress|voice actor|voice actress|comedian|television presenter|movie director"
    "|screenwriter",
    "football player|footballer|basketball player|baseball player|tennis player|swimmer|cyclist|cricketer|boxer"
    "|wrestler|figure skater|skier|golfer|racing driver|athlete|volleyball player|football manager|soccer player",
    "singer|musician|composer|rapper|guitarist|pianist|conductor|songwriter|drummer|violinist|pop singer",
    "mathematician|physicist|astronomer|chemist|biologist|biochemist|computer scientist|engineer|physician",
    "painter|sculptor|architect|photographer|fashion designer|cartoonist",
    "poet|novelist|writer|author|journalist|historian|playwright",
)
_BOTH_ARE = (
    "Are both {a} and {b} {p}s?|Do {a} and {b} both work as {p}s?|Were {a} and {b} both {p}s?|Do {a} and {b} share the "
    "profession of {p}?"
).split("|")
_FIELD = {name: number for number, names in enumerate(_FIELDS) for name in names.split("|")}
# Shares of the subjects that are asked whether they are something, whether two are; places asked for their country.
_ONE, _BOTH, _IN = 0.6, 0.33, 400


def scales(text: str) -> Iterator[Scale]:
    """Read what can be compared."""
    for block in text.partition("\n\n")[2].strip().split("\n\n"):
        first, less, more, before, after = block.splitlines()
        fact, most, *living = first.split()
        yield Scale(fact, int(most), less, more, before, after, bool(living))


class _Asker:
    """Adds questions on two subjects, each subject's text once."""

    def __init__(self, dice: random.Random) -> None:
        self.made, self.dice = Made(), dice
        self._known: dict[str, str] = {}

    def ask(self, wordings: str, answer: str, pair: Sequence[Subject], *, both: bool = True) -> None:
        """Ask in one of several wordings; `both`: two texts answer it, else the first one does."""
        names = []
        for subject in pair:
            names.append(self._known.get(subject.title) or self.made.document(subject.title, subject.text))
            self._known[subject.title] = names[-1]
        kind = "yesno" if answer in {"yes", "no"} else "comparison"
        home = names[[s.name for s in pair].index(answer)] if kind == "comparison" else names[0]
        self.made.relevant += [(f"q{len(self.made.queries)}", name) for name in (names if both else names[:1])]
        text = self.dice.choice(wordings.split("|")).replace("{a}", pair[0].name).replace("{b}", pair[1].name)
        self.made.ask(text.lower() if self.dice.random() < 0.04 else text, [answer], home, kind=kind, doc_ids=names)


def make(subjects: Sequence[Subject], seed: int) -> Made:
    """Make the set."""
    dice = random.Random(f"compare {seed}")
    asker = _Asker(dice)
    for scale in scales(SCALES.read_text(encoding="utf-8")):
        for pair, lower in _ring(_measured(subjects, scale), scale, dice):
            higher = pair[1] if lower is pair[0] else pair[0]
            asker.ask(scale.less, lower.name, pair)
            asker.ask(scale.more, higher.name, pair)
            if dice.random() < 0.35:
                wordings, first = dice.choice(((scale.before, lower), (scale.after, higher)))
                wording = dice.choice(wordings.split("|"))
                for one, other in (pair, pair[::-1]):
                    asker.ask(wording, "yes" if one is first else "no", (one, other))
    for fact, (most, wordings) in _SAME.items():
        for one, same, other in _alike(subjects, fact, most, dice):
            asker.ask(wordings, "yes", (one, same))
            asker.ask(wordings, "no", (one, other))
    for wording, answer, two, both in (*_professions(subjects, dice), *_places(subjects, dice)):
        asker.ask(wording, answer, two, both=both)
    return asker.made


def _measured(subjects: Sequence[Subject], scale: Scale) -> list[tuple[float, Subject]]:
    """Take the subjects that a scale measures."""
    if scale.fact == "age":
        return [(s.number("died") - s.number("born"), s) for s in subjects if "died" in s.says]
    return [
        (s.number(scale.fact), s) for s in subjects if scale.fact in s.says and not (scale.living and "died" in s.says)
    ]


def _ring(
    measured: list[tuple[float, Subject]], scale: Scale, dice: random.Random
) -> Iterator[tuple[tuple[Subject, Subject], Subject]]:
    """Pair each of some subjects with the next; with each pair comes the one that has less."""
    least = {"released": 0.5, "founded": 0.5, "age": 1.5, "born": 0.1, "died": 0.1}.get(scale.fact)

    def apart(one: tuple[float, Subject], two: tuple[float, Subject]) -> bool:
        far = abs(one[0] - two[0]) > least if least else max(one[0], two[0]) > 1.1 * min(one[0], two[0])
        return far and one[1].name != two[1].name

    ring: list[tuple[float, Subject]] = []
    for each in dice.sample(measured, min(scale.most, len(measured))):
        if not ring or apart(ring[-1], each):
            ring.append(each)
    while len(ring) > 1 and not apart(ring[-1], ring[0]):
        ring.pop()
    for one, two in zip(ring, ring[1:] + ring[:1], strict=True) if len(ring) > 2 else ():
        yield (one[1], two[1]), min(one, two, key=lambda each: each[0])[1]


def _alike(
    subjects: Sequence[Subject], fact: str, most: int, dice: random.Random
) -> Iterator[tuple[Subject, Subject, Subject]]:
    """Give a subject, one like it and one unlike it in a fact; each stands in each place once."""
    groups: dict[str, list[Subject]] = defaultdict(list)
    for subject in dice.sample(subjects, len(subjects)):
        if fact in subject.says and ("born" in subject.says or "place" in subject.says):
            group = groups[str(subject.says[fact])]
            if len(group) < most // 6:
                group.append(subject)
    whole = {name: group for name, group in groups.items() if len(group) > 2}
    chosen = [(one, same) for group in whole.values() for one, same in zip(group, group[1:] + group[:1], strict=True)]
    shift = max(map(len, whole.values()), default=0)
    triples = []
    for (one, same), (other, _) in zip(chosen, chosen[shift:] + chosen[:shift], strict=True):
        unlike = other.says[fact] != one.says[fact]
        if unlike and not _mentions(other, one, fact) and not _mentions(one, other, fact):
            triples.append((one, same, other))
    yield from dice.sample(triples, min(most, len(triples)))


def _mentions(subject: Subject, other: Subject, fact: str) -> bool:
    """Say whether a text names the country of the other subject, too."""
    country = str(other.says[fact])
    words = [country, *(adjective for adjective, name in nations().items() if name == country)]
    return any(word in subject.text for word in words)


def _professions(
    subjects: Sequence[Subject], dice: random.Random
) -> Iterator[tuple[str, str, Sequence[Subject], bool]]:
    """Ask whether someone is something, and whether two are."""
    able = [s for s in subjects if s.says.get("profession") in _FIELD]
    often = Counter(s.says["profession"] for s in able)
    groups: dict[str, list[Subject]] = defaultdict(list)
    for subject in dice.sample(able, len(able)):
        profession = str(subject.says["profession"])
        if often[profession] > 20 and len(groups[profession]) < 90:
            groups[profession].append(subject)
    for profession, group in groups.items():
        article = "an" if profession[0] in "aeiou" else "a"
        others = [s for name, them in groups.items() for s in them if _apart(s, name, profession)]
        for one, same in zip(group, group[1:] + group[:1], strict=True):
            other, distant = dice.sample(others, 2)
            both = dice.choice(_BOTH_ARE).replace("{p}", profession)
            if "actress" not in profession and dice.random() < _ONE:
                for subject, answer, beside in ((one, "yes", distant), (other, "no", one)):
                    verb = "Was" if "died" in subject.says else "Is"
                    yield f"{verb} {{a}} {article} {profession}?", answer, (subject, beside), False
            if dice.random() < _BOTH:
                yield both, "yes", (one, same), True
                yield both, "no", dice.choice(((one, other), (other, one))), True


def _apart(subject: Subject, own: str, profession: str) -> bool:
    stem = profession.split()[-1][:5]
    return _FIELD[own] != _FIELD[profession] and stem not in subject.text.lower()


def _places(subjects: Sequence[Subject], dice: random.Random) -> Iterator[tuple[str, str, Sequence[Subject], bool]]:
    """Ask whether a place is in a country: in its own, and in that of another one."""
    able = [s for s in subjects if "country" in s.says]
    chosen = dice.sample(able, min(_IN, len(able)))
    for one, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        country = str(one.says["country"])
        wording = dice.choice(
            (f"Is {{a}} in {country}?", f"Is {{a}} a place in {country}?", f"Does {{a}} lie in {country}?")
        )
        if other.says["country"] != country and not _mentions(other, one, "country"):
            yield wording, "yes", (one, other), False
            yield wording, "no", (other, one), False
