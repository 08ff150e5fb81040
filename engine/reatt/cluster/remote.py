"""The shards of a cluster as one library, with its keys and its model: what a `Retriever` needs, from other processes.

Chunks have the ids that they would have if the stores were searched as one here (`joined/library.py`): the id in their
own store plus PER_STORE times the shard's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from reatt.cluster.fleet import Fleet
from reatt.cluster.shard import State
from reatt.model.backbone import Answer, ChunkText, Limits, Queries, Round, Span
from reatt.search.index import BestKeys, FoundText
from reatt_store.errors import ModelMismatch
from reatt_store.lexical import joint
from reatt_store.lexical import search as words
from reatt_store.library import shared_folder
from reatt_store.records import PER_STORE, Generation, StoredChunk
from reatt_store.selection import EVERYTHING, Selection


class Shards:
    """All shards that live, as one library to be searched."""

    def __init__(self, fleet: Fleet, states: Mapping[int, State]) -> None:
        self.fleet, self.states = fleet, states

    def version(self) -> object:
        """Return what changes with every commit: a question sees one state of its shards."""
        return True

    @property
    def leading(self) -> int:
        """The shard whose model asks: the first that has vectors, or else the first."""
        return next((number for number, state in self.states.items() if state.generation), next(iter(self.states)))

    def generation(self) -> Generation | None:
        """Return the generation of the leading shard; raises ModelMismatch if two were encoded by different models."""
        leading = self.states[self.leading]
        for state in self.states.values():
            if leading.generation and state.generation and _keys(state.generation) != _keys(leading.generation):
                told = f"{leading.folder} and {state.folder} were encoded by different models"
                raise ModelMismatch(f"{told}, so they cannot be searched together", "reatt ingest --reencode")
        return leading.generation

    def ends(self) -> list[str]:
        """Return the first and the last path of all documents; none where there are no documents."""
        paths = [path for state in self.states.values() for path in state.ends]
        return [min(paths), max(paths)] if paths else []

    def root(self) -> str:
        """Return the folder that all documents lie in; "" if there is none."""
        return shared_folder(self.ends())

    def chunks(self, ids: Sequence[int]) -> list[StoredChunk]:
        """Return chunks in the given order, without those that were removed since their ids were found."""
        found = {}
        for number, own in self.fleet.some("chunks", {n: (own,) for n, own in by_shard(ids).items()}).items():
            for stored in own:
                id, document = number * PER_STORE + stored.id, number * PER_STORE + stored.document_id
                found[id] = replace(stored, id=id, document_id=document, store=self.states[number].folder)
        return [found[id] for id in ids if id in found]

    def words(self, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the chunks that best match the question's words, best first."""
        return words.search(_Words(self), question, limit, among)

    def names(self, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the chunks whose file, folders, title or author a question names, best first."""
        return words.names(_Words(self), question, limit, among)


class _Words:
    """The words of all shards: they count first, then each scores its own by the sums."""

    old = False

    def __init__(self, shards: Shards) -> None:
        self._shards, self._fleet = shards, shards.fleet

    def best(
        self, parts: Sequence[words.Part], weights: Sequence[float], limit: int, among: Selection
    ) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the best chunks that have any of the terms, best first; ties go to the older."""
        if limit < 1 or not joint.phrases_of(parts):
            return []
        every = joint.summed(list(self._fleet.every("count_words", parts, weights).values()))
        return joint.merged(self._fleet.every("best_words", parts, weights, every, limit, among), limit)

    def stands(self, columns: str, term: str) -> bool:
        """Return whether a term stands anywhere in some columns."""
        return any(self._fleet.every("word_stands", columns, term).values())

    def owners(self, chunks: Sequence[int]) -> list[tuple[int, int]]:
        """Return (chunk id, document id) of chunks."""
        found = self._fleet.some("owners", {number: (own,) for number, own in by_shard(chunks).items()})
        return [
            (number * PER_STORE + id, number * PER_STORE + owner) for number, own in found.items() for id, owner in own
        ]

    def ends(self) -> tuple[Any, Any]:
        """Return the first and the last path of all documents."""
        ends = self._shards.ends()
        return (ends[0], ends[1]) if ends else (None, None)


class RemoteKeys:
    """The keys of all shards, each of which searches its own."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def whole(self) -> bool:
        """Return True: each shard sees to it that what it opened is still there."""
        return True

    def search(self, queries: Queries, k: int, search: str, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the best k texts, best first; a text may have several chunk ids."""
        return [(id, text.score) for text in self.texts(queries, k, search, among) for id in text.chunks]

    def texts(self, queries: Queries, k: int, search: str, among: Selection = EVERYTHING) -> list[FoundText]:
        """Return the best k texts, best first; one that several shards hold counts once."""
        return merged(self._fleet.every("texts", queries, k, search, among), k)

    def scores(self, queries: Queries, chunks: Sequence[int]) -> dict[int, float]:
        """Score given chunks; those without vectors are left out."""
        return self._of("scores", queries, chunks)

    def memory(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Return the stored states (t, D) of given chunks; those without states are left out."""
        found = self._fleet.some("memory", {number: (own,) for number, own in by_shard(chunks).items()})
        return {number * PER_STORE + id: kept for number, own in found.items() for id, kept in own.items()}

    def best_keys(self, queries: Queries, chunk: int) -> BestKeys | None:
        """Explain a chunk's score; None if it has no vectors."""
        number, id = divmod(chunk, PER_STORE)
        found: BestKeys | None = self._fleet.some("best_keys", {number: (queries, id)})[number]
        return found

    def _of(self, what: str, queries: Queries, chunks: Sequence[int]) -> dict[int, float]:
        found = self._fleet.some(what, {number: (queries, own) for number, own in by_shard(chunks).items()})
        scored = {number * PER_STORE + id: score for number, own in found.items() for id, score in own.items()}
        return {chunk: scored[chunk] for chunk in chunks if chunk in scored}


class RemoteModel:
    """The model of one of the shards: it asks for all of them, and reads."""

    def __init__(self, fleet: Fleet, number: int, state: State) -> None:
        assert state.generation is not None, "who has a model has vectors"
        self._fleet, self._number, self._state, self._made = fleet, number, state, state.generation

    def fingerprint(self) -> str:
        """Hash everything that stored keys depend on; equal fingerprints mean equal keys."""
        return self._made.fingerprint

    @property
    def method(self) -> str:
        """A name in `models.METHODS`."""
        return self._made.method

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of a search, in order; the first one needs only the question."""
        return tuple(Round(partial(self._ask, number), *each) for number, each in enumerate(self._state.rounds))

    def key_spans(self, passage: ChunkText) -> tuple[Span, ...]:
        """Return the part of `passage.text` that each key comes from; (0, 0) for title, prefix and end marks."""
        spans: tuple[Span, ...] = self._fleet.model(self._number, "key_spans", passage)
        return spans

    def answer(self, question: str, evidence: Sequence[ChunkText], scores: Sequence[float], limits: Limits) -> Answer:
        """Read the evidence jointly and answer; `scores` are the evidence's retrieval scores."""
        told: Answer = self._fleet.model(self._number, "answer", question, evidence, scores, limits)
        return told

    def _ask(self, number: int, question: str, passages: Sequence[ChunkText]) -> Queries:
        queries: Queries = self._fleet.model(self._number, "ask_round", number, question, passages)
        return queries


def merged(found: Mapping[int, Sequence[FoundText]], k: int) -> list[FoundText]:
    """Put the best texts of each shard, by its number, in one order; equal scores by shard, then as the shard has them.

    >>> merged({0: [FoundText(b"a", 2.0, [7])], 1: [FoundText(b"b", 3.0, [1]), FoundText(b"a", 2.0, [2])]}, 2) == [
    ...     FoundText(b"b", 3.0, [PER_STORE + 1]), FoundText(b"a", 2.0, [7, PER_STORE + 2])]
    True
    """
    texts: dict[bytes, FoundText] = {}
    for number, own in sorted(found.items()):
        for text in own:
            first = texts.setdefault(text.digest, replace(text, chunks=[]))
            first.chunks.extend(number * PER_STORE + id for id in text.chunks)
    return sorted(texts.values(), key=lambda text: -text.score)[:k]


def by_shard(chunks: Sequence[int]) -> dict[int, list[int]]:
    """Return the ids that chunks have in their own shards, by the shard's number.

    >>> by_shard([3, PER_STORE + 4])
    {0: [3], 1: [4]}
    """
    found: dict[int, list[int]] = {}
    for chunk in chunks:
        number, id = divmod(chunk, PER_STORE)
        found.setdefault(number, []).append(id)
    return found


def _keys(made: Generation) -> tuple[str, str]:
    return made.fingerprint, made.method
