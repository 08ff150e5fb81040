"""What else may be the answer: the best stretches of all that was read, and where in it the answer probably stands.

With a pointer every stretch has a probability. Without one only the answer that the decoder wrote has, and the
decoder's attention says where it looked.

Axes: n tokens of a passage's text, t memory tokens of all evidence.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from reatt.model.answers.decoding import text_span
from reatt.model.answers.source import Source
from reatt.model.backbone import Answer, Span, Stretch, Weights
from reatt.model.pointing import best_stretches, logarithms
from reatt.model.writer import Reading

STRETCHES = 64  # that are told of, at most


def with_candidates(told: Answer, reading: Reading, source: Source | None, attention: Tensor, longest: int) -> Answer:
    """Add to an answer what else may be one: its own stretch first, then others of at most `longest` tokens.

    `attention` (t,) is the decoder's to each token of the evidence; `source` says which stretches are allowed. To an
    answer in other words, which has none, nothing is added.
    """
    if source is None:
        return told
    own = () if told.source is None or told.span is None else (Stretch(told.source, told.span, told.log_probability),)
    if reading.marks is None:
        return replace(told, stretches=own, weights=_attended(reading, attention))
    texts, null = logarithms(reading)
    found = [
        Stretch(*text_span(each, source, each.places[0]), each.log_probability)
        for each in best_stretches(source, texts, null, longest, STRETCHES)
    ]
    others = [each for each in found if (each.source, each.span) != (told.source, told.span)]
    likely = (_pointed(scores, spans) for scores, spans in zip(texts, reading.spans, strict=True))
    return replace(told, stretches=(*own, *others), weights=tuple(likely))


def _pointed(scores: Tensor, spans: tuple[Span, ...]) -> Weights:
    """Return how probably an answer begins or ends at each token; `scores` (n, n) are the stretches' logarithms."""
    likely = scores.exp()
    mean = (likely.sum(1) + likely.sum(0)) / 2
    return tuple(zip([span for span in spans if span[1] > span[0]], mean.tolist(), strict=True))


def _attended(reading: Reading, attention: Tensor) -> tuple[Weights, ...]:
    """Return the attention to each token of each evidence's text."""
    owner = reading.owner[reading.owner >= 0]
    found = []
    for number, spans in enumerate(reading.spans):
        rows = attention[owner == number].tolist()[-len(spans) :]
        found.append(tuple((span, each) for span, each in zip(spans, rows, strict=True) if span[1] > span[0]))
    return tuple(found)
