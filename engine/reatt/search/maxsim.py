"""MaxSim (`score.maxsim`) over sealed segments, fast: in blocks, in threads, and in int8 before float32.

Keys do not have unit length and products may be negative. So nothing here normalises, and masked products are -inf
before a maximum, never multiplied by 0.

Both searches scan blocks of tokens that fit into the cache. `exact` multiplies float32. `fast` multiplies int8, then
scores its best chunks again like `exact`. If the processor has no dot products of int8, `fast` multiplies float32, too.
The maximum is taken over each chunk's part of a contiguous (m, n) row.

If query vectors form runs (`query_runs`), `fast` scans with the sum of each run, and scores what that finds with all
vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reatt.model.backbone import Queries
from reatt.model.processor import multiplies_int8
from reatt.search.query_runs import GATHERED, alike, gathered
from reatt.search.shards import Gathered, Integers, Shard

RESCORE = 150  # chunks that `fast` scores again; recall@10 is 1.0 on raw-norm keys with a third of that
FEWEST, NARROW = 60, 2  # chunks that `narrowed` scores again at least, and for each that is asked for

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Live = Mapping[int, Mask] | None  # segment id -> (c,) which chunks may be found; None: all
ShardScores = Mapping[int, Floats]  # segment id -> (c,)
Item = TypeVar("Item")
Dots = Callable[[Shard | Gathered, int, int], Tensor]  # (shard, first token, last token + 1) -> (m, n) float32
Prepare = Callable[[Tensor, Tensor], "Prepared"]  # of vectors (m, d) and weights (m,)


class Place(NamedTuple):
    """The place of a scored chunk: its segment's id and its number there."""

    segment: int
    position: int
    score: float


class Prepared(NamedTuple):
    """A question, prepared for one number type."""

    dots: Dots
    weights: Tensor  # (m,) of the maxima of those products


class _Step(NamedTuple):
    """One step of a search: it scores chunks and keeps the best `leaves`."""

    prepared: Prepared
    leaves: int


def exact(queries: Queries, shards: Sequence[Shard], live: Live = None) -> ShardScores:
    """Score every chunk in float32 -> segment id -> (c,); -inf if a chunk was removed or has no keys."""
    return _scan(_prepared(_float32, queries), shards, live)


def fast(queries: Queries, shards: Sequence[Shard], k: int, live: Live = None) -> list[Place]:
    """Find the best k chunks: score all by the cheapest step, then the best of them by the next, up to float32.

    The cheapest step uses sums of runs if their vectors are alike, else int8, else float32.
    """
    cheapest, *steps = _steps(queries, k)
    places = top(_scan(cheapest.prepared, shards, live), cheapest.leaves)
    segments, positions = (np.array([p[axis] for p in places], np.int64) for axis in (0, 1))
    return _narrowed(steps, shards, segments, positions) if steps else places


def among(queries: Queries, shards: Sequence[Shard], segments: Integers, positions: Integers, k: int) -> list[Place]:
    """Find the best k of chosen chunks: score them in float32; if decoder heads ask, by the same steps as `fast`."""
    steps = _steps(queries, k)
    return _narrowed(steps if queries.runs else steps[-1:], shards, segments, positions)


def narrowed(
    queries: Queries,
    shards: Sequence[Shard],
    segments: Integers,
    positions: Integers,
    k: int,
    whole: Sequence[Shard] = (),
    live: Live = None,
) -> list[Place]:
    """Find the best k of many chosen chunks, and of all live chunks of the shards `whole`, by the steps of `fast`."""
    steps = _steps(queries, k, max(FEWEST, NARROW * k))
    scanned = top(_scan(steps[0].prepared, whole, live), steps[0].leaves)
    segments = np.concatenate([segments, np.array([place.segment for place in scanned], np.int64)])
    positions = np.concatenate([positions, np.array([place.position for place in scanned], np.int64)])
    return _narrowed(steps, shards, segments, positions)


def rescore(queries: Queries, shards: Sequence[Shard], segments: Integers, positions: Integers) -> Floats:
    """Score chosen chunks like `exact`: the i-th is chunk `positions[i]` of the segment with id `segments[i]`."""
    return _chosen(_prepared(_float32, queries), shards, segments, positions)


def top(scores: ShardScores, k: int) -> list[Place]:
    """Return the best k finite scores; equal ones by segment, then position, so that results are reproducible."""
    ids = sorted(scores)
    flat = np.concatenate([*(scores[id] for id in ids), np.empty(0, np.float32)])
    k = min(k, int(np.count_nonzero(flat > -np.inf)))
    if k <= 0:
        return []
    least = np.partition(flat, len(flat) - k)[len(flat) - k]
    tied = np.flatnonzero(flat >= least)
    best = tied[np.argsort(-flat[tied], kind="stable")][:k]
    starts = np.cumsum([0, *(len(scores[id]) for id in ids)])
    owners = np.searchsorted(starts, best, side="right") - 1
    return [Place(ids[s], int(i - starts[s]), float(flat[i])) for s, i in zip(owners, best, strict=True)]


def _narrowed(steps: Sequence[_Step], shards: Sequence[Shard], segments: Integers, positions: Integers) -> list[Place]:
    """Keep the best chunks of each step, and return those of the last; equal ones by segment, then position."""
    for step in steps:
        scores = _chosen(step.prepared, shards, segments, positions)
        best = np.lexsort((positions, segments, -scores))[: step.leaves]
        segments, positions, scores = segments[best], positions[best], scores[best]
    return [Place(int(s), int(p), float(score)) for s, p, score in zip(segments, positions, scores, strict=True)]


def _steps(queries: Queries, k: int, count: int = 0) -> list[_Step]:
    """List the steps of a search, cheapest first; the last one keeps the best k by float32, of `count` chunks."""
    prepare, count = _ENGINES[queries.vectors.device.type].fast, count or max(RESCORE, 10 * k)
    steps = [_Step(_prepared(_float32, queries), k)]
    if prepare is not _float32:
        steps.insert(0, _Step(_prepared(prepare, queries), count))
    if alike(queries):
        steps.insert(0, _Step(_prepared(prepare, gathered(queries)), max(GATHERED, 3 * count)))
    return steps


def _prepared(prepare: Prepare, queries: Queries) -> Prepared:
    """Prepare queries; if keys have scales, products are multiplied by them before the maximum."""
    prepared, scaled_by = prepare(queries.vectors, queries.weights), queries.scaled_by
    if scaled_by is None:
        return prepared
    columns, counts = torch.unique_consecutive(scaled_by, return_counts=True)
    ends = counts.cumsum(0).tolist()
    runs = list(zip(columns.tolist(), [0, *ends], ends, strict=False))  # consecutive vectors with the same column

    def scaled(shard: Shard | Gathered, start: int, end: int) -> Tensor:
        products = prepared.dots(shard, start, end)  # (m, n)
        for column, first, last in runs:
            products[first:last] *= shard.keys(slice(start, end), column)
        return products

    return Prepared(scaled, prepared.weights)


def _float32(vectors: Tensor, weights: Tensor) -> Prepared:
    return Prepared(lambda shard, start, end: vectors @ shard.keys(slice(start, end)).T, weights)  # (m, n)


def _float16(vectors: Tensor, weights: Tensor) -> Prepared:
    factors = vectors.abs().amax(dim=1).clamp_min(1e-30)  # (m,); keeps long vectors' products below 65504
    half = (vectors / factors[:, None]).half()

    def dots(shard: Shard | Gathered, start: int, end: int) -> Tensor:
        return (half @ shard.keys(slice(start, end)).half().T).float()  # (m, n)

    return Prepared(dots, weights * factors)


def _int8(vectors: Tensor, weights: Tensor) -> Prepared:
    """Quantise each query vector by its largest entry; that factor is positive, so it can wait until after max."""
    factors = vectors.abs().amax(dim=1).clamp_min(1e-30) / 127  # (m,)
    codes = (vectors / factors[:, None]).round().to(torch.int8)

    def dots(shard: Shard | Gathered, start: int, end: int) -> Tensor:
        keys = shard.codes[start:end]
        if isinstance(shard, Shard):  # reads the rows in order; without this the product takes a fifth longer
            np.maximum.reduce(keys.numpy()[:, 0])
        products: Tensor = torch._int_mm(codes, keys.T)  # (m, n) int32
        return products.float().mul_(shard.scales[start:end])

    return Prepared(dots, weights * factors)


def _reduceat(dots: Tensor, starts: Integers) -> Tensor:
    """Take each row's maximum from every start to the next: (m, n) -> (m, c); 15 times as fast as segment_reduce."""
    return torch.from_numpy(np.maximum.reduceat(dots.numpy(), starts, axis=1))


def _scatter(dots: Tensor, starts: Integers) -> Tensor:
    """Do the same on a GPU."""
    lengths = np.diff(starts, append=dots.shape[1])
    owner = torch.from_numpy(np.repeat(np.arange(len(starts)), lengths)).to(dots.device)
    maxima = dots.new_full((len(dots), len(starts)), -torch.inf)
    return maxima.scatter_reduce_(1, owner.expand_as(dots), dots, "amax")


def _int8_works() -> bool:
    """Return whether torch's int8 product, a private function, is fast on this processor, exists, and is correct."""
    if not multiplies_int8():
        return False
    left, right = torch.full((2, 8), -127, dtype=torch.int8), torch.full((8, 4), 127, dtype=torch.int8)
    try:
        return bool((torch._int_mm(left, right) == -8 * 127 * 127).all())
    except (AttributeError, RuntimeError):
        return False


INT8 = _int8_works()


@dataclass(frozen=True)
class _Engine:
    fast: Prepare
    maxima: Callable[[Tensor, Integers], Tensor]
    block: int  # tokens; their products (m, n) should stay in the processor's cache
    workers: Callable[[], int]  # threads, each on its own blocks


_ENGINES: dict[str, _Engine] = {
    "cpu": _Engine(_int8 if INT8 else _float32, _reduceat, 8192, torch.get_num_threads),
    "cuda": _Engine(_float16, _scatter, 1 << 20, lambda: 1),
}


def _scan(prepared: Prepared, shards: Sequence[Shard], live: Live) -> ShardScores:
    """Score every chunk of every shard, block by block; blocks without a live chunk are never read."""
    block = _ENGINES[prepared.weights.device.type].block
    scores = {shard.id: np.full(len(shard.offsets) - 1, -np.inf, np.float32) for shard in shards}
    work = [
        (shard, chunks)
        for shard in shards
        for chunks in _blocks(shard.offsets, block)
        if live is None or live[shard.id][chunks].any()
    ]

    def score(item: tuple[Shard, slice]) -> None:
        shard, chunks = item
        scores[shard.id][chunks] = _score(prepared, shard, chunks)

    _in_parallel(score, work, prepared.weights.device)
    for id, mask in (live or {}).items():
        if id in scores:
            scores[id][~mask] = -np.inf
    return scores


def _chosen(prepared: Prepared, shards: Sequence[Shard], segments: Integers, positions: Integers) -> Floats:
    """Score chosen chunks: the i-th is chunk `positions[i]` of the segment with id `segments[i]`."""
    scores = np.full(len(positions), -np.inf, np.float32)
    size = _ENGINES[prepared.weights.device.type].block // 128  # chunks gathered together; about a block of tokens
    owners = {shard.id: shard for shard in shards}
    order = np.lexsort((positions, segments))  # as they lie in the files
    work = [order[i : i + size] for i in range(0, len(order), size)]
    rows = np.empty((2, len(order)), np.int64)
    ids, firsts = np.unique(segments[order], return_index=True)
    for id, own in zip(ids.tolist(), np.split(order, firsts[1:]), strict=False):  # of no chunk there is one part
        rows[:, own] = owners[id].offsets[positions[own] + [[0], [1]]]

    def score(chosen: Integers) -> None:
        gathered = Gathered([owners[segment] for segment in segments[chosen].tolist()], *rows[:, chosen])
        scores[chosen] = _score(prepared, gathered, slice(0, len(chosen)))

    _in_parallel(score, work, prepared.weights.device)
    return scores


def _score(prepared: Prepared, shard: Shard | Gathered, chunks: slice) -> Floats:
    """Score consecutive chunks; -inf for those without keys."""
    offsets = shard.offsets[chunks.start : chunks.stop + 1]
    filled = np.diff(offsets) > 0  # reduceat would give an empty chunk the next one's first key
    scores = np.full(len(filled), -np.inf, np.float32)
    if filled.any():
        products = prepared.dots(shard, int(offsets[0]), int(offsets[-1]))  # (m, n)
        maxima = _ENGINES[prepared.weights.device.type].maxima(products, offsets[:-1][filled] - offsets[0])  # (m, c)
        scores[filled] = (prepared.weights @ maxima).cpu().numpy()
    return scores


def _blocks(offsets: Integers, tokens: int) -> Iterator[slice]:
    """Cut the chunks into slices of about so many tokens; a chunk is never split."""
    start, count = 0, len(offsets) - 1
    while start < count:
        stop = int(np.searchsorted(offsets, offsets[start] + tokens, side="right")) - 1
        yield slice(start, start := min(max(stop, start + 1), count))


def _in_parallel(do: Callable[[Item], None], work: Sequence[Item], device: torch.device) -> None:
    """Do the work in threads, each with one torch thread, because a block is too small for several."""
    items = iter(work)  # shared by all threads; taking the next one is atomic

    def drain(_: int) -> None:
        for item in items:
            do(item)

    workers = min(_ENGINES[device.type].workers(), len(work) // 4)
    if workers < 2:
        drain(0)
        return
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(drain, range(workers)))
    finally:
        torch.set_num_threads(threads)  # otherwise later threads would inherit the workers' setting
