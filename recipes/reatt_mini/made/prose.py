"""Questions on prose: what first sentences say of their subject, and sentences that say again what a paragraph says.

A question of the second kind is a sentence from elsewhere in the article which shares a name or number with the
paragraph, and other words, too; it asks for the name or number.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recipes.reatt_mini.made.facts import lead, nations
from recipes.reatt_mini.made.texts import Article, Made

PATTERNS = Path(__file__).with_name("patterns.txt")
DEFINED, CLOZE, LACKING = 4000, 6000, 1000  # questions of each kind
SCANNED = 30_000  # articles whose first sentences are read
ALIKE = 900  # questions by one pattern
LONG, EACH = 6000, 5  # characters of an article that says things again, and questions on one
LONGEST, PARAGRAPH = 26, 130  # words of a sentence that is asked, of a paragraph that is read
SHARED, SHARE = 3, 0.3  # words, beside what is asked for, and their share of the sentence's
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_WORD = r"[A-Z][\w'’-]+"
_STANDS = {
    "DATE": rf"(?:(?:{_MONTHS}) \d{{1,2}},? \d{{4}}|\d{{1,2}} (?:{_MONTHS}),? \d{{4}})",
    "YEAR": r"\b[12]\d{3}\b",
    "NAME": rf"{_WORD}(?: (?:{_WORD}|[A-Z]\.|of|de|van|von|the|du|da))*(?: {_WORD})|{_WORD}",
    "PLACE": rf"(?:the )?{_WORD}(?: (?:{_WORD}|of|the|de|upon|la))*(?: {_WORD})?(?:, {_WORD}(?: {_WORD})?)?(?![\w'’])",
}
_DEFINITION = re.compile(
    r"^.{2,90}? (?:is|was|are|were) (?:an? |the )([^.;]{3,90}?)"
    r"(?=\.(?!\w)|;|,| (?:that|which|who|whose|where|so|in which|for which)\b)"
)
_SPLIT = re.compile(r"(?<=[.!?]) (?=[A-Z\"])")
_CAPITAL = r"[A-Z][a-z'’][\w'’-]*"
_SPAN = re.compile(
    rf"(?<![\w/-])(?:{_CAPITAL}(?: (?:(?:of|the|de|van|von|la) )*{_CAPITAL})+"
    r"|1\d{3}|20[012]\d|\d+(?:,\d{3})+)(?![\w/-])"
)
_LEADING = re.compile(
    r"\b(?:in|by|to|of|from|with|at|for|into|on|was|is|are|were|called|named|than|against|under|the|a|an) $"
)
_VERB = re.compile(r"(?:was|is|were|are|had|has|became|won|made|wrote|led|began|took|gave|[a-z]{3,}ed)\b")
_PRONOUN = re.compile(r"^(?:He|She|It|They) (?=[a-z])")
_LIFE = re.compile(r"\([^()]{0,80}(?:\bborn\b|\b[12]\d{3} ?[–—-] ?\w)")
_BAD = re.compile(r"[|{}<>=\\]|\|\||\( ?[,;)]|\"$|\bthis\b|\bthese\b|\bhis\b|\bher\b|\btheir\b|\balso\b", re.IGNORECASE)
_COMMON = frozenset(
    "which their there these those where about would could after before other first during between became with from"
    " that this have been were they when than also into some many more most such only over used called known".split()
)
_OPENERS = "In At On The During After Before From By As When For While".split()


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the text that it stands in."""

    text: str
    answer: str
    document: str
    source: str = ""  # the pattern that found it


@cache
def asked_for() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    """Read what first sentences say, and how it is asked for."""
    rows = PATTERNS.read_text(encoding="utf-8").partition("\n\n")[2].splitlines()
    found = []
    for pattern, questions in (row.rsplit(" ; ", 1) for row in rows):
        for name, meaning in _STANDS.items():
            pattern = pattern.replace(name, meaning)
        found.append((re.compile(pattern), tuple(questions.split("|"))))
    return tuple(found)


def make(articles: Sequence[Article], seed: int) -> Made:
    """Make the set."""
    made, dice = Made(), random.Random(f"prose {seed}")
    alike = Counter[str]()
    for article in dice.sample(articles, min(SCANNED, len(articles))):
        found = [q for q in _first(article, dice) if alike[q.source] < (ALIKE if q.source else DEFINED)]
        alike.update(question.source for question in found)
        _add(made, article.title, found)
    begun = len(made.queries)
    long = [article for article in articles if len(article.text) > LONG]
    for article in dice.sample(long, len(long)):
        if len(made.queries) >= begun + CLOZE:
            break
        found = list(clozes(article, dice))
        _add(made, article.title, dice.sample(found, min(EACH, len(found))))
    return made


def _add(made: Made, title: str, questions: Sequence[Question]) -> None:
    names: dict[str, str] = {}
    for each in questions:
        names[each.document] = names.get(each.document) or made.document(title, each.document)
        made.ask(each.text, [each.answer], names[each.document])


def lacking(articles: Sequence[Article], seed: int) -> Made:
    """Make a set of questions each on a paragraph of the article that does not answer it."""
    made, dice = Made(), random.Random(f"lacking {seed}")
    for article in dice.sample(articles, len(articles)):
        if len(made.queries) >= LACKING:
            break
        near = [p for p in article.text.split("\n")[1:] if 35 < len(p.split()) < 160]
        every = [*said(article.title, lead(article.text), dice), *clozes(article, dice)] if near else []
        if every:
            question, paragraph = dice.choice(every), dice.choice(near)
            if question.answer not in paragraph and paragraph not in question.document:
                made.ask(question.text, [], made.document(article.title, paragraph), unanswerable=True)
    return made


def _first(article: Article, dice: random.Random) -> Iterator[Question]:
    """Ask for what an article's first sentences say."""
    text = lead(article.text)
    if len(text.split()) > 12 and "may refer to" not in text:
        if dice.random() < 0.4:
            yield from defined(article.title, text, dice)
        if dice.random() < 0.7:
            yield from said(article.title, text, dice)


def named(title: str) -> str:
    """Leave out of a title what tells it from others of the same name."""
    return re.sub(r" \([^()]*\)$", "", title)


def defined(title: str, text: str, dice: random.Random) -> Iterator[Question]:
    """Ask what something is."""
    found = _DEFINITION.match(text)
    if found and named(title).split()[-1].lower() in text[:90].lower() and 2 <= len(found[1].split()) <= 12:
        who = re.search(_LIFE, text[:200]) and " " in title
        wording = (
            "Who {is} {t}?|Who {is} {t}?|What {is} {t} by profession?"
            if who
            else "What is {t}?|What is {t}?|Define {t}."
        )
        verb = "was" if " was " in found[0] else "is"
        question = dice.choice(wording.split("|")).replace("{is}", verb).replace("{t}", named(title))
        yield Question(question, found[1], text)


def said(title: str, text: str, dice: random.Random) -> Iterator[Question]:
    """Ask for what a pattern finds in first sentences."""
    sentences, name = _SPLIT.split(text)[:5], named(title)
    if not any(part in sentences[0] for part in name.split() if len(part) > 3):
        return
    own = "He|She|They" if _LIFE.search(sentences[0]) else "It|They"
    about = re.compile(rf"(?:{own}|The \w+|{re.escape(name.split()[-1])})\b")
    for pattern, questions in asked_for():
        for sentence in (s for number, s in enumerate(sentences) if number == 0 or about.match(s)):
            found = pattern.search(sentence)
            if found and found[1] not in nations() and found[1].lower() not in name.lower() and len(found[1]) > 2:
                question = dice.choice(questions).replace("{t}", name)
                yield Question(question, found[1].strip(), text, pattern.pattern)
                break


def clozes(article: Article, dice: random.Random) -> Iterator[Question]:
    """Ask with a sentence for what it shares with a paragraph elsewhere."""
    paragraphs = [_SPLIT.split(p) for p in map(str.strip, article.text.split("\n")) if len(p.split()) > 25]
    where: dict[str, list[tuple[int, int]]] = defaultdict(list)
    own = set(named(article.title).lower().split())
    for number, sentences in enumerate(paragraphs[:50]):
        for place, sentence in enumerate(sentences):
            for span in {found[0] for found in _SPAN.finditer(sentence)}:
                if not own & set(span.lower().split()) and span.split()[0] not in _OPENERS:
                    where[span].append((number, place))
    for span, places in where.items():
        if 2 <= len(places) <= 7 and (question := _again(article.title, span, places, paragraphs, dice)):
            yield question


def _again(
    title: str, span: str, places: Sequence[tuple[int, int]], paragraphs: Sequence[Sequence[str]], dice: random.Random
) -> Question | None:
    """Ask for a span that stands in several sentences, with the one whose words another paragraph shares most."""
    own = _words(f"{title} {span}")
    for number, place in places:
        sentence = paragraphs[number][place]
        if not 7 <= len(sentence.split()) <= LONGEST or _BAD.search(sentence) or sentence.count(span) != 1:
            continue
        for other, at in places:
            said = _words(sentence) - own
            if other == number or len(said & _words(paragraphs[other][at])) < max(SHARED, SHARE * len(said)):
                continue
            document = around(paragraphs[other], at)
            if sentence[:40] not in document and (text := question_of(sentence, span, title, document, dice)):
                return Question(text, span, document)
    return None


def _words(text: str) -> set[str]:
    return {word.lower()[:7] for word in re.findall(r"\w{4,}", text)} - _COMMON


def around(sentences: Sequence[str], at: int) -> str:
    """Take the sentences around one, as many as a paragraph has."""
    first = last = at
    count = len(sentences[at].split())
    while first > 0 or last + 1 < len(sentences):
        ahead = last + 1 < len(sentences) and (first == 0 or last - at <= at - first)
        size = len(sentences[last + 1 if ahead else first - 1].split())
        if count + size > PARAGRAPH:
            break
        first, last, count = (first, last + 1, count + size) if ahead else (first - 1, last, count + size)
    return " ".join(sentences[first : last + 1])


def question_of(sentence: str, span: str, title: str, document: str, dice: random.Random) -> str:
    """Turn a sentence into a question for one of its spans; "" where that would not be English.

    >>> question_of("In 1783 the treaty was signed in Paris.", "1783", "Treaty", "", random.Random(1))
    'The treaty was signed in Paris in which year?'
    >>> question_of("Ada Lovelace wrote the first program.", "Ada Lovelace", "Program", "", random.Random(1))
    'Who wrote the first program?'
    """
    text = sentence.strip().rstrip(".").strip()
    if _PRONOUN.match(text) and (len(title.split()) > 3 or " of " in title or " in " in title):
        return ""
    text = _PRONOUN.sub(f"{named(title)} ", text)
    person = re.search(
        rf"{re.escape(span)}(?:'s)?,? (?:who|whose)|\b(?:by|with|president|king|Dr\.) {re.escape(span)}",
        document + text,
    )
    year = re.fullmatch(r"[12]\d{3}", span)
    asks = "which year" if year else "how many" if span[0].isdigit() else "who" if person else "what"
    if year and (found := re.match(rf"In {span},? (\w)", text)):
        rest = text[found.start(1) :]
        return f"{rest[0].upper()}{rest[1:]} in which year?"
    before, _, after = text.partition(span)
    if not before and _VERB.match(after.strip()) and not span[0].isdigit():
        return f"{'Who' if person or _human(after) else 'What'}{after}?"
    if year and not re.search(r"\b(?:in|until|since) $", before):
        return ""
    if (
        not _LEADING.search(before)
        or after.count("(") != after.count(")")
        or text[-1] in '!?"'
        or (asks == "how many" and not re.match(r" [a-z]", after))
    ):
        return ""
    return f"{re.sub(r'(?:the|a|an) $', '', before)}{asks}{after}?"


def _human(after: str) -> bool:
    return bool(
        re.match(r" (?:wrote|said|argued|proposed|invented|discovered|won|led|married|suggested|died|wanted)\b", after)
    )
