"""Questions on entities, each on the paragraph of its subject's article that holds the answer."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from recipes.reatt_mini.data import Json, lines
from recipes.reatt_mini.made.prose import around, named
from recipes.reatt_mini.made.texts import Article, Made

QUESTIONS, PARAGRAPHS = 10_000, 4  # of an article, from its beginning
_LONGEST = 8  # words of a title
_FREQUENT = 900  # questions of one relation


def make(articles: Sequence[Article], questions: Path, seed: int) -> Made:
    """Make the set."""
    known = {named(article.title): article for article in articles} | {article.title: article for article in articles}
    made, names, count = Made(), dict[str, str](), dict[str, int]()
    rows = list(lines(questions))
    for query in random.Random(f"entities {seed}").sample(rows, len(rows)):
        subject = next((title for title in _titles(query["text"]) if title in known), None)
        if len(made.queries) >= QUESTIONS or not subject or count.get(query["relation"], 0) >= _FREQUENT:
            continue
        if found := _paragraph(known[subject], query):
            answer, document = found
            names[document] = names.get(document) or made.document(known[subject].title, document)
            made.ask(query["text"], [answer], names[document])
            count[query["relation"]] = count.get(query["relation"], 0) + 1
    return made


def _titles(question: str) -> Iterator[str]:
    """Yield what may be the subject's title, the longest first: nothing else has a capital, but the question's first.

    >>> list(_titles("Who wrote Ape and Essence?"))
    ['wrote Ape and Essence', 'Ape and Essence']
    """
    words = question.rstrip("? ").replace("'s ", " ").split()
    capitals = [at for at, word in enumerate(words) if at and not word.islower()]
    if capitals:
        for start in range(1, capitals[0] + 1):
            for end in range(len(words), capitals[-1], -1):
                if end - start <= _LONGEST:
                    yield " ".join(words[start:end])


def _paragraph(article: Article, query: Json) -> tuple[str, str] | None:
    """Find the first paragraph that holds an answer, and which it holds."""
    for paragraph in article.text.split("\n")[:PARAGRAPHS]:
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z\"])", paragraph.strip())
        for answer in query["answers"]:
            place = next((i for i, s in enumerate(sentences) if re.search(rf"\b{re.escape(answer)}\b", s)), None)
            if place is not None and answer not in article.title and len(paragraph.split()) > 8:
                return answer, around(sentences, place)
    return None
