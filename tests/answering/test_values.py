"""Values have an order if both are dates, times, or amounts of one unit; else none is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.kinds import AMOUNT, TIME
from reatt.answering.values import alike, amount, clock, compared, moment

ORDERED = [  # the first of each pair comes first, or is less
    ("4 May 1910", "5 May 1910"),
    ("March 1910", "1911"),
    ("1910-02-03", "3 March 1910"),
    ("the 5th century BC", "1st century"),
    ("44 BC", "in 1410"),
    ("9:30", "4 pm"),
    ("12.15 am", "1:00"),
    ("490 kg", "1.2 t"),
    ("900 euros", "1,200 euros"),
    ("1.200,50 €", "1.200,75 €"),
    ("90 cm", "1 m"),
    ("2.5 million people", "3 million people"),
    ("-3 °C", "2 °C"),
]
NEITHER = [
    ("June 1910", "1910"),
    ("12 kg", "12 euros"),
    ("Ann", "Bo"),
    ("1910", "12 kg"),
    ("", ""),
    ("2 t", "2,000 kg"),
]


@pytest.mark.parametrize(("less", "more"), ORDERED)
def test_values_of_one_kind_have_an_order(less, more):
    assert (compared(less, more), compared(more, less)) == (-1, 1)


@pytest.mark.parametrize(("one", "other"), NEITHER)
def test_values_of_two_kinds_and_equal_ones_have_none(one, other):
    assert (compared(one, other), compared(other, one)) == (0, 0)


@given(st.dates(), st.dates())
def test_dates_have_the_order_of_the_calendar_however_they_are_written(one, other):
    written = f"{one.day} {one:%B} {one.year}", other.isoformat()
    if one.year >= 1000 and other.year >= 1000:
        assert compared(*written) == (one > other) - (one < other)


@given(st.text(), st.text())
def test_any_texts_are_compared_the_same_both_ways(one, other):
    assert compared(one, other) == -compared(other, one)
    assert alike(one, other) == alike(other, one)
    assert moment(one) is None or all(isinstance(part, int) for part in moment(one))
    assert clock(one) is None or len(clock(one)) == 2
    assert amount(one) is None or amount(one)[0] == amount(one)[0]


SAME = [("Italy", "Italian"), ("the United States", "US"), ("American", "U.S."), ("Paris, France", "Paris"), ("x", "X")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_country_and_its_people_are_alike(one, other):
    assert alike(one, other)


@pytest.mark.parametrize(("one", "other"), [("Iran", "Iraq"), ("French", "Finnish"), ("Paris", "Lyon, France")])
def test_different_names_are_not(one, other):
    assert not alike(one, other)


@pytest.mark.parametrize(("one", "other", "wants"), [("490 kg", "900 euros", AMOUNT), ("12 kg", "14 kg", TIME)])
def test_a_value_of_another_kind_than_was_asked_for_decides_nothing(one, other, wants):
    assert (compared(one, other, wants), compared(other, one, wants)) == (0, 0)


def test_an_amount_that_looks_like_a_year_is_an_amount():
    assert compared("1,900 euros", "850 euros", AMOUNT) == 1
    assert compared("1900 kg", "2.1 t", AMOUNT) == -1
