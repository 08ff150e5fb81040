"""Laws of MaxSim as it is written once: by loops, beside padding, under scales, in what learns from it."""

import doctest

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reatt.search import score
from reatt.search.score import maxima, maxsim, mean_by_question, pairs


def drawn(seed, questions=(), vectors=4, chunks=3, longest=5, width=6):
    """Draw vectors, weights, keys with negative products among them, and which keys there are."""
    generator = torch.Generator().manual_seed(seed)
    asked = torch.randn(*questions, vectors, width, generator=generator, dtype=torch.float64)
    weights = torch.rand(*questions, vectors, generator=generator, dtype=torch.float64)
    keys = torch.randn(chunks, longest, width, generator=generator, dtype=torch.float64) - 1
    lengths = torch.randint(1, longest + 1, (chunks,), generator=generator)
    return asked, weights, keys, torch.arange(longest) < lengths[:, None]


@given(st.integers(0, 10_000), st.booleans())
def test_a_score_is_the_equation_by_loops(seed, scaled):
    vectors, weights, keys, keep = drawn(seed)
    scaled_by = torch.tensor([0, 5, 5, 2]) if scaled else None

    def product(i, key):
        return float(vectors[i] @ key) * (float(key[scaled_by[i]]) if scaled else 1.0)

    expected = [
        sum(float(w) * max(product(i, key) for key in chunk[kept]) for i, w in enumerate(weights))
        for chunk, kept in zip(keys, keep, strict=True)
    ]
    assert maxsim(vectors, weights, keys, keep, scaled_by).tolist() == pytest.approx(expected)


def test_questions_side_by_side_score_as_each_alone():
    vectors, weights, keys, keep = drawn(1, questions=(2, 3))
    flat = zip(vectors.flatten(0, 1), weights.flatten(0, 1), strict=True)
    alone = torch.stack([maxsim(*question, keys, keep) for question in flat])
    torch.testing.assert_close(maxsim(vectors, weights, keys, keep).flatten(0, 1), alone)


def test_padding_of_keys_never_wins_a_maximum_and_learns_nothing():
    keys = torch.tensor([[[-1.0, -1.0], [0.0, 0.0]]], requires_grad=True)
    score = maxsim(torch.ones(1, 2), torch.ones(1), keys, torch.tensor([[True, False]]))
    score.sum().backward()
    assert score.tolist() == [-2]
    assert keys.grad.tolist() == [[[1, 1], [0, 0]]]


def test_a_vector_without_weight_changes_no_score():
    vectors, weights, keys, keep = drawn(2)
    padded = torch.cat((vectors, vectors.new_full((2, 6), 9.0))), torch.cat((weights, weights.new_zeros(2)))
    torch.testing.assert_close(maxsim(*padded, keys, keep), maxsim(vectors, weights, keys, keep))


def test_scales_may_be_shared_by_the_vectors_of_a_head():
    vectors, _, keys, keep = drawn(3, questions=(2,))
    columns = torch.tensor([[4], [1]])
    shared = maxima(vectors, keys, keep, columns)
    torch.testing.assert_close(shared, maxima(vectors, keys, keep, columns.expand(2, 4)))


@given(st.integers(0, 10_000), st.booleans())
def test_the_pairs_of_a_chunk_sum_to_its_score(seed, scaled):
    vectors, weights, keys, keep = (each.float() if each.is_floating_point() else each for each in drawn(seed))
    scaled_by = torch.tensor([0, 5, 5, 2]) if scaled else None
    for chunk, kept, total in zip(keys, keep, maxsim(vectors, weights, keys, keep, scaled_by), strict=True):
        best, shares = pairs(vectors, weights, chunk[kept], scaled_by)
        assert float(shares.sum()) == pytest.approx(float(total), abs=1e-4)
        assert int(best.max()) < int(kept.sum())


def test_the_mean_of_each_question_is_over_its_own_tokens():
    best, asked = torch.randn(5, 3), torch.tensor([[True, True, True], [True, True, False]])
    expected = torch.stack((best[:3].mean(0), best[3:].mean(0)))
    torch.testing.assert_close(mean_by_question(best, asked), expected)


def test_examples_in_docstrings_are_true():
    found = doctest.testmod(score)
    assert found.attempted
    assert not found.failed
