"""Search by attention: weighted MaxSim between a question's queries and the keys of one generation of a store.

`exact` scores every key in float32. `fast` scores every key in int8, and the best chunks again in float32. `clusters`
does so with the chunks that clusters of keys find, and with those that no cluster covers yet. `two-stage` scores the
chunks with a key near one of the queries (ReAtt section 2.4). If decoder heads ask, each with many vectors, `fast` and
`two-stage` first search with the sum of each head's vectors. All return the same scores for a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from reatt.model.backbone import Queries
from reatt.search import candidates, maxsim
from reatt.search.maxsim import Live, Place
from reatt.search.query_runs import alike, gathered
from reatt.search.score import pairs
from reatt.search.shards import Shard, load
from reatt_store.clusters.lists import Clusters
from reatt_store.library import Library, Segment
from reatt_store.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from reatt_store.joined.library import JoinedLibrary
    from reatt_store.joined.tokens import TokenIndexes


@dataclass(frozen=True)
class BestKeys:
    """For each query vector of a question, the best matching key of one chunk and its part of the score."""

    keys: list[int]  # (m,)
    weights: list[float]  # (m,), which sum to the score


@dataclass(frozen=True)
class FoundText:
    """A text that a search has found, with all chunks that have it."""

    digest: bytes
    score: float
    chunks: list[int]  # ids


class Keys(Protocol):
    """The keys of a generation, to be searched, wherever they lie; `AttentionIndex` has them here."""

    def whole(self) -> bool:
        """Return whether the generation, and all that was opened of it, is still there."""

    def search(self, queries: Queries, k: int, search: str, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the best k texts, best first; a text may have several chunk ids."""

    def texts(self, queries: Queries, k: int, search: str, among: Selection = EVERYTHING) -> list[FoundText]:
        """Return the best k texts, best first."""

    def scores(self, queries: Queries, chunks: Sequence[int]) -> dict[int, float]:
        """Score given chunks; those without vectors are left out."""

    def memory(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Return the stored states (t, D) of given chunks; those without states are left out."""

    def best_keys(self, queries: Queries, chunk: int) -> BestKeys | None:
        """Explain a chunk's score; None if it has no vectors."""


class AttentionIndex:
    """The keys of one generation, memory-mapped from the store's segments; after a writer's changes, open a new one."""

    def __init__(self, library: Library | JoinedLibrary, generation: int, token_candidates: int) -> None:
        self._library, self._generation, self._token_candidates = library, generation, token_candidates
        self._segments: dict[int, Segment] = {segment.id: segment for segment in library.segments(generation)}
        self._loaded: dict[str, list[Shard]] = {}  # by device

    def whole(self) -> bool:
        """Return whether the store still has the generation, and all of its segments that were opened.

        The generation is checked last: if it was dropped before its segments were opened, there are none to be missing.
        """
        left = {segment.id for segment in self._library.segments(self._generation)}
        there = {made.id for made in self._library.generations()}
        return self._generation in there and self._segments.keys() <= left

    def search(self, queries: Queries, k: int, search: str, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the best k texts, best first; a text may have several chunk ids."""
        return [(id, text.score) for text in self.texts(queries, k, search, among) for id in text.chunks]

    def texts(self, queries: Queries, k: int, search: str, among: Selection = EVERYTHING) -> list[FoundText]:
        """Return the best k texts, best first."""
        auto = self._clustered if self._clusters else self._fast
        ways = {"auto": auto, "exact": self._exact, "fast": self._fast}
        ways |= {"clusters": self._clustered, "two-stage": self._two_stage}
        places = ways[search](queries, k, self._live(among))
        ids = self._library.chunk_ids(self._generation, [(p.segment, p.position) for p in places], among)
        digests = (self._segments[place.segment].digests[place.position].tobytes() for place in places)
        return [FoundText(*each) for each in zip(digests, (place.score for place in places), ids, strict=True)]

    def scores(self, queries: Queries, chunks: Sequence[int]) -> dict[int, float]:
        """Score given chunks; those without vectors are left out."""
        where = self._places(chunks)
        segments, positions = (np.array([place[axis] for place in where.values()], np.int64) for axis in (0, 1))
        scores = maxsim.rescore(queries, self._shards(queries), segments, positions)
        return dict(zip(where, scores.tolist(), strict=True))

    def memory(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Return the stored states (t, D) of given chunks; those without states are left out."""
        found = {}
        for chunk, (id, position) in self._places(chunks).items():
            kept = self._segments[id].memory
            if kept is not None:
                found[chunk] = torch.from_numpy(kept.states(position))
        return found

    def keys(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Return the keys (n, d) of given chunks; those without vectors are left out."""
        found = {}
        for chunk, (id, position) in self._places(chunks).items():
            segment = self._segments[id]
            rows = slice(*segment.offsets[position : position + 2])
            found[chunk] = torch.from_numpy(segment.keys(rows))
        return found

    def views(self, chunks: Sequence[int]) -> Callable[[int], Tensor]:
        """Return what gives the keys (n, d) of each of some chunks; they are read when they are asked for."""
        places = self._places(chunks)

        def keys(chunk: int) -> Tensor:
            id, position = places[chunk]
            segment = self._segments[id]
            return torch.from_numpy(segment.keys(slice(*segment.offsets[position : position + 2])))

        return keys

    def best_keys(self, queries: Queries, chunk: int) -> BestKeys | None:
        """Explain a chunk's score; None if it has no vectors."""
        keys = self.keys([chunk]).get(chunk)
        if keys is None:
            return None
        keys = keys.to(queries.vectors.device)
        best, weights = pairs(queries.vectors, queries.weights, keys, queries.scaled_by)
        return BestKeys(best.tolist(), weights.tolist())

    def _places(self, chunks: Sequence[int]) -> dict[int, tuple[int, int]]:
        places = self._library.places(self._generation, chunks)
        return {chunk: place for chunk, place in places.items() if place[0] in self._segments}

    def _shards(self, queries: Queries) -> list[Shard]:
        device = str(queries.vectors.device)
        if device not in self._loaded:
            self._loaded[device] = [load(segment, device) for segment in self._segments.values()]
        return self._loaded[device]

    @cached_property
    def _clusters(self) -> list[Clusters]:
        return self._library.all_clusters(self._generation)

    @cached_property
    def _tokens(self) -> TokenIndexes:
        from reatt_store.joined.tokens import open_indexes

        return open_indexes(self._library, self._generation, list(self._segments.values()))

    def _live(self, among: Selection) -> Live:
        """Return which chunks may be found; none of segments that a writer has dropped since they were opened."""
        live = self._library.live(self._generation, among)
        if live is None:
            return None
        gone = {id: np.zeros(len(s.digests), np.bool_) for id, s in self._segments.items() if id not in live}
        return {**live, **gone}

    def _exact(self, queries: Queries, k: int, live: Live) -> list[Place]:
        return maxsim.top(maxsim.exact(queries, self._shards(queries), live), k)

    def _fast(self, queries: Queries, k: int, live: Live) -> list[Place]:
        return maxsim.fast(queries, self._shards(queries), k, live)

    def _clustered(self, queries: Queries, k: int, live: Live) -> list[Place]:
        """Score the chunks that the clusters find and those that they do not cover; without clusters, scan."""
        if not self._clusters or not all(candidates.suits(queries, made) for made in self._clusters):
            return self._fast(queries, k, live)
        found = candidates.find(queries, self._clusters, self._segments, k, live)
        shards = self._shards(queries)
        whole = [shard for shard in shards if shard.id in found.whole]
        return maxsim.narrowed(queries, shards, found.segments, found.positions, k, whole, live)

    def _two_stage(self, queries: Queries, k: int, live: Live) -> list[Place]:
        """Take the chunks with a key near any query, or near the sum of a head's queries, and return the best."""
        asking = gathered(queries) if alike(queries) else queries
        _, rows = self._tokens.search(asking.vectors.cpu().numpy(), self._token_candidates, live)
        near = np.unique(np.stack(self._tokens.chunk_of(np.unique(rows[rows >= 0])), 1), axis=0)  # (c, 2)
        return maxsim.among(queries, self._shards(queries), near[:, 0], near[:, 1], k)
