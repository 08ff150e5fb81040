"""Write an answer from what was read, with its place in the evidence and its confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from reatt.model.answers.decoding import Decoder, Hypothesis, generate, text_span
from reatt.model.answers.source import Source, is_yes_no, source_of
from reatt.model.backbone import Answer, ChunkText, Limits, Span
from reatt.model.confidence import UNCALIBRATED_THRESHOLD, Calibration, confidence, divergence, signs
from reatt.model.t5 import Cache
from reatt.model.tokens import TextTokenizer


@dataclass(frozen=True)
class Reading:
    """Evidence as the decoder sees it: one memory, and which text each of its tokens comes from."""

    cache: Cache
    owner: Tensor  # (t,) the evidence that each memory token belongs to; -1 for the question's tokens
    tokens: tuple[tuple[int, ...], ...]  # (C) each evidence's token ids
    spans: tuple[tuple[Span, ...], ...]  # (C) the part of the evidence's text that each comes from
    prompt: tuple[int, ...] = ()  # what the decoder reads before it writes; (): only its start token
    marks: Tensor | None = None  # (2 + 2p, t) what the pointer makes of each token; None: no pointer


# (decoder, what was read, limits, the allowed grounded answers) -> answers, best first
Chooser = Callable[[Decoder, Reading, Limits, Source | None], list[Hypothesis]]


def written(decoder: Decoder, reading: Reading, limits: Limits, source: Source | None) -> list[Hypothesis]:
    """Let the decoder write the answer, token by token."""
    return generate(decoder, reading.cache, limits, source, reading.prompt)


@dataclass(frozen=True)
class AnswerWriter:
    """A decoder, and what it takes to turn its output into text and a confidence."""

    decoder: Decoder
    tokenizer: TextTokenizer
    calibration: Calibration | None
    chooser: Chooser = written

    def source(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> Source:
        """List the allowed grounded answers: stretches of the evidence, and yes or no if the question asks for it."""
        extra = [self.tokenizer.answer(word)[:-1] for word in ("yes", "no")] if is_yes_no(question) else []
        return source_of(reading.tokens, reading.spans, [passage.text for passage in evidence], extra)

    def answer(
        self,
        evidence: Sequence[ChunkText],
        reading: Reading,
        attended: Sequence[float],
        scores: Sequence[float],
        limits: Limits,
        source: Source | None,
    ) -> Answer:
        """Answer from what was read: the first pieces of the evidence (C), with their shares of attention `attended`.

        `scores` (C) are retrieval scores; `source` has the allowed grounded answers, None if other words are allowed.
        The text is empty if there is no answer. Evidence that was not read has a share of 0.
        """
        shares = [*attended, *[0.0] * (len(evidence) - len(attended))]
        best = self.best(reading, limits, source)
        number, span = _stands(best, source, shares)
        text = self.text(best, source, number, span, evidence)
        share = shares[number] if number is not None else max(shares)
        signed = signs(best.mean, share, shares, scores, best.null)
        return Answer(
            text=text,
            log_probability=best.mean,
            confidence=confidence(signed, self.calibration) if text else 0.0,
            threshold=self.calibration.threshold if self.calibration else UNCALIBRATED_THRESHOLD,
            source=number,
            span=span,
            shares=tuple(shares),
            read=len(attended),
            agreement=divergence(shares, scores),
            signs=signed,
            calibration=self.calibration,
        )

    def says(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> str:
        """Return only the text of the answer from what was read; empty if there is none."""
        source = self.source(question, evidence, reading)
        best = self.best(reading, Limits(), source)
        number, span = _stands(best, source, [0.0] * len(evidence))
        return self.text(best, source, number, span, evidence)

    def best(self, reading: Reading, limits: Limits, source: Source | None) -> Hypothesis:
        """Choose the best answer; it has no tokens if there is none."""
        found = self.chooser(self.decoder, reading, limits, source)
        return found[0] if found else Hypothesis((), 0.0)

    def text(
        self,
        answer: Hypothesis,
        source: Source | None,
        number: int | None,
        span: Span | None,
        evidence: Sequence[ChunkText],
    ) -> str:
        """Return an answer's text: the evidence's own, if the answer was cut from it."""
        if number is not None and span is not None:
            return evidence[number].text[slice(*span)]
        text = self.tokenizer.decode(answer.ids)
        return text if source else self.tokenizer.spelt_as_in(text, [passage.text for passage in evidence])


def _stands(answer: Hypothesis, source: Source | None, shares: Sequence[float]) -> tuple[int, Span] | tuple[None, None]:
    """Return the evidence and span of a grounded answer; if several contain it, those with the largest share."""
    if source is None or not answer.places:
        return None, None
    number, span = max(
        (text_span(answer, source, place) for place in answer.places if source.can_end([place])),
        key=lambda found: (shares[found[0]] if found[0] >= 0 else 0.0, -found[1][0]),
    )
    return (number, span) if number >= 0 else (None, None)
