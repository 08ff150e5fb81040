"""Question to evidence: by attention, by words, or by both.

Attention scores are ReAtt's: the mean over question tokens of the best dot product with a chunk's tokens. Hybrid is a
convex combination of the two scores, each scaled per question, with a weight fitted on training questions: reciprocal
rank fusion with a weaker list lowers the better one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from reatt_engine import maxsim
from reatt_engine.backbone import Backbone, Passage, Queries, Span
from reatt_engine.maxsim import Live, Place
from reatt_store.errors import BadQuestion, ModelMismatch
from reatt_store.library import Generation, Library, Segment, StoredChunk

if TYPE_CHECKING:
    from reatt_store.nearest import TokenIndex

RETRIEVERS = ("attention", "words", "hybrid")
SEARCHES = ("auto", "exact", "fast", "two-stage")
FAST_LIMIT = 20_000  # chunks; above, `auto` looks for candidates first
TOKEN_CANDIDATES = 2048  # K' of section 2.4: nearest tokens per question token
DEPTH = 100  # candidates that hybrid takes from each side
FUSION_WEIGHT = 0.5  # of attention, where the model's config has no fitted one


@dataclass(frozen=True)
class Hit:
    """A chunk that was found, with what found it."""

    chunk: StoredChunk
    score: float
    rank: int  # 1 is best
    words_score: float | None
    attention_score: float | None


@dataclass(frozen=True)
class TokenPair:
    """One term of an attention score: a question token, and the chunk token that answers to it best."""

    question_span: Span
    chunk_span: Span
    weight: float


@dataclass(frozen=True)
class Scored:
    """A chunk id with its scores."""

    chunk: int
    score: float
    words: float | None = None
    attention: float | None = None


@dataclass(frozen=True)
class Asked:
    """A question as searches need it."""

    question: str
    k: int
    search: str
    only: str | None


class Retriever:
    """Searches one generation of a store with the model that encoded it; words need neither."""

    def __init__(
        self,
        library: Library,
        backbone: Backbone | None,
        generation: Generation | None,
        fusion: float = FUSION_WEIGHT,
        token_candidates: int = TOKEN_CANDIDATES,
    ) -> None:
        if backbone is not None and generation is not None and backbone.fingerprint() != generation.fingerprint:
            made_by = f"{generation.model_name} {generation.model_sha256[:8]}"
            fix = "reatt ingest --reencode, or --retriever words"
            raise ModelMismatch(f"the store's vectors were made by {made_by}, not by this model", fix)
        self.library, self.generation, self.fusion = library, generation, fusion
        self.token_candidates = token_candidates
        self._backbone = backbone
        self._version = library.version()

    @property
    def backbone(self) -> Backbone:
        """The model; raises `ModelMismatch` where there is none."""
        if self._backbone is None or self.generation is None:
            raise ModelMismatch("the store has no vectors to search by attention", "reatt ingest, or --retriever words")
        return self._backbone

    def search(
        self, question: str, k: int = 8, retriever: str = "hybrid", search: str = "auto", only: str | None = None
    ) -> list[Hit]:
        """Return the best k chunks, best first; raises `BadQuestion` if the question is blank."""
        if not question.strip():
            raise BadQuestion("the question is empty", 'reatt ask "What …?"')
        self._catch_up()
        ways = {"attention": self._attention, "words": self._words, "hybrid": self._hybrid}
        found = ways[retriever](Asked(question, k, search, only))[:k]
        chunks = {stored.id: stored for stored in self.library.chunks([each.chunk for each in found])}
        present = [each for each in found if each.chunk in chunks]
        return [Hit(chunks[s.chunk], s.score, rank, s.words, s.attention) for rank, s in enumerate(present, 1)]

    def explain(self, question: str, hit: Hit) -> list[TokenPair]:
        """Name the token pairs whose weights sum to the hit's attention score; none where it has no vectors."""
        if self._backbone is None or self.generation is None:
            return []
        where = self.library.places(self.generation.id, [hit.chunk.id]).get(hit.chunk.id)
        if where is None or where[0] not in self._segments:
            return []
        segment = self._segments[where[0]]
        start, end = segment.offsets[where[1] : where[1] + 2]
        queries = self._queries(question)
        keys = torch.from_numpy(segment.keys[start:end].astype(np.float32)).to(queries.vectors.device)
        best, weights = maxsim.pairs(queries.vectors, queries.weights, keys)
        spans = self._backbone.key_spans(Passage(hit.chunk.chunk.title, hit.chunk.chunk.text))
        rows = zip(queries.spans, best.tolist(), weights.tolist(), strict=True)
        return [TokenPair(span, spans[key], weight) for span, key, weight in rows]

    def _catch_up(self) -> None:
        """Open what a writer has added since the last search and let go of what it has dropped."""
        version = self.library.version()
        if version == self._version:
            return
        self._version = version
        for name in ("_segments", "_shards", "_tokens"):
            self.__dict__.pop(name, None)
        if self._backbone is not None and self.generation not in (None, self.library.generation()):
            raise ModelMismatch("the store has moved to another model meanwhile", "run the command again")

    @cached_property
    def _segments(self) -> dict[int, Segment]:
        found = self.library.segments(self.generation.id) if self.generation else []
        return {segment.id: segment for segment in found}

    @cached_property
    def _shards(self) -> list[maxsim.Shard]:
        device = str(self._queries("?").vectors.device)
        return [maxsim.load(segment, device) for segment in self._segments.values()]

    @cached_property
    def _tokens(self) -> TokenIndex:
        from reatt_store.nearest import open_index

        assert self.generation is not None
        return open_index(self.library, self.generation.id, list(self._segments.values()))

    def _queries(self, question: str) -> Queries:
        return self.backbone.encode_question(question)

    def _words(self, asked: Asked) -> list[Scored]:
        found = self.library.words(asked.question, asked.k, asked.only)
        return [Scored(chunk, score, words=score) for chunk, score in found]

    def _attention(self, asked: Asked) -> list[Scored]:
        return self._chunks(self._places(asked, self._queries(asked.question)), asked.only)

    def _places(self, asked: Asked, queries: Queries) -> list[Place]:
        ways = {"exact": self._exact, "fast": self._fast, "two-stage": self._two_stage}
        chunks = sum(len(segment.digests) for segment in self._segments.values())
        auto = "fast" if chunks <= FAST_LIMIT else "two-stage"
        assert self.generation is not None
        live = self._live(self.library.live(self.generation.id, asked.only))
        return ways[auto if asked.search == "auto" else asked.search](asked, queries, live)

    def _live(self, live: Live) -> Live:
        """Hide segments that a writer has dropped since they were opened."""
        if live is None:
            return None
        gone = {id: np.zeros(len(s.digests), np.bool_) for id, s in self._segments.items() if id not in live}
        return {**live, **gone}

    def _exact(self, asked: Asked, queries: Queries, live: Live) -> list[Place]:
        return maxsim.top(maxsim.exact(queries.vectors, queries.weights, self._shards, live), asked.k)

    def _fast(self, asked: Asked, queries: Queries, live: Live) -> list[Place]:
        return maxsim.fast(queries.vectors, queries.weights, self._shards, asked.k, live)

    def _two_stage(self, asked: Asked, queries: Queries, live: Live) -> list[Place]:
        """Take the chunks that own a token near any question token, then score each of them whole (section 2.4)."""
        _, rows = self._tokens.search(queries.vectors.cpu().numpy(), self.token_candidates, live)
        candidates = np.unique(np.stack(self._tokens.chunk_of(np.unique(rows[rows >= 0])), 1), axis=0)  # (c, 2)
        segments, positions = candidates[:, 0], candidates[:, 1]
        scores = maxsim.rescore(queries.vectors, queries.weights, self._shards, segments, positions)
        best = np.lexsort((positions, segments, -scores))[: asked.k]
        return [Place(int(segments[i]), int(positions[i]), float(scores[i])) for i in best]

    def _chunks(self, places: Sequence[Place], only: str | None) -> list[Scored]:
        """Turn places into chunks: several where documents hold the same text."""
        assert self.generation is not None
        ids = self.library.chunk_ids(self.generation.id, [(p.segment, p.position) for p in places], only)
        return [Scored(i, p.score, attention=p.score) for p, found in zip(places, ids, strict=True) for i in found]

    def _hybrid(self, asked: Asked) -> list[Scored]:
        deep = Asked(asked.question, max(DEPTH, asked.k), asked.search, asked.only)
        queries = self._queries(asked.question)
        words = {each.chunk: each.score for each in self._words(deep)}
        attention = {each.chunk: each.score for each in self._chunks(self._places(deep, queries), asked.only)}
        attention |= self._rescored(queries, [chunk for chunk in words if chunk not in attention])
        return fuse(attention, words, self.fusion)

    def _rescored(self, queries: Queries, chunks: Sequence[int]) -> dict[int, float]:
        assert self.generation is not None
        places = self.library.places(self.generation.id, chunks)
        where = {chunk: place for chunk, place in places.items() if place[0] in self._segments}
        segments, positions = (np.array([place[axis] for place in where.values()], np.int64) for axis in (0, 1))
        scores = maxsim.rescore(queries.vectors, queries.weights, self._shards, segments, positions)
        return dict(zip(where, scores.tolist(), strict=True))


def fuse(attention: Mapping[int, float], words: Mapping[int, float], weight: float) -> list[Scored]:
    """Combine scores per question: `weight` of attention scaled to [0, 1], the rest of BM25 as a share of its best.

    BM25 has a natural zero, no shared word; attention has none, so its lowest candidate is taken.

    >>> [(each.chunk, each.score) for each in fuse({1: 4.0, 2: 2.0}, {2: 3.0}, 0.25)]
    [(2, 0.75), (1, 0.25)]
    """
    low, high = min(attention.values(), default=0.0), max(attention.values(), default=0.0)
    most = max(words.values(), default=0.0)
    found = []
    for chunk in {**attention, **words}:
        near = (attention[chunk] - low) / (high - low) if chunk in attention and high > low else 0.0
        same = words.get(chunk, 0.0) / most if most > 0 else 0.0
        score = weight * near + (1 - weight) * same
        found.append(Scored(chunk, score, words.get(chunk), attention.get(chunk)))
    return sorted(found, key=lambda each: (-each.score, each.chunk))
