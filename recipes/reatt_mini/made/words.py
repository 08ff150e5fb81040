"""Names, places, things and titles that stand in the prose, for what is made up of them."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recipes.reatt_mini.made.texts import Article

_PERSON = re.compile(r"[^\W\d_]{2,12} [^\W\d_]{3,12}")
_BORN = re.compile(r"\((?:[^()]{0,60}\b)?(?:born|[12]\d{3} ?[–-])")
_IS = re.compile(r"(?:is|are|was|were) (?:an?|the|any|one of|used)\b([^.]{0,80})")
# What follows "is a" in the first sentence, and whether the word has to be a common noun.
_SORTS = {
    "city": (r"\b(?:city|town|village|commune|municipality|suburb)\b", False),
    "film": (r"\b(?:movie|film)\b", False),
    "book": (r"\b(?:novel|book|play|poem)\b", False),
    "song": (r"\b(?:song|single)\b", False),
    "firm": (r"\b(?:company|corporation|manufacturer|brand)\b", False),
    "club": (r"\b(?:football|soccer|hockey|baseball|basketball|rugby) (?:club|team)\b", False),
    "museum": (r"\b(?:museum|theatre|theater|gallery|library|hospital|university|school|college)\b", False),
    "river": (r"\b(?:river|lake|mountain|island)\b", False),
    "food": (r"\b(?:food|dish|fruit|vegetable|cheese|bread|drink|dessert|soup|cake|sauce|spice|herb|meat|nut)\b", True),
    "tool": (r"\b(?:tool|device|machine|instrument|container|furniture|clothing|garment|vehicle|equipment)\b", True),
    "plant": (r"\b(?:plant|flower|tree|shrub|crop|grass)s?\b", True),
    "animal": (r"\b(?:animal|bird|fish|mammal|insect|reptile|breed|dog)s?\b", True),
    "substance": (r"\b(?:chemical|compound|element|mineral|metal|acid|gas|liquid|rock)\b", True),
    "drug": (r"\b(?:drug|medicine|medication|vitamin|hormone)\b", True),
    "subject": (r"\b(?:study|science|branch|field|theory|art|sport|language)\b", True),
    "idea": (r".", True),
}


@dataclass(frozen=True)
class Words:
    """Words by sort; first and last names are `first` and `last`."""

    sorts: dict[str, tuple[str, ...]]

    def pick(self, dice: random.Random, sort: str) -> str:
        """Take a word of a sort."""
        return dice.choice(self.sorts[sort])

    def person(self, dice: random.Random) -> str:
        """Put a name together."""
        return f"{self.pick(dice, 'first')} {self.pick(dice, 'last')}"


def words(articles: Iterable[Article]) -> Words:
    """Sort the titles of articles by what their first sentences say they are."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    patterns = {sort: (re.compile(pattern), common) for sort, (pattern, common) in _SORTS.items()}
    for article in articles:
        lead, title = article.text[:300], re.sub(r" \([^()]*\)$", "", article.title)
        if not title.isascii() and not title.replace(" ", "").isalpha():
            continue
        if _PERSON.fullmatch(title) and _BORN.search(lead[:160]):
            first, last = title.split()
            found["first"][first], found["last"][last] = None, None
        elif (said := _IS.search(lead[:200])) and 2 < len(title) < 32 and "," not in title and '"' not in title:
            common = _common(title, article.text)
            for sort, (pattern, needs) in patterns.items():
                if (common or not needs) and pattern.search(said[1][:50]):
                    found[sort][title.lower() if needs else title] = None
                    break
    return Words({sort: tuple(sorted(names)) for sort, names in found.items()})


def _common(title: str, text: str) -> bool:
    """Say whether a title is a common noun: the text writes it small."""
    return title.isascii() and title.replace(" ", "").isalpha() and f" {title.lower()}" in text and len(title) < 20


def several(dice: random.Random, make: Sequence[str], count: int) -> list[str]:
    """Take different words, as many as there are."""
    return dice.sample(make, min(count, len(make)))
