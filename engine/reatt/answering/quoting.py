"""What of the evidence is shown as the answer: a span, sentences, all items, or yes or no with what says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reatt.answering import kinds
from reatt.answering.distinct import Answering, distinct, near
from reatt.answering.edges import whole
from reatt.answering.fitting import fits
from reatt.answering.kinds import Asked
from reatt.answering.sentences import MOST as MOST_SENTENCES
from reatt.answering.sentences import around, best_run, held
from reatt.model.backbone import Answer, Span
from reatt.model.confidence import confidence

NEAR = 0.1  # times the best's probability: less probable items are not listed
LIKE = 0.6  # times the best's probability: a less probable answer of another document does not disagree
MOST = 8  # items of a list


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


def shown(asked: Asked, read: Read, *, always: bool = False) -> Shown:
    """Choose what is shown.

    A span that is not of the kind that is asked for is withheld, and so are yes and no without a sentence that says
    so; if an answer is to be given `always`, the span is not.
    """
    if not read.told.text:
        return Shown("", (), read.told.confidence)
    if asked.mode == kinds.FREE:
        return Shown(read.told.text, (), read.told.confidence)
    if read.told.source is None:
        return _yes_no(read)
    if asked.mode in (kinds.SENTENCE, kinds.YES_NO):
        return _explained(read)
    return _spans(asked, read, always)


def _yes_no(read: Read) -> Shown:
    """Show yes or no with the sentence that says so."""
    quote = _sentences(read, 1)
    if quote is None:
        return Shown("", (), read.told.confidence, withheld="no sentence says so")
    return Shown(read.told.text, (quote,), read.told.confidence)


def _explained(read: Read) -> Shown:
    """Show the sentences that hold most of the answer."""
    quote = _sentences(read)
    if quote is None:
        return _several(read, distinct(read.told.stretches[:1], read.texts))
    sure = _confidence(read.told, quote.source, quote.probability)
    return Shown(_text(read, quote), (quote,), max(sure, read.told.confidence))


def _sentences(read: Read, most: int = MOST_SENTENCES) -> Quote | None:
    """Find the run of at most so many sentences that holds most, in the passage that does."""
    runs = []
    for number, weights in enumerate(read.told.weights):
        if (span := best_run(read.texts[number], weights, most)) is not None:
            runs.append(Quote(number, span, min(1.0, held([span], weights)[0])))
    if not runs:
        return None
    best = max(runs, key=lambda run: run.probability)
    return replace(best, key=next((s.span for s in read.told.stretches if _within(s.source, s.span, best)), None))


def _within(source: int, span: Span, quote: Quote) -> bool:
    return source == quote.source and quote.span[0] <= span[0] and span[1] <= quote.span[1]


def _spans(asked: Asked, read: Read, always: bool) -> Shown:
    """Show the best span of the kind that is asked for; all that are near it if they are, or if two disagree."""
    fitting = [each for each in read.told.stretches if fits(read.texts[each.source][slice(*each.span)], asked.wants)]
    if not fitting and not always:
        return Shown("", (), read.told.confidence, withheld=f"the best span is not {asked.wants}")
    first, *others = distinct(fitting or read.told.stretches, read.texts)
    if asked.mode == kinds.LIST:
        share = NEAR if asked.many else LIKE
        return _several(read, [first, *near(others, share * first.probability)][:MOST], told=asked.many)
    rivals = [each for each in near(others, LIKE * first.probability) if _of_another_document(read, each, first)]
    return replace(_several(read, [first, *rivals[:1]]), disagree=bool(rivals))


def _of_another_document(read: Read, one: Answering, other: Answering) -> bool:
    return read.documents[one.stretch.source] != read.documents[other.stretch.source]


def _several(read: Read, found: Sequence[Answering], *, told: bool = False) -> Shown:
    """Show answers, the first of which is the best; of several, or if that is `told`, each in its sentence."""
    first = found[0].stretch
    sure = read.told.confidence
    if len(found) > 1 or (first.source, first.span) != (read.told.source, read.told.span):
        sure = _confidence(read.told, first.source, math.fsum(each.probability for each in found))
    quotes = [
        Quote(each.stretch.source, whole(read.texts[each.stretch.source], each.stretch.span), each.probability)
        for each in found
    ]
    if told or len(quotes) > 1:
        quotes = [replace(each, around=around(read.texts[each.source], each.span)) for each in quotes]
    return Shown(_text(read, quotes[0]), tuple(quotes), sure)


def _text(read: Read, quote: Quote) -> str:
    return read.texts[quote.source][slice(*quote.span)]


def _confidence(told: Answer, source: int, probability: float) -> float:
    """Say how sure the model is of what is shown: as of a span, but of so much probability.

    A model without a calibration cannot say so: it is as sure as it is of its span.
    """
    if told.calibration is None:
        return told.confidence
    logarithm = math.log(min(1.0, max(probability, 1e-12)))
    return confidence(replace(told.signs, log_probability=logarithm, share=told.shares[source]), told.calibration)
