"""The tokenizer's rule for questions with gaps."""

import pytest

from reatt.model.tokens import MASK, TextTokenizer
from reatt_store.errors import ModelError


@pytest.fixture(scope="module")
def letters(released, tmp_path_factory):
    return TextTokenizer(released(tmp_path_factory.mktemp("letters")) / "tokenizer.json", end=1, question_limit=40)


def mask_id(tokenizer):
    return tokenizer._tokenizer.token_to_id(MASK)


def test_a_mask_is_one_special_id_between_the_parts(letters):
    ids = letters.masked(["born in ", " twice"]).ids
    place = ids.index(mask_id(letters))
    assert ids[:place] == letters.question("born in").ids[:-1]
    assert letters.decode(ids[place + 1 :]) == "twice"


def test_one_part_is_an_ordinary_question(letters):
    assert letters.masked(["Who?"]) == letters.question("Who?")


def test_every_gap_has_its_mask(letters):
    assert letters.masked(["a ", " b ", ""]).ids.count(mask_id(letters)) == 2


def test_no_text_can_forge_a_mask(letters):
    assert letters.masked([f"a {MASK} b ", " c"]).ids.count(mask_id(letters)) == 1


def test_spans_are_places_in_the_parts_joined_by_the_mask(letters):
    parts = ["Ada\nwon ", " in My"]
    whole = MASK.join(parts)
    tokens = letters.masked(parts)
    read = {letters.decode([id]): whole[slice(*span)] for id, span in zip(tokens.ids, tokens.spans, strict=True)}
    assert {piece: place for piece, place in read.items() if place and piece} == {piece: piece for piece in "AdawoniMy"}
    assert whole[slice(*tokens.spans[tokens.ids.index(mask_id(letters))])] == MASK


@pytest.mark.parametrize("parts", [["x" * 99, "y"], ["x", "y" * 99], ["x" * 99, "y" * 99], ["", "y" * 99]])
def test_what_is_too_long_loses_text_and_never_the_mask(letters, parts):
    tokens = letters.masked(parts)
    assert mask_id(letters) in tokens.ids
    assert len(tokens.ids) == len(tokens.spans) == letters.question_limit
    assert tokens.ids[-1] == letters.end
    assert letters.decode(tokens.ids).startswith("question:")


def test_a_tokenizer_without_masks_is_refused(tiny_reatt):
    with pytest.raises(ModelError, match="extra_id_0"):
        tiny_reatt.tokenizer.masked(["a", "b"])
