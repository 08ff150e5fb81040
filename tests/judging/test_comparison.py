"""Laws of the comparison: the gate lets chance through at most once in twenty, and says why it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from reatt.judging import metrics
from reatt.judging.comparison import Asked, compare, moved
from reatt.judging.fusion import Blend, HybridSearch, by_words
from reatt.judging.measuring import as_asked, measure
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt_store.library import Library

PLACES = [f"text {n}" for n in range(10)]
RUNS = 160


def asked(number, group, rank, answer="no", right="text 0"):
    others = [place for place in PLACES if place != right]
    found = [*others[: rank - 1], right, *others[rank - 1 :]][:10] if rank else others
    return Asked(f"question {number}", ("yes",), f"group {group}", "name", tuple(found), right, answer)


def held(ranks, groups, answers=None):
    said = answers or ["no"] * len(ranks)
    return [asked(n, *row) for n, row in enumerate(zip(groups, ranks, said, strict=True))]


def test_figures_are_those_of_the_place_of_the_right_text():
    figures = asked(0, 0, 2, "Yes!").figures()
    assert figures == {"mrr@10": 0.5, "ndcg@10": pytest.approx(0.6309, abs=1e-4), "hit@5": 1.0, "em": 1.0, "f1": 1.0}
    assert asked(0, 0, 6).figures()["hit@5"] == 0.0
    assert (asked(0, 0, None).rank, asked(0, 0, None).figures()["mrr@10"]) == (None, 0.0)


def test_nothing_right_is_nothing_found_and_nothing_read_is_not_measured():
    figures = Asked("q", ("yes",), "g", "relevance", tuple(PLACES), None, None).figures()
    assert figures == {"mrr@10": 0.0, "ndcg@10": 0.0, "hit@5": 0.0}


def test_a_clear_gain_is_accepted():
    groups = list(range(20))
    verdict = compare(held([4] * 20, groups), held([1] * 20, groups))
    assert (verdict.accepted, verdict.better, verdict.questions, verdict.groups) == (True, True, 20, 20)
    assert verdict.figures["mrr@10"].gain == pytest.approx(0.75)
    assert verdict.reason.startswith("nDCG@10 rose from 0.431 to 1.000")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([2] * 20, [2] * 20, "is what it was"),
        ([1] * 20, [3] * 20, "did not rise"),
        ([2] * 20, [1] * 11 + [5] * 9, "does not exclude a fall"),
        ([4] * 20, [1] * 4 + [4] * 16, "only 4 of 20 groups changed"),
    ],
)
def test_a_refusal_says_why(before, after, reason):
    groups = list(range(20))
    verdict = compare(held(before, groups), held(after, groups))
    assert (verdict.accepted, verdict.better) == (False, False)
    assert reason in verdict.reason


def test_a_gain_in_finding_does_not_pay_for_a_loss_in_reading():
    groups = list(range(20))
    verdict = compare(held([4] * 20, groups, ["yes"] * 20), held([1] * 20, groups, ["no"] * 20))
    assert not verdict.accepted
    assert "F1 from 1.000 to 0.000" in verdict.reason


def test_the_figure_of_a_model_that_only_learns_to_read_is_its_reading():
    groups = list(range(20))
    before, after = held([2] * 20, groups, ["no"] * 20), held([2] * 20, groups, ["yes"] * 20)
    assert not compare(before, after).accepted
    assert compare(before, after, primary="f1").accepted


def test_without_a_held_out_question_nothing_is_accepted():
    verdict = compare([], [])
    assert (verdict.accepted, verdict.figures) == (False, {})
    assert "could not be measured" in verdict.reason


@pytest.mark.parametrize(("policy", "after", "accepted"), [("always", 5, True), ("never", 1, False)])
def test_a_policy_overrules_the_figures_and_both_are_told(policy, after, accepted):
    groups = list(range(20))
    verdict = compare(held([3] * 20, groups), held([after] * 20, groups), policy=policy)
    assert (verdict.accepted, verdict.better) == (accepted, not accepted)
    assert verdict.reason.endswith("as requested")


def test_models_are_compared_on_the_same_questions_only():
    with pytest.raises(AssertionError):
        compare(held([1, 1], [0, 1]), held([1], [0]))


def null_runs(draw, groups, seed):
    """How many of `RUNS` runs without any effect are accepted."""
    random = np.random.default_rng(seed)
    accepted = 0
    for _ in range(RUNS):
        sizes = random.integers(1, 9, groups)
        places = np.repeat(np.arange(groups), sizes)
        before, after = draw(random, places)
        accepted += compare(held(before, places), held(after, places), seed=int(random.integers(1 << 30))).accepted
    return accepted


def redrawn(random, places):
    """Both models find each text at random: ranks of one document lie together, those of the two models do not."""
    hard = random.integers(1, 6, places.max() + 1)[places]
    return [np.minimum(10, hard + random.integers(0, 5, len(places))).tolist() for _ in range(2)]


def wavering(random, places):
    """Nearly nothing changes, and what does may as well be better as worse, a whole document at a time."""
    before = np.full(len(places), 3)
    shift = random.choice([-2, 0, 2], places.max() + 1, p=[0.04, 0.92, 0.04])[places]
    return before.tolist(), (before + shift).tolist()


@pytest.mark.parametrize("groups", [4, 10, 50])
@pytest.mark.parametrize("draw", [redrawn, wavering])
def test_chance_is_accepted_at_most_once_in_twenty(draw, groups, monkeypatch):
    monkeypatch.setattr(metrics, "GROUP_RESAMPLES", 500)
    assert null_runs(draw, groups, seed=groups) <= RUNS / 20


def test_an_effect_that_is_there_is_seen():
    random = np.random.default_rng(0)
    places = np.repeat(np.arange(50), 6)
    before = random.integers(1, 9, len(places))
    after = np.where(random.random(len(places)) < 0.3, np.maximum(1, before - 3), before)
    assert compare(held(before.tolist(), places), held(after.tolist(), places)).accepted


def test_questions_of_one_document_are_not_taken_for_many():
    random = np.random.default_rng(0)
    gains = np.repeat(random.normal(0, 1, 12), 50)
    alone = metrics.group_interval(gains, [str(n) for n in range(600)])
    together = metrics.group_interval(gains, [str(n // 50) for n in range(600)])
    assert together[1] - together[0] > 5 * (alone[1] - alone[0])


def test_an_interval_holds_the_truth_in_nineteen_of_twenty_even_with_few_groups():
    random = np.random.default_rng(1)
    samples = [random.normal(0, 1, 6) for _ in range(400)]
    bounds = [metrics.group_interval(sample, [str(n) for n in range(6)], seed) for seed, sample in enumerate(samples)]
    assert sum(low <= 0 <= high for low, high in bounds) >= 0.92 * len(bounds)


def test_six_groups_of_one_mind_are_the_fewest_that_chance_does_not_explain():
    for count, explained in ((5, True), (6, False), (30, False)):
        chance = metrics.chance_of_gain([0.5] * count + [0.0] * 9, [str(n) for n in range(count + 9)])
        assert (chance > 0.025) == explained


def test_the_examples_shown_come_from_many_groups_best_first():
    before, after = held([5, 5, 5, 2], [0, 0, 1, 2]), held([1, 1, 2, 2], [0, 0, 1, 2])
    assert [pair[0].question for pair in moved(before, after, "mrr@10", 9)] == [f"question {n}" for n in (0, 2, 1)]
    assert moved(after, before, "mrr@10", 9) == []


def by_attention(library, model, corpus):
    return HybridSearch(library, library.generation().id, model, corpus, Blend(1.0, 0.0), by_words(library))


@pytest.fixture(scope="module")
def measured(archive, tiny_reatt):
    """Ask the tiny model four questions about the archive, and return what came of it with the corpus."""
    with Library(archive) as library:
        corpus = Corpus.of(library)
        search = by_attention(library, tiny_reatt, corpus)
        text = corpus.passages[7].text
        same = next(number for number, first in enumerate(corpus.equal) if first != number)
        held_out = [
            Example((text,), ("nowhere",), "a", corpus.ids[7], "question"),
            Example((corpus.passages[same].text,), ("x",), "b", corpus.ids[same], "question"),
            Example((text,), (text.split()[0],), "c", None, "question"),
            Example((text,), ("relevance: 1. x",), "d", corpus.ids[7], "relevance", (corpus.ids[9],)),
            Example((text,), ("x",), "e", corpus.ids[7], "question", without=(corpus.ids[7],)),
        ]
        return measure(tiny_reatt, corpus, search, held_out), corpus


def test_a_text_is_found_by_itself(measured):
    assert measured[0][0].rank == 1
    assert len(set(measured[0][0].found)) == 10


def test_a_copy_of_the_right_text_is_the_right_text(measured):
    assert measured[0][1].rank == 1


def test_where_no_text_is_known_the_first_that_holds_an_answer_is_right(measured):
    found, corpus = measured[0][2], measured[1]
    texts = [corpus.passages[int(name.split()[1])].text for name in found.found]
    holding = [metrics.has_answer(metrics.words_of(text), found.answers) for text in texts]
    assert found.rank == holding.index(True) + 1


def test_judgements_are_of_documents_and_are_not_read(measured):
    judged, corpus = measured[0][3], measured[1]
    assert judged.right == f"document {corpus.documents[7]}"
    assert judged.answer is None


def test_a_text_that_must_not_be_read_is_not_found(measured):
    assert measured[0][4].rank is None


def test_a_masked_sentence_is_asked_by_the_same_few_of_its_words_each_time():
    parts = "Ada Lovelace, who was a friend of Babbage, wrote the first program in ", " in London."
    one = Example(parts, ("1843",), "g", 1, "date")
    assert as_asked(one) == as_asked(one)
    assert (len(as_asked(one).question), as_asked(one).answers) == (1, ("1843",))
    other = replace(one, kind="question", question=("Who?",))
    assert as_asked(other) == other


def test_a_store_and_memory_are_searched_alike(archive, tiny_reatt):
    from reatt.lessons.close_chunks import AttentionSearch

    with Library(archive) as library:
        corpus = Corpus.of(library)
        held_out = [Example((text.text[:60],), ("x",), "g", None, "relevance") for text in corpus.passages[:5]]
        stored = by_attention(library, tiny_reatt, corpus)(held_out, 3)
    assert stored == AttentionSearch(corpus, tiny_reatt)(held_out, 3)
