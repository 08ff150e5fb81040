"""Sentences are shown whole, next to each other, and hold the most of what the model points at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.answering.sentences import LONGEST, MOST, best_run, held, pieces

TALK = "Ada: Shall we?\nBen: Yes. It is late.\nAda: Then go."
LIST = "Bring these:\n- a coat\n- two tins of paint\n- the key"
TABLE = "Name\tRent\nSato\t85 euros\nVarga\t110 euros"


def cut(text):
    return [text[start:end] for start, end in pieces(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It rains. Take a coat!", ["It rains.", "Take a coat!"]),
        ("It rains in\nspring. Take a coat!", ["It rains in\nspring.", "Take a coat!"]),
        (TALK, ["Ada: Shall we?", "Ben: Yes.", "It is late.", "Ada: Then go."]),
        (LIST, ["Bring these:", "- a coat", "- two tins of paint", "- the key"]),
        (TABLE, TABLE.split("\n")),
        ("| a | b |\n| 1 | 2 |", ["| a | b |", "| 1 | 2 |"]),
        ("1. Open it.\n2. Close it.", ["1. Open it.", "2. Close it."]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_a_text_is_cut_into_sentences_rows_items_and_turns(text, found):
    assert cut(text) == found


@given(st.text(alphabet="ab .!?\n\t|-1:é", max_size=80))
def test_sentences_lie_in_order_and_hold_all_that_is_not_blank(text):
    spans, at = pieces(text), 0
    for start, end in spans:
        assert at <= start < end
        assert not text[at:start].strip()
        at = end
    assert not text[at:].strip()


def weights_of(text, **words):
    """Give each named word of a text its weight."""
    return tuple(((text.index(word), text.index(word) + len(word)), weight) for word, weight in words.items())


def test_the_sentences_that_hold_most_together_are_shown():
    text = "Ada left. It rained. Ben stayed in. Cy slept. Di sang."
    start, end = best_run(text, weights_of(text, left=0.3, rained=0.3, stayed=0.4, slept=0.1), 3)
    assert text[start:end] == "Ada left. It rained. Ben stayed in."
    start, end = best_run(text, weights_of(text, left=0.3, stayed=0.4, slept=0.1, sang=0.3), 2)
    assert text[start:end] == "Ben stayed in. Cy slept."


def test_a_run_may_have_to_hold_a_stretch():
    text = "Ada left. It rained. Ben stayed in."
    start, end = best_run(text, weights_of(text, left=0.1, stayed=0.9), 2, (0, 3))
    assert text[start:end] == "Ada left. It rained."
    assert best_run(text, weights_of(text, left=0.1), 1, (0, 12)) is None


def test_of_two_neighbours_the_heavier_comes_first():
    text = f"Ada left. {'Very ' * 120}late it rained. Ben stayed in. Cy slept."
    start, end = best_run(text, weights_of(text, rained=0.1, stayed=0.6, slept=0.2))
    assert text[start:end] == "Ben stayed in. Cy slept."


@pytest.mark.parametrize("border", ["\n\n", "\r\n\r\n", "\n \n", "\r\r"])
def test_a_heading_is_not_shown_with_the_paragraph_below_it(border):
    text = f"## Stay{border}Ben stayed in. It rained.{border}Rules{border}Cy slept."
    start, end = best_run(text, weights_of(text, stayed=0.6, slept=0.4))
    assert text[start:end] == "Ben stayed in. It rained."


def test_no_more_sentences_than_a_few_and_no_more_text_than_a_paragraph_are_shown():
    text = " ".join(f"Sentence {number} is here." for number in range(9))
    even = tuple((span, 0.1) for span in pieces(text))
    start, end = best_run(text, even)
    assert len(cut(text[start:end])) == MOST
    long = " ".join(f"{word} {'very ' * 100}long." for word in ("One", "Two", "Three"))
    start, end = best_run(long, tuple((span, 0.1) for span in pieces(long)))
    assert len(cut(long[start:end])) == 1
    assert end - start < LONGEST


def test_without_weight_there_is_no_sentence():
    assert best_run("It rains.", ()) is None
    assert best_run("", (((0, 0), 1.0),)) is None


def test_a_weight_belongs_to_the_sentence_in_which_its_token_begins():
    assert held([(0, 9), (10, 20)], (((0, 2), 0.25), ((10, 12), 0.5), ((8, 11), 0.125))) == [0.375, 0.5]
