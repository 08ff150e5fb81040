"""Numbers are answered whole, and no answer crosses from one table cell into the next (`model/answers/wholes.py`)."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reatt.model.answers.source import source_of
from reatt.model.answers.wholes import border, inside
from reatt.model.pointing import best_stretches, stretches

PIECE = re.compile(r"\w+|[^\w\s]")


def laid_out(text):
    """Lay a text out as a tokenizer of words and single signs does."""
    spans = [match.span() for match in PIECE.finditer(text)]
    return source_of([range(len(spans))], [spans], [text])


def answers(text, most=6):
    """List every stretch that an answer may be, by enumerating all of them."""
    source, found = laid_out(text), set()
    for first in source.begins:
        last = first
        for _ in range(most):
            if source.until_end[last] == 0:
                found.add(text[source.spans[first][0] : source.spans[last][1]])
            if (last := source.following[last]) < 0:
                break
    return found


@pytest.mark.parametrize(
    ("text", "whole", "torn"),
    [
        ("It costs 1,280 euros.", "1,280", ("1", "280", "1,")),
        ("Pay rose by 3.5 % in May", "3.5 %", ("3", "5", "3.5", "5 %")),
        ("Open from 10:30 on", "10:30", ("10", "30")),
        ("Call 0800 55 71 23 now", "0800 55 71 23", ("0800", "55 71", "0800 55 71")),
        ("Call +44 20 7946 0018.", "+44 20 7946 0018", ("44", "20 7946")),
        ("a fee of $4.50 a day", "$4.50", ("4", "4.50", "$")),
    ],
)
def test_a_number_is_answered_whole_or_not_at_all(text, whole, torn):
    assert whole in answers(text, most=9)
    assert not answers(text, most=9) & set(torn)


@pytest.mark.parametrize("text", ["in 1990, 12 people", "1939-1945", "rooms 3, 4 and 5", "Section 2. 14 days"])
def test_numbers_that_only_stand_side_by_side_stay_apart(text):
    for number in re.findall(r"\d+", text):
        assert number in answers(text)


@pytest.mark.parametrize("border", ["\t", " | ", "|", "\n\n", "\n \n", ",", ";"])
def test_no_answer_crosses_a_border(border):
    assert answers(f"Sato{border}85 euros") == {"Sato", "85", "euros", "85 euros"}


@pytest.mark.parametrize("text", ["1,280 euros", "ham, eggs", "Oslo; Bergen", "12,5 kg"])
def test_a_comma_of_prose_or_of_a_number_is_no_border(text):
    assert text in answers(text)


def test_a_cell_of_csv_ends_before_a_number():
    found = answers("Finch,31 euros,5")
    assert {"31 euros", "5"} <= found
    assert not {"31 euros,5", "Finch,31"} & found


def test_a_wrapped_line_is_no_border():
    assert "Ada Lovelace" in {" ".join(found.split()) for found in answers("by Ada\nLovelace")}


@given(st.text(alphabet="ab1205 .,:%$|\t\n", max_size=40))
def test_the_best_stretches_are_the_best_of_all_that_may_be_answers(text):
    source = laid_out(text)
    count = len(source.ids)
    scores = stretches(torch.stack([torch.arange(count).float() * step % 7 for step in (3, 5)]))
    found = best_stretches(source, [scores], 0.0, 6, 1000)
    found = {text[source.spans[h.places[0] - len(h.ids) + 1][0] : source.spans[h.places[0]][1]] for h in found}
    assert found == answers(text)


@given(st.text(alphabet="ab12 .,|\t\n", max_size=40))
def test_every_answer_that_is_begun_can_end(text):
    source = laid_out(text)
    for first in source.begins:
        last = first
        for _ in range(source.until_end[first]):
            last = source.following[last]
            assert last >= 0


def test_places_within_numbers_are_no_ends_of_text():
    assert inside("7") == frozenset()
    assert not border("a b", 1, 2)
