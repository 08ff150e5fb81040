"""A question about someone who is described is two questions; who that is, is one."""

from dataclasses import dataclass

import pytest

from reatt.answering.chains import chain

PARTED = [
    ("When was the author of Dawn born?", "Dawn", ["author"], "When was {} born?"),
    ("Where did the director of film The Long Day die?", "The Long Day", ["director"], "Where did {} die?"),
    ("What is the place of birth of the wife of Bo Ray?", "Bo Ray", ["wife"], "What is the place of birth of {}?"),
    ("Which country is the composer of the song Dusk from?", "Dusk", ["composer"], "Which country is {} from?"),
    ("When did Ann Lee of Kent's father die?", "Ann Lee of Kent", ["father"], "When did {} die?"),
    ("Who is Ann Lee's paternal grandmother?", "Ann Lee", ["father"], "Who is the mother of {}?"),
    ("Where was the maternal grandfather of Bo Ray born?", "Bo Ray", ["mother", "father"], "Where was {} born?"),
]
WHOLE = [
    "Who is the author of Dawn?", "Who was Ann Lee's father?", "When was Dawn written?", "", "the author of",
    "What is the capital of France?", "When does the lease of the house end?", "What is {}'s father from?",
]  # fmt: skip


@dataclass(frozen=True)
class Given:
    text: str
    confidence: float = 0.9


@pytest.mark.parametrize(("question", "name", "roles", "rest"), PARTED)
def test_who_is_described_is_asked_first(question, name, roles, rest):
    found = chain(question)
    assert (found.name, found.question) == (name, rest)
    assert [step.text for step in found.steps] == [f"Who is the {role} of {{}}?" for role in roles]


@pytest.mark.parametrize("question", WHOLE)
def test_a_question_that_describes_nobody_or_only_asks_who_stays_whole(question):
    assert chain(question) is None


def test_each_step_is_about_the_answer_of_the_one_before():
    known = {"Who is the mother of Bo Ray?": Given("Ann Lee"), "Who is the father of Ann Lee?": Given("Cy Lee")}
    found = chain("Where was the maternal grandfather of Bo Ray born?")
    values = found.follow(lambda step, thing: known.get(step.about(thing)))
    assert ([value.text for value in values], found.about(values[-1].text)) == (
        ["Ann Lee", "Cy Lee"],
        "Where was Cy Lee born?",
    )
    assert found.follow(lambda step, thing: None) is None


def test_a_question_of_any_length_is_read_in_time():
    for part in ("the author of ", "A's father's ", "is A ", "the wife of the "):
        chain(part * 30_000)
