"""A question that leans on the one before is completed from it; one that stands alone is left as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.follow_ups import Asked, whole

# before, follow-up -> as it is searched
LEANING = [
    ("How many visitors came in 2018?", "and in 2019?", "How many visitors came in 2019?"),
    ("How many visitors came in 2018?", "And 2019?", "How many visitors came in 2019?"),
    ("How long is parental leave in Norway?", "and in Sweden?", "How long is parental leave in Sweden?"),
    ("How long is parental leave in Norway?", "What about Sweden?", "How long is parental leave in Sweden?"),
    ("How long is parental leave in Norway?", "but for fathers?", "How long is parental leave in Norway for fathers?"),
    ("What does the ferry cost?", "and for children?", "What does the ferry cost for children?"),
    ("Who is the treasurer?", "since when?", "since when (treasurer)?"),
    ("When does the lease end?", "who signed it?", "who signed it (lease end)?"),
    ("When was the lease signed?", "Who signed it?", "Who signed it (lease)?"),
    ("When does the museum open?", "Is it open on Sundays?", "Is it open on Sundays (museum)?"),
    ("When does the museum open?", "Where is it?", "Where is it (museum open)?"),
    ("When does the museum open?", "how many people work there?", "how many people work there (museum open)?"),
    ("Who sells the Kestrel kiln?", "And the price?", "the price (sells Kestrel kiln)?"),
    ("How hot does the oven get?", "What about the kiln?", "How hot does the oven get (the kiln)?"),
    ("What happened to the boiler in March?", "What happened after that?", "What happened after that (boiler March)?"),
    ("Who may steer the Heron?", "Which one?", "Which one (steer Heron)?"),
    ("What is the rent?", "Why?", "Why (rent)?"),
    ("Which rules hold for guests?", "Do they apply at night?", "Do they apply at night (rules hold guests)?"),
]
ALONE = [
    "Who signed the lease?",
    "What is the name of the mayor of Aldermere?",
    "How long does it take to boil an egg?",
    "Is it legal to park on the pavement?",
    "What does Ada say about her brother?",
    "Does the museum have its own café?",
    "And who is the king of Spain?",
    "Who said that leave is paid?",
    "What time is it in Oslo?",
    "But why does glass break?",
    "Which one of the boats is cheaper?",
    "Who approves trips abroad?",
    "In which year was the orrery built?",
    "In 2019, who was the treasurer?",
    "Is there a bus to Skerry?",
    "What is photosynthesis?",
    "Describe the dome.",
    "Wer verwaltet den Schlüssel?",
    "What are these forms for?",
    "parental leave",
    "Norway",
    "How many days of holiday do employees in their first year have?",
    "Before the war, who ruled Norway?",
    "0800 55 71 23",
    "At which core temperature is the rye bread done?",
    "Where do the gulls nest when it rains?",
    "東京はどこですか",
]


@pytest.mark.parametrize(("before", "question", "searched"), LEANING)
def test_a_follow_up_is_searched_with_what_it_leans_on(before, question, searched):
    assert whole(question, Asked(before)) == searched


@pytest.mark.parametrize("question", ALONE)
def test_a_question_that_stands_alone_is_left_as_it_is(question):
    assert whole(question, Asked("When does the museum open?", "at ten")) == question


@pytest.mark.parametrize(("before", "question", "searched"), LEANING)
def test_the_first_question_has_nothing_to_lean_on(before, question, searched):
    assert whole(question, None) == question


def test_he_and_she_are_the_one_who_was_the_answer():
    before = Asked("Who built the orrery?", "Jonas Felder")
    assert whole("When was he born?", before) == "When was he born (Jonas Felder)?"
    assert whole("When was he born?", Asked("Who built the orrery?")) == "When was he born (built orrery)?"
    told = Asked("Who built the orrery?", "one of the many people who lived there at that time")
    assert whole("When was he born?", told) == "When was he born (built orrery)?"


def test_a_second_follow_up_leans_on_the_first_as_it_was_searched():
    first = whole("and in 2019?", Asked("How many visitors came in 2018?"))
    assert whole("and in 2020?", Asked(first)) == "How many visitors came in 2020?"


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_can_follow_each_other(question, before):
    found = whole(question, Asked(before))
    assert found == question or len(found) <= len(question) + len(before) + 8
    assert bool(found.strip()) >= bool(question.strip())
