"""What the rules call a number, a date, an identifier, a name."""

import pytest

from reatt.lessons.entities import by_capitals, by_rules, name_finder, outermost, tokens
from reatt.lessons.spans import Statistics


def found(text, kind):
    return [text[span.start : span.end] for span in outermost(by_rules(text)) if span.kind == kind]


def names(text, corpus):
    statistics = Statistics(corpus)
    return [text[span.start : span.end] for span in next(by_capitals([text], statistics.is_name))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Born on 3 May 1999 in Oslo.", ["3 May 1999"]),
        ("On March 3rd, 1815, he left.", ["March 3rd, 1815"]),
        ("It began in 1968.", ["1968"]),
        ("The 1930s and the 19th century.", ["1930s", "19th century"]),
        ("The war of 1914–18 at 5 p.m. sharp", ["1914–18", "5 p.m."]),
        ("Due 2021-03-04, at 17:30.", ["2021-03-04", "17:30"]),
        ("It cost $1968 and 3.1415 more.", []),
    ],
)
def test_dates_are_found_whole(text, expected):
    assert found(text, "date") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Leave is 49 weeks.", ["49"]),
        ("About 2.5 million people, 12 %.", ["2.5 million", "12 %"]),
        ("It costs $1,200.50 a day", ["$1,200.50"]),
        ("Seven of twenty-nine, the 3rd.", ["Seven", "twenty-nine", "3rd"]),
        ("A 20-year-old someone, COVID-19", []),
        ("the weight of often", []),
    ],
)
def test_numbers_are_found_with_their_units(text, expected):
    assert found(text, "number") == expected


def test_identifiers_mix_capitals_and_digits():
    assert found("TP53 and COVID-19 are CVE-2021-44228, not mp3 or 1990s or WHO", "id") == [
        "TP53", "COVID-19", "CVE-2021-44228",
    ]  # fmt: skip


def test_a_title_in_quotation_marks_is_a_name_and_speech_is_not():
    assert found('She read "The Old Sea" and said "Come here, please!"', "name") == ["The Old Sea"]


def test_the_corpus_decides_whether_a_sentence_starts_with_a_name():
    corpus = ["We met Tesla there. The rain fell.", "He saw rain. Tesla spoke of the rain."]
    assert names("Tesla sang. Rain fell.", corpus) == ["Tesla"]


def test_a_name_goes_on_over_small_words_initials_and_numbers():
    corpus = ["at the University of Oslo", "by J. K. Rowling", "with Apollo 11"]
    text = "He left the University of Oslo with J. K. Rowling of Apollo 11 and Bo."
    assert names(text, corpus) == ["University of Oslo", "J. K. Rowling of Apollo 11", "Bo"]


def test_of_spans_that_overlap_the_longest_stays():
    text = "on 3 May 1999 at 7"
    assert [text[span.start : span.end] for span in outermost(by_rules(text))] == ["3 May 1999", "7"]


def test_characters_of_unspaced_scripts_are_tokens_of_their_own():
    assert [token.word for token in tokens("東京 is Tokyo")] == ["東", "京", "is", "tokyo"]


def test_an_installed_spacy_model_finds_the_names():
    spacy = pytest.importorskip("spacy")
    if not spacy.util.get_installed_models():
        pytest.skip("no model of spaCy is installed")
    text = "Barack Obama was born in Hawaii in 1961."
    spans = next(name_finder()([text], lambda token: False))
    assert {(text[s.start : s.end], s.kind) for s in spans} >= {("Barack Obama", "name"), ("1961", "date")}


def test_every_character_of_a_script_without_spaces_is_a_word_rare_ones_too():
    assert [token.word for token in tokens("犬と𠮷")] == ["犬", "と", "𠮷"]
