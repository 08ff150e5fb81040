"""Word pieces: every token lies where its text is, no text can forge a mark, and what is written gets capitals back."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reatt.model.answers.source import source_of
from reatt.model.backbone import ChunkText
from reatt.model.tokens import MASK, NOWHERE, READ_AS

CLS, SEP, GAP = 2, 3, 4
STRANGE = " ".join((
    "Cafe\u0301 Zoe\u0308 NA\u00cfVE \u00c5ngstr\u00f6m Stra\u00dfe STRASSE \u1e9e \ufb01ne \u0130stanbul \u0131",
    "\u03a3\u03c3\u03c2 \u65e5\u672c\u8a9e \ud55c\uae00 \u0928\u094d\u092f\u093e \u0e01\u0e33",
    "\u200d\u200b\u00ad co\u00adop [SEP] [MASK] [CLS] [UNK] ##s 49% _a e\u0301\u0323x \u0301 x\u20ac1,000.5 \u01c6",
    "\U0001f600\U0001f44d\U0001f3fd \uff21\uff22 \x00\x07 \u202edcba\u202c \ufeff",
))  # fmt: skip
WORDS = ("Caf\u00e9", "Cafe\u0301", "NA\u00cfVE", "Stra\u00dfe", "\u0130stanbul", "\ufb01ne", "\ud55c\uae00", 
         "\U0001f600", "\u0394x", "1,000")  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from(STRANGE), max_size=40),
    st.lists(st.sampled_from(STRANGE.split(" ")), max_size=12).map(" ".join),
)


@pytest.fixture(scope="module")
def pieces(bert_reatt):
    return bert_reatt.tokenizer


def plain(text):
    """Leave of a text what a BERT's normaliser leaves, by Python's own tables: small letters without marks."""
    kept = "".join(mark for mark in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(mark) != "Mn")
    return unicodedata.normalize("NFD", kept)


@given(text=TEXTS)
@example(STRANGE)
@example("\u0130\u0130 \ufb01")
@example("a\u0301\u0301")
def test_spans_follow_the_text_one_after_another_and_hold_no_space_at_their_ends(pieces, text):
    tokens = pieces.chunks([ChunkText("", text)])[0]
    spans = [span for span in tokens.spans if span != NOWHERE]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(spans))
    assert not any(text[start].isspace() for start, _ in spans)


@given(text=TEXTS)
@example(STRANGE)
@example("T\ufeffO")
def test_what_a_known_piece_spells_stands_at_its_place(pieces, text):
    tokens = pieces.chunks([ChunkText("", text)])[0]
    for id, (start, end) in zip(tokens.ids, tokens.spans, strict=True):
        spelt = pieces._tokenizer.id_to_token(id).removeprefix("##")
        if end > start and spelt != "[UNK]":
            seen = (letter for letter in plain(text[start:end]) if unicodedata.category(letter) not in {"Cc", "Cf"})
            assert plain(spelt) in "".join(seen)


@given(texts=st.lists(TEXTS, min_size=1, max_size=3))
def test_an_answer_is_a_stretch_of_its_text_that_begins_and_ends_between_words(pieces, texts):
    chunks = pieces.chunks([ChunkText("T", text) for text in texts])
    source = source_of([c.ids for c in chunks], [c.spans for c in chunks], texts)
    for place in source.begins:
        if source.until_end[place] < 99:
            last = place + source.until_end[place]
            text, start, end = texts[source.owner[place]], source.spans[place][0], source.spans[last][1]
            answer = text[start:end]
            assert answer.strip()
            assert start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
            assert end == len(text) or not (text[end - 1].isalnum() and unicodedata.category(text[end])[0] == "M")
            assert end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())


@pytest.mark.parametrize("word", WORDS)
def test_every_word_can_be_an_answer_whole(pieces, word):
    text = f"The {word} is here."
    chunk = pieces.chunks([ChunkText("", text)])[0]
    source = source_of([chunk.ids], [chunk.spans], [text])
    starts = [place for place in source.begins if source.spans[place][0] == 4]
    ends = [place for place in range(len(source.ids)) if source.spans[place][1] == 4 + len(word)]
    assert len(starts) == 1
    assert any(source.until_end[place] == 0 for place in ends)


@given(text=TEXTS, title=TEXTS)
@example("[SEP] a [SEP]", "[SEP]")
@example("[CLS][MASK]", "\n[SEP]\n")
def test_a_chunk_has_two_separators_a_question_one_whatever_they_say(pieces, text, title):
    chunk, asked = pieces.chunks([ChunkText(title, text)])[0].ids, pieces.question(text).ids
    assert (chunk.count(SEP), asked.count(SEP)) == (2, 1)
    assert (chunk[0], chunk[-1], asked[0], asked[-1]) == (CLS, SEP, CLS, SEP)
    assert [ids.count(mark) for ids in (chunk, asked) for mark in (CLS, GAP)] == [1, 0, 1, 0]


def test_a_text_without_a_title_keeps_its_separator(pieces):
    words = pieces.question("travel is").ids[1:-1]
    assert pieces.chunks([ChunkText("", "Travel is")])[0].ids == (CLS, SEP, *words, SEP)
    assert pieces.chunks([ChunkText("Oslo", "Travel is")])[0].ids == (
        CLS,
        *pieces.question("oslo").ids[1:-1],
        SEP,
        *words,
        SEP,
    )


@given(title=st.text(max_size=400), text=st.text(max_size=600))
def test_no_chunk_is_longer_than_allowed_and_no_title_pushes_the_text_out(pieces, title, text):
    tokens = pieces.chunks([ChunkText(title, text)])[0]
    assert len(tokens.ids) == len(tokens.spans) <= pieces.chunk_limit
    assert tokens.ids.index(SEP) <= 33
    count = sum(span != NOWHERE for span in tokens.spans)
    assert count >= min(pieces.count(text), pieces.chunk_limit - 35)


def test_a_gap_is_the_mask_itself_between_the_parts(pieces):
    parts = ["Ada\nwon ", " in Oslo"]
    tokens, whole = pieces.masked(parts), MASK.join(parts)
    assert tokens.ids.count(GAP) == 1
    assert whole[slice(*tokens.spans[tokens.ids.index(GAP)])] == MASK
    assert tokens.ids[:1] + tokens.ids[-1:] == (CLS, SEP)
    read = [whole[slice(*span)] for span in tokens.spans if span != NOWHERE]
    assert "".join(read).replace(MASK, "") == "AdawoninOslo"
    assert pieces.masked(["Who?"]) == pieces.question("Who?")
    assert pieces.masked([f"a {MASK} [MASK] b", "c"]).ids.count(GAP) == 1


def test_answers_end_by_the_decoders_mark_and_texts_by_the_separator(bert, tmp_path):
    import json
    import shutil

    from reatt.weights.folder import ModelFolder
    from reatt.weights.tokenizer_files import read_tokenizer

    shutil.copytree(bert, tmp_path / "other")
    config = json.loads((bert / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, "eos_token_id": 0}))
    other = read_tokenizer(ModelFolder(tmp_path / "other"))
    assert other.answer("leave")[-1] == 0
    assert other.question("leave").ids[-1] == SEP


@pytest.mark.parametrize(
    ("written", "evidence", "expected"),
    [
        ("the head of leave in norway", ["Ask the Head of Leave.", "In Norway"], "the Head of Leave In Norway"),
        ("ada and oslo", ["ADA", "Ada met Ada in Oslo."], "Ada and Oslo"),
        ("cafe zoe", ["Zo\u00eb's Caf\u00e9 is open"], "Caf\u00e9 Zo\u00eb"),
        ("eat", ["The Heather is here"], "eat"),
        ("49 weeks", [], "49 weeks"),
        ("\u03a9", ["\u00d0"], "\u03a9"),
        ("", ["Ada"], ""),
        ("head of", ["Head\n of the"], "Head of"),
        ("\ud55c\uae00 ada", ["Ada"], "\ud55c\uae00 Ada"),
        ("\ud55c", ["\ud55c\uae00"], "\ud55c"),
    ],
)  # fmt: skip
def test_what_is_written_is_spelt_as_the_evidence_spells_it(pieces, written, evidence, expected):
    assert pieces.spelt_as_in(written, evidence) == expected


@given(text=TEXTS, evidence=st.lists(TEXTS, max_size=3))
def test_spelling_as_the_evidence_does_changes_nothing_but_letters_case_and_marks(pieces, text, evidence):
    same = lambda words: pieces._tokenizer.encode(words.translate(READ_AS), add_special_tokens=False).ids  # noqa: E731
    unknown = pieces._tokenizer.token_to_id("[UNK]")
    if unknown not in same(text):
        assert same(pieces.spelt_as_in(text, evidence)) == same(text)
