"""Facts of an article's first sentences, by patterns that are seldom wrong: dates, countries, professions, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from reatt.answering.values import NATIONS
from recipes.reatt_mini.made.texts import Article

LEAD = 110  # words
_MONTHS = "January February March April May June July August September October November December".split()
_DATE = rf"(?:(?:{'|'.join(_MONTHS)}) \d{{1,2}},? \d{{4}}|\d{{1,2}} (?:{'|'.join(_MONTHS)}),? \d{{4}})"
_DASH = r" ?(?:–|-|—|−|&ndash;) ?"
_BORN = re.compile(rf"\((?:[^()]*[;,] ?)?born:? (?:on )?({_DATE})([^()]*)\)")
_LIVED = re.compile(
    rf"\((?:[^()]*[;,] ?)?(?:born )?({_DATE})(?:[^()–—−-]{{0,40}}?){_DASH}(?:c\. |died )?({_DATE})[^()]*\)"
)
_IS = re.compile(r"^[^.]{0,160}?(?:\)|[\w\"'”]),? (?:is|was) (an?|the) ([^.;]{3,160})")
_FILM = re.compile(r"\b(?:is|was) an? (\d{4}) ([\w' -]{0,60}?)(?:movie|film)\b")
_FOUNDED = re.compile(
    r"(?:^|\. |\n)(?:It|They|The (?:company|band|club|team|university|school|museum|newspaper|party|group|college))"
    r"(?: was| were) (?:founded|established|formed|started|created) (?:in|on) (?:\w+ )?(?:\d+, )?(\d{4})\b"
)
_COUNT = r"(\d{1,3}(?:,\d{3})+|\d{3,6})\b(?!,\d)(?! million)"
_ABOUT = r"(?: about| around| approximately| over)?"
_PEOPLE = re.compile(rf"(?:population (?:of|is|was)|(?:had|has) a population of){_ABOUT} {_COUNT}")
_LIVE = re.compile(rf"(?:About|In \d{{4}},(?: about)?|\. )\s?{_COUNT} people (?:live|lived) (?:there|in)")
_KM = r"(\d[\d,.]*) ?(?:km|kilometers|kilometres)\b(?: \([^)]*\))?"
_LONG = re.compile(
    rf"\b(?:(?:is|length of){_ABOUT} {_KM} long|length (?:of|is){_ABOUT} {_KM}|is{_ABOUT} {_KM} in length)"
)
_M = r"(\d[\d,.]*) ?(?:m|meters|metres)\b(?: \([^)]*\))?"
_HIGH = re.compile(
    rf"\b(?:is{_ABOUT} {_M} (?:high|tall|above)|(?:height|elevation|altitude) of{_ABOUT} {_M}(?:,|\.| ))"
)
_PLACE = re.compile(
    r"^[^.]{0,120}? (?:is|was) an? (?:[\w-]+ ){0,2}(city|town|village|commune|municipality)\b([^.]{0,160})"
)
_SORTS = "river|lake|mountain|island|volcano|building|skyscraper|tower|bridge|album|song|novel|company|band"
_SORT = re.compile(rf"^(?:[\w-]+ ){{0,3}}?({_SORTS})\b")


@dataclass(frozen=True)
class Subject:
    """An article's first sentences, and what they say."""

    title: str
    text: str
    says: dict[str, str | float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The title without what tells it from others of the same name."""
        return re.sub(r" \([^()]*\)$", "", self.title)

    def number(self, what: str) -> float:
        """A fact that is a number; dates are years with a fraction."""
        return float(self.says[what])


@cache
def nations() -> dict[str, str]:
    """Read the countries by their adjectives."""
    rows = (row.partition(" ") for row in NATIONS.read_text(encoding="utf-8").splitlines())
    return {adjective: country for adjective, _, country in rows}


def subjects(articles: Iterable[Article]) -> Iterator[Subject]:
    """Read the articles whose first sentences say something that is understood."""
    for article in articles:
        text = lead(article.text)
        if len(text.split()) > 12 and (says := read(text)):
            yield Subject(article.title, text, says)


def lead(text: str, words: int = LEAD) -> str:
    """Take the first sentences of an article, whole paragraphs if they fit."""
    taken: list[str] = []
    for paragraph in map(str.strip, text.split("\n")):
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z\"])", paragraph) if paragraph else ():
            if taken and len(" ".join(taken).split()) + len(sentence.split()) > words:
                return "".join(taken).strip()
            taken += [sentence, " "]
        if taken and paragraph:
            taken[-1] = "\n"
    return "".join(taken).strip()


def read(text: str) -> dict[str, str | float]:
    """Read what the first sentences of an article say."""
    first = text[:400].partition("\n")[0]
    says: dict[str, str | float] = {}
    if found := _FILM.search(first):
        says |= {"released": float(found[1])} | _nation(found[2])
    elif found := _PLACE.match(first):
        says |= {"place": found[1]} | _country(found[2]) | _population(text)
    elif found := _IS.match(first):
        says |= _person(first, found[2]) or _thing(text, found[2])
    return says


def _person(first: str, what: str) -> dict[str, str | float]:
    lived, born = _LIVED.search(first[:200]), _BORN.search(first[:200])
    if "BC" in first or not (lived or born):
        return {}
    says: dict[str, str | float] = {}
    if lived:
        says = {"born": moment(lived[1]), "died": moment(lived[2])}
        if not 15 < float(says["died"]) - float(says["born"]) < 112:
            return {}
    elif born and "–" not in born[2] and "died" not in born[2]:
        says = {"born": moment(born[1])}
    return says | _nation(what) | _profession(what) if says else {}


def _nation(what: str) -> dict[str, str | float]:
    """Name the one country that an adjective names."""
    found = {nations()[word] for word in re.findall(r"\w+", what) if word in nations()}
    mixed = re.search(r"\b[A-Z]\w+-(?:born|[A-Z])", what)
    return {"nation": found.pop()} if len(found) == 1 and not mixed else {}


def _profession(what: str) -> dict[str, str | float]:
    words = re.sub(r"^(?:(?:former|retired|professional|famous|well-known|notable|[A-Z][\w-]+) )+", "", what)
    found = re.match(r"[a-z]+(?: [a-z]+){0,1}?(?=,| and| who| from| of| for| best| known| in| at| that|$| \()", words)
    return {"profession": found[0]} if found else {}


def _country(where: str) -> dict[str, str | float]:
    places = re.compile(rf"\b({'|'.join(sorted(set(nations().values())))})\b")
    found = places.findall(where)
    return {"country": found[-1]} if len(set(found)) == 1 else {}


def _population(text: str) -> dict[str, str | float]:
    found = _PEOPLE.search(text) or _LIVE.search(text)
    return {"people": float(found[1].replace(",", ""))} if found else {}


def _thing(text: str, what: str) -> dict[str, str | float]:
    says: dict[str, str | float] = {}
    sort = _SORT.match(what)
    if sort:
        says["sort"] = sort[1]
    if sort and sort[1] == "river" and (found := _LONG.search(text)):
        says["long"] = _size(found)
    if sort and sort[1] in {"mountain", "volcano", "building", "skyscraper", "tower"} and (found := _HIGH.search(text)):
        says["high"] = _size(found)
    if found := _FOUNDED.search(text):
        says["founded"] = float(found[1])
    return says


def _size(found: re.Match[str]) -> float:
    return float(next(filter(None, found.groups())).replace(",", "").rstrip("."))


def moment(date: str) -> float:
    """Turn a date into a year with a fraction.

    >>> moment("1 February 1900") < moment("March 1, 1900") < moment("2 March 1900")
    True
    """
    day, year = sorted(map(int, re.findall(r"\d+", date)))
    month = next(number for number, name in enumerate(_MONTHS) if name in date)
    return year + (month * 31 + day) / 400
