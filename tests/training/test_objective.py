"""The objective's parts, by hand: scores, targets, their divergence, the choice of a head."""

import math

import pytest
import torch

from reatt.search.score import maxsim
from reatt.training import scores as scoring
from reatt.training.objective import HeadSelector, cross_document_loss, target_matrix
from reatt.training.scores import retrieval_scores

ALL = torch.ones(2, 2, dtype=torch.bool)


def test_a_score_is_the_mean_over_the_question_of_the_best_product():
    queries = torch.tensor([[[[1.0, 0.0]], [[0.0, 2.0]]], [[[3.0, 0.0]], [[0.0, 0.0]]]])  # (2, 2, 1, 2)
    keys = torch.tensor([[[[1.0, 1.0]], [[2.0, 0.0]]], [[[-1.0, -4.0]], [[-2.0, -1.0]]]])
    found = retrieval_scores(queries, ALL, keys, ALL, torch.ones(1))
    assert found.tolist() == [[(2 + 2) / 2, (-1 - 2) / 2], [(6 + 0) / 2, (-3 + 0) / 2]]


def test_heads_count_by_their_weights():
    queries, keys = torch.ones(1, 1, 2, 3), torch.stack((torch.ones(1, 1, 3), torch.full((1, 1, 3), 5.0)), 2)
    found = retrieval_scores(queries, ALL[:1, :1], keys, ALL[:1, :1], torch.tensor([0.75, 0.25]))
    assert found.tolist() == [[0.75 * 3 + 0.25 * 15]]


def test_padding_never_changes_a_score():
    torch.manual_seed(0)
    queries, keys, weights = torch.randn(3, 4, 2, 5), torch.randn(6, 7, 2, 5) - 2, torch.tensor([0.3, 0.7])
    asked, kept = (
        torch.arange(4) < torch.tensor([[4], [1], [2]]),
        torch.arange(7) < torch.tensor([[7, 1, 3, 2, 5, 6]]).T,
    )
    found = retrieval_scores(queries, asked, keys, kept, weights)
    for q, m in enumerate(asked.sum(1)):
        for c, n in enumerate(kept.sum(1)):
            alone = [maxsim(queries[q, :m, h], torch.ones(m) / m, keys[c : c + 1, :n, h]) for h in range(2)]
            torch.testing.assert_close(found[q, c], (torch.cat(alone) * weights).sum())


def test_what_learns_without_holding_products_is_plain_maxsim_and_so_are_its_gradients():
    torch.manual_seed(0)
    shapes = (3, 4, 2, 5), (6, 7, 2, 5), (2,)
    leaves = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    asked = torch.arange(4) < torch.tensor([[4], [1], [2]])
    kept = torch.arange(7) < torch.tensor([[7, 1, 3, 2, 5, 6]]).T
    mean = asked / asked.sum(1, keepdim=True)
    by_head = [maxsim(leaves[0][:, :, h], mean.double(), leaves[1][:, :, h], kept) for h in range(2)]
    plain = (torch.stack(by_head, -1) * leaves[2]).sum(-1)
    found = retrieval_scores(leaves[0], asked, leaves[1], kept, leaves[2])
    weights = torch.randn_like(plain)
    torch.testing.assert_close(found, plain)
    wanted, given = (torch.autograd.grad((weights * scores).sum(), leaves) for scores in (plain, found))
    torch.testing.assert_close(given, wanted)


def test_blocks_change_neither_scores_nor_gradients(monkeypatch):
    def run():
        torch.manual_seed(0)
        leaves = [torch.randn(*shape, requires_grad=True) for shape in ((2, 2, 3, 4), (9, 2, 3, 4), (3,))]
        scores = retrieval_scores(leaves[0], ALL, leaves[1], ALL.repeat(5, 1)[:9], leaves[2])
        (scores * torch.arange(18.0).view(2, 9)).sum().backward()
        return [scores, *(leaf.grad for leaf in leaves)]

    once = run()
    monkeypatch.setattr(scoring, "BLOCK", 60)  # two chunks at a time
    for found, expected in zip(run(), once, strict=True):
        torch.testing.assert_close(found, expected)


def test_scores_are_float32_also_under_autocast():
    vectors = torch.full((1, 1, 1, 64), 1.001)
    with torch.autocast("cpu", torch.bfloat16):
        found = retrieval_scores(vectors, ALL[:1, :1], vectors, ALL[:1, :1], torch.ones(1))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(64 * 1.001**2, rel=1e-6)


SHARES = [torch.tensor([0.75, 0.25]), torch.tensor([1.0]), torch.tensor([0.5, 0.5])]
CLOSE = [(0, 2), (1,), (3, 2)]
LOGITS = torch.tensor([[1.0, 2.0, 1.0, 4.0], [2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]]).log()  # P: /8, /8, /8


def test_the_target_is_zero_for_what_is_close_to_others():
    target = [[0.75, 0, 0.25, 0], [0, 1, 0, 0], [0, 0, 0.5, 0.5]]
    assert target_matrix(SHARES, CLOSE, 4).tolist() == target


def test_the_divergence_of_three_questions_and_four_chunks_by_hand():
    first = 0.75 * math.log(0.75 / (1 / 8)) + 0.25 * math.log(0.25 / (1 / 8))
    second = math.log(1 / (1 / 4))
    third = 2 * 0.5 * math.log(0.5 / (3 / 8))
    found = cross_document_loss(LOGITS, target_matrix(SHARES, CLOSE, 4))
    assert found.item() == pytest.approx((first + second + third) / 3, abs=1e-6)  # summed over chunks, not averaged


def test_the_gradient_of_the_divergence_is_retrieval_minus_target():
    scores, target = LOGITS.clone().requires_grad_(), target_matrix(SHARES, CLOSE, 4)
    cross_document_loss(scores, target).backward()
    torch.testing.assert_close(scores.grad, (LOGITS.softmax(1) - target) / 3)


def test_what_is_out_of_the_distribution_neither_counts_nor_learns():
    target = target_matrix(SHARES, CLOSE, 4)
    scores = LOGITS.masked_fill(target == 0, -torch.inf).requires_grad_()
    loss = cross_document_loss(scores, target)
    loss.backward()
    expected = (0.75 * math.log(1.5) + 0.25 * math.log(0.5) + 0 + 0) / 3
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert scores.grad[target == 0].tolist() == [0.0] * 7


def test_heads_begin_equal_and_a_chosen_one_has_all_the_weight():
    assert HeadSelector(4).weights().tolist() == [0.25] * 4
    chosen = HeadSelector(4, 2)
    assert chosen.weights().tolist() == [0, 0, 1, 0]
    assert (chosen.kept(), chosen.best()) == ([2], 2)


def test_the_head_selector_ends_on_the_one_head_that_retrieves():
    torch.manual_seed(0)
    queries, keys, selector = torch.randn(32, 3, 4, 6), torch.randn(32, 5, 4, 6), HeadSelector(4)
    keys[:, :3, 2] = queries[:, :, 2]  # in head 2 each question finds its chunk, in the others chance does
    kept, asked = torch.ones(32, 5, dtype=torch.bool), torch.ones(32, 3, dtype=torch.bool)
    optimizer = torch.optim.Adam(selector.parameters(), lr=5e-5)
    for _ in range(200):
        optimizer.zero_grad()
        heads = selector.kept()
        scores = retrieval_scores(queries[:, :, heads], asked, keys[:, :, heads], kept, selector.weights(heads))
        cross_document_loss(scores, torch.eye(32)).backward()
        optimizer.step()
    assert (selector.kept(), selector.best()) == ([2], 2)
