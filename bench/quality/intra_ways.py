"""INTRA and its ablations, asked of the pool: what each learns, and what each finds.

A setting is data: how many keys a chunk has, how many retrieval tokens ask, and what the first round is. Settings whose
keys or tokens differ learn their own tokens; the others ask with those of the whole method.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from bench.quality.intra_pool import Pool
from reatt.lessons.examples import Example
from reatt.model.backbone import Queries
from reatt.model.intra import FEED, PARTS, Intra
from reatt.model.pooling import pooled
from reatt.model.retrieval_tokens import TOKENS, RetrievalTokens, untrained
from reatt.search import maxsim, score
from reatt.search.maxsim import Place
from reatt.search.shards import Shard, load
from reatt.training import checkpoints, warm_start
from reatt.training.decoder import RETRIEVAL_PLAN, EvidenceMaterial, Learner
from reatt.training.plans import rate
from reatt_store.vectors.segments import Segment, quantise

DEPTH = 50  # texts that are ranked
SAVED = 10  # steps between two checkpoints


@dataclass(frozen=True)
class Setting:
    """One way to retrieve with the decoder; the defaults are the whole method."""

    name: str
    parts: int = PARTS  # L_p
    tokens: int = TOKENS  # R
    cosine: bool = False  # of the first round
    feed: int = FEED  # n0; 0 is S0 empty
    seed: int = 0  # of what is learnt

    @property
    def learnt(self) -> str:
        """Which tokens it asks with: settings of equal keys, tokens and seeds share them."""
        return f"tokens-{self.tokens}-parts-{self.parts}" + (f"-seed-{self.seed}" if self.seed else "")


WHOLE = Setting("INTRA")
SETTINGS = (
    WHOLE,
    Setting("S0 empty", feed=0),
    Setting("cosine S0", cosine=True),
    Setting("L_p 1", parts=1),
    Setting("L_p 3", parts=3),
    Setting("R 1", tokens=1),
    Setting("R 16", tokens=16),
)


@dataclass(frozen=True)
class Found:
    """What one setting finds for one question, best first: numbers of texts."""

    first: list[int]  # S0
    decoder: list[int]  # the second round, over all chunks
    reranked: list[int]  # the second round's order of what it was fed


class Searched:
    """The pool under one setting: its keys, and both of its rounds."""

    def __init__(self, pool: Pool, setting: Setting, tokens: RetrievalTokens) -> None:
        whole: Intra = pool.model
        self._pool, self.setting = pool, setting
        self.model = Intra(whole.asker, whole.tokenizer, tokens, whole.device, setting.parts)
        self._raw = _keys(pool, setting.parts, False)
        self._near = _keys(pool, setting.parts, setting.cosine)

    def find(self, question: str) -> Found:
        """Ask both rounds."""
        first = self.before(question, DEPTH)
        fed = first[: self.setting.feed]
        queries = self.model.rounds[1].ask(question, self._pool.memory(fed))
        scores = self._scores(queries, fed)
        return Found(first, self._search(queries, self._raw, DEPTH), sorted(fed, key=lambda text: -scores[text]))

    def exactly(self, question: str) -> list[int]:
        """Ask the decoder's round with every vector in float32, as `find` does not."""
        queries = self.model.rounds[1].ask(question, self._pool.memory(self.before(question, self.setting.feed)))
        scores = maxsim.exact(queries, self._raw)
        return self._texts(maxsim.top(scores, DEPTH))

    def before(self, question: str, count: int) -> list[int]:
        """Ask the encoder's round."""
        queries = self.model.rounds[0].ask(question, ())
        if self.setting.cosine:
            queries = replace(queries, vectors=torch.nn.functional.normalize(queries.vectors))
        return self._search(queries, self._near, count)

    def keys(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Give the keys of store chunks, as `AttentionIndex.keys` does, pooled as the setting says."""
        shards = {shard.id: shard for shard in self._raw}
        found = {}
        for chunk, (id, position) in self._pool.library.places(self._pool.generation.id, chunks).items():
            rows = slice(*shards[id].offsets[position : position + 2])
            found[chunk] = shards[id].keys(rows)
        return found

    def memory(self, chunks: Sequence[int]) -> dict[int, Tensor]:
        """Give the states of store chunks."""
        return self._pool.index.memory(chunks)

    def _search(self, queries: Queries, shards: Sequence[Shard], count: int) -> list[int]:
        return self._texts(maxsim.fast(queries, shards, count))

    def _texts(self, places: Sequence[Place]) -> list[int]:
        segments = {segment.id: segment for segment in _segments(self._pool)}
        digests = (segments[place.segment].digests[place.position].tobytes() for place in places)
        return [self._pool.numbers[digest] for digest in digests]

    def _scores(self, queries: Queries, texts: Sequence[int]) -> dict[int, float]:
        keys = self.keys([self._pool.corpus.ids[text] for text in texts])
        terms = {
            chunk: score.maxsim(queries.vectors, queries.weights, each[None], scaled_by=queries.scaled_by)
            for chunk, each in keys.items()
        }
        return {text: float(terms[self._pool.corpus.ids[text]]) for text in texts}


@cache
def _segments(pool: Pool) -> list[Segment]:
    return pool.library.segments(pool.generation.id)


@cache
def _keys(pool: Pool, parts: int, cosine: bool) -> list[Shard]:
    """Take the stored keys where they are what is asked for, else pool the stored states anew, and normalise."""
    if parts == PARTS and not cosine:
        return [load(segment, str(pool.model.device)) for segment in _segments(pool)]
    return [_repooled(pool, segment, parts, cosine) for segment in _segments(pool)]


def _repooled(pool: Pool, segment: Segment, parts: int, cosine: bool) -> Shard:
    assert segment.memory is not None, "a pool encoded for intra keeps its states"
    rows = [pooled(torch.from_numpy(segment.memory.states(at)), parts) for at in range(len(segment.digests))]
    keys = pool.model.asker.keys(torch.cat(rows))
    keys = torch.nn.functional.normalize(keys) if cosine else keys
    codes, scales = quantise(keys.numpy())
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in rows]))).astype(np.int64)
    return Shard(segment.id, keys.half(), torch.from_numpy(codes), torch.from_numpy(scales), offsets)


def warmed(pool: Pool, examples: Sequence[Example], steps: int, folder: Path, tell: Callable[[str], None]) -> Pool:
    """Give the pool a model whose decoder has learnt to answer for so many steps; states and keys are the same."""
    searched, there = Searched(pool, WHOLE, pool.model.tokens), checkpoints.load(folder)
    before = _first_round(pool, searched, examples, folder.parent, tell)
    plan = warm_start.ANSWER_PLAN
    learner = warm_start.AnswerLearner(pool.model, EvidenceMaterial(examples, pool.corpus, pool.index, before), plan)
    weights = {name: weight.detach() for name, weight in learner.asker.published().items()}  # they share memory
    if there is not None:
        for name, weight in weights.items():
            weight.copy_(there.tensors[name])
        return replace(pool, model=learner.model)
    for number in range(steps):
        told = learner.step(number, rate(plan, (number + 0.5) / steps))
        tell(f"warm start: step {number + 1} of {steps}, loss {told.answer:.3f}")
    checkpoints.save(folder, steps, checkpoints.Checkpoint(weights, {"steps": steps}))
    return replace(pool, model=learner.model)


def learn(
    pool: Pool, setting: Setting, examples: Sequence[Example], steps: int, folder: Path, tell: Callable[[str], None]
) -> RetrievalTokens:
    """Train a setting's tokens for so many steps, from the last checkpoint on; `tell` may raise to stop in time."""
    searched = Searched(pool, setting, untrained(pool.model.asker, setting.tokens))
    there = checkpoints.load(folder)
    if there is not None and there.state["steps"] >= steps:
        return _tokens(there.tensors)
    before = _first_round(pool, searched, examples, folder.parent, tell)
    plan = replace(RETRIEVAL_PLAN, seed=setting.seed)
    learner = Learner(searched.model, EvidenceMaterial(examples, pool.corpus, searched, before), plan)  # type: ignore[arg-type]
    if there is None:
        learner.temper()
    else:
        learner.restore(there.tensors)
    for number in range(there.state["steps"] if there else 0, steps):
        told = learner.step(number, rate(plan, (number + 0.5) / steps))
        figures = f"loss {told.cross_document:.3f}, evidence first {told.agreement:.2f}"
        tell(f"learn {setting.learnt}: step {number + 1} of {steps}, {figures}")
        if (number + 1) % SAVED == 0 or number + 1 == steps:
            checkpoints.save(folder, number + 1, checkpoints.Checkpoint(learner.state(), {"steps": number + 1}))
    return learner.tokens


def learnt(pool: Pool, setting: Setting, steps: int, folder: Path) -> RetrievalTokens | None:
    """Return a setting's tokens once they have learnt for so many steps."""
    there = checkpoints.load(folder / setting.learnt)
    return _tokens(there.tensors) if there is not None and there.state["steps"] >= steps else None


def _tokens(tensors: Mapping[str, Tensor]) -> RetrievalTokens:
    return RetrievalTokens(tensors["vectors"], tensors["weights"])


def _first_round(
    pool: Pool, searched: Searched, examples: Sequence[Example], folder: Path, tell: Callable[[str], None]
) -> list[list[int]]:
    """Ask the encoder's round for what is learnt from: store chunk ids. The same for all tokens, so it is kept."""
    file = folder / f"first-round-{searched.setting.parts}.json"
    if not file.is_file():
        found = []
        for number, example in enumerate(examples):
            tell(f"first round of {searched.setting.parts} keys: {number:,} of {len(examples):,}")
            found.append([pool.corpus.ids[text] for text in searched.before(example.text, FEED)])
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found), encoding="utf-8")
    return cast("list[list[int]]", json.loads(file.read_text(encoding="utf-8")))
