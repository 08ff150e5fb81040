"""Which spans of a sentence are drawn, how often, and from which tier."""

import random
from collections import Counter

import pytest

from reatt.lessons.entities import tokens
from reatt.lessons.spans import CAP, PhraseBook, Sampler, Statistics, read_spans
from reatt_store.errors import QueriesFormat

NAMED = "In 1912 the night ferry crossed to Bergen."
FILLER = [f"Nothing of note is told here by writer {letter}." for letter in "abcdefghijklmnop" * 3]
CORPUS = [NAMED, "A night ferry left with Bergen ahead.", *FILLER]


def drawn(sentences, **options):
    sampler = Sampler(Statistics(CORPUS), random.Random(0), **options)
    return [
        span and (sentence[span.start : span.end], span.kind)
        for sentence, span in zip(sentences, sampler.draw(sentences), strict=True)
    ]


def test_a_phrase_has_to_recur_in_another_chunk_and_not_in_all():
    statistics = Statistics(CORPUS)
    found = [NAMED[s.start : s.end] for s in statistics.phrases(NAMED, tokens(NAMED))]
    assert "night ferry" in found
    assert "crossed to Bergen" not in found  # nowhere else
    assert list(statistics.phrases(FILLER[0], tokens(FILLER[0]))) == []  # everywhere


def test_the_same_phrase_twice_in_one_chunk_does_not_recur():
    statistics = Statistics(["green tea, then green tea", "other words"])
    assert statistics.recurs(tokens("green tea")) == 0


def test_no_phrase_begins_or_ends_with_a_stop_word_or_a_lone_letter():
    text = "Luther's head of department, Luther's head of department"
    statistics = Statistics([text, text, *FILLER])
    found = {text[s.start : s.end].lower() for s in statistics.phrases(text, tokens(text))}
    assert {"head of department", "department"} <= found
    assert not {"s head", "of department", "head of"} & found


def test_seven_in_ten_come_from_the_entity_tier():
    book = Statistics(CORPUS)
    kinds = Counter()
    for seed in range(400):
        kinds.update(span.kind for span in Sampler(book, random.Random(seed)).draw([NAMED]) if span)
    assert kinds.total() == 400
    assert 0.63 < 1 - kinds["phrase"] / 400 < 0.77


def test_no_span_is_asked_for_more_often_than_the_cap():
    sentences = ["It was 1912."] * (CAP + 5)
    assert [found for found in drawn(sentences) if found] == [("1912", "date")] * CAP


def test_rare_spans_and_those_that_recur_are_drawn_more_often():
    sentence = "From Bergen and from Voss they came."
    corpus = [*CORPUS, sentence, "And Bergen again."]
    draws = Counter()
    for seed in range(300):
        for span in Sampler(Statistics(corpus), random.Random(seed)).draw([sentence]):
            draws[span and sentence[span.start : span.end]] += 1
    assert draws["Bergen"] > 1.5 * draws["Voss"] > 0


def test_with_recurring_only_nothing_else_is_drawn():
    assert drawn(["We sailed to Stavanger in 1777."], recurring_only=True) == [None]
    assert {found for found, _ in drawn([NAMED] * 15, recurring_only=True)} <= {
        "night ferry",
        "night",
        "ferry",
        "Bergen",
    }


def test_what_the_user_lists_is_asked_for_first():
    assert drawn([NAMED], book=PhraseBook(["Crossed  to"])) == [("crossed to", "name")]


def test_a_sentence_without_anything_salient_has_no_question():
    assert drawn(["They went there as it was."]) == [None]


def test_equal_seeds_draw_equal_spans():
    assert drawn([NAMED] * 30) == drawn([NAMED] * 30)


def test_a_script_without_capitals_or_spaces_has_recurring_phrases():
    texts = ["大阪城は有名です。", "私は大阪城を見た。"]
    statistics = Statistics([*texts, *FILLER])
    assert "大阪城" in [texts[0][s.start : s.end] for s in statistics.phrases(texts[0], tokens(texts[0]))]


def test_phrases_are_found_wherever_their_words_stand_in_a_row():
    words = tokens("Ada Lovelace met ada lovelace's Ada")
    assert list(PhraseBook(["ada lovelace", "ADA"]).find(words)) == [(0, 1), (0, 2), (3, 4), (3, 5), (6, 7)]


@pytest.mark.parametrize("content", [None, b"", b" \n\n", b"\xff\xfe\xfa"])
def test_a_list_of_spans_that_lists_nothing_is_refused(tmp_path, content):
    file = tmp_path / "spans.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(QueriesFormat, match=r"spans\.txt") as error:
        read_spans(file)
    assert "Ada Lovelace" in error.value.fix


def test_a_list_of_spans_is_read_line_by_line(tmp_path):
    (tmp_path / "spans.txt").write_text("\ufeffAda Lovelace\n\nmirror cell\n", encoding="utf-8")
    assert len(read_spans(tmp_path / "spans.txt")) == 2
