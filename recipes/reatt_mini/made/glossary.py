"""Lists of terms with their definitions, and questions both ways: what a term means, and which term means something."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable

from recipes.reatt_mini.data import Json, held_out
from recipes.reatt_mini.made.documents import Page
from recipes.reatt_mini.made.texts import Made

TERMS, LONGEST = 6, 22  # of a list; words of a definition that is an answer
_MEANING = (
    "What is {t}?|What does {t} mean?|Define {t}.|What is meant by {t}?|What is the meaning of {t}?|{t}: what is it?"
)
_NAMING = "Which term means {d}?|What is the word for {d}?|What do we call {d}?|What is {d} called?|Name for {d}?"


def make(rows: Iterable[Json], seed: int) -> Made:
    """Make the set out of rows of module, term and definition."""
    made, dice = Made(), random.Random(f"glossary {seed}")
    modules: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if not held_out({"title": row["module"]}):
            modules[row["module"]].append((row["term"].strip(), row["definition"].strip().rstrip(".")))
    for module, terms in modules.items():
        for start in range(0, len(terms), TERMS):
            _list(made, module, terms[start : start + TERMS], dice)
    return made


def _list(made: Made, module: str, terms: list[tuple[str, str]], dice: random.Random) -> None:
    """Write some terms as a list, and ask for each by the other."""
    page, asked = Page(module), list[tuple[str, str, int]]()
    bullet, colon = dice.choice(("", "- ", "* ", "• ")), dice.choice((": ", " - ", " – ", "\t", "\n"))
    page.put(dice.choice(("", "Key terms\n", "Glossary\n\n", "## Terms\n\n", f"{module}\n\n")))
    for term, meaning in terms:
        page.put(bullet)
        first = page.put(term)[0]
        page.put(colon)
        second = page.put(meaning)[0]
        page.put(dice.choice((".\n", "\n")) if colon != "\n" else "\n\n")
        if len(meaning.split()) <= LONGEST and dice.random() < 0.6:
            asked.append((dice.choice(_MEANING.split("|")).replace("{t}", term), meaning, second))
        else:
            begin = " ".join(meaning.split(";")[0].split(",")[0].split()[:LONGEST])
            asked.append((dice.choice(_NAMING.split("|")).replace("{d}", begin), term, first))
    name = made.document(module, "".join(page.parts).rstrip())
    for question, answer, place in asked:
        made.ask(question, [answer], name, places=[place])
