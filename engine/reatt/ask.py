"""Turn a question into hits or a reply: retrieve, read the best chunks jointly, and answer, or abstain."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reatt.answering import kinds
from reatt.answering.kinds import Asked, asked
from reatt.answering.quoting import Read, Shown, shown
from reatt.documents.languages import foreign, known_to
from reatt.model.backbone import Answer, Limits
from reatt.search.query import Query
from reatt.search.retriever import Hit, Retriever
from reatt.weights.folder import ModelFolder
from reatt_store.errors import Notice, UsageError
from reatt_store.library import Generation

_CHOSEN = {"span": kinds.SPAN, "sentence": kinds.SENTENCE}
FOREIGN = 0.9  # confidence that an answer in a language needs that the model does not know
SHOWN_END = 30  # characters, of what was read of a question that was cut


@dataclass(frozen=True)
class Hits:
    """What a search has found, best first; it can be read like a list."""

    question: str
    found: list[Hit]
    generation: Generation | None  # whose vectors were searched; None for a search by words
    timing_ms: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, rank: int) -> Hit:
        return self.found[rank]


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
    mode: kinds.Mode = kinds.SPAN  # how it was answered: "span", "sentence", "list", "yes-no" or "free"
    why: str = ""  # in this way
    quotes: tuple[Quoted, ...] = ()
    disagree: bool = False  # whether two documents give different answers: the quotes
    withheld: str | None = None  # why there is no answer, if not because the model is unsure


def in_known_language(query: Query, model: ModelFolder) -> tuple[Query, list[str]]:
    """Search by words alone if the model does not know the language of the question, and say so.

    Its confidence was fitted on languages that it knows: an answer has to be surer then, unless a threshold is given.
    """
    language = foreign(query.question, known_to(model.settings)) if query.retriever == "hybrid" else None
    if language is None:
        return query, []
    told = f"{model.name} does not know {language}; searched by words (--retriever attention overrides this)"
    abstain = FOREIGN if query.abstain is None else query.abstain
    return replace(query, retriever="words", abstain=abstain), [Notice("LANGUAGE", told)]


def search(retriever: Retriever, query: Query) -> Hits:
    """Find the chunks that match a question best, and explain their attention scores; raises like `ask`."""
    timing: dict[str, float] = {}
    with _timed(timing, "search"):
        hits = retriever.distinct(query)
    scored = [hit.attention_score is not None for hit in hits]
    hits = [_explained(retriever, query, hit) if by else hit for hit, by in zip(hits, scored, strict=True)]
    used = None if query.retriever == "words" else retriever.generation
    return Hits(query.question, hits, used, timing, _cut(query.question, hits))


def ask(retriever: Retriever, query: Query) -> Reply:
    """Answer a question from the store.

    Raises `BadQuestion` if it is blank, `UsageError` if the query contradicts itself, `ModelMismatch` if the store
    holds no vectors of the model.
    """
    timing: dict[str, float] = {}
    asks = wanted(query)
    backbone, made = retriever.backbone, retriever.generation
    assert made is not None, "who has a model has vectors"
    with _timed(timing, "search"):
        hits = [_explained(retriever, query, hit) for hit in retriever.distinct(query)]
    if not hits:
        return _nothing(query.question, asks, made, timing)
    with _timed(timing, "read"):
        passages = retriever.passages([hit.chunk for hit in hits])
        scores = [sum(pair.weight for pair in hit.tokens) for hit in hits]
        limits = Limits(query.max_tokens, query.beams, query.free)
        told = backbone.answer(query.question, passages, scores, limits)
    timing["total"] = sum(timing.values())
    shares = enumerate(zip(hits, told.shares, strict=True))
    evidence = [replace(hit, share=share, read=number < told.read) for number, (hit, share) in shares]
    return _reply(query, asks, told, evidence, made, timing)


def _explained(retriever: Retriever, query: Query, hit: Hit) -> Hit:
    return replace(hit, tokens=tuple(retriever.explain(query.question, hit)))


def wanted(query: Query) -> Asked:
    """Tell how a question is to be answered: as its words ask for, unless the query says how. Raises UsageError."""
    if query.answer not in ("auto", *_CHOSEN):
        raise UsageError(f"no way to answer is called {query.answer}; there are: auto, {', '.join(_CHOSEN)}")
    if query.free:
        if query.answer != "auto":
            raise UsageError("--free lets the model use its own words: it quotes neither spans nor sentences", "--free")
        return Asked(kinds.FREE, "--free lets the model use its own words")
    found = asked(query.question)
    if query.answer == "auto" or found.mode == kinds.YES_NO:
        return found
    return Asked(_CHOSEN[query.answer], f"--answer {query.answer} asks for it", found.wants)


def _reply(
    query: Query, asks: Asked, told: Answer, evidence: list[Hit], made: Generation, timing: dict[str, float]
) -> Reply:
    threshold = told.threshold if query.abstain is None else query.abstain
    texts, documents = zip(*((hit.chunk.chunk.text, hit.chunk.document_id) for hit in evidence), strict=True)
    given = shown(asks, Read(told, texts, documents), always=query.abstain == 0)
    quotes = () if given.confidence < threshold else _quoted(given, evidence)
    abstained = not given.text or given.confidence < threshold
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
        generation=made,
        timing_ms=timing,
        warnings=_cut(query.question, evidence),
        mode=asks.mode,
        why=asks.why,
        quotes=quotes,
        disagree=given.disagree and not abstained,
        withheld=given.withheld,
    )


def _quoted(given: Shown, evidence: Sequence[Hit]) -> tuple[Quoted, ...]:
    """Place what is shown in its documents."""
    found = []
    for quote in given.quotes:
        chunk = evidence[quote.source].chunk.chunk
        start, end = (chunk.char_start + edge for edge in quote.span)
        more = [
            chunk.char_start + span[edge] if span else None for span in (quote.key, quote.around) for edge in (0, 1)
        ]
        found.append(Quoted(chunk.text[slice(*quote.span)], quote.source, start, end, quote.probability, *more))
    return tuple(found)


def _nothing(question: str, asks: Asked, made: Generation, timing: dict[str, float]) -> Reply:
    spent, id = timing | {"total": timing["search"]}, _identity(question, "", [])
    told = Reply(id, question, None, True, 0.0, 0.0, [], None, None, None, made, spent)
    return replace(told, mode=asks.mode, why=asks.why)


def _cut(question: str, hits: Sequence[Hit]) -> list[str]:
    """Warn if the model read only the beginning of the question; its pairs cover all that was read."""
    seen = max((pair.question_span[1] for hit in hits[:1] for pair in hit.tokens), default=len(question))
    if left := question[seen:].split():
        end = question[:seen][-SHOWN_END:]
        return [Notice("TRUNCATED", f"the question is too long; it was cut after {end!r}, {len(left)} words")]
    return []


def _identity(question: str, answer: str, chunks: Sequence[int]) -> str:
    """Return the id of a reply; the same answer from the same chunks has the same id."""
    content = repr((question, answer, list(chunks))).encode("utf-8", "surrogatepass")
    return "A-" + hashlib.blake2b(content, digest_size=5).hexdigest()


@contextmanager
def _timed(timing: dict[str, float], phase: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timing[phase] = (time.perf_counter() - started) * 1000
