"""What only repeats the question does not answer it: chats, mails, logs and lists of questions."""

import math
from dataclasses import replace

import pytest

from reatt.answering.echoes import echoes
from reatt.answering.kinds import PERSON, Asked
from reatt.answering.quoting import Read, shown
from reatt.model.backbone import Answer, Stretch
from reatt.model.confidence import Calibration, Signs, confidence

CHAT = "[12/03/24, 10:15] Olu: Who has the tickets?\n[12/03/24, 10:18] Marek: I have them, in my blue bag"
CALIBRATION = Calibration(2.0, Signs(1.0, 0.0, 0.0, 0.0, 0.0), 0.5)
QUESTION = "Who has the tickets?"
SPAN, SENTENCE, YES_NO = (Asked(mode, "") for mode in ("span", "sentence", "yes-no"))


@pytest.mark.parametrize(
    ("question", "text", "found"),
    [
        (QUESTION, CHAT, ["[12/03/24, 10:15] Olu: Who has the tickets?"]),
        (QUESTION, "2024-05-01 12:00 Olu: Who has got our tickets??\n\nMarek: I have.", None),
        (QUESTION, "[10:15] <olu> who has the tickets\n[10:16] <marek> me", None),
        (QUESTION, "10:15 olu: who has the tickets pls\n10:16 marek: me", None),
        (QUESTION, "Olu: Hello all! Who has the tickets? 🙏", ["Olu:", "Who has the tickets?"]),
        ("Who has the tickets for the festival?", CHAT, None),
        (QUESTION, "Bea: Hi.\nOlu: Hello all! Who has the tickets?", ["Olu:", "Who has the tickets?"]),
        ("When does the pool open?", "## When does the pool open?\n\nAt 7.", ["## When does the pool open?"]),
        ("Who repairs broken tools?", "Q: Who repairs the broken tool?\nA: Sissel Moe.", None),
        ("Is the sauna open to children?", "Is the sauna open to children?\n\nNo.", ["Is the sauna open to children?"]),
        ("猫はどこですか？", "猫はどこですか？\n庭にいます。", ["猫はどこですか？"]),
    ],
)
def test_a_sentence_that_repeats_the_question_is_found(question, text, found):
    said = [text[slice(*span)] for span in echoes(question, text)]
    assert said if found is None else said == found
    assert not any(word in " ".join(said) for word in ("Marek", "marek", "Moe", "At 7", "No.", "庭"))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (QUESTION, "Marek has the tickets."),
        (QUESTION, "Did you know that Marek has the tickets?"),
        (QUESTION, "Who has the tickets gets in first, before all the others who wait."),
        ("Who asked about the tickets?", CHAT),
        ("Who wants to know when the van leaves?", "Olu: When does the van leave?"),
        ("Who sold the tickets of the opera to Olu?", "Bea: Who has the tickets of the ferry, and the keys?"),
        ("How much is a ticket?", "How much is a ticket: 4.50 euros"),
        ("", CHAT),
    ],
)
def test_what_says_more_or_something_else_is_no_repetition(question, text):
    assert echoes(question, text) == []


def stretch(text, word, probability):
    start = text.index(word)
    return Stretch(0, (start, start + len(word)), math.log(probability))


def answer(text, *stretches, weights=()):
    signs = Signs(stretches[0].log_probability, 0.5, 0.0, 0.0, 0.0)
    return Answer(
        text=text[slice(*stretches[0].span)], log_probability=signs.log_probability,
        confidence=confidence(signs, CALIBRATION), threshold=0.5, source=0, span=stretches[0].span, shares=(1.0,),
        read=1, agreement=0.0, signs=signs, calibration=CALIBRATION, stretches=stretches, weights=(tuple(weights),),
    )  # fmt: skip


def show(asked, text, told, question=QUESTION, *, always=False):
    return shown(asked, Read(told, (text,), (1,), question), always=always)


def test_whoever_asks_is_not_the_answer_and_what_is_left_is_as_sure_as_it_was():
    told = answer(CHAT, stretch(CHAT, "Olu", 0.7), stretch(CHAT, "Marek", 0.2))
    given = show(replace(SPAN, wants=PERSON), CHAT, told)
    assert given.text == "Marek"
    assert given.confidence < told.confidence


def test_the_time_of_a_message_is_not_the_answer_to_a_question_of_the_chat():
    text = "[12/03/24, 10:21] Olu: When does the van leave?\n[12/03/24, 10:25] Bea: At half past six"
    told = answer(text, stretch(text, "12/03/24, 10:25", 0.6), stretch(text, "half past six", 0.3))
    assert show(SPAN, text, told, "When does the van leave?").text == "half past six"
    assert show(SPAN, text, told, "When did Bea write of the van?").text == "12/03/24, 10:25"


def test_what_goes_on_behind_the_question_is_cut_to_the_answer():
    text = "[14:12] <ane> which port does the monitor use?\n[14:13] <mika> 9114"
    told = answer(text, stretch(text, text[9:], 0.6), stretch(text, "ane", 0.1))
    assert show(SPAN, text, told, "Which port does the monitor use?").text == "9114"


@pytest.mark.parametrize("line", ["1934, by Dagny Holm", "10:15 on Mondays", "[1934]", "12/03/24 at noon"])
def test_a_time_that_follows_a_question_may_be_its_answer(line):
    text = f"When was the pool opened?\n\n{line}"
    told = answer(text, stretch(text, line[:6], 0.6))
    assert show(SPAN, text, told, "When was the pool opened?").text.startswith(line[:5])


@pytest.mark.parametrize("always", [True, False])
def test_where_nothing_else_is_left_there_is_no_answer_unless_one_is_to_be_given(always):
    given = show(SPAN, CHAT, answer(CHAT, stretch(CHAT, "Olu", 0.7)), always=always)
    assert given.text == ("Olu" if always else "")
    assert given.withheld == (None if always else "the passages only repeat the question")


def test_an_answer_elsewhere_stays_as_it_is():
    told = answer(CHAT, stretch(CHAT, "Marek", 0.7), stretch(CHAT, "Olu", 0.2))
    assert (show(SPAN, CHAT, told).text, show(SPAN, CHAT, told).confidence) == ("Marek", told.confidence)


@pytest.mark.parametrize("asked", [SENTENCE, YES_NO])
def test_a_question_is_answered_by_the_sentence_that_follows_it(asked):
    text = "Is the sauna open to children?\n\nNo. It is for guests of 16 years. The pool is open to all."
    weights = [((0, 2), 0.8), ((7, 12), 0.05), ((text.index("guests"), text.index(" of 16")), 0.05)]
    weights.insert(2, ((text.index("No"), text.index("No") + 2), 0.01))
    told = replace(answer(text, stretch(text, "sauna", 0.8), stretch(text, "No", 0.01), weights=weights))
    [quote] = show(asked, text, told, "Is the sauna open to children?").quotes
    assert "No. It is for guests of 16 years." in text[slice(*quote.span)]


def test_yes_or_no_is_not_said_by_the_question():
    text = "Is the sauna open to children?"
    told = replace(answer(text, stretch(text, "sauna", 0.8), weights=[((0, 2), 0.8)]), text="yes", source=None)
    given = show(YES_NO, text, replace(told, span=None, stretches=()), text)
    assert (given.text, given.withheld) == ("", "no sentence says so")
