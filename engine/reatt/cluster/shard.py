"""What one shard does: it counts and scores its own words, keys and texts. Other shards are none of its business.

An object of this class lives in a process of its own. Every call names the generation that it is meant for, because
another process may move the store to another model between two calls of one question.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reatt.api import Store
from reatt_store.errors import ReattError

if TYPE_CHECKING:
    from torch import Tensor

    from reatt.model.backbone import Answer, ChunkText, Limits, Queries, Reader, Span
    from reatt.search.index import BestKeys, FoundText
    from reatt.search.query import Query
    from reatt.search.retriever import Retriever
    from reatt_store.lexical.joint import Counts, Frequencies
    from reatt_store.lexical.search import Part
    from reatt_store.records import Generation, StoredChunk
    from reatt_store.selection import Selection

_COUNTED = 8  # of the latest searches by words, until their scores are asked for

Said = tuple[Literal["told", "moved", "error"], Any]  # what a call returns: nothing is raised between processes
_Counted = tuple[tuple[str, ...], tuple[float, ...]]  # the terms that were counted, and the weights of columns


@dataclass(frozen=True)
class State:
    """What a shard is, at the beginning of a question."""

    folder: str
    generation: Generation | None
    ends: tuple[str, ...]  # its first and last path
    rounds: tuple[tuple[int, int, int], ...]  # `feed`, `carry` and `after` of each
    fusion: float
    named: float


class Shard:
    """One store, with its model loaded once."""

    def __init__(self, folder: str, model: str | None, device: str) -> None:
        self._given = Path(folder), model, device
        self._store: Store | None = None  # opened by the thread that searches
        self._reader: Reader | None = None
        self._counts: OrderedDict[_Counted, Counts] = OrderedDict()

    # What is called from other processes.

    def alive(self) -> bool:
        """Say that the process lives, whatever it is doing."""
        return True

    def call(self, generation: int | None, what: str, *given: Any) -> Said:
        """Do something for a generation, by the name of the method; 0 is whatever generation there is."""
        try:
            if generation != 0 and self._generation() != generation:
                return "moved", None
            return "told", getattr(self, what)(*given)
        except (ReattError, OSError) as error:
            if generation != 0 and self._moved(generation):
                return "moved", None
            if not isinstance(error, ReattError):
                raise
            return "error", (error.id, error.message, error.fix, error.path)

    def model(self, what: str, *given: Any) -> Said:
        """Let the model ask or read; the thread that does so never touches the store."""
        try:
            return "told", getattr(self, what)(*given)
        except ReattError as error:
            return "error", (error.id, error.message, error.fix, error.path)

    # The store.

    def state(self) -> State:
        """Open the store and load its model, if that has not been done."""
        retriever, store = self.retriever, self.store
        reads = retriever.generation is not None
        self._reader = retriever.backbone if reads else None
        rounds = tuple((each.feed, each.carry, each.after) for each in retriever.backbone.rounds) if reads else ()
        ends = tuple(store.library.ends())
        return State(str(store.folder), retriever.generation, ends, rounds, retriever.fusion, retriever.named)

    def known(self, query: Query) -> tuple[Query, list[str]]:
        """Return a question as the model can ask it, and what is worth knowing about that."""
        from reatt.search.hits import in_known_language

        return in_known_language(query, self.store.model)

    def holds(self, among: Selection) -> bool:
        """Return whether there is a document among those."""
        return next(self.store.library.documents(among), None) is not None

    def names_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what the store calls the documents of some ids."""
        from reatt.evaluate import names_in

        return names_in(self.store.library, ids)

    def chunks(self, ids: Sequence[int]) -> list[StoredChunk]:
        """Return chunks in the given order."""
        return self.store.library.chunks(ids)

    def owners(self, chunks: Sequence[int]) -> list[tuple[int, int]]:
        """Return (chunk id, document id) of chunks."""
        return self.store.library.index().owners(chunks)

    # Words: first all shards count, then each scores its own by the sums.

    def word_stands(self, columns: str, term: str) -> bool:
        """Return whether a term stands anywhere in some columns."""
        return self.store.library.index().stands(columns, term)

    def count_words(self, parts: Sequence[Part], weights: Sequence[float]) -> Frequencies:
        """Count where the store has some terms."""
        from reatt_store.lexical import joint

        words, phrases = self.store.library.index(), joint.phrases_of(parts)
        joint.require_new(words)
        with self.store.library.still():
            counts = joint.counted(words, phrases, weights)
        self._counts[tuple(phrases), tuple(weights)] = counts
        while len(self._counts) > _COUNTED:
            self._counts.popitem(last=False)
        return counts.frequencies

    def best_words(
        self, parts: Sequence[Part], weights: Sequence[float], every: Frequencies, limit: int, among: Selection
    ) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the best chunks, by the frequencies of all shards."""
        from reatt_store.lexical import joint

        asked = tuple(joint.phrases_of(parts)), tuple(weights)
        if asked not in self._counts:  # many others have asked meanwhile
            self.count_words(parts, weights)
        counts = self._counts.pop(asked)
        return joint.best_in(self.store.library.index(among), counts, every, limit, among)

    # Attention, for queries that one model has made for all shards.

    def texts(self, queries: Queries, k: int, search: str, among: Selection) -> list[FoundText]:
        """Return the best k texts, best first."""
        return [] if self.retriever.generation is None else self.retriever.texts(queries, k, search, among)

    def scores(self, queries: Queries, chunks: Sequence[int]) -> dict[int, float]:
        """Score given chunks."""
        return {} if self.retriever.generation is None else self._kept.keys.scores(queries, chunks)

    def memory(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Return the stored states of given chunks."""
        return {} if self.retriever.generation is None else self._kept.keys.memory(chunks)

    def best_keys(self, queries: Queries, chunk: int) -> BestKeys | None:
        """Explain a chunk's score."""
        return None if self.retriever.generation is None else self._kept.keys.best_keys(queries, chunk)

    # The model.

    def ask_round(self, number: int, question: str, passages: Sequence[ChunkText]) -> Queries:
        """Make the queries of a round."""
        return self._read.rounds[number].ask(question, passages)

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Return the part of a passage's text that each of its keys comes from."""
        return self._read.key_spans(passage)

    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Read passages jointly and answer."""
        return self._read.answer(question, evidence, scores, limits)

    # How.

    @property
    def store(self) -> Store:
        """The store; opened when it is first needed."""
        if self._store is None:
            self._store = Store(*self._given)
        return self._store

    @property
    def retriever(self) -> Retriever:
        """What searches the current generation; the model is loaded with it."""
        return self.store.retriever()

    @property
    def _kept(self) -> Retriever:
        """The same, with all that a writer has added."""
        retriever = self.retriever
        retriever.catch_up()
        return retriever

    @property
    def _read(self) -> Reader:
        assert self._reader is not None, "every question begins with the state"
        return self._reader

    def _generation(self) -> int | None:
        made = self.retriever.generation
        return made.id if made else None

    def _moved(self, generation: int | None) -> bool:
        made = self.store.library.generation()
        return (made.id if made else None) != generation
