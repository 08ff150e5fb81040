"""Cloze questions: few words of a sentence, never its answer, asked for the chunk that the sentence stands in."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.lessons import cloze
from reatt.lessons.batches import ChunkIds, Lessons
from reatt.lessons.close_chunks import WordSearch
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.backbone import ChunkText
from reatt.model.tokens import TextTokenizer
from tests.models_made import write_letters

WORDS = st.lists(st.sampled_from("the old king gave his daughter a golden ring and sailed home".split()), max_size=12)


@given(before=WORDS, after=WORDS, kind=st.sampled_from(["number", "date", "name", "id", "phrase"]), seed=st.integers())
def test_a_question_is_a_question_word_and_some_words_of_the_sentence_in_order(before, after, kind, seed):
    example = Example((" ".join(before), " ".join(after)), ("Helga",), "a", 1, kind)
    asked = cloze.question(example, random.Random(seed))
    assert asked.endswith("?")
    assert "Helga" not in asked
    left = iter([*before, *after])
    taken = [word for word in asked[:-1].split() if word in {*before, *after}]
    assert len(taken) <= cloze.WORDS[1]
    assert all(word in left for word in taken)


SENTENCES = {
    1: [("Ada Lovelace wrote the first program in ", "."), ("She corresponded with ", " about weaving patterns.")],
    2: [("The Elbe flows into the North Sea near ", ".")],
    3: [(f"Minute {n} of the meeting was written by ", " in a hurry.") for n in range(9)],
}
CORPUS = Corpus((1, 2, 3), tuple(ChunkText("", " ".join(map("x".join, SENTENCES[n]))) for n in SENTENCES),
                ("a", "b", "c"), (1, 2, 3), ("a", "b", "c"), (0, 1, 2))  # fmt: skip
MASKED = [Example(parts, ("x",), "a", chunk, "name") for chunk in SENTENCES for parts in SENTENCES[chunk]]


def letters():
    """Make a tokenizer with a mask."""
    with tempfile.TemporaryDirectory() as folder:
        write_letters(Path(folder) / "tokenizer.json")
        return TextTokenizer(Path(folder) / "tokenizer.json", end=1)


TOKENIZER = letters()


WORD_SEARCH = WordSearch(CORPUS)


def lessons(near=None, widens=False, close=None):
    close = close or [(example.chunk, example.chunk % 3 + 1) for example in MASKED]
    masked = cloze.by_chunk(MASKED)
    return Lessons(MASKED, close, ChunkIds(CORPUS, TOKENIZER), TOKENIZER, 4, 0, masked, near, widens)


def test_chunks_are_asked_for_by_some_of_their_own_sentences_alone():
    batch = lessons().batch(0)
    sources = [each.close[0] for each in batch.cloze]
    for number, ids in enumerate(batch.chunks):
        own = next(n for n in SENTENCES if CORPUS.passages[n - 1].text in TOKENIZER.decode(ids))
        assert sources.count(number) == min(cloze.OF_A_CHUNK, len(SENTENCES[own]))
        known = set(" ".join(map(" ".join, SENTENCES[own])).split())
        asked = [TOKENIZER.decode(each.ids) for each in batch.cloze if each.close[0] == number]
        assert all(known & set(question.strip("?").split()) for question in asked)


def test_words_share_out_what_the_source_is_not_worth():
    for each in lessons(WORD_SEARCH.near, widens=True).batch(0).cloze:
        assert len(set(each.close)) == len(CORPUS.ids)
        assert sum(each.shares) == pytest.approx(1)
        assert each.shares[0] > cloze.SOURCE


@given(st.lists(st.floats(0, 50), min_size=1, max_size=5))
def test_shares_make_one_and_keep_the_order_of_words(words):
    found = cloze.shares(words)
    assert sum(found) == pytest.approx(1)
    own = [found[0] - cloze.SOURCE, *found[1:]]
    assert all(own[a] >= own[b] - 1e-12 for a in range(len(words)) for b in range(len(words)) if words[a] >= words[b])


def test_chunks_that_no_question_is_close_to_join_only_where_that_is_asked_for():
    close = [(example.chunk,) for example in MASKED]
    narrow, wide = (lessons(WORD_SEARCH.near, widens, close).batch(1) for widens in (False, True))
    assert wide.chunks[: len(narrow.chunks)] == narrow.chunks
    assert len(narrow.chunks) < len(wide.chunks) == len(CORPUS.ids)
    assert narrow.close == wide.close


def test_words_name_the_source_first_whatever_they_find():
    for source in CORPUS.ids:
        found = WORD_SEARCH.near("the North Sea", source, 2)
        assert next(iter(found)) == source
        assert len(found) == 3
        assert max(found, key=found.__getitem__) == 2
    assert WORD_SEARCH.near("xyzzy", 3, 2) == {3: 0.0}


def test_the_same_step_asks_the_same_and_another_one_does_not():
    assert lessons().batch(3) == lessons().batch(3)
    assert lessons().batch(3).cloze != lessons().batch(4).cloze


def test_people_s_questions_are_asked_as_they_are():
    assert cloze.by_chunk([Example(("Who wrote it?",), ("Ada",), "a", 1, "question")]) == {}
