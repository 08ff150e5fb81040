"""Writing an answer from what was read, whichever way it was read: grounded, with its place and how sure it is."""

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
    """Evidence as the decoder sees it: one memory, with the way back to the texts it was made of."""

    cache: Cache
    owner: Tensor  # (t,) which evidence each memory token belongs to; -1 for the question's own
    tokens: tuple[tuple[int, ...], ...]  # (C) each evidence's token ids
    spans: tuple[tuple[Span, ...], ...]  # (C) where in the evidence's text each lies
    prompt: tuple[int, ...] = ()  # what the decoder reads before it writes; (): its start token alone
    marks: Tensor | None = None  # (2, t) how well an answer would start and end at each token, where a model says


# (decoder, what was read, limits, what a grounded answer may be made of) -> answers, best first
Chooser = Callable[[Decoder, Reading, Limits, Source | None], list[Hypothesis]]


def written(decoder: Decoder, reading: Reading, limits: Limits, source: Source | None) -> list[Hypothesis]:
    """Let the decoder write the answer, token by token."""
    return generate(decoder, reading.cache, limits, source, reading.prompt)


@dataclass(frozen=True)
class AnswerWriter:
    """A decoder with what it needs to put an answer into words and to say how sure it is."""

    decoder: Decoder
    tokenizer: TextTokenizer
    calibration: Calibration | None
    chooser: Chooser = written

    def source(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> Source:
        """Say what a grounded answer may be made of: runs of the evidence's tokens, and yes or no where asked for."""
        extra = [self.tokenizer.answer(word)[:-1] for word in ("yes", "no")] if is_yes_no(question) else []
        return source_of(reading.tokens, reading.spans, [passage.text for passage in evidence], extra)

    def answer(
        self,
        question: str,
        evidence: Sequence[ChunkText],
        reading: Reading,
        attended: Sequence[float],
        scores: Sequence[float],
        limits: Limits,
    ) -> Answer:
        """Answer from the first of the evidence (C), which `reading` holds and which was `attended` to.

        `scores` (C) are retrieval scores. Empty text: nothing to say. What was not read has no share.
        """
        shares = [*attended, *[0.0] * (len(evidence) - len(attended))]
        source = None if limits.free else self.source(question, evidence[: len(attended)], reading)
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
        )

    def says(self, question: str, evidence: Sequence[ChunkText], reading: Reading) -> str:
        """Answer from what was read, in words alone; empty where there is nothing to say."""
        source = self.source(question, evidence, reading)
        best = self.best(reading, Limits(), source)
        number, span = _stands(best, source, [0.0] * len(evidence))
        return self.text(best, source, number, span, evidence)

    def best(self, reading: Reading, limits: Limits, source: Source | None) -> Hypothesis:
        """Choose the best answer; one without tokens where there is nothing to say."""
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
        """Put an answer into words: the evidence's own, where it was cut from it."""
        if number is not None and span is not None:
            return evidence[number].text[slice(*span)]
        text = self.tokenizer.decode(answer.ids)
        return text if source else self.tokenizer.spelt_as_in(text, [passage.text for passage in evidence])


def _stands(answer: Hypothesis, source: Source | None, shares: Sequence[float]) -> tuple[int, Span] | tuple[None, None]:
    """Name the evidence that a grounded answer was cut from: where it stands in several, the most attended to."""
    if source is None or not answer.places:
        return None, None
    number, span = max(
        (text_span(answer, source, place) for place in answer.places if source.can_end([place])),
        key=lambda found: (shares[found[0]] if found[0] >= 0 else 0.0, -found[1][0]),
    )
    return (number, span) if number >= 0 else (None, None)
