"""Laws of the search by words."""

import sqlite3
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt_store.lexical.irregular import FORMS as FORM_GROUPS
from reatt_store.lexical.irregular import other_forms
from reatt_store.lexical.terms import TERM_LIMIT, marked, terms
from reatt_store.library import Chunk, Document, Library

TEXTS = ("the cat sat", "a dog running in the park", "café society", "cats and dogs", "how is it done")
HOSTILE = [
    '"',
    '""',
    "AND",
    "OR NOT",
    "NEAR(a b)",
    "title:cat",
    "cat*",
    "^cat",
    "{a b}",
    "-",
    "a\0b",
    "\ud800",
    "'; --",
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    with stored(tmp_path_factory.mktemp("store"), *TEXTS) as library:
        yield library


@contextmanager
def stored(folder, *texts):
    """Make a store of texts."""
    with Library.create(folder) as library:
        with library.writing() as writer:
            for number, text in enumerate(texts):
                title = "Rome" if number == 1 else "x"
                chunk = Chunk(0, 0, len(text), 1, None, title, text)
                writer.publish([(Document(f"/{number}.md", None, "", "text", "", 1, 0), [chunk])], None, 0)
        yield library


def found(library: Library, question: str) -> list[str]:
    return [TEXTS[id - 1] for id, _ in library.words(question, 10)]


def test_scores_fall_and_ties_go_to_the_older_chunk(library):
    hits = library.words("cat dog", 10)
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
    assert hits[0][0] == 4
    assert all(score > 0 for _, score in hits)


def test_stems_and_accents_do_not_matter(library):
    assert found(library, "Who RUNS?") == ["a dog running in the park"]
    assert found(library, "cafe") == found(library, "cafe\u0301") == ["café society"]


FORMS = [
    ("knife", "The knives hang over the sink"),
    ("mice", "A mouse sat under the stairs"),
    ("child", "The children came too late"),
    ("wrote", "They write on the wall"),
    ("went", "We go by boat"),
    ("crisis", "Two crises of the harbour"),
]


@pytest.mark.parametrize(("asked", "text"), FORMS)
def test_an_irregular_word_that_stands_nowhere_finds_its_other_forms(tmp_path, asked, text):
    with stored(tmp_path, text, "Nothing of the kind") as library:
        assert [id for id, _ in library.words(asked, 10)] == [1]
        start, end = marked(asked, text)[0]
        assert text[start:end] in other_forms(asked)


@pytest.mark.parametrize(("asked", "text"), FORMS)
def test_an_irregular_word_that_stands_somewhere_is_looked_for_as_it_is(tmp_path, asked, text):
    with stored(tmp_path, text, f"Here is {asked}") as library:
        assert [id for id, _ in library.words(asked, 10)] == [2]


def test_no_irregular_word_has_two_sets_of_forms():
    assert all(form in FORM_GROUPS for forms in FORM_GROUPS.values() for form in forms)
    assert all(word in other_forms(form) for word, forms in FORM_GROUPS.items() for form in forms)


def test_the_title_is_searched(library):
    assert found(library, "rome") == ["a dog running in the park"]


def test_stop_words_count_only_when_there_is_nothing_else():
    assert terms("What is the cat?") == ["cat"]
    assert terms("How is it?") == ["how", "is", "it"]


def test_a_question_of_stop_words_still_finds(library):
    assert found(library, "how is it done")[0] == found(library, "how is it")[0] == "how is it done"


def test_the_limit_keeps_the_best(library):
    assert library.words("cat dog park", 1) == library.words("cat dog park", 10)[:1]
    assert library.words("cat", 0) == []


@pytest.mark.parametrize("question", HOSTILE)
def test_no_query_language_gets_through(library, question):
    assert "cats and dogs" in found(library, f"{question} dog")


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.lists(st.sampled_from([*HOSTILE, "cat", "(", ")", ":", "+"])).map(" ".join))
def test_no_question_is_an_error(library, question):
    assert len(library.words(question, 3)) <= 3


def test_a_pasted_book_is_cut(library):
    question = " ".join(f"w{number}" for number in range(50_000))
    assert len(terms(question)) == TERM_LIMIT
    assert found(library, f"cat {question}") == found(library, "cat")


def document(number: int) -> tuple[Document, list[Chunk]]:
    text = f"the gate of yard {number} opens at {number % 7}"
    return Document(f"/{number}.md", None, "", "text", "", 1, 0), [Chunk(0, 0, len(text), 1, None, "x", text)]


def parts_of_index(library: Library) -> int:
    with closing(sqlite3.connect(library.folder / "reatt.db")) as reader:
        return int(reader.execute("SELECT count(DISTINCT segid) FROM words_idx").fetchone()[0])


def test_documents_that_are_published_together_make_one_part_of_the_word_index(tmp_path):
    with Library.create(tmp_path) as library, library.writing() as writer:
        writer.publish([document(number) for number in range(50)], None, 0)
        assert parts_of_index(library) == 1


def test_a_writer_puts_the_parts_of_the_word_index_together_and_the_same_is_found(tmp_path):
    with Library.create(tmp_path) as library:
        with library.writing() as writer:
            for number in range(30):
                writer.publish([document(number)], None, 0)
            before = [library.words(question, 40) for question in ("gate", "yard 5", "opens at 3")]
            assert parts_of_index(library) > 1
        assert parts_of_index(library) == 1
        assert [library.words(question, 40) for question in ("gate", "yard 5", "opens at 3")] == before
        assert library.check().ok


def test_a_few_new_documents_leave_a_large_word_index_as_it_is(tmp_path):
    with Library.create(tmp_path) as library:
        with library.writing() as writer:
            writer.publish([document(number) for number in range(3000)], None, 0)
        with library.writing() as writer:
            writer.publish([document(5000)], None, 0)
        assert parts_of_index(library) == 2
        assert library.words("yard 5000", 1)
