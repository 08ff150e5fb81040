"""Hybrid search over a generation finds what a person's search finds, and its weights are fitted with care."""

import pytest

from reatt.judging.fusion import ATTENTION, Blend, Found, HybridSearch, by_words, fitted
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.search.retriever import Retriever
from reatt_store.library import Library

USUAL = Blend(0.7, 0.8)


@pytest.mark.parametrize("blend", [USUAL, Blend(0.2, 0.0)])
def test_it_finds_what_a_search_finds(archive, tiny_reatt, blend):
    with Library(archive) as library:
        corpus, made = Corpus.of(library), library.generation()
        search = HybridSearch(library, made.id, tiny_reatt, corpus, blend, by_words(library))
        asked = [passage.text[:40] for passage in corpus.passages[:8]]
        found = search([Example((question,), (), "g", None, "question") for question in asked], 10)
        usual = Retriever(library, tiny_reatt, made, blend.attention, named=blend.names)
        for question, numbers in zip(asked, found, strict=True):
            hits = usual.search(question, 50)
            texts = list(dict.fromkeys(corpus.equal[corpus.number[hit.chunk.id]] for hit in hits))
            assert numbers == texts[:10]


def asked(attention, words, count, names=None):
    """So many questions alike, whose right chunk is 1, beside three others."""
    return [(Found(attention, words, names or {}), 1) for _ in range(count)]


def test_weights_that_nothing_speaks_against_stay():
    assert fitted(asked({1: 4.0, 2: 1.0}, {1: 3.0}, 30), list, USUAL) == USUAL
    assert fitted([], list, USUAL) == USUAL


def test_names_that_mislead_weigh_less_and_attention_that_finds_weighs_more():
    misled = asked({1: 4.0, 2: 3.0, 3: 1.0}, {1: 2.0, 2: 2.0, 3: 2.0}, 30, names={2: 2.0})
    assert fitted(misled, list, USUAL).names < USUAL.names
    seen = asked({1: 4.0, 2: 3.5, 3: 1.0}, {2: 2.0, 3: 1.0}, 30)
    assert fitted(seen, list, USUAL).attention > USUAL.attention


def test_one_question_of_many_is_chance():
    seen = asked({1: 4.0, 2: 3.5, 3: 1.0}, {2: 2.0, 3: 1.0}, 1) + asked({1: 4.0, 2: 1.0}, {1: 3.0}, 99)
    assert fitted(seen, list, USUAL) == USUAL


def test_weights_are_of_the_table():
    seen = asked({1: 4.0, 2: 3.5, 3: 1.0}, {2: 2.0, 3: 1.0}, 30)
    assert fitted(seen, list, USUAL).attention in ATTENTION
