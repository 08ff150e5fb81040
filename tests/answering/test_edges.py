"""No span ends inside a unit or a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.edges import whole

TEXT = "Since May Jonas Felder pays 110 euros, Ludwig van Beethoven 3 kWh and Leo XIII 4.5 km/h. It was 1162 in all."


def grown(part, text=TEXT):
    start = text.index(part)
    return text[slice(*whole(text, (start, start + len(part))))]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("110", "110 euros"),
        ("pays 110", "pays 110 euros"),
        ("3", "3 kWh"),
        ("4.5", "4.5 km/h"),
        ("Jonas", "Jonas Felder"),
        ("Ludwig", "Ludwig van Beethoven"),
        ("Leo", "Leo XIII"),
    ],
)
def test_a_span_grows_to_the_end_of_the_unit_or_name_that_it_cuts_off(part, found):
    assert grown(part) == found


@pytest.mark.parametrize("part", ["110 euros", "Jonas Felder", "1162", "pays", "euros", "It", "4.5 km/h", "all"])
def test_what_is_whole_stays_as_it_is(part):
    assert grown(part) == part


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Oslo. Bergen is wet.", "Oslo"),
        ("Sato\tVarga", "Sato"),
        ("Sato, Varga", "Sato"),
        ("5 in a row", "5"),
        ("7 am\u00e9", "7"),
    ],
)
def test_what_only_stands_beside_it_is_left(text, part):
    assert grown(part, text) == part


@given(st.text(alphabet="Aab1 5.°C%kmeuros\n", max_size=30), st.data())
def test_a_span_only_ever_grows_at_its_end(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert whole(text, (start, end))[0] == start
    assert end <= whole(text, (start, end))[1] <= len(text)
