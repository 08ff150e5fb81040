"""Laws of fast MaxSim: every way of scanning a store gives what `score.maxsim` gives in float64."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.model.backbone import Queries
from reatt.search import maxsim
from reatt.search.score import maxsim as plain
from reatt.search.score import pairs
from reatt.search.shards import load
from reatt_store.vectors.segments import quantise

BLOCK = maxsim._ENGINES["cpu"].block


def segment(id, chunks, half=False):
    keys = np.concatenate([*chunks, np.empty((0, chunks[0].shape[1]))]).astype(np.float16)
    codes, scales = quantise(keys.astype(np.float32))
    offsets = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    return SimpleNamespace(id=id, half=keys if half else None, codes=codes, scales=scales, offsets=offsets)


def kept(keys, half=False):
    """The keys of a chunk as a segment keeps them."""
    if half:
        return torch.tensor(keys.astype(np.float16)).double()
    codes, scales = quantise(keys.astype(np.float16).astype(np.float32))
    return torch.tensor(codes * scales[:, None]).double()


def corpus(seed, count, width=16, longest=40):
    """Keys shaped like a Transformer's: two loud dimensions, lognormal norms, and chunks with a theme of their own."""
    random = np.random.default_rng(seed)
    loud = np.ones(width)
    loud[:2] = 8
    chunks = []
    for _ in range(count):
        keys = random.normal(size=(random.integers(1, longest), width)) + 0.7 * random.normal(size=width)
        chunks.append(keys * loud * np.exp(0.5 * random.normal(size=(len(keys), 1))))
    return chunks


def question(seed, width=16, count=7, chunk=None):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, width))
    if chunk is not None:
        vectors += chunk[random.integers(0, len(chunk), count)]
    weights = random.uniform(0.1, 1, count)
    return Queries(torch.tensor(vectors, dtype=torch.float32), torch.tensor(weights, dtype=torch.float32), ())


def brute_force(queries, chunks, half=False):
    vectors, weights = queries.vectors.double(), queries.weights.double()
    rows = [kept(keys, half)[None] for keys in chunks]
    return np.array([float(plain(vectors, weights, keys, None, queries.scaled_by)) for keys in rows])


def two_shards(chunks, cut):
    return [load(segment(3, chunks[:cut])), load(segment(8, chunks[cut:]))]


def engine(**changes):
    return replace(maxsim._ENGINES["cpu"], **changes)


def flat(scores):
    return np.concatenate([scores[id] for id in sorted(scores)])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.sampled_from([1, 64, BLOCK]))
def test_exact_equals_float64_brute_force(seed, count, block):
    chunks = corpus(seed, count)
    queries = question(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(maxsim._ENGINES, "cpu", engine(block=block))
        scores = maxsim.exact(queries, two_shards(chunks, count // 2))
    truth = brute_force(queries, chunks)
    np.testing.assert_allclose(flat(scores), truth, rtol=1e-5, atol=1e-5 * np.abs(truth).max())


@pytest.mark.parametrize("search", ["exact", "fast", "among"])
def test_keys_are_as_near_as_each_segment_keeps_them(search):
    """Segments with and without float16 in one store: a chunk's score does not depend on what lies beside it."""
    chunks, queries = corpus(6, 400), question(6)
    shards = [load(segment(3, chunks[:150], half=True)), load(segment(8, chunks[150:]))]
    truth = np.concatenate([brute_force(queries, chunks[:150], half=True), brute_force(queries, chunks[150:])])
    if search == "exact":
        found = maxsim.top(maxsim.exact(queries, shards), 20)
    elif search == "fast":
        found = maxsim.fast(queries, shards, 20)
    else:
        segments, positions = np.array([3] * 150 + [8] * 250), np.array([*range(150), *range(250)])
        found = maxsim.among(queries, shards, segments, positions, 20)
    scores = [place.score for place in found]
    np.testing.assert_allclose(scores, np.sort(truth)[:-21:-1], rtol=1e-5)
    np.testing.assert_allclose(scores, [truth[p.position + 150 * (p.segment == 8)] for p in found], rtol=1e-5)


def test_scales_at_a_keys_end_multiply_the_products_of_those_who_name_them():
    chunks, queries = corpus(2, 300), question(2)
    random = np.random.default_rng(2)
    chunks = [np.hstack([keys, random.uniform(0.1, 2, (len(keys), 3))]) for keys in chunks]
    vectors, scaled_by = torch.nn.functional.pad(queries.vectors, (0, 3)), torch.tensor([16, 17, 18, 16, 18, 18, 17])
    queries = replace(queries, vectors=vectors, scaled_by=scaled_by)
    truth = brute_force(queries, chunks)
    shards = two_shards(chunks, 120)
    np.testing.assert_allclose(flat(maxsim.exact(queries, shards)), truth, rtol=1e-4, atol=1e-4)
    best = [place.score for place in maxsim.fast(queries, shards, 10)]
    np.testing.assert_allclose(best, sorted(truth)[:-11:-1], rtol=1e-4, atol=1e-4)
    for keys, total in zip(chunks[:9], truth[:9], strict=True):
        shares = pairs(vectors, queries.weights, kept(keys).float(), scaled_by)[1]
        assert float(shares.sum()) == pytest.approx(total, rel=1e-4)


def test_negative_maxima_stay_negative_beside_an_empty_chunk():
    chunks = [np.array([[-1.0, 0], [-3, 0]]), np.empty((0, 2)), np.array([[-2.0, 0]]), np.empty((0, 2))]
    scores = maxsim.exact(Queries(torch.tensor([[1.0, 0]]), torch.ones(1), ()), [load(segment(1, chunks))])
    assert scores[1].tolist() == [-1, -np.inf, -2, -np.inf]


@pytest.mark.parametrize("search", ["exact", "fast"])
def test_a_dead_chunk_is_never_found_and_leaves_the_others_as_they_were(search):
    chunks = corpus(1, 50)
    queries = question(1)
    shards = two_shards(chunks, 20)
    whole = maxsim.exact(queries, shards)
    live = {3: np.arange(20) % 3 != 0, 8: np.arange(30) % 2 == 0}
    expected = maxsim.top({id: np.where(live[id], whole[id], -np.inf) for id in whole}, 50)
    if search == "exact":
        assert maxsim.top(maxsim.exact(queries, shards, live), 50) == expected
    else:
        assert [p[:2] for p in maxsim.fast(queries, shards, 50, live)] == [p[:2] for p in expected]


def test_blocks_without_a_live_chunk_are_never_read(monkeypatch):
    monkeypatch.setitem(maxsim._ENGINES, "cpu", engine(block=100, workers=lambda: 1))
    shard = load(segment(1, corpus(2, 100)))
    read = []
    dots = lambda _, start, end: read.append((start, end)) or torch.zeros(1, end - start)  # noqa: E731
    maxsim._scan(maxsim.Prepared(dots, torch.ones(1)), [shard], {1: np.arange(100) == 50})
    assert len(read) == 1
    assert read[0][0] <= shard.offsets[50] < shard.offsets[51] <= read[0][1]


def test_rescoring_chosen_chunks_gives_their_exact_scores():
    chunks = corpus(3, 80)
    queries = question(3)
    shards = two_shards(chunks, 33)
    scores = maxsim.exact(queries, shards)
    segments, positions = np.array([8, 3, 8, 3, 8]), np.array([46, 0, 0, 32, 46])
    expected = [scores[s][p] for s, p in zip(segments, positions, strict=True)]
    np.testing.assert_allclose(maxsim.rescore(queries, shards, segments, positions), expected, rtol=1e-5)


def test_fast_finds_what_exact_finds():
    chunks = corpus(4, 4000, width=32)
    shards = two_shards(chunks, 1500)
    found = 0
    for seed in range(20):
        queries = question(seed, 32, 12, chunks[seed * 199])
        best = {p[:2] for p in maxsim.top(maxsim.exact(queries, shards), 10)}
        found += len(best & {p[:2] for p in maxsim.fast(queries, shards, 10)})
    assert found >= 0.99 * 200


def test_fast_returns_exact_scores_in_order():
    chunks = corpus(5, 700)
    queries = question(5)
    shards = two_shards(chunks, 300)
    scores = maxsim.exact(queries, shards)
    places = maxsim.fast(queries, shards, 20)
    assert places == sorted(places, key=lambda p: (-p.score, p.segment, p.position))
    np.testing.assert_allclose([p.score for p in places], [scores[p.segment][p.position] for p in places], rtol=1e-5)


def test_where_float32_is_the_cheapest_way_fast_is_exact_and_scores_nothing_twice(monkeypatch):
    monkeypatch.setitem(maxsim._ENGINES, "cpu", engine(fast=maxsim._float32))
    monkeypatch.setattr(maxsim, "_chosen", lambda *_: pytest.fail("scored again"))
    chunks = corpus(13, 700)
    queries = question(13)
    shards = two_shards(chunks, 300)
    assert maxsim.fast(queries, shards, 20) == maxsim.top(maxsim.exact(queries, shards), 20)


def test_int8_scores_are_near_the_exact_ones_without_rescoring():
    chunks = corpus(6, 200)
    queries = question(6)
    shards = two_shards(chunks, 100)
    coarse = flat(maxsim._scan(maxsim._int8(queries.vectors, queries.weights), shards, None))
    truth = flat(maxsim.exact(queries, shards))
    np.testing.assert_allclose(coarse, truth, atol=0.02 * np.abs(truth).max())


@pytest.mark.parametrize("method", [maxsim._int8, maxsim._float16])
def test_a_query_vector_of_zeros_scores_zero(method):
    shard = load(segment(1, corpus(7, 3)))
    assert maxsim._scan(method(torch.zeros(2, 16), torch.ones(2)), [shard], None)[1].tolist() == [0, 0, 0]


def test_float16_products_of_long_vectors_do_not_overflow():
    chunks = corpus(8, 30)
    queries = question(8)
    queries = replace(queries, vectors=1e4 * queries.vectors)
    shards = two_shards(chunks, 10)
    truth = flat(maxsim.exact(queries, shards))
    half = flat(maxsim._scan(maxsim._float16(queries.vectors, queries.weights), shards, None))
    np.testing.assert_allclose(half, truth, rtol=1e-2)


def test_both_segmented_maxima_agree():
    dots = torch.randn(5, 300, generator=torch.Generator().manual_seed(0)) - 3
    starts = np.array([0, 1, 7, 8, 120, 299])
    assert torch.equal(maxsim._reduceat(dots, starts), maxsim._scatter(dots, starts))


def test_threads_change_nothing(monkeypatch):
    chunks = corpus(9, 300)
    queries = question(9)
    shards = two_shards(chunks, 100)
    one, three = (engine(block=64, workers=lambda n=n: n) for n in (1, 3))
    monkeypatch.setitem(maxsim._ENGINES, "cpu", one)
    alone, threads = flat(maxsim.exact(queries, shards)), torch.get_num_threads()
    monkeypatch.setitem(maxsim._ENGINES, "cpu", three)
    assert np.array_equal(flat(maxsim.exact(queries, shards)), alone)
    assert torch.get_num_threads() == threads


def test_without_an_int8_product_there_is_another_way(monkeypatch):
    monkeypatch.delattr(torch, "_int_mm")
    assert not maxsim._int8_works()


def test_equal_scores_rank_by_segment_then_position():
    scores = {5: np.array([1, 2, 1], np.float32), 2: np.array([1, -np.inf, 2], np.float32)}
    assert [p[:2] for p in maxsim.top(scores, 4)] == [(2, 2), (5, 1), (2, 0), (5, 0)]
    assert len(maxsim.top(scores, 100)) == 5
    assert maxsim.top({}, 3) == []


def test_pairs_sum_to_the_score():
    chunks = corpus(10, 4)
    queries = question(10)
    scores = maxsim.exact(queries, [load(segment(1, chunks))])[1]
    for keys, score in zip(chunks, scores, strict=True):
        best, shares = pairs(queries.vectors, queries.weights, kept(keys).float())
        assert best.shape == (7,)
        assert float(shares.sum()) == pytest.approx(float(score), rel=1e-5)


def test_nothing_stored_finds_nothing():
    queries = question(11)
    assert maxsim.fast(queries, [], 10) == []
    assert maxsim.fast(queries, [load(segment(1, [np.empty((0, 16))]))], 10) == []


@pytest.mark.gpu
def test_a_gpu_scores_as_the_processor_does():
    chunks = corpus(12, 3000)
    queries = question(12, chunk=chunks[7])
    shards = [load(segment(4, chunks))]
    there = Queries(queries.vectors.cuda(), queries.weights.cuda(), ())
    on_gpu = [load(segment(4, chunks), "cuda")]
    scores = maxsim.exact(there, on_gpu)[4]
    np.testing.assert_allclose(scores, maxsim.exact(queries, shards)[4], rtol=1e-4, atol=1e-4)
    found = {p[:2] for p in maxsim.fast(there, on_gpu, 10)}
    assert len(found & {p[:2] for p in maxsim.fast(queries, shards, 10)}) >= 9
