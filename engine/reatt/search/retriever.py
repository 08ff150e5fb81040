"""Find the evidence for a question: by attention, by words, or by both.

A search by attention has the rounds of the store's method (`rounds.py`); a chunk's score is that of the last round.
Hybrid search is a convex combination of both scores, scaled for each question, with a weight fitted on training
questions. Reciprocal rank fusion was worse: a weaker list lowers the better one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

from reatt.model.backbone import ChunkText, Queries, Reader, Span
from reatt.search.alike import alike
from reatt.search.query import TOP, Query
from reatt.search.rounds import Heard, TokenPair, by_head, carried
from reatt.weights.folder import FUSION_WEIGHT
from reatt_store.errors import BadQuestion, ModelMismatch, UsageError
from reatt_store.library import Generation, Library, StoredChunk
from reatt_store.selection import Selection

if TYPE_CHECKING:
    from reatt.search.index import FoundText, Keys
    from reatt_store.joined.library import JoinedLibrary

TOKEN_CANDIDATES = 2048  # K' of section 2.4: nearest tokens per question token
_NO_VECTORS = ("the store has no vectors to search by attention", "reatt ingest, or --retriever words")
NAMED = 1.0  # weight of names in hybrid search
_DEEPER = 4  # times as many chunks are looked at where copies left ranks empty
CANDIDATES = 100  # candidates that hybrid search takes from attention and from words


@dataclass(frozen=True)
class Hit:
    """A chunk that was found: its scores, and its part in the answer."""

    chunk: StoredChunk
    score: float
    rank: int  # 1 is best
    words_score: float | None
    attention_score: float | None
    tokens: tuple[TokenPair, ...] = ()  # their weights sum to the attention score; () if it was not explained
    share: float = 0.0  # of the attention when the answer was written; the shares of all evidence sum to 1
    read: bool = False  # whether the model read it; each model has a limit (`reads`)
    copies: tuple[StoredChunk, ...] = ()  # other chunks that say the same (`alike`); they take no ranks of their own

    @property
    def path(self) -> str:
        """The document's absolute path."""
        return self.chunk.path

    @property
    def store(self) -> str | None:
        """The folder of its store, where several are searched as one."""
        return self.chunk.store

    @property
    def external_id(self) -> str | None:
        """The `_id` of a record in a JSON Lines file."""
        return self.chunk.external_id

    @property
    def title(self) -> str:
        """The document's title and the headings above the chunk."""
        return self.chunk.chunk.title

    @property
    def text(self) -> str:
        """The chunk's own text."""
        return self.chunk.chunk.text

    @property
    def page(self) -> int | None:
        """The page that the chunk begins on, from 1; None if the document has no pages."""
        return self.chunk.chunk.page

    @property
    def line(self) -> int:
        """The line that the chunk begins on, from 1."""
        return self.chunk.chunk.line

    @property
    def span(self) -> Span:
        """The position of the chunk in its document: [start, end) in characters."""
        return self.chunk.chunk.char_start, self.chunk.chunk.char_end


class Searched(Protocol):
    """What is searched: a store, several as one, or the shards of a cluster."""

    def version(self) -> object:
        """Return what changes with every commit."""

    def generation(self) -> Generation | None:
        """Return the current generation."""

    def chunks(self, ids: Sequence[int]) -> list[StoredChunk]:
        """Return chunks in the given order, without those that were removed since their ids were found."""

    def words(self, question: str, limit: int, among: Selection = ...) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the chunks that best match the question's words, best first."""

    def names(self, question: str, limit: int, among: Selection = ...) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the chunks whose file, folders, title or author a question names, best first."""


@dataclass(frozen=True)
class Scores:
    """The scores of chunks, by their ids; `total` has the best first."""

    total: Mapping[int, float]
    words: Mapping[int, float] = field(default_factory=dict)
    attention: Mapping[int, float] = field(default_factory=dict)


class Retriever:
    """Searches one generation of a store with the model that encoded it; search by words needs neither."""

    def __init__(
        self,
        library: Searched,
        backbone: Reader | None,
        generation: Generation | None,
        fusion: float = FUSION_WEIGHT,
        token_candidates: int = TOKEN_CANDIDATES,
        named: float = NAMED,
        open_keys: Callable[[int], Keys] | None = None,
    ) -> None:
        if backbone is not None and generation is not None and backbone.fingerprint() != generation.fingerprint:
            made_by = f"{generation.model_name} {generation.model_sha256[:8]}"
            fix = "reatt ingest --reencode, or --retriever words"
            raise ModelMismatch(f"the store's vectors are those of {made_by}; this model or version makes others", fix)
        self.library, self.generation, self.fusion, self.named = library, generation, fusion, named
        self._open_keys = open_keys or partial(_keys_here, library, token_candidates)
        self._backbone = backbone
        self._version: object = None  # of the store when it was last checked
        self._latest: tuple[Query, Heard] | None = None  # explanations, and a deeper search, need the same queries
        self._opened: Keys | None = None

    @property
    def backbone(self) -> Reader:
        """The model; raises `ModelMismatch` if there is none."""
        if self._backbone is None or self.generation is None:
            raise ModelMismatch(*_NO_VECTORS)
        return self._backbone

    def find(self, query: Query) -> list[Hit]:
        """Return the best chunks, best first; raises `BadQuestion` if the question is blank.

        `rounds` and `rerank` need a method with several rounds; otherwise they raise `ModelMismatch`.
        """
        if not query.question.strip():
            raise BadQuestion("the question is empty", 'reatt ask "What …?"')
        ways = {"attention": self._attention, "words": self._words, "hybrid": self._hybrid}
        self._check(query, list(ways))
        asks = query.retriever == "attention" or (query.retriever == "hybrid" and self.fusion != 0)
        while True:
            self.catch_up()
            scores = ways[query.retriever](query, self._hear(query) if asks else None)
            if not self._overtaken():
                break
        chunks = {stored.id: stored for stored in self.library.chunks(list(scores.total)[: query.top])}
        rows = ((each, chunks[each], score) for each, score in scores.total.items() if each in chunks)
        return [
            Hit(chunk, score, rank, scores.words.get(each), scores.attention.get(each))
            for rank, (each, chunk, score) in enumerate(rows, 1)
        ]

    def distinct(self, query: Query) -> list[Hit]:
        """Return the best chunks like `find`, but of texts that say the same the best; the others are its `copies`."""
        depth = max(CANDIDATES, query.top)
        while True:
            found = self.find(replace(query, top=depth))
            same: dict[int, list[Hit]] = {}
            for hit, first_place in zip(found, alike([hit.text for hit in found]), strict=True):
                same.setdefault(first_place, []).append(hit)
            if len(same) >= query.top or len(found) < depth or query.rerank:
                break
            depth *= _DEEPER  # copies took the places of others
        return [
            replace(first, rank=rank, copies=tuple(other.chunk for other in others))
            for rank, (first, *others) in enumerate(list(same.values())[: query.top], 1)
        ]

    def search(
        self,
        question: str,
        k: int = TOP,
        retriever: str = "hybrid",
        search: str = "auto",
        only: Selection | str | None = None,
        rounds: int | None = None,
        rerank: bool = False,
    ) -> list[Hit]:
        """Find the best k chunks for a question; like `find`, for callers without a `Query`."""
        return self.find(Query(question, k, retriever, search, only, rounds, rerank))

    def explain(self, question: str, hit: Hit) -> list[TokenPair]:
        """Return the token pairs whose weights sum to the hit's attention score; none if it has no vectors."""
        if self._backbone is None or self.generation is None:
            return []
        latest = self._latest
        heard = latest[1] if latest and latest[0].question == question else self._hear(Query(question))
        queries = heard.queries
        best = self.keys.best_keys(queries, hit.chunk.id)
        if best is None:
            return []
        spans = self._backbone.key_spans(ChunkText(hit.title, hit.text))
        rows = zip(queries.spans, best.keys, best.weights, strict=True)
        pairs = [TokenPair(span, spans[key], weight) for span, key, weight in rows]
        return by_head(pairs, queries.heads) if queries.heads else pairs

    def texts(self, queries: Queries, k: int, search: str, among: Selection) -> list[FoundText]:
        """Return the best k texts by attention, best first, for queries that were made elsewhere."""
        while True:
            self.catch_up()
            found = self.keys.texts(queries, k, search, among)
            if not self._overtaken():
                return found

    def passages(self, chunks: Sequence[StoredChunk]) -> list[ChunkText]:
        """Return chunks as the model reads them, with the states that the store keeps of them."""
        kept = self.keys.memory([stored.id for stored in chunks])
        return [ChunkText(stored.chunk.title, stored.chunk.text, kept.get(stored.id)) for stored in chunks]

    def _check(self, query: Query, ways: Sequence[str]) -> None:
        if query.retriever not in ways:
            raise UsageError(f"no retriever is called {query.retriever}; there are: {', '.join(ways)}")
        if query.rounds is None and not query.rerank:
            return
        if query.retriever != "attention":
            message = f"--rounds and --rerank-only need search by attention, but --retriever is {query.retriever}"
            raise UsageError(message, "--retriever attention")
        if len(self.backbone.rounds) < 2:
            message = f"the store was encoded for {self.backbone.method}, which asks in one round"
            raise ModelMismatch(message, "to move it over: reatt ingest --reencode --method intra")
        if query.rerank and query.rounds == 1:
            raise UsageError("--rerank-only needs the second round", "leave out --rounds 1")

    def catch_up(self) -> None:
        """Open what a writer has added, and close what it has dropped, since the last search or since loading."""
        version = self.library.version()
        if version == self._version:
            return
        self._latest = self._opened = None
        self._version = version
        if self._backbone is not None and self.generation not in (None, self.library.generation()):
            self._version = None
            raise ModelMismatch("the store has moved to another model meanwhile", "run the command again")

    def _overtaken(self) -> bool:
        """Return whether a writer has dropped a segment during a search; its places are then no longer valid."""
        if self._opened is None or self.library.version() == self._version:
            return False
        return not self._opened.whole()

    @property
    def keys(self) -> Keys:
        """The keys; opened when they are first needed after a change."""
        if self._opened is None:
            if self.generation is None:
                raise ModelMismatch(*_NO_VECTORS)
            self._opened = self._open_keys(self.generation.id)
        return self._opened

    def _hear(self, query: Query) -> Heard:
        """Run the rounds of the method up to the queries of the last one."""
        asked = Query(query.question, 0, "attention", query.search, query.only, query.rounds, query.rerank)
        if self._latest is None or self._latest[0] != asked:
            first, *later = self.backbone.rounds[: query.rounds]
            heard = Heard(first.ask(query.question, ()), first)
            for round in later:
                before = self._nearest(heard.queries, round.feed, query)
                passages = self.passages(self.library.chunks(before))
                heard = Heard(round.ask(query.question, passages), round, tuple(before))
            self._latest = asked, heard
        return self._latest[1]

    def _nearest(self, queries: Queries, k: int, query: Query) -> list[int]:
        return [chunk for chunk, _ in self.keys.search(queries, k, query.search, query.among)][:k]

    def _words(self, query: Query, heard: Heard | None) -> Scores:
        found = dict(self.library.words(query.question, query.top, query.among))
        return Scores(found, found)

    def _attention(self, query: Query, heard: Heard | None) -> Scores:
        assert heard is not None, "attention asks"
        found = self._attended(query, query.top, heard)
        return Scores(found, attention=found)

    def _hybrid(self, query: Query, heard: Heard | None) -> Scores:
        deep = max(CANDIDATES, query.top)
        words = dict(self.library.words(query.question, deep, query.among))
        names = dict(self.library.names(query.question, deep, query.among))
        if heard is None:
            return Scores(fuse({}, words, 0.0, names, self.named), words)
        attention = self._attended(query, deep, heard)
        found = [chunk for chunk in {**words, **names} if chunk not in attention]
        attention |= self.keys.scores(heard.queries, found)
        return Scores(fuse(attention, words, self.fusion, names, self.named), words, attention)

    def _attended(self, query: Query, k: int, heard: Heard) -> dict[int, float]:
        """Return chunk id -> score by attention, best first."""
        if query.rerank:
            found = self.keys.scores(heard.queries, heard.before)
            order = sorted(found, key=lambda chunk: (-found[chunk], chunk))
        else:
            found = dict(self.keys.search(heard.queries, k, query.search, query.among))
            order = carried(list(found), heard.before, heard.round)
            found |= self.keys.scores(heard.queries, [chunk for chunk in order if chunk not in found])
        return {chunk: found[chunk] for chunk in order if chunk in found}


def _keys_here(library: Searched, token_candidates: int, generation: int) -> Keys:
    from reatt.search.index import AttentionIndex

    return AttentionIndex(cast("Library | JoinedLibrary", library), generation, token_candidates)


def fuse(
    attention: Mapping[int, float],
    words: Mapping[int, float],
    weight: float,
    names: Mapping[int, float] = MappingProxyType({}),
    named: float = NAMED,
) -> dict[int, float]:
    """Combine scores: `weight` times attention, scaled to [0, 1], plus the rest times BM25, divided by its best.

    The encoder does not read names, so the score of names counts once more, by `named`.

    Returns chunk id -> score, best first. BM25 has a natural zero (no common word). Attention has none, so its lowest
    candidate is 0.

    >>> fuse({1: 4.0, 2: 2.0}, {2: 3.0}, 0.25)
    {2: 0.75, 1: 0.25}
    """
    low, high = min(attention.values(), default=0.0), max(attention.values(), default=0.0)
    most = max(words.values(), default=0.0)
    found = {}
    for chunk in {**attention, **words, **names}:
        near = (attention[chunk] - low) / (high - low) if chunk in attention and high > low else 0.0
        same = words.get(chunk, 0.0) / most if most > 0 else 0.0
        called = min(1.0, names.get(chunk, 0.0) / most) if most > 0 else 0.0
        found[chunk] = weight * near + (1 - weight) * same + named * called
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
