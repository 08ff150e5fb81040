"""Turn a question into a reply: retrieve, read the best chunks jointly, and answer, or abstain."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from reatt.answering import kinds
from reatt.answering.chains import Chain, chain
from reatt.answering.comparison_words import comparison, offered
from reatt.answering.comparisons import Comparison
from reatt.answering.kinds import Asked, asked
from reatt.answering.quoting import Quote, Read, Shown, shown
from reatt.compared import Compared, compare, find
from reatt.model.backbone import Answer, Limits
from reatt.search.hits import explain, timed, unread
from reatt.search.query import Query
from reatt.search.retriever import Hit, Retriever
from reatt_store.errors import Notice, UsageError
from reatt_store.library import Generation

_CHOSEN = {"span": kinds.SPAN, "sentence": kinds.SENTENCE}


@dataclass(frozen=True)
class Quoted:
    """A part of a document that is shown as the answer, or as one of several, or as what says yes or no."""

    text: str
    source: int  # number of the evidence that it was cut from
    char_start: int  # in that evidence's document
    char_end: int
    probability: float  # that the answer stands there
    key_start: int | None = None  # of sentences: the stretch that the model points at
    key_end: int | None = None
    sentence_start: int | None = None  # of one of several: the sentence in which it stands
    sentence_end: int | None = None


@dataclass(frozen=True)
class Reply:
    """An answer with its evidence, best first; `answer` is None if the model abstained.

    The answer is the first of the quotes, or "yes" or "no", or in the model's own words.
    """

    id: str
    question: str
    answer: str | None
    abstained: bool
    confidence: float
    agreement: float
    evidence: list[Hit]
    source: int | None  # number of the evidence that the answer was cut from
    char_start: int | None  # of the answer in that evidence's document
    char_end: int | None
    generation: Generation  # whose vectors were searched, and whose model read
    timing_ms: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    mode: kinds.Mode = kinds.SPAN  # how it was answered: "span", "sentence", "list", "yes-no", "comparison" or "free"
    why: str = ""  # in this way
    quotes: tuple[Quoted, ...] = ()
    disagree: bool = False  # whether two documents give different answers: the quotes
    withheld: str | None = None  # why there is no answer, if not because the model is unsure


def ask(retriever: Retriever, query: Query) -> Reply:
    """Answer a question from the store.

    Raises `BadQuestion` if it is blank, `UsageError` if the query contradicts itself, `ModelMismatch` if the store
    holds no vectors of the model.
    """
    asks = wanted(query)
    reading = Reading(retriever, query)
    found = comparison(query.question) if query.answer != "sentence" and not query.free else None
    compared = compare(found, reading.search, reading.read) if found else None
    if found and compared:
        evidence = [_scored(reading, hit) for hit in compared.evidence[: max(query.top, 2)]]
        return _reply(reading, _compares(found), compared.shown, compared, evidence)
    if found and query.abstain != 0:
        asks = _compares(found)
    with timed(reading.timing, "search"):
        hits = retriever.distinct(query)
    reply = _read(reading, asks, reading.explained(query.question, hits))
    described = chain(query.question) if not query.free else None
    return _described(reading, described, reply) if described else reply


def _read(reading: Reading, asks: Asked, hits: Sequence[Hit]) -> Reply:
    query = reading.query
    if not hits:
        return _nothing(query.question, asks, reading.made, reading.spent)
    told = reading.read(query.question, hits)
    shares = enumerate(zip(hits, told.shares, strict=True))
    evidence = [replace(hit, share=share, read=number < told.read) for number, (hit, share) in shares]
    texts, documents = zip(*((hit.text, hit.chunk.document_id) for hit in evidence), strict=True)
    given = shown(asks, Read(told, texts, documents, query.question), always=query.abstain == 0)
    return _reply(reading, asks, given, told, evidence)


def _described(reading: Reading, described: Chain, whole: Reply) -> Reply:
    """Find who is described, and ask the question of that person; the `whole` question's reply where it is not sure.

    The model takes what it reads beside a description for an answer, and is too sure of it: two steps count more.
    """
    query = reading.query
    found = described.follow(lambda step, thing: find(step, thing, reading.search, reading.read))
    if not found:
        return whole
    question = described.about(found[-1].text)
    inner = replace(reading, query=replace(query, question=question))
    reply = _read(inner, wanted(inner.query), inner.search(question))
    sure = min(reply.confidence, *(each.confidence for each in found))
    if reply.abstained or sure < (found[-1].told.answer.threshold if query.abstain is None else query.abstain):
        return whole
    there = {hit.chunk.id for hit in reply.evidence}
    more = {each.hit.chunk.id: each.hit for each in found if each.hit.chunk.id not in there}
    evidence = [*reply.evidence, *(replace(hit, rank=0) for hit in more.values())]
    evidence = [replace(_scored(reading, hit), rank=rank) for rank, hit in enumerate(evidence, 1)]
    return replace(
        reply,
        id=_identity(query.question, reply.answer or "", [hit.chunk.id for hit in evidence]),
        question=query.question,
        confidence=sure,
        evidence=evidence,
        timing_ms=reading.spent,
        warnings=[*unread(query.question, evidence), Notice("DESCRIBED", f"read as {question!r}")],
    )


@dataclass(frozen=True)
class Reading:
    """Searches and reads with the options of one query, and keeps the time that this takes."""

    retriever: Retriever
    query: Query
    timing: dict[str, float] = field(default_factory=dict)

    @property
    def made(self) -> Generation:
        """The generation whose vectors are searched; raises `ModelMismatch` if there is none."""
        _ = self.retriever.backbone
        assert self.retriever.generation is not None, "who has a model has vectors"
        return self.retriever.generation

    @property
    def spent(self) -> dict[str, float]:
        """The milliseconds of each phase, and of all of them."""
        return self.timing | {"total": sum(self.timing.values())}

    def search(self, question: str) -> list[Hit]:
        """Find the best chunks for a question, with the terms of their scores."""
        with timed(self.timing, "search"):
            found = self.retriever.distinct(replace(self.query, question=question))
        return self.explained(question, found)

    def explained(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """Give chunks the terms of their scores for a question."""
        with timed(self.timing, "search"):
            return [explain(self.retriever, question, hit) for hit in hits]

    def read(self, question: str, hits: Sequence[Hit]) -> Answer:
        """Let the model read chunks jointly; the terms of their scores are summed to its prior."""
        with timed(self.timing, "read"):
            passages = self.retriever.passages([hit.chunk for hit in hits])
            scores = [sum(pair.weight for pair in hit.tokens) for hit in hits]
            limits = Limits(self.query.max_tokens, self.query.beams, self.query.free)
            return self.retriever.backbone.answer(question, passages, scores, limits)


def _scored(reading: Reading, hit: Hit) -> Hit:
    """Explain a chunk by the whole question, where it was found by a part of it."""
    explained = explain(reading.retriever, reading.query.question, hit)
    return replace(explained, attention_score=sum(pair.weight for pair in explained.tokens))


def wanted(query: Query) -> Asked:
    """Tell how a question is to be answered: as its words ask for, unless the query says how. Raises UsageError."""
    if query.answer not in ("auto", *_CHOSEN):
        raise UsageError(f"no way to answer is called {query.answer}; there are: auto, {', '.join(_CHOSEN)}")
    if query.free:
        if query.answer != "auto":
            raise UsageError("--free lets the model use its own words: it quotes neither spans nor sentences", "--free")
        return Asked(kinds.FREE, "--free lets the model use its own words")
    found = replace(asked(query.question), among=offered(query.question))
    if query.answer == "auto" or found.mode == kinds.YES_NO:
        return found
    return Asked(_CHOSEN[query.answer], f"--answer {query.answer} asks for it", found.wants, among=found.among)


def _reply(reading: Reading, asks: Asked, given: Shown, told: Answer | Compared, evidence: list[Hit]) -> Reply:
    """Reply with what is shown of what the model `told`, if it is sure enough."""
    query = reading.query
    abstained = not given.text or given.confidence < (told.threshold if query.abstain is None else query.abstain)
    quotes = () if abstained else _quoted(given.quotes, evidence)
    cut = quotes[0] if quotes and quotes[0].text == given.text else None
    return Reply(
        id=_identity(query.question, given.text, [hit.chunk.id for hit in evidence]),
        question=query.question,
        answer=None if abstained else given.text,
        abstained=abstained,
        confidence=given.confidence,
        agreement=told.agreement,
        evidence=evidence,
        source=cut.source if cut else None,
        char_start=cut.char_start if cut else None,
        char_end=cut.char_end if cut else None,
        generation=reading.made,
        timing_ms=reading.spent,
        warnings=unread(query.question, evidence),
        mode=asks.mode,
        why=asks.why,
        quotes=quotes,
        disagree=given.disagree and not abstained,
        withheld=given.withheld,
    )


def _compares(asked: Comparison) -> Asked:
    one, other = asked.names
    return Asked(kinds.COMPARISON, f'it compares "{one}" and "{other}"')


def _quoted(quotes: Sequence[Quote], evidence: Sequence[Hit]) -> tuple[Quoted, ...]:
    """Place what is shown in its documents."""
    found = []
    for quote in quotes:
        chunk = evidence[quote.source].chunk.chunk
        start, end = (chunk.char_start + edge for edge in quote.span)
        more = [
            chunk.char_start + span[edge] if span else None for span in (quote.key, quote.around) for edge in (0, 1)
        ]
        found.append(Quoted(chunk.text[slice(*quote.span)], quote.source, start, end, quote.probability, *more))
    return tuple(found)


def _nothing(question: str, asks: Asked, made: Generation, spent: dict[str, float]) -> Reply:
    told = Reply(_identity(question, "", []), question, None, True, 0.0, 0.0, [], None, None, None, made, spent)
    return replace(told, mode=asks.mode, why=asks.why)


def _identity(question: str, answer: str, chunks: Sequence[int]) -> str:
    """Return the id of a reply; the same answer from the same chunks has the same id."""
    content = repr((question, answer, list(chunks))).encode("utf-8", "surrogatepass")
    return "A-" + hashlib.blake2b(content, digest_size=5).hexdigest()
