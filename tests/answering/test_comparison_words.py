"""The words of a comparison name two things and what is asked of each; what compares nothing is left alone."""

import pytest

from reatt.answering.comparison_words import comparison
from reatt.answering.comparisons import LEAST, MOST, SAME

ORDERED = [
    ("Which boat is heavier, Kestrel or Plover?", ["How heavy is {}?"], MOST),
    ("Is the Kestrel or the Plover cheaper?", ["How much does {} cost?"], LEAST),
    ("Which costs more: the annual plan or the monthly plan", ["How much does {} cost?"], MOST),
    ("Which school has fewer pupils, North High or South High?", ["How many pupils does {} have?"], LEAST),
    ("Which train leaves earlier, the IC 5 or the RE 7?", ["When does {} leave?"], LEAST),
    ("Which contract was signed later, A-17 or B-22?", ["When was {} signed?"], MOST),
    ("Which event happened first, the flood or the fire?", ["When did {} happen?"], LEAST),
    ("Who is younger, Ann Lee or Bo Ray?", ["When was {} born?"], MOST),
    ("Was Ann Lee or Bo Ray born first?", ["When was {} born?"], LEAST),
    ("Who was born first out of Ann Lee and Bo Ray?", ["When was {} born?"], LEAST),
    ("Who died earlier, Ann Lee or Bo Ray?", ["When did {} die?"], LEAST),
    (
        "Which film has the director who died first, Dawn or The Long Day?",
        ["Who is the director of {}?", "When did {} die?"],
        LEAST,
    ),
    ("Which book whose author is older, Dawn or Dusk?", ["Who is the author of {}?", "When was {} born?"], LEAST),
    ("Are Ann Lee and Bo Ray of the same nationality?", ["What is the nationality of {}?"], SAME),
    ("Does Ann Lee have the same nationality as Bo Ray?", ["What is the nationality of {}?"], SAME),
    ("Are both villages, Dawn, Kent and Dusk, located in the same country?", ["In which country is {} located?"], SAME),
    ("Were both Ann Lee and Bo Ray born in the same place?", ["In which place was {} born?"], SAME),
    (
        "Do the directors of films Dawn and Dusk have the same nationality?",
        ["Who is the director of {}?", "What is the nationality of {}?"],
        SAME,
    ),
    (
        "Do both films, Dawn and Dusk, have the directors who are from the same country?",
        ["Who is the director of {}?", "Which country is {} from?"],
        SAME,
    ),
]
OTHERS = [
    "Is parental leave paid or unpaid?",
    "Do I need a permit or a licence?",
    "What should I do first, call the office or write an email?",
    "Which form do I need, A or B?",
    "Who wrote Dawn and Dusk?",
    "Are dogs and cats allowed in the same room?",
    "Which drug lowers blood pressure more, aspirin or ramipril?",
    "Who was the first to cross the river?",
    "When was the older bridge built?",
    "Is the pump older than the heater?",
    "",
    "or",
    "Which is older, or?",
]


@pytest.mark.parametrize(("question", "steps", "order"), ORDERED)
def test_a_comparison_asks_for_the_value_of_each_thing(question, steps, order):
    found = comparison(question)
    assert ([step.text for step in found.steps], found.order) == (steps, order)


def test_names_are_what_the_question_names_and_nothing_more():
    names = {
        "Which boat is heavier, Kestrel or Plover?": ("Kestrel", "Plover"),
        "Was Ann Lee or Bo Ray born first?": ("Ann Lee", "Bo Ray"),
        "Are both villages, Dawn, Kent and Dusk, located in the same country?": ("Dawn, Kent", "Dusk"),
        "Are the directors of films The Long Day and Battle Of Dusk (1920 film) both from the same country?": (
            "The Long Day",
            "Battle Of Dusk (1920 film)",
        ),
        "Are director of film Dawn and director of film Dusk from the same country?": ("Dawn", "Dusk"),
        "Do both Dawn and Dusk films have the directors from the same country?": ("Dawn", "Dusk"),
    }
    assert {question: comparison(question).names for question in names} == names


@pytest.mark.parametrize("question", OTHERS)
def test_a_question_that_compares_no_two_things_is_no_comparison(question):
    assert comparison(question) is None


def test_a_question_of_any_length_is_read_in_time():
    for part in ("a or ", "are a and ", "which is older, ", "the same ", "who has the a "):
        comparison(part * 30_000)
