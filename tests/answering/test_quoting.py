"""What is shown is quoted from what the model read: of the kind that is asked for, or not at all."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.kinds import AMOUNT, Asked
from reatt.answering.quoting import Read, shown
from reatt.model.backbone import Answer, Stretch
from reatt.model.confidence import Calibration, Signs, confidence

RENT = "Varga pays 110 euros. Sato pays 85 euros because the room is small. Lind pays nothing."
NEWER = "Since May Varga pays 120 euros. The room was painted."
CALIBRATION = Calibration(2.0, Signs(1.0, 0.0, 0.0, 0.0, 0.0), 0.5)
SPAN, LIST, SENTENCE, YES_NO, FREE = (
    Asked(mode, "", many=mode == "list") for mode in ("span", "list", "sentence", "yes-no", "free")
)
AMOUNTS = replace(SPAN, wants=AMOUNT)


def stretch(text, probability, source=0, of=(RENT, NEWER)):
    start = of[source].index(text)
    return Stretch(source, (start, start + len(text)), math.log(probability))


def told(*stretches, weights=(), text=None, calibration=CALIBRATION):
    """Make what a model says: its stretches, the best first, or a text that stands nowhere."""
    first = stretches[0] if text is None else None
    logarithm = first.log_probability if first else -0.1
    signs = Signs(logarithm, 0.5, 0.0, 0.0, 0.0)
    return Answer(
        text=(RENT, NEWER)[first.source][slice(*first.span)] if first else text, log_probability=logarithm,
        confidence=confidence(signs, calibration), threshold=0.5, source=first.source if first else None,
        span=first.span if first else None, shares=(0.5, 0.5), read=2, agreement=0.0, signs=signs,
        calibration=calibration, stretches=stretches, weights=weights,
    )  # fmt: skip


def show(asked, answer, *, documents=(1, 2), always=False):
    return shown(asked, Read(answer, (RENT, NEWER), documents), always=always)


def quoted(given):
    return [(RENT, NEWER)[quote.source][slice(*quote.span)] for quote in given.quotes]


def pointing(*words):
    """Give each word, of the first text or else the second, a weight."""
    rows = [[], []]
    for word, weight in words:
        source = 0 if word in RENT else 1
        start = (RENT, NEWER)[source].index(word)
        rows[source].append(((start, start + len(word)), weight))
    return tuple(map(tuple, rows))


def test_the_best_span_is_shown_as_sure_as_the_model_is_of_it():
    answer = told(stretch("110 euros", 0.7), stretch("110", 0.1), stretch("85 euros", 0.05))
    given = show(SPAN, answer)
    assert (given.text, quoted(given), given.confidence) == ("110 euros", ["110 euros"], answer.confidence)
    assert not given.disagree


def test_a_span_of_another_kind_gives_way_to_the_best_that_fits():
    answer = told(stretch("Varga", 0.5), stretch("the room", 0.2), stretch("85 euros", 0.1))
    given = show(AMOUNTS, answer)
    assert given.text == "85 euros"
    assert given.confidence < answer.confidence


@pytest.mark.parametrize("always", [True, False])
def test_where_nothing_fits_there_is_no_answer_unless_one_is_to_be_given(always):
    given = show(AMOUNTS, told(stretch("Varga", 0.5), stretch("the room", 0.2)), always=always)
    assert given.text == ("Varga" if always else "")
    assert given.withheld == (None if always else "the best span is not an amount")


def test_two_documents_that_disagree_are_both_shown():
    answer = told(stretch("110 euros", 0.4), stretch("120 euros", 0.35, 1))
    given = show(SPAN, answer)
    assert (given.text, quoted(given), given.disagree) == ("110 euros", ["110 euros", "120 euros"], True)
    assert given.confidence > answer.confidence  # of the two together


@pytest.mark.parametrize(
    ("second", "documents"),
    [
        (stretch("120 euros", 0.1, 1), (1, 2)),
        (stretch("120 euros", 0.35, 1), (1, 1)),
        (stretch("85 euros", 0.35), (1, 2)),
    ],
)
def test_a_less_probable_answer_and_one_of_the_same_document_do_not_disagree(second, documents):
    given = show(SPAN, told(stretch("110 euros", 0.4), second), documents=documents)
    assert (quoted(given), given.disagree) == (["110 euros"], False)


RENTS = (
    stretch("110 euros", 0.3), stretch("85 euros", 0.15), stretch("110", 0.1), stretch("120 euros", 0.1, 1),
    stretch("nothing", 0.01),
)  # fmt: skip


def test_a_list_has_every_answer_near_the_best_once_and_the_sentence_of_each():
    given = show(LIST, told(*RENTS))
    assert quoted(given) == ["110 euros", "85 euros", "120 euros"]
    assert [quote.source for quote in given.quotes] == [0, 0, 1]
    assert RENT[slice(*given.quotes[1].around)] == "Sato pays 85 euros because the room is small."
    assert not given.disagree


def test_of_what_may_be_one_only_answers_that_are_about_as_good_are_listed():
    assert quoted(show(replace(LIST, many=False), told(*RENTS))) == ["110 euros"]
    alike = (stretch("110 euros", 0.3), stretch("120 euros", 0.2, 1))
    assert quoted(show(replace(LIST, many=False), told(*alike))) == ["110 euros", "120 euros"]


@pytest.mark.parametrize("many", [True, False])
def test_one_item_is_shown_in_its_sentence_if_there_surely_are_more(many):
    [quote] = show(replace(LIST, many=many), told(RENTS[0])).quotes
    assert quote.around == ((0, RENT.index(".") + 1) if many else None)


def test_few_items_have_the_sentences_beside_theirs_and_several_have_their_own():
    weights = pointing(("110", 0.3), ("small", 0.2), ("120", 0.2))
    [alone] = show(LIST, told(stretch("110 euros", 0.3), weights=weights)).quotes
    assert RENT[slice(*alone.around)] == RENT
    two = (stretch("110 euros", 0.3), stretch("120 euros", 0.2, 1))
    assert [quote.around for quote in show(LIST, told(*two, weights=weights)).quotes] == [
        (0, len(RENT)),
        (0, len(NEWER)),
    ]
    same = (stretch("110 euros", 0.3), stretch("85 euros", 0.2))
    ends = [RENT[slice(*quote.around)][-10:] for quote in show(LIST, told(*same, weights=weights)).quotes]
    assert ends == ["110 euros.", " is small."]


def test_sentences_are_those_that_hold_most_and_the_stretch_in_them_is_known():
    answer = told(stretch("small", 0.3), weights=pointing(("small", 0.6), ("pays", 0.05), ("painted", 0.2)))
    given = show(SENTENCE, answer)
    assert "Sato pays 85 euros because the room is small." in given.text
    assert RENT[slice(*given.quotes[0].key)] == "small"
    assert given.quotes[0].probability == pytest.approx(0.6, abs=0.06)
    assert given.confidence >= answer.confidence


@pytest.mark.parametrize(("painted", "sources"), [(0.2, [0, 1]), (0.01, [0])])
def test_sentences_of_a_second_passage_are_shown_if_they_hold_nearly_as_much(painted, sources):
    answer = told(stretch("small", 0.3), weights=pointing(("small", 0.6), ("painted", painted)))
    given = show(SENTENCE, answer)
    assert [quote.source for quote in given.quotes] == sources
    assert given.text == RENT[slice(*given.quotes[0].span)]


def test_yes_and_no_have_one_sentence_that_says_so():
    weights = pointing(("small", 0.4), ("painted", 0.5))
    assert quoted(show(YES_NO, told(weights=weights, text="yes"))) == ["The room was painted."]


def test_sentences_may_be_of_another_passage_than_the_best_span():
    weights = pointing(("small", 0.2), ("Since", 0.3), ("painted", 0.3))
    given = show(SENTENCE, told(stretch("small", 0.2), weights=weights))
    assert given.quotes[0].source == 1
    assert given.quotes[0].key is None


def test_yes_is_shown_with_what_says_so_and_not_without():
    given = show(YES_NO, told(text="yes", weights=pointing(("small", 0.6))))
    assert given.text == "yes"
    assert quoted(given) == ["Sato pays 85 euros because the room is small."]
    alone = show(YES_NO, told(text="no", weights=((), ())))
    assert (alone.text, alone.withheld) == ("", "no sentence says so")


def test_the_models_own_words_and_no_words_have_no_quotes():
    for text in ("it depends", ""):
        given = show(FREE, told(text=text, weights=pointing(("small", 0.6))))
        assert (given.text, given.quotes) == (text, ())


def test_without_a_calibration_the_confidence_stays_the_models_own():
    for asked in (SPAN, LIST, SENTENCE):
        answer = told(
            stretch("110 euros", 0.4), stretch("120 euros", 0.35, 1), weights=pointing(("small", 0.6)), calibration=None
        )
        assert show(asked, answer).confidence == answer.confidence


@given(st.data())
def test_every_quote_is_a_part_of_a_passage_and_the_text_is_the_first(data):
    mode = data.draw(st.sampled_from([SPAN, LIST, SENTENCE, AMOUNTS]))
    words = data.draw(st.lists(st.sampled_from(["Varga", "110 euros", "small", "nothing", "painted"]), min_size=1))
    every = [stretch(word, 0.1, int(word not in RENT)) for word in words]
    weights = pointing(*((word, 0.1) for word in dict.fromkeys(words)))
    given = show(mode, told(*every, weights=weights), always=data.draw(st.booleans()))
    assert given.text == (quoted(given)[0] if given.quotes else "")
    assert bool(given.text) != bool(given.withheld)
    assert 0 <= given.confidence <= 1
    spans = [(quote.source, quote.span) for quote in given.quotes]
    assert len(set(spans)) == len(spans)


def test_of_two_things_that_are_offered_one_is_the_answer():
    offered = replace(SPAN, among=("Varga", "Lind"))
    given = show(offered, told(stretch("Sato", 0.7), stretch("Lind", 0.2)))
    assert given.text == "Lind"
    both = show(offered, told(stretch("Varga", 0.4), stretch("Lind", 0.3)))
    assert (both.text, both.withheld) == ("", "the passages do not tell which of the two")
    withheld = show(offered, told(stretch("Sato", 0.7)))
    assert (withheld.text, withheld.withheld) == ("", "the best span is neither of the two")
    assert show(offered, told(stretch("Sato", 0.7)), always=True).text == "Sato"
