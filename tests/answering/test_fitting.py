"""What clearly is not of the kind that a question asks for is refused; everything that may be is not."""

import pytest

from reatt.answering.fitting import fits
from reatt.answering.kinds import AMOUNT, PERSON, PLACE, TIME

FITTING = {
    AMOUNT: (
        "1,280 euros",
        "twice",
        "forty-nine weeks",
        "none",
        "half",
        "three to nine months",
        "two",
        "a dozen",
        "Both",
    ),
    TIME: (
        "1868",
        "in March",
        "the last Sunday of October",
        "Tuesday",
        "the nineteenth century",
        "after the war",
        "now",
    ),
    PERSON: (
        "the head of your workshop",
        "Jonas Felder",
        "a cox",
        "Frau Özdemir, Zimmer 212",
        "王小明",
        "Elizabeth II",
    ),
    PLACE: ("Oslo", "the harbour", "room 212", "10 Downing Street", "under the stairs"),
}
MISFITS = {
    AMOUNT: ("Plätze", "Frau Sato", "the pump", "sideways"),
    TIME: ("Norway", "Jonas Felder", "by hand"),
    PERSON: ("1868", "49 %", "31 euros", "10:30", "…"),
    PLACE: ("1868", "0800 55 71 23", "15 %"),
}


@pytest.mark.parametrize(("wants", "text"), [(wants, text) for wants, every in FITTING.items() for text in every])
def test_what_may_be_right_fits(wants, text):
    assert fits(text, wants)


@pytest.mark.parametrize(("wants", "text"), [(wants, text) for wants, every in MISFITS.items() for text in every])
def test_what_cannot_be_right_does_not_fit(wants, text):
    assert not fits(text, wants)


def test_where_nothing_is_known_of_the_kind_everything_fits():
    assert fits("Plätze", None)
