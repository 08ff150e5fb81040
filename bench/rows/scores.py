"""How long INTRA takes to score every chunk of a corpus, in both of its rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from bench.kit.plan import Plan
from bench.kit.table import Row
from bench.rows.search import threads
from reatt.model.backbone import Queries
from reatt.search import maxsim
from reatt.search.retriever import Retriever
from reatt.search.shards import Shard
from reatt.weights.models import load_for
from reatt_store.library import Library
from reatt_store.vectors.segments import Segment, quantise

TOP = 10
NOISE = 0.05  # of a key's length
ASKED = 5  # questions: a hundred thousand chunks take seconds each


def scoring(plan: Plan, library: Library, asked: Sequence[str]) -> Iterator[Row]:
    """Yield rows for each size: the encoder's round, and the decoder's over the states of what that found."""
    model = load_for("intra", plan.model, plan.device)
    made = library.generation()
    assert made is not None, "an ingested store has a generation"
    rounds = [_asked(Retriever(library, model, made), question) for question in asked[:ASKED]]
    segments = library.segments(made.id)
    for size in plan.chunks:
        shards = _shards(segments, size, plan.device)
        chunks = sum(len(shard.offsets) - 1 for shard in shards)
        for name, queries in zip(("encoder's round", "decoder's round"), zip(*rounds, strict=True), strict=True):
            yield from _rows(plan, f"{chunks:,} passages, {name}", queries, shards)


def _asked(retriever: Retriever, question: str) -> tuple[Queries, Queries]:
    first, later = retriever.backbone.rounds
    hits = retriever.search(question, later.feed, "attention", rounds=1)
    return first.ask(question, ()), later.ask(question, retriever.passages([hit.chunk for hit in hits]))


def _shards(segments: Sequence[Segment], size: int, device: str) -> list[Shard]:
    """Take the keys of so many chunks; where there are too few, again, each time with other noise."""
    random, shards, left, number = np.random.default_rng(0), list[Shard](), size, 0
    while left > 0:
        for segment in segments:
            chunks = min(left, len(segment.digests))
            offsets = np.asarray(segment.offsets[: chunks + 1])
            keys = segment.keys(slice(offsets[-1]))
            if len(shards) >= len(segments):
                keys += _noise(random, keys)
            codes, scales = quantise(keys)
            eighth, scale = (torch.from_numpy(array).to(device) for array in (codes, scales))
            shards += [Shard(number, None, eighth, scale, offsets)] if chunks else []
            left, number = left - chunks, number + 1
    return shards


def _noise(random: np.random.Generator, keys: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.linalg.norm(keys, axis=1, keepdims=True) / keys.shape[1] ** 0.5
    return NOISE * length * random.standard_normal(keys.shape, np.float32)


def _rows(plan: Plan, what: str, asked: Sequence[Queries], shards: Sequence[Shard]) -> Iterator[Row]:
    def exact(queries: Queries) -> list[maxsim.Place]:
        return maxsim.top(maxsim.exact(queries, shards), TOP)

    def fast(queries: Queries) -> list[maxsim.Place]:
        return maxsim.fast(queries, shards, TOP)

    keys = sum(len(shard.codes) for shard in shards)
    products = statistics.fmean(len(queries.vectors) for queries in asked) * keys
    found = statistics.fmean(_agreement(exact(queries), fast(queries)) for queries in asked)
    for name, way in {"exact": exact, "fast": fast}.items():
        times = {}
        for count in plan.threads:
            with threads(count):
                times[count] = statistics.median(_timed(way, queries) for queries in asked)
        most = max(times)
        also: dict[str, float | int | str] = {"queries": len(asked[0].vectors), "keys": keys}
        spared = name == "fast" and len(asked[0].runs) > 0  # most of them, by sums of heads
        also |= {} if spared else {"products/s": f"{products / times[most] / 1e6:.0f} M"}
        also |= {"recall@10": found} if name == "fast" else {}
        one, all = times.get(1), times[most] if most > 1 else None
        yield Row("score", f"{what}: {name}", "ms", one=one and 1000 * one, all=all and 1000 * all, also=also)


def _timed(way: Callable[[Queries], object], queries: Queries) -> float:
    started = time.perf_counter()
    way(queries)
    return time.perf_counter() - started


def _agreement(best: Sequence[maxsim.Place], found: Sequence[maxsim.Place]) -> float:
    """Return which share of the exact best is found; what ties with the last counts as it does."""
    least = best[-1].score - 1e-4 * abs(best[-1].score)
    return sum(place.score >= least for place in found) / len(best)
