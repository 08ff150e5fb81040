"""Cached decoding is the uncached one, beams find the best, and a grounded answer is a stretch of its evidence."""

import itertools
import unicodedata

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reatt.model.answers.decoding import generate
from reatt.model.answers.source import asking_clause, is_yes_no, source_of
from reatt.model.backbone import ChunkText, Limits
from reatt.model.t5 import T5, T5Config

TEXT = "Parental leave in Norway is 49 weeks at full pay. Ask Ada."
SHAPE = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 1, "num_decoder_layers": 2}
END = 1


def small(seed, vocabulary=6):
    """Make a decoder that is sure enough of itself to end before the limit now and then."""
    torch.manual_seed(seed)
    t5 = T5(T5Config(vocab_size=vocabulary, **SHAPE)).eval().requires_grad_(False)
    t5.lm_head.weight.data *= 2
    return t5, torch.randn(1, 5, 16)


def log_probabilities(t5, memory, ids):
    """Score every token after each prefix of `ids`, with nothing kept from before: (n + 1, V)."""
    return torch.log_softmax(t5.logits(t5.decode(torch.tensor([[0, *ids]]), t5.remember(memory))[0]), -1)


def score(t5, memory, ids):
    """Sum the log-probabilities of an answer and its end mark."""
    return float(log_probabilities(t5, memory, ids).gather(1, torch.tensor([[*ids, END]]).T).sum())


def greedy(t5, memory, longest):
    ids = []
    while len(ids) < longest:
        scores = log_probabilities(t5, memory, ids)[-1]
        scores[0] = -torch.inf
        if not ids:
            scores[END] = -torch.inf
        if scores.argmax() == END:
            break
        ids.append(int(scores.argmax()))
    return tuple(ids)


@pytest.mark.parametrize("seed", range(12))
def test_one_beam_is_greedy_search_over_the_whole_prefix_anew(seed):
    t5, memory = small(seed, vocabulary=30)
    found = generate(t5, t5.remember(memory), Limits(max_tokens=8), None)
    assert found[0].ids == greedy(t5, memory, 8)


@pytest.mark.parametrize("beams", [1, 3, 7])
@pytest.mark.parametrize("seed", range(4))
def test_cached_scores_are_those_of_the_whole_prefix_anew(seed, beams):
    t5, memory = small(seed, vocabulary=30)
    for found in generate(t5, t5.remember(memory), Limits(max_tokens=6, beams=beams), None):
        assert found.log_probability == pytest.approx(score(t5, memory, found.ids), abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_enough_beams_find_the_best_of_all_sequences(seed):
    t5, memory = small(seed)
    every = [ids for n in (1, 2, 3) for ids in itertools.product(range(2, 6), repeat=n)]
    scored = {ids: score(t5, memory, ids) / (len(ids) + 1) for ids in every}
    found = generate(t5, t5.remember(memory), Limits(max_tokens=3, beams=200), None)
    assert found[0].ids == max(scored, key=scored.get)
    assert {hypothesis.ids: hypothesis.mean for hypothesis in found} == pytest.approx(scored, abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_answers_come_best_first_and_once_each(seed):
    t5, memory = small(seed, vocabulary=30)
    found = generate(t5, t5.remember(memory), Limits(max_tokens=6, beams=5), None)
    assert found == sorted(found, key=lambda hypothesis: -hypothesis.mean)
    assert len({hypothesis.ids for hypothesis in found}) == len(found) >= 5


@pytest.mark.parametrize("grounded", [True, False])
@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_no_answer_is_longer_than_asked(tiny_reatt, grounded, most):
    reading = tiny_reatt.read("Who?", [ChunkText("Leave", TEXT)])
    source = source_of(reading.tokens, reading.spans, [TEXT]) if grounded else None
    found = generate(tiny_reatt.t5, reading.cache, Limits(max_tokens=most, beams=3), source)
    assert 0 < max(len(hypothesis.ids) for hypothesis in found) <= most


def answer(model, question, texts, **limits):
    evidence = [ChunkText("Title", text) for text in texts]
    return model.answer(question, evidence, [1.0] * len(texts), Limits(**limits))


def inside_word(text, at):
    """Say whether a word goes on across a place: letters, digits and what is combined with them."""
    neighbours = text[at - 1 : at + 1] if 0 < at < len(text) else " "
    return all(c.isalnum() or unicodedata.category(c)[0] == "M" for c in neighbours)


ALPHABET = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from(
        [
            *"leave in Norway 49\n\r\t.,-()'",
            "é",
            "e\u0301",
            "京",
            "हि",
            "👩‍👩‍👧",
            "\u00a0",
            "\u2028",
            "ﬁ",
            "</s>",
            " yes",
        ]
    ),
)
TEXTS = st.lists(st.lists(ALPHABET, max_size=40).map("".join), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(texts=TEXTS, most=st.sampled_from([1, 2, 5, 32]), beams=st.sampled_from([1, 1, 3]))
@example(texts=["internationalisation"], most=1, beams=1)
@example(texts=["</s> <pad>"], most=5, beams=1)
@example(texts=["\n\n  49\r\nweeks  "], most=32, beams=3)
def test_a_grounded_answer_is_a_stretch_of_its_evidence_from_word_border_to_word_border(tiny_reatt, texts, most, beams):
    told = answer(tiny_reatt, "How long?", texts, max_tokens=most, beams=beams)
    if told.source is None:
        assert told.text == ""
        return
    text, (start, end) = texts[told.source], told.span
    assert text[start:end] == told.text != ""
    assert told.text == told.text.strip()
    assert not any(inside_word(text, border) for border in (start, end))


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.sampled_from("leave Norway is 49 weeks"), min_size=1).filter(str.strip))
def test_there_is_an_answer_wherever_there_is_a_word(tiny_reatt, text):
    assert answer(tiny_reatt, "How long?", [text], max_tokens=len(text)).text


def test_no_word_that_fits_is_no_answer(tiny_reatt):
    told = answer(tiny_reatt, "What?", ["internationalisation"], max_tokens=2)
    assert (told.text, told.source, told.span, told.confidence) == ("", None, None, 0.0)


@pytest.mark.parametrize("texts", [[""], ["   \n"], ["", ""]])
@pytest.mark.parametrize("free", [True, False])
def test_evidence_without_text_can_be_read(tiny_reatt, texts, free):
    told = answer(tiny_reatt, "What?", texts, free=free)
    assert told.source is None
    assert told.text == "" or free
    assert sum(told.shares) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("question", ["Is leave paid?", "does Ada know?", "CAN I?"])
def test_yes_and_no_answer_yes_no_questions_without_a_source(tiny_reatt, question):
    told = answer(tiny_reatt, question, ["internationalisation"], max_tokens=3)
    assert told.text in ("yes", "no")
    assert (told.source, told.span) == (None, None)


@settings(max_examples=60, deadline=None)
@given(question=st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), text=st.text(min_size=1))
def test_other_questions_are_never_answered_yes_or_no_from_nowhere(tiny_reatt, question, text):
    told = answer(tiny_reatt, f"Who {question}", [text])
    assert told.source is not None or told.text == ""


def test_blanks_before_a_question_are_looked_at_once():
    question = "\n" * 2_000_000 + "Who has the key?"  # in the square of their number this takes hours
    assert asking_clause(question) == "Who has the key?"
    assert not is_yes_no(question)


@pytest.mark.parametrize("question", ["Which is it?", "Is it tea or coffee?", "Island?", " "])
def test_choices_and_other_questions_are_no_yes_no_questions(question):
    assert not is_yes_no(question)


def test_free_answers_leave_the_evidence(tiny_reatt):
    free = [answer(tiny_reatt, question, [TEXT], free=True) for question in ("Who?", "What?", "Where?")]
    assert all(told.source is None and told.span is None for told in free)
    assert any(told.text and told.text not in TEXT for told in free)


def test_the_most_attended_evidence_is_the_source_of_what_several_hold(tiny_reatt):
    texts = ["49", "49 weeks", "49"]
    told = answer(tiny_reatt, "How many?", texts, max_tokens=1)
    assert told.text in ("49", "weeks")
    holding = [share if told.text in text else 0 for share, text in zip(told.shares, texts, strict=True)]
    assert told.source == holding.index(max(holding))


def test_marks_in_a_text_end_nothing(tiny_reatt):
    tokens = tiny_reatt.tokenizer.chunks([ChunkText("</s>", "a </s> b <pad>")])[0]
    assert (tokens.ids.count(END), tokens.ids.count(0)) == (1, 0)


@settings(max_examples=100, deadline=None)
@given(
    title=st.text(max_size=120),
    lead=st.text(" \n\t", max_size=300),
    text=st.lists(ALPHABET, min_size=1, max_size=30).map("".join),
)
def test_titles_and_margins_push_no_text_out_of_a_chunk(tiny_reatt, title, lead, text):
    tokens = tiny_reatt.tokenizer.chunks([ChunkText(title, lead + text)])[0]
    ends = [end for _, end in tokens.spans]
    assert max(ends) == len((lead + text).rstrip()) or not text.strip()
