"""What of the evidence is shown as the answer: a span, sentences, all items, or yes or no with what says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from reatt.answering import kinds
from reatt.answering.distinct import Answering, content, distinct, near
from reatt.answering.echoes import without_echoes
from reatt.answering.edges import whole
from reatt.answering.fitting import fits
from reatt.answering.kinds import Asked
from reatt.answering.rows import weighed
from reatt.answering.sentences import MOST as MOST_SENTENCES
from reatt.answering.sentences import around, best_run, held
from reatt.answering.sureness import sure_of
from reatt.model.backbone import Answer, Span

NEAR = 0.1  # times the best's probability: less probable items, and sentences of a second passage, are not shown
LIKE = 0.6  # times the best's probability: a less probable answer of another document does not disagree
MOST = 8  # items of a list
_REPEATED = "the passages only repeat the question"
FEW = {1: MOST_SENTENCES, 2: 3}  # items of a list: the most sentences around each of so few; around more, its own


@dataclass(frozen=True)
class Quote:
    """A part of the evidence that is shown as the answer, or as one of several."""

    source: int  # the number of the evidence
    span: Span  # characters in its text
    probability: float
    key: Span | None = None  # within sentences: the stretch that the model points at
    around: Span | None = None  # of one of several: the sentence in which it stands


@dataclass(frozen=True)
class Shown:
    """What is shown as the answer; no text if there is nothing to show."""

    text: str
    quotes: tuple[Quote, ...]
    confidence: float
    disagree: bool = False  # whether the quotes are answers of two documents that cannot both be right
    withheld: str | None = None  # why there is no text, if the model has an answer


@dataclass(frozen=True)
class Read:
    """What the model made of the evidence: its answer, the texts of the evidence and the documents they stand in."""

    told: Answer
    texts: Sequence[str]
    documents: Sequence[int]
    question: str = ""


def shown(asked: Asked, read: Read, *, always: bool = False) -> Shown:
    """Choose what is shown.

    A span that is not of the kind that is asked for is withheld, and so are yes and no without a sentence that says
    so; if an answer is to be given `always`, the span is not. What compares two things is not answered by one span.
    What only repeats the question does not answer it (`echoes.py`); the rows and columns that it names do (`rows.py`).
    """
    if not read.told.text:
        return Shown("", (), read.told.confidence)
    if asked.mode == kinds.FREE:
        return Shown(read.told.text, (), read.told.confidence)
    if asked.mode == kinds.COMPARISON:
        return Shown("", (), read.told.confidence, withheld="the passages do not give a value of both")
    told = without_echoes(read.question, read.told, read.texts)
    if told.stretches or not read.told.stretches or not always:
        read = replace(read, told=told)
    weighted = weighed(read.question, read.told.stretches, read.texts, read.documents)
    read = replace(read, told=replace(read.told, stretches=weighted))
    if read.told.source is None:
        return _yes_no(read)
    if asked.mode in (kinds.SENTENCE, kinds.YES_NO):
        return _explained(read)
    return _spans(asked, read, always)


def _yes_no(read: Read) -> Shown:
    """Show yes or no with the sentence that says so."""
    quotes = _sentences(read, 1)
    if not quotes:
        return Shown("", (), read.told.confidence, withheld="no sentence says so")
    return Shown(read.told.text, quotes[:1], read.told.confidence)


def _explained(read: Read) -> Shown:
    """Show the sentences that hold most of the answer, and those of a second passage that holds nearly as much."""
    quotes = _sentences(read)
    if not quotes and not read.told.stretches:
        return Shown("", (), read.told.confidence, withheld=_REPEATED)
    if not quotes:
        return _several(read, distinct(read.told.stretches[:1], read.texts))
    first, *others = quotes
    second = [each for each in others[:1] if each.probability >= NEAR * first.probability]
    sure = sure_of(read.told, first.source, first.probability)
    return Shown(_text(read, first), (first, *second), max(sure, read.told.confidence))


def _sentences(read: Read, most: int = MOST_SENTENCES) -> tuple[Quote, ...]:
    """Find the run of at most so many sentences that holds most, in each passage; the heaviest run is the first."""
    runs = []
    for number, weights in enumerate(read.told.weights):
        if (span := best_run(read.texts[number], weights, most)) is not None:
            runs.append(Quote(number, span, min(1.0, held([span], weights)[0])))
    return tuple(_pointed(read, each) for each in sorted(runs, key=lambda run: -run.probability))


def _pointed(read: Read, run: Quote) -> Quote:
    """Mark the stretch within sentences that the model points at, if there is one."""
    return replace(run, key=next((s.span for s in read.told.stretches if _within(s.source, s.span, run)), None))


def _within(source: int, span: Span, quote: Quote) -> bool:
    return source == quote.source and quote.span[0] <= span[0] and span[1] <= quote.span[1]


def _spans(asked: Asked, read: Read, always: bool) -> Shown:
    """Show the best span of the kind that is asked for; all that are near it if they are, or if two disagree."""
    fitting = [each for each in read.told.stretches if _fits(read.texts[each.source][slice(*each.span)], asked)]
    if not read.told.stretches:
        return Shown("", (), read.told.confidence, withheld=_REPEATED)
    if not fitting and not always:
        what = "neither of the two" if asked.among else f"not {asked.wants}"
        return Shown("", (), read.told.confidence, withheld=f"the best span is {what}")
    first, *others = distinct(fitting or read.told.stretches, read.texts)
    if asked.among:
        if near(others, LIKE * first.probability) and not always:
            return Shown("", (), read.told.confidence, withheld="the passages do not tell which of the two")
        return _several(read, [first])
    if asked.mode == kinds.LIST:
        share = NEAR if asked.many else LIKE
        items = [first, *near(others, share * first.probability)][:MOST]
        return _with_lead_in(read, _several(read, items, told=asked.many))
    rivals = [each for each in near(others, LIKE * first.probability) if _of_another_document(read, each, first)]
    return replace(_several(read, [first, *rivals[:1]]), disagree=bool(rivals))


def _fits(text: str, asked: Asked) -> bool:
    """Say whether a span is of the kind that is asked for, and one of the things that are offered, if any are."""
    if asked.among:
        words = content(text)
        return any(words <= content(each) or content(each) <= words for each in asked.among)
    return fits(text, asked.wants)


def _of_another_document(read: Read, one: Answering, other: Answering) -> bool:
    return read.documents[one.stretch.source] != read.documents[other.stretch.source]


def _several(read: Read, found: Sequence[Answering], *, told: bool = False) -> Shown:
    """Show answers, the first of which is the best; of several, or if that is `told`, each in its sentence."""
    first = found[0].stretch
    sure = read.told.confidence
    own = (read.told.source, read.told.span, read.told.log_probability)
    if len(found) > 1 or (first.source, first.span, first.log_probability) != own:
        sure = sure_of(read.told, first.source, math.fsum(each.probability for each in found))
    quotes = [
        Quote(each.stretch.source, whole(read.texts[each.stretch.source], each.stretch.span), each.probability)
        for each in found
    ]
    if told or len(quotes) > 1:
        quotes = [replace(each, around=around(read.texts[each.source], each.span)) for each in quotes]
    return Shown(_text(read, quotes[0]), tuple(quotes), sure)


def _with_lead_in(read: Read, given: Shown) -> Shown:
    """Show the few items of a list with the sentences beside theirs, unless these are those of another item."""
    grown = [_grown(read, quote, FEW.get(len(given.quotes), 1)) for quote in given.quotes]
    if any(_meet(one, other) for one, other in combinations(grown, 2)):
        return given
    return replace(given, quotes=tuple(grown))


def _grown(read: Read, quote: Quote, most: int) -> Quote:
    """Grow the sentence of an item to the best run of at most so many that holds it."""
    if quote.around is None or quote.source >= len(read.told.weights):
        return quote
    run = best_run(read.texts[quote.source], read.told.weights[quote.source], most, quote.around)
    return replace(quote, around=run or quote.around)


def _meet(one: Quote, other: Quote) -> bool:
    a, b = one.around or one.span, other.around or other.span
    return one.source == other.source and a[0] < b[1] and b[0] < a[1]


def _text(read: Read, quote: Quote) -> str:
    return read.texts[quote.source][slice(*quote.span)]
