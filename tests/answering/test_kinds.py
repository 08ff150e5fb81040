"""A question's own words say how it is answered."""

import pytest

from reatt.answering.kinds import AMOUNT, PERSON, PLACE, TIME, asked

SPANS = {
    "Who built the brass orrery?": PERSON,
    "Whom do I call?": PERSON,
    "When was the lighthouse finished?": TIME,
    "In what year was it finished?": TIME,
    "In which year was it built?": TIME,
    "Which room is free?": None,
    "Where is the key?": PLACE,
    "What city is it in?": PLACE,
    "How many weeks of leave are there?": AMOUNT,
    "How much does it cost?": AMOUNT,
    "How long does the ferry take?": AMOUNT,
    "how old is the dome": AMOUNT,
    "What diameter does the mirror have?": None,
    "What is the name of the mayor?": None,
    "mayor of Aldermere": None,
    "Wer verwaltet den Schlüssel?": None,
    "What is the gas in the tank?": None,
    "What is Ada's title?": None,
    "In what part of the U.S. did Ada live?": None,
    "What causes rust: a guide?": None,
    "What is a gallon called?": None,
    "Who is the mayor of Aldermere?": PERSON,
    "who is singing": PERSON,
    "barney in how i met your mother real name": None,
    "whats it called when a story starts at the end": None,
    "when the war ended": None,
}
SENTENCES = (
    "Why is the ferry late?",
    "why",
    "How do I book a trip?",
    "How does it work?",
    "How exactly does it work?",
    "how to clean the mirror",
    "Describe the dome.",
    "Please explain the rule about guests",
    "Can you describe the dome?",
    "Tell me about the dome",
    "What happens if I am late?",
    "What happened to the boiler?",
    "What will happen when the king comes?",
    "What did the chairman say about the roof?",
    "What does the treasurer think of it?",
    "What was the purpose of the dome?",
    "What is the difference between the two?",
    "In what way does it help?",
    "When the king came, why did he leave?",
    "Without a key, how does one get in?",
    "What caused the fire?",
    "What were the findings?",
    "Which approach was taken?",
    "What are the rules, and why were they made?",
    "Summarize the discussion about the roof.",
    "What is a gas?",
    "what's an orrery",
    "What are brass orreries?",
    "Who is Jonas Felder?",
    "Define an orrery.",
    "What did the trustees talk about?",
    "What was the debate about the roof?",
    "What contributions did Ada make?",
)
LISTS = (
    "Which rooms are free?",
    "Which of them is free?",
    "List the members",
    "Name all the wines.",
    "Who were the members?",
    "Who are the trustees",
    "What are the opening hours?",
    "What were the results?",
    "What specific steps are taken?",
    "Can you list the members?",
    "What tools and materials are needed?",
)
YES_NO = (
    "Is leave paid?",
    "does Ada know?",
    "Amblyopia: is visual loss permanent?",
    "The boiler. Has it been mended?",
    "Can the ferry sail at night?",
    "The ferry can sail at night?",
    "Sand from the beach: a cure for rust?",
    "The ferry. A ship for winter?",
    "Guests who come late: is the door open to them?",
)


@pytest.mark.parametrize("question", SPANS)
def test_a_fact_is_answered_by_a_span_of_its_kind(question):
    assert (asked(question).mode, asked(question).wants) == ("span", SPANS[question])


@pytest.mark.parametrize(
    ("mode", "question"),
    [
        *(("sentence", text) for text in SENTENCES),
        *(("list", text) for text in LISTS),
        *(("yes-no", text) for text in YES_NO),
    ],
)
def test_other_questions_are_answered_as_their_words_ask(mode, question):
    assert asked(question).mode == mode


@pytest.mark.parametrize(
    "question", ["Is it tea or coffee?", "Can you tell me where it is?", "Could you list the rooms?"]
)
def test_a_choice_and_a_polite_request_are_no_yes_no_questions(question):
    assert asked(question).mode != "yes-no"


@pytest.mark.parametrize(
    ("question", "many"),
    [
        ("Which rooms are free?", True),
        ("Which of them is free?", False),
        ("Which of them are free?", True),
        ("List the rooms", True),
        ("Who were they?", True),
        ("What are the rooms?", True),
        ("What tools are there?", True),
    ],
)
def test_some_lists_surely_have_more_than_one_item(question, many):
    assert asked(question).many == many


def test_why_in_this_way_is_told_with_the_word_that_said_so():
    assert asked("Tell me: why is it late?").why == '"why" asks for an explanation'
    assert '"what did" and "say"' in asked("What did he say?").why


@pytest.mark.parametrize("question", ["", " ", "?", "\n", "…", "what", "how", "which", "'", "\u202e", "how how how"])
def test_any_text_has_a_kind(question):
    assert asked(question).mode in ("span", "sentence", "list")
