"""What is the same answer counts once, with all of its probability; what is another answer stands beside it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.distinct import distinct, near
from reatt.model.backbone import Stretch

TEXTS = ["Norway and Sweden are members.", "The members are Denmark, Norway and Iceland."]


def stretch(source, text, probability):
    start = TEXTS[source].index(text)
    return Stretch(source, (start, start + len(text)), math.log(probability))


def told(found):
    return [(each.text, round(each.probability, 6)) for each in found]


def test_what_overlaps_or_says_the_same_elsewhere_is_one_answer():
    found = distinct(
        [stretch(0, "Norway", 0.3), stretch(0, "Norway and Sweden", 0.2), stretch(1, "Norway", 0.1)], TEXTS
    )
    assert told(found) == [("Norway", 0.6)]


def test_other_answers_follow_the_first_in_the_order_of_their_probability():
    every = [
        stretch(0, "Sweden", 0.2),
        stretch(1, "Iceland", 0.1),
        stretch(1, "Denmark", 0.15),
        stretch(1, "The", 0.05),
    ]
    assert [text for text, _ in told(distinct(every, TEXTS))] == ["Sweden", "Denmark", "Iceland", "The"]


def test_the_best_stretch_stays_first_even_if_another_answer_has_more_in_all():
    every = [stretch(0, "Sweden", 0.3), stretch(1, "Norway", 0.25), stretch(0, "Norway", 0.25)]
    assert told(distinct(every, TEXTS)) == [("Sweden", 0.3), ("Norway", 0.5)]


@pytest.mark.parametrize(("share", "count"), [(0.5, 1), (0.2, 2), (0.0, 3)])
def test_only_what_is_probable_enough_is_near(share, count):
    every = distinct([stretch(0, "Sweden", 0.4), stretch(1, "Iceland", 0.3), stretch(1, "Denmark", 0.1)], TEXTS)
    assert len(near(every, share)) == (3 if share == 0 else 2 if share == 0.2 else 0)
    assert all(each.probability >= share for each in near(every, share))


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(1, 9), st.floats(0.001, 0.02)), min_size=1)
)
def test_no_probability_is_lost_or_made(rows):
    every = [Stretch(source, (start, start + length), math.log(p)) for source, start, length, p in rows]
    found = distinct(every, TEXTS)
    assert found[0].stretch == every[0]
    assert math.fsum(each.probability for each in found) == pytest.approx(math.fsum(row[3] for row in rows), abs=1e-6)
