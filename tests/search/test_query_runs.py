"""Laws of asking by sums: what a head's vectors find together is what they find one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reatt.model.backbone import Queries
from reatt.search import maxsim
from reatt.search.query_runs import alike, gathered
from tests.search.test_maxsim import brute_force, corpus, question, two_shards

RUNS = (64,) * 4


def heads(seed, near, noise=2.0, runs=RUNS, width=32):
    """Ask as the retrieval tokens of some heads do: with something in common within a head, under its weight."""
    random = np.random.default_rng(seed)
    common = [random.normal(size=width) + near[random.integers(0, len(near)), :width] for _ in runs]
    parts = [each + noise * random.normal(size=(run, width)) for each, run in zip(common, runs, strict=True)]
    weights = np.repeat(random.uniform(0.1, 1, len(runs)), runs)
    return asked(np.concatenate(parts), weights, runs)


def asked(vectors, weights, runs, scaled_by=None):
    """Ask with runs of vectors, a head each."""
    names = tuple((0, number) for number, run in enumerate(runs) for _ in range(run))
    vectors, weights = (torch.as_tensor(each, dtype=torch.float32) for each in (vectors, weights))
    return Queries(vectors, weights, ((0, 0),) * len(vectors), names, scaled_by)


@given(st.integers(0, 10_000), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_a_run_scores_no_chunk_higher_by_its_sum_than_by_its_vectors(seed, runs):
    chunks, shared = corpus(seed, 20), np.random.default_rng(seed).uniform(0.1, 1, len(runs))
    queries = asked(question(seed, count=sum(runs)).vectors, np.repeat(shared, runs), runs)
    sums = gathered(queries)
    assert sums.weights.tolist() == pytest.approx(shared.tolist())
    assert (brute_force(sums, chunks) <= brute_force(queries, chunks) + 1e-3).all()


def test_a_sum_keeps_the_weight_and_the_scale_of_its_run():
    vectors, weights = torch.arange(12.0).view(6, 2), [0.1, 0.1, 0.2, 0.2, 0.2, 0.3]
    sums = gathered(asked(vectors, weights, (2, 3, 1), torch.tensor([7, 7, 9, 9, 9, 8])))
    assert sums.vectors.tolist() == [[2, 4], [18, 21], [10, 11]]
    assert sums.weights.tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert (sums.scaled_by.tolist(), sums.heads) == ([7, 9, 8], ((0, 0), (0, 1), (0, 2)))


def test_only_what_has_something_in_common_asks_by_its_sum():
    same = torch.ones(64, 8)
    assert alike(asked(same, torch.ones(64), (64,)))
    assert alike(asked(same, torch.ones(64), (32, 32)))
    assert not alike(asked(torch.randn(64, 1000, generator=torch.Generator().manual_seed(0)), torch.ones(64), (64,)))
    assert not alike(asked(torch.cat((same, -same)), torch.ones(128), (128,)))
    assert not alike(asked(same, torch.ones(64), (1,) * 64))
    assert not alike(asked(same, torch.ones(64), ()))


@pytest.mark.parametrize("scaled", [False, True])
def test_fast_by_sums_finds_what_exact_finds_and_scores_it_alike(scaled):
    random, chunks = np.random.default_rng(9), corpus(9, 3 * maxsim.GATHERED, width=32, longest=8)
    columns = torch.tensor([32, 33, 34, 35]).repeat_interleave(64) if scaled else None
    if scaled:  # each key ends in the scale of its products with each head
        chunks = [np.hstack([keys, random.uniform(0.2, 2, (len(keys), 4))]) for keys in chunks]
    shards, found = two_shards(chunks, 1500), 0
    for seed in range(10):
        queries = heads(seed, chunks[seed * 199])
        assert alike(queries)
        if scaled:
            queries = replace(queries, vectors=torch.nn.functional.pad(queries.vectors, (0, 4)), scaled_by=columns)
        scores = maxsim.exact(queries, shards)
        best = {place[:2] for place in maxsim.top(scores, 10)}
        places = maxsim.fast(queries, shards, 10)
        found += len(best & {place[:2] for place in places})
        exactly = [scores[place.segment][place.position] for place in places]
        np.testing.assert_allclose([place.score for place in places], exactly, rtol=1e-4)
    assert found >= 0.99 * 100


def test_unrelated_vectors_are_asked_one_by_one():
    chunks = corpus(11, 2 * maxsim.GATHERED, width=32, longest=4)
    shards, queries = two_shards(chunks, 1000), heads(3, chunks[7], noise=20.0)
    assert not alike(queries)
    assert maxsim.fast(queries, shards, 10) == maxsim.fast(replace(queries, heads=()), shards, 10)


@pytest.mark.parametrize("runs", [(), RUNS])
def test_among_chosen_chunks_the_best_are_found_and_each_step_leaves_fewer(runs, monkeypatch):
    monkeypatch.setattr(maxsim, "GATHERED", 120)
    monkeypatch.setattr(maxsim, "RESCORE", 40)
    monkeypatch.setitem(maxsim._ENGINES, "cpu", replace(maxsim._ENGINES["cpu"], fast=maxsim._int8))
    counts, chosen = [], maxsim._chosen
    monkeypatch.setattr(maxsim, "_chosen", lambda *given: counts.append(len(given[-1])) or chosen(*given))
    chunks = corpus(10, 600, width=32)
    shards, queries = two_shards(chunks, 250), heads(10, chunks[5], noise=0.5)
    queries = queries if runs else replace(queries, heads=())
    segments, positions = np.repeat([3, 8], [250, 350]), np.concatenate([np.arange(250), np.arange(350)])
    expected = maxsim.top(maxsim.exact(queries, shards), 3)
    found = maxsim.among(queries, shards, segments, positions, 3)
    assert [place[:2] for place in found] == [place[:2] for place in expected]
    assert counts == ([600, 120, 40] if runs else [600])
