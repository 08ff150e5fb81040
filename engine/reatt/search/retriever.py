"""Question to evidence: by attention, by words, or by both.

Attention asks in the rounds of the store's method (`rounds.py`); a chunk's score is that of the last one. Hybrid is a
convex combination of the two scores, each scaled per question, with a weight fitted on training questions: reciprocal
rank fusion with a weaker list lowers the better one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from reatt.model.backbone import Backbone, ChunkText, Queries
from reatt.search.rounds import Heard, TokenPair, by_head, carried, listen
from reatt.weights.folder import FUSION_WEIGHT
from reatt_store.errors import BadQuestion, ModelMismatch, UsageError
from reatt_store.library import Generation, Library, StoredChunk

if TYPE_CHECKING:
    from reatt.search.index import AttentionIndex

TOKEN_CANDIDATES = 2048  # K' of section 2.4: nearest tokens per question token
TOP = 8  # chunks read jointly
DEPTH = 100  # candidates that hybrid takes from each side


@dataclass(frozen=True)
class Hit:
    """A chunk that was found, with what found it."""

    chunk: StoredChunk
    score: float
    rank: int  # 1 is best
    words_score: float | None
    attention_score: float | None


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
    rounds: int | None = None  # None: all that the method has
    rerank: bool = False  # let the last round order what the one before has found, and find nothing itself


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
        self._version: int | None = None  # of the store when it was last looked at
        self._latest: tuple[str, Queries] | None = None  # what was asked last, for its explanations
        self._heard = lru_cache(maxsize=8)(self._listen)  # hybrid, and a deeper search, ask for the same

    @property
    def backbone(self) -> Backbone:
        """The model; raises `ModelMismatch` where there is none."""
        if self._backbone is None or self.generation is None:
            raise ModelMismatch("the store has no vectors to search by attention", "reatt ingest, or --retriever words")
        return self._backbone

    def search(
        self,
        question: str,
        k: int = 8,
        retriever: str = "hybrid",
        search: str = "auto",
        only: str | None = None,
        rounds: int | None = None,
        rerank: bool = False,
    ) -> list[Hit]:
        """Return the best k chunks, best first; raises `BadQuestion` if the question is blank.

        `rounds` and `rerank` are for a method that asks more than once: others raise `ModelMismatch`.
        """
        if not question.strip():
            raise BadQuestion("the question is empty", 'reatt ask "What …?"')
        ways = {"attention": self._attention, "words": self._words, "hybrid": self._hybrid}
        asked = Asked(question, k, search, only, rounds, rerank)
        self._check(asked, retriever)
        while True:
            self._catch_up()
            found = ways[retriever](asked)[:k]
            if not self._overtaken():
                break
        chunks = {stored.id: stored for stored in self.library.chunks([each.chunk for each in found])}
        present = [each for each in found if each.chunk in chunks]
        return [Hit(chunks[s.chunk], s.score, rank, s.words, s.attention) for rank, s in enumerate(present, 1)]

    def explain(self, question: str, hit: Hit) -> list[TokenPair]:
        """Name the token pairs whose weights sum to the hit's attention score; none where it has no vectors."""
        if self._backbone is None or self.generation is None:
            return []
        if self._latest is None or self._latest[0] != question:
            self._hear(Asked(question, 0, "auto", None))
        assert self._latest is not None
        queries = self._latest[1]
        best = self._index.best_keys(queries, hit.chunk.id)
        if best is None:
            return []
        spans = self._backbone.key_spans(ChunkText(hit.chunk.chunk.title, hit.chunk.chunk.text))
        rows = zip(queries.spans, best.keys, best.weights, strict=True)
        pairs = [TokenPair(span, spans[key], weight) for span, key, weight in rows]
        return by_head(pairs, queries.heads) if queries.heads else pairs

    def passages(self, chunks: Sequence[StoredChunk]) -> list[ChunkText]:
        """Give chunks as a reader takes them: with the states that the store keeps of them."""
        kept = self._index.memory([stored.id for stored in chunks])
        return [ChunkText(stored.chunk.title, stored.chunk.text, kept.get(stored.id)) for stored in chunks]

    def _check(self, asked: Asked, retriever: str) -> None:
        if asked.rounds is None and not asked.rerank:
            return
        if retriever != "attention":
            message = f"--rounds and --rerank-only are about attention, and --retriever is {retriever}"
            raise UsageError(message, "--retriever attention")
        if len(self.backbone.rounds) < 2:
            message = f"the store was encoded for {self.backbone.method}, which asks in one round"
            raise ModelMismatch(message, "to move it over: reatt ingest --reencode --method intra PATH")
        if asked.rerank and asked.rounds == 1:
            raise UsageError("--rerank-only needs the second round", "leave out --rounds 1")

    def _catch_up(self) -> None:
        """Open what a writer has added since the last search and let go of what it has dropped.

        The first search looks, too: the store may have moved while the model was loaded.
        """
        version = self.library.version()
        if version == self._version:
            return
        self.__dict__.pop("_index", None)
        self._latest = None
        self._heard.cache_clear()
        self._version = version
        if self._backbone is not None and self.generation not in (None, self.library.generation()):
            self._version = None
            raise ModelMismatch("the store has moved to another model meanwhile", "run the command again")

    def _overtaken(self) -> bool:
        """Say whether a writer has dropped a segment during a search: places in it name no chunk any more."""
        if "_index" not in self.__dict__ or self.library.version() == self._version:
            return False
        return not self._index.whole()

    @cached_property
    def _index(self) -> AttentionIndex:
        from reatt.search.index import AttentionIndex

        assert self.generation is not None
        return AttentionIndex(self.library, self.generation.id, self.token_candidates)

    def _hear(self, asked: Asked) -> Heard:
        heard = self._heard(replace(asked, k=0))
        self._latest = asked.question, heard.queries
        return heard

    def _listen(self, asked: Asked) -> Heard:
        def find(queries: Queries, k: int) -> list[int]:
            return [chunk for chunk, _ in self._index.search(queries, k, asked.search, asked.only)][:k]

        def recall(chunks: Sequence[int]) -> list[ChunkText]:
            return self.passages(self.library.chunks(chunks))

        return listen(self.backbone.rounds[: asked.rounds], asked.question, find, recall)

    def _words(self, asked: Asked) -> list[Scored]:
        found = self.library.words(asked.question, asked.k, asked.only)
        return [Scored(chunk, score, words=score) for chunk, score in found]

    def _attention(self, asked: Asked) -> list[Scored]:
        heard = self._hear(asked)
        if asked.rerank:
            found = self._index.scores(heard.queries, heard.before)
            order = sorted(found, key=lambda chunk: (-found[chunk], chunk))
        else:
            found = dict(self._index.search(heard.queries, asked.k, asked.search, asked.only))
            order = carried(list(found), heard.before, heard.round)
            found |= self._index.scores(heard.queries, [chunk for chunk in order if chunk not in found])
        return [Scored(chunk, found[chunk], attention=found[chunk]) for chunk in order if chunk in found]

    def _hybrid(self, asked: Asked) -> list[Scored]:
        deep = replace(asked, k=max(DEPTH, asked.k))
        words = {each.chunk: each.score for each in self._words(deep)}
        if self.fusion == 0:
            return fuse({}, words, 0.0)
        attention = {each.chunk: each.score for each in self._attention(deep)}
        unscored = [chunk for chunk in words if chunk not in attention]
        attention |= self._index.scores(self._hear(asked).queries, unscored)
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
