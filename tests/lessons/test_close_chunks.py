"""Close chunks: by words, by attention, from a file."""

import json

import bm25s
import numpy as np
import pytest
import torch

from reatt.lessons.close_chunks import (
    K1,
    AttentionSearch,
    B,
    FileSearch,
    WordSearch,
    _words,
    best,
    close_chunks,
    search_from,
    with_gold,
)
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.search.retriever import Retriever
from reatt_store.errors import QueriesFormat
from reatt_store.library import Library


@pytest.fixture(scope="module")
def library(archive):
    with Library.open(archive) as library:
        yield library


@pytest.fixture(scope="module")
def corpus(library):
    return Corpus.of(library)


@pytest.fixture(scope="module")
def by_words(corpus):
    return WordSearch(corpus)


@pytest.fixture(scope="module")
def by_attention(corpus, tiny_reatt):
    return AttentionSearch(corpus, tiny_reatt)


def asking(text, **fields):
    return Example((text,), ("x",), "g", fields.pop("chunk", None), "question", **fields)


def own(corpus, number):
    """Ask with a chunk's own words."""
    return asking(corpus.passages[number].text, chunk=corpus.ids[number])


def file_of(tmp_path, *rows):
    (tmp_path / "close.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "close.jsonl"


def test_word_search_ranks_as_bm25s_does(corpus, by_words):
    first = sorted(set(corpus.equal))
    reference = bm25s.BM25(k1=K1, b=B)
    passages = [corpus.passages[number] for number in first]
    reference.index([_words(f"{each.title} {each.text}") for each in passages], show_progress=False)
    for question in ("telescope mirror comet", "Who bakes rye bread in the garden of Oslo?"):
        scores = reference.get_scores(_words(question))
        assert by_words([asking(question)], 20)[0] == [first[place] for place in best(scores, 20)]


def test_a_chunk_is_found_by_its_own_words(corpus, by_words):
    numbers = [number for number in range(0, 300, 30) if corpus.equal[number] == number]
    found = close_chunks([own(corpus, number) for number in numbers], corpus, by_words, 5)
    assert [ids[0] for ids in found] == [corpus.ids[number] for number in numbers]


def test_plural_and_singular_find_each_other(corpus, by_words):
    (one,), (many,) = (by_words([asking(word)], 1) for word in ("telescope", "telescopes"))
    assert one == many


def test_a_mask_is_no_word(corpus, by_words):
    masked = Example(("the comet ", " over Oslo"), ("x",), "g", None, "name")
    assert by_words([masked], 9) == by_words([asking("the comet over Oslo")], 9)


def test_a_question_without_a_known_word_still_has_chunks(by_words):
    assert len(by_words([asking("zzz the")], 7)[0]) == 7


def test_equal_texts_come_once(corpus, by_words, by_attention):
    for search in (by_words, by_attention):
        (found,) = search([own(corpus, 0)], len(corpus.ids))
        assert sorted(found) == sorted(set(corpus.equal))


def test_attention_search_finds_what_the_store_finds(library, corpus, by_attention, tiny_reatt):
    retriever = Retriever(library, tiny_reatt, library.generation())
    for question in ("Who keeps the telescope mirror?", "rye bread", "Norway"):
        hits = retriever.search(question, 20, "attention", "exact")
        expected = list(dict.fromkeys(corpus.equal[corpus.number[hit.chunk.id]] for hit in hits))[:10]
        assert by_attention([asking(question)], 10)[0] == expected


def test_questions_asked_together_find_what_each_finds_alone(corpus, by_attention):
    asked = [asking("rye"), asking("Who keeps the telescope mirror in the garden of Oslo?"), asking("dome")]
    assert by_attention(asked, 10) == [by_attention([each], 10)[0] for each in asked]


def test_attention_search_uses_the_weights_of_its_moment(corpus, write_model, tmp_path):
    from reatt.weights import models
    from reatt.weights.folder import ModelFolder

    model = models.load(ModelFolder(write_model(tmp_path / "model", seed=5)), "cpu")
    before = AttentionSearch(corpus, model)([asking("rye bread")], 10)
    with torch.no_grad():
        model.t5.encoder.layers()[1].attention.k.weight.neg_()
    assert AttentionSearch(corpus, model)([asking("rye bread")], 10) != before


def test_attention_search_leaves_a_model_in_training_as_it_was(corpus, tiny_reatt, by_attention):
    tiny_reatt.t5.train()
    try:
        assert by_attention([asking("rye")], 5) == by_attention([asking("rye")], 5)
        assert tiny_reatt.t5.training
    finally:
        tiny_reatt.t5.eval()


def test_what_must_not_be_read_is_never_close_and_takes_no_place(corpus, by_words):
    example = own(corpus, 7)
    barred = close_chunks([example], corpus, by_words, 4)[0][:2]
    (found,) = close_chunks([Example(*list(vars(example).values())[:6], tuple(barred))], corpus, by_words, 4)
    assert len(found) == 4
    assert not set(barred) & set(found)


def test_chunks_that_an_example_brings_come_first_and_once(corpus, by_words):
    brought = (corpus.ids[50], corpus.ids[7])
    example = asking(corpus.passages[7].text, close=(*brought, 10**9))
    (found,) = close_chunks([example], corpus, by_words, 6)
    assert tuple(found[:2]) == brought
    assert len(set(found)) == 6


def test_gold_is_put_last_where_it_or_a_copy_was_not_found(corpus):
    first, copy = next(corpus.same(id) for id in corpus.ids if len(corpus.same(id)) > 1)
    other = [id for id in corpus.ids if id not in (first, copy)][:3]
    assert with_gold(other, asking("q", chunk=copy), corpus) == [*other[:2], copy]
    assert with_gold([first, *other], asking("q", chunk=copy), corpus) == [first, *other]
    assert with_gold(other, asking("q"), corpus) == other


def test_a_file_says_what_is_close_by_question_or_id(corpus, tmp_path):
    rows = ({"question": "Q", "chunks": [f"C-{corpus.ids[9]}", 10**9]}, {"_id": "q2", "documents": ["r3"]})
    search = FileSearch(file_of(tmp_path, *rows), corpus)
    assert search([asking("Q")], 5) == [[corpus.equal[9]]]
    assert search([asking("other", id="q2")], 5) == [[corpus.equal[corpus.by_name["r3"][0]]]]


def test_questions_that_a_file_does_not_name_are_searched_by_words(corpus, by_words, tmp_path):
    search = FileSearch(file_of(tmp_path, {"question": "Q", "chunks": [corpus.ids[9]]}), corpus)
    assert search([asking("rye bread"), asking("Q")], 4)[0] == by_words([asking("rye bread")], 4)[0]


def test_a_file_that_names_nothing_in_the_store_is_refused(corpus, tmp_path):
    with pytest.raises(QueriesFormat, match="is in the store"):
        FileSearch(file_of(tmp_path, {"question": "Q", "documents": ["nothing.md"]}), corpus)


def test_a_way_to_search_is_chosen_by_name_or_is_a_file(corpus, tiny_reatt, tmp_path):
    assert isinstance(search_from("words", corpus, tiny_reatt), WordSearch)
    file = file_of(tmp_path, {"question": "Q", "chunks": [corpus.ids[9]]})
    assert isinstance(search_from(str(file), corpus, tiny_reatt), FileSearch)


def test_encoding_tells_how_far_it_is(corpus, tiny_reatt):
    told = []
    search_from("attention", corpus, tiny_reatt, told.append)
    assert told[-1].done == told[-1].total == len(set(corpus.equal))


def test_the_best_are_in_order_and_equal_ones_by_place():
    assert best(np.array([1, 3, 2, 3, 0], np.float32), 3) == [1, 3, 2]
    assert best(np.array([1.0], np.float32), 9) == [0]
