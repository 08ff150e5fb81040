"""Two values decide a comparison, each read where its thing is named; without both there is no decision."""

from dataclasses import dataclass

import pytest

from reatt.answering.comparisons import LEAST, MOST, SAME, Comparison, Step, about, decide

PAIR = ("Dawn", "Dusk")
MADE = Step("When was {} made?")
DIRECTOR, BORN = Step("Who is the director of {}?"), Step("When was {} born?")


@dataclass(frozen=True)
class Given:
    text: str
    confidence: float = 0.9


def decided(comparison, answers):
    return decide(comparison, lambda step, thing: answers.get(step.about(thing)))


@pytest.mark.parametrize(("order", "text"), [(LEAST, "Dusk"), (MOST, "Dawn")])
def test_the_thing_with_the_less_or_greater_value_is_chosen(order, text):
    answers = {"When was Dawn made?": Given("1950", 0.8), "When was Dusk made?": Given("May 1920", 0.6)}
    found = decided(Comparison(PAIR, (MADE,), order), answers)
    assert (found.text, [value.text for value in found.values], found.confidence) == (text, ["1950", "May 1920"], 0.6)


def test_a_later_step_is_about_the_answer_of_the_one_before():
    answers = {
        "Who is the director of Dawn?": Given("Ann Lee", 0.3), "When was Ann Lee born?": Given("1910"),
        "Who is the director of Dusk?": Given("Bo Ray", 0.8), "When was Bo Ray born?": Given("1890"),
    }  # fmt: skip
    found = decided(Comparison(PAIR, (DIRECTOR, BORN), LEAST), answers)
    assert (found.text, found.confidence) == ("Dusk", 0.3)


@pytest.mark.parametrize(("other", "text"), [("Italian", "yes"), ("French", "no")])
def test_values_that_are_alike_are_said_to_be(other, text):
    answers = {"When was Dawn made?": Given("Italy"), "When was Dusk made?": Given(other)}
    assert decided(Comparison(PAIR, (MADE,), SAME), answers).text == text


@pytest.mark.parametrize("other", [None, Given("1950"), Given("1950", 0.2), Given("12 kg")])
def test_without_two_values_that_can_be_told_apart_nothing_is_decided(other):
    answers = {"When was Dawn made?": Given("1950")} | ({"When was Dusk made?": other} if other else {})
    assert decided(Comparison(PAIR, (MADE,), LEAST), answers) is None


def test_one_value_for_both_from_one_place_says_not_that_they_are_the_same():
    answers = {"When was Dawn made?": Given("Italy"), "When was Dusk made?": Given("Italy")}
    assert decided(Comparison(PAIR, (MADE,), SAME), answers) is None


def test_a_value_is_read_where_the_whole_name_stands_or_what_is_outside_of_brackets():
    passages = ["The Long Day is a film.", "A day that was long: the end.", "Night", "The Long Day (1920 film)"]
    assert about("The Long Day", passages) == [0, 1, 3]
    assert about("The Long Day (1920 film)", passages) == [3]
    assert about("The Long Day (play)", passages) == [0, 1, 3]
    assert about("Midnight", passages) == []
