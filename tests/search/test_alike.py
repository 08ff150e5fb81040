"""Laws of texts that say the same: what a reader would not notice is ignored, any other difference counts."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.search import alike as module
from reatt.search.alike import alike

LONG = (
    "The chapel organ was tuned by Mirela Costin in 2015, and it has nineteen stops and two manuals that the"
    " committee of the parish had ordered from a workshop in the next valley. The pipes are cleaned with a soft"
    " brush every autumn, before the first concert, by whoever has the key and a ladder that is long enough."
)


@pytest.mark.parametrize(
    "same",
    [
        LONG.upper(),
        LONG.replace(" ", "\n"),
        LONG.replace(",", "").replace(".", " -"),
        LONG.replace("first", "ﬁrst").replace("organ", "órgan"),
        LONG.replace("whoever", "anybody who"),
        "and so on. " + LONG,
    ],
)
def test_copies_that_differ_in_what_nobody_would_notice_are_alike(same: str) -> None:
    assert alike([LONG, "Another text.", same]) == [0, 1, 0]


@pytest.mark.parametrize(
    "other",
    [
        LONG.replace("2015", "2016"),
        LONG.replace("Costin", "Costan"),
        LONG.replace("is long", "is not long"),
        LONG.replace("nineteen stops", "stops").replace("two manuals", "manuals").replace("soft", "hard"),
        LONG + " Stalls cost 31 crowns.",
        LONG[: len(LONG) // 2],
        "",
    ],
)
def test_a_number_a_name_a_negation_or_several_words_make_another_text(other: str) -> None:
    assert alike([LONG, other]) == [0, 1]


def test_short_texts_are_alike_only_if_their_words_are_equal() -> None:
    assert alike(["the gate is red", "the gate is red!", "the gate was red", "", " ", "图书馆", "图书馆。"]) == [
        0, 0, 2, 3, 4, 5, 5
    ]  # fmt: skip


@given(st.lists(st.sampled_from([LONG, LONG.lower(), LONG + " yes", "a b", "A b", "", "c"])))
def test_every_text_is_led_by_one_that_stands_for_itself_and_order_is_kept(texts: list[str]) -> None:
    first = alike(texts)
    assert all(first[leader] == leader <= place for place, leader in enumerate(first))
    assert first[: len(first) // 2] == alike(texts[: len(texts) // 2])


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(module).failed == 0
