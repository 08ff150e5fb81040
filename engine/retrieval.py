"""Question to evidence: by attention, by words, or by both.

Attention scores are ReAtt's: the mean over question tokens of the best dot product with a chunk's tokens. Hybrid is a
convex combination of the two scores, each scaled per question, with a weight fitted on training questions: reciprocal
rank fusion with a weaker list lowers the better one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from reatt_engine.backbone import Backbone, ChunkText, Queries, Span
from reatt_store.errors import BadQuestion, ModelMismatch
from reatt_store.library import Generation, Library, StoredChunk

if TYPE_CHECKING:
    from reatt_engine.attention import AttentionIndex

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
        if self._overtaken():
            self._catch_up()
            found = ways[retriever](Asked(question, k, search, only))[:k]
        chunks = {stored.id: stored for stored in self.library.chunks([each.chunk for each in found])}
        present = [each for each in found if each.chunk in chunks]
        return [Hit(chunks[s.chunk], s.score, rank, s.words, s.attention) for rank, s in enumerate(present, 1)]

    def explain(self, question: str, hit: Hit) -> list[TokenPair]:
        """Name the token pairs whose weights sum to the hit's attention score; none where it has no vectors."""
        if self._backbone is None or self.generation is None:
            return []
        queries = self._queries(question)
        best = self._index.best_keys(queries, hit.chunk.id)
        if best is None:
            return []
        spans = self._backbone.key_spans(ChunkText(hit.chunk.chunk.title, hit.chunk.chunk.text))
        rows = zip(queries.spans, best.keys, best.weights, strict=True)
        return [TokenPair(span, spans[key], weight) for span, key, weight in rows]

    def _catch_up(self) -> None:
        """Open what a writer has added since the last search and let go of what it has dropped."""
        version = self.library.version()
        if version == self._version:
            return
        self._version = version
        self.__dict__.pop("_index", None)
        if self._backbone is not None and self.generation not in (None, self.library.generation()):
            raise ModelMismatch("the store has moved to another model meanwhile", "run the command again")

    def _overtaken(self) -> bool:
        """Say whether a writer has dropped a segment during a search: places in it name no chunk any more."""
        if "_index" not in self.__dict__ or self.library.version() == self._version:
            return False
        return not self._index.whole()

    @cached_property
    def _index(self) -> AttentionIndex:
        from reatt_engine.attention import AttentionIndex

        assert self.generation is not None
        return AttentionIndex(self.library, self.generation.id, self.token_candidates)

    @cached_property
    def _queries(self) -> Callable[[str], Queries]:
        return lru_cache(maxsize=8)(self.backbone.encode_question)  # a search and its explanations ask for the same

    def _words(self, asked: Asked) -> list[Scored]:
        found = self.library.words(asked.question, asked.k, asked.only)
        return [Scored(chunk, score, words=score) for chunk, score in found]

    def _attention(self, asked: Asked) -> list[Scored]:
        found = self._index.search(self._queries(asked.question), asked.k, asked.search, asked.only)
        return [Scored(chunk, score, attention=score) for chunk, score in found]

    def _hybrid(self, asked: Asked) -> list[Scored]:
        deep = replace(asked, k=max(DEPTH, asked.k))
        words = {each.chunk: each.score for each in self._words(deep)}
        attention = {each.chunk: each.score for each in self._attention(deep)}
        unscored = [chunk for chunk in words if chunk not in attention]
        attention |= self._index.scores(self._queries(asked.question), unscored)
        return fuse(attention, words, self.fusion)


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
