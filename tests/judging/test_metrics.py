"""Laws of the measures: trec_eval's figures, SQuAD's, DPR's, and brute force for the rest."""

import random
import unicodedata

import ir_measures
import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG

from reatt.judging import metrics


def runs(seed):
    """Judgements with grades 0 to 3, and scores with many ties; a fifth of the judged questions is missing."""
    chance = random.Random(seed)
    ids = [f"d{i}" for i in range(60)]
    judged = {f"q{i}": {d: chance.choice([0, 0, 1, 2, 3]) for d in chance.sample(ids, 9)} for i in range(50)}
    scores = {q: {d: chance.randrange(8) / 4 for d in chance.sample(ids, 40)} for q in judged if chance.random() > 0.2}
    return judged, scores


MEASURES = [
    (nDCG @ 10, lambda ranking, judged: metrics.ndcg(ranking, judged, 10)),
    (nDCG @ 3, lambda ranking, judged: metrics.ndcg(ranking, judged, 3)),
    (R @ 20, lambda ranking, judged: metrics.recall(ranking, judged, 20)),
    *((Success @ k, lambda ranking, judged, k=k: metrics.hit(ranking, judged, k)) for k in (1, 5, 20)),
    (RR, lambda ranking, judged: metrics.reciprocal_rank(ranking, judged, 100)),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("measure", "ours"), MEASURES, ids=lambda each: str(each) if hasattr(each, "NAME") else "")
def test_figures_equal_trec_eval(measure, ours, seed):
    judged, scores = runs(seed)
    mean = np.mean([ours(metrics.ordered(scores.get(q, {})), judged[q]) for q in judged])
    theirs = ir_measures.pytrec_eval.calc_aggregate([measure], judged, scores)[measure]
    assert mean == pytest.approx(theirs, abs=1e-9)


def test_reciprocal_rank_at_ten_is_that_of_the_first_ten():
    judged, scores = runs(7)
    cut = {q: {d: 10 - i for i, d in enumerate(metrics.ordered(s)[:10])} for q, s in scores.items()}
    mean = np.mean([metrics.reciprocal_rank(metrics.ordered(scores.get(q, {})), judged[q]) for q in judged])
    assert mean == pytest.approx(ir_measures.pytrec_eval.calc_aggregate([RR], judged, cut)[RR], abs=1e-9)


def test_evidence_is_complete_when_nothing_relevant_is_missing():
    judged = {"a": 1, "b": 2, "c": 0}
    assert [metrics.complete(["a", "c", "b"], judged, k) for k in (1, 2, 3)] == [0, 0, 1]
    assert metrics.complete(["c"], {"c": 0}, 5) == 0


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("Tesla moved to the U.S. in 1884.", "u.s.", True),
        ("Tesla moved to the USA.", "US", False),
        ("In the 1880s", "1880", False),
        ("José lived there", "JOSE\u0301", True),
        ("Jose lived there", "José", False),
        ("a cat-like animal", "cat", True),
        ("New\n York", "new york", True),
        ("anything", "", False),
        ("anything", " \u200b", False),
    ],
)
def test_an_answer_is_found_as_words_in_a_row(text, answer, found):
    assert metrics.has_answer(metrics.words_of(text), ["no such words", answer]) is found


@given(st.text(alphabet=st.sampled_from("aB1 é\u0301_-–.$€ \n\u00a0\u200bß中ǅ२½ำ\U0001f600\x07"), max_size=30))
def test_words_are_those_of_dpr(text):
    pattern = regex.compile(r"([\p{L}\p{N}\p{M}]+)|([^\p{Z}\p{C}])", flags=regex.I | regex.U | regex.M)
    theirs = [match.group().lower() for match in pattern.finditer(unicodedata.normalize("NFD", text))]
    assert metrics.words_of(text) == "\0" + "\0".join(theirs) + "\0"


@pytest.mark.parametrize(
    ("answer", "accepted", "match", "f1"),
    [
        ("The Walt Disney Company!", ["walt disney company"], 1, 1),
        ("Walt Disney", ["Disney", "the Walt Disney Company"], 0, 0.8),
        ("to be to", ["to"], 0, 0.5),
        ("Paris", ["London"], 0, 0),
        ("", ["London"], 0, 0),
        ("the", ["an"], 1, 1),
        ("Paris", [], 0, 0),
    ],
)
def test_answers_are_compared_as_in_squad(answer, accepted, match, f1):
    assert metrics.exact_match(answer, accepted) == match
    assert metrics.f1(answer, accepted) == pytest.approx(f1)


def test_calibration_error_is_the_mean_gap_of_the_bins():
    assert metrics.calibration_error([0.9, 0.9, 0.9, 0.9, 0.3], [1, 1, 1, 0, 0]) == pytest.approx(
        0.8 * 0.15 + 0.2 * 0.3
    )
    assert metrics.calibration_error([1.0, 0.0], [1, 0]) == 0
    assert metrics.calibration_error([], []) == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(cases):
    right = [score for score, correct in cases if correct]
    wrong = [score for score, correct in cases if not correct]
    pairs = [(a > b) + (a == b) / 2 for a in right for b in wrong]
    expected = pytest.approx(sum(pairs) / len(pairs)) if pairs else None
    assert metrics.auroc([score for score, _ in cases], [correct for _, correct in cases]) == expected


def test_an_interval_has_the_width_that_statistics_expect():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = metrics.interval(values)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.03)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert metrics.interval(values) == (low, high)


def test_pairing_sees_a_difference_that_two_intervals_hide():
    before = np.random.default_rng(2).normal(0, 5, 200)
    after = before + np.random.default_rng(3).normal(0.2, 0.5, 200)
    assert metrics.interval(after)[0] < metrics.interval(before)[1]
    assert metrics.paired_interval(after, before)[0] > 0
