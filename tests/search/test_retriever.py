"""Every way of searching gives the scores that float64 gives on the stored keys, and only of chunks that are there."""

import inspect
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import textwrap

import numpy as np
import pytest
import torch

from reatt import ingest as engine
from reatt.model.backbone import ChunkText
from reatt.search.retriever import NAMED
from reatt.weights import models
from reatt_store.errors import BadQuestion, ModelMismatch
from reatt_store.library import Library

QUESTIONS = [
    "How long is parental leave in Norway?",
    "Who approves travel?",
    "telescope mirror of the observatory",
    "rye bread and salt",
    "Hvem bor i Tromsø?",
    "東京?",
    "?",
]
EVERYTHING = 10**6


def stored_keys(retriever):
    """Yield the keys (n, d) that lie in the store for each chunk; chunks of equal text have one set of keys."""
    library, generation = retriever.library, retriever.generation.id
    for segment in library.segments(generation):
        for position, keys in enumerate(np.split(segment.keys(), segment.offsets[1:-1])):
            for ids in library.chunk_ids(generation, [(segment.id, position)]):
                yield tuple(ids), keys


def brute_force(retriever, question):
    """Score every chunk in float64: chunk id -> score."""
    queries = retriever.backbone.encode_question(question)
    vectors, weights = queries.vectors.double().numpy(), queries.weights.double().numpy()
    scores = {}
    for ids, keys in stored_keys(retriever):
        scores |= dict.fromkeys(ids, weights @ (vectors @ keys.T.astype(np.float64)).max(1))
    return scores


def ids(hits):
    return [hit.chunk.id for hit in hits]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("search", ["exact", "two-stage"])
def test_exact_and_two_stage_over_all_tokens_are_float64_brute_force(open_store, archive, question, search):
    retriever = open_store(archive, token_candidates=EVERYTHING)
    expected = brute_force(retriever, question)
    hits = retriever.search(question, EVERYTHING, "attention", search)
    assert sorted(ids(hits)) == sorted(expected)
    for hit, best in zip(hits, sorted(expected.values(), reverse=True), strict=True):
        assert hit.score == pytest.approx(expected[hit.chunk.id], abs=1e-5)  # its own
        assert hit.score == pytest.approx(best, abs=1e-5)  # and in its place, up to ties


@pytest.mark.parametrize("question", QUESTIONS)
def test_two_stage_scores_whole_the_chunks_that_own_one_of_the_nearest_tokens(open_store, archive, question):
    retriever = open_store(archive, token_candidates=3)
    vectors, scores = retriever.backbone.encode_question(question).vectors.numpy(), brute_force(retriever, question)
    rounded = {
        ids: keys.astype(np.float16).astype(np.float32) for ids, keys in stored_keys(retriever)
    }  # as in the index
    products = {ids: vectors @ keys.T for ids, keys in rounded.items()}  # (m, n)
    third = np.sort(np.concatenate([*products.values()], 1))[:, -3:-2]  # (m, 1)
    owners = {id for ids, dots in products.items() if (dots >= third - 1e-5).any() for id in ids}
    hits = retriever.search(question, EVERYTHING, "attention", "two-stage")
    assert {hit.chunk.id for hit in hits} == owners
    assert all(hit.score == pytest.approx(scores[hit.chunk.id], abs=1e-5) for hit in hits)


def recall(retriever, questions):
    """Share of `exact`'s first ten that `fast` finds; one as good as the tenth counts."""
    found = []
    for question in questions:
        exact = retriever.search(question, 10, "attention", "exact")
        fast = retriever.search(question, 10, "attention", "fast")
        found += [hit.score >= exact[-1].score - 1e-5 for hit in fast]
        assert len(fast) == len(exact) == 10
    return np.mean(found)


def test_fast_finds_what_exact_finds(retriever):
    records = [hit.chunk.chunk.text[:60] for hit in retriever.search("the telescope", 40, "words")]
    assert recall(retriever, QUESTIONS + records) >= 0.99


def test_fast_finds_what_exact_finds_with_the_bundled_model(open_store, tmp_path):
    """On real keys of real English: what Python says about its own functions."""
    folder = models.bundled()
    if not (folder.path / "config.json").is_file():
        pytest.skip("the bundled model is not in this tree")
    rows = [{"_id": name, "title": name, "text": text[:200]} for name, text in documented()][:240]
    (tmp_path / "python.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    backbone = models.load(folder, "cpu")
    with Library.create(tmp_path / "store") as library:
        engine.ingest(library, backbone, folder, [str(tmp_path)], engine.IngestOptions(), lambda _: None)
    questions = [f"How do I {row['text'].split('.')[0].lower()}?" for row in rows[:60:3]]
    assert recall(open_store(tmp_path / "store", backbone), questions) >= 0.99


def documented():
    """Yield names and docstrings of some hundred functions of the standard library."""
    modules = (os, shutil, random, statistics, textwrap, subprocess, json, tempfile, inspect)
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isroutine):
            if len(inspect.getdoc(function) or "") > 60:
                yield f"{module.__name__}.{name}", inspect.getdoc(function)


@pytest.mark.parametrize("search", ["fast", "two-stage", "auto"])
def test_every_search_gives_the_scores_of_exact(retriever, search):
    exact = {hit.chunk.id: hit.score for hit in retriever.search(QUESTIONS[0], EVERYTHING, "attention", "exact")}
    for hit in retriever.search(QUESTIONS[0], 20, "attention", search):
        assert hit.score == pytest.approx(exact[hit.chunk.id], abs=1e-5)


@pytest.mark.parametrize("retriever_name", ["attention", "hybrid", "words"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_token_pairs_of_a_hit_sum_to_its_attention_score(retriever, retriever_name, question):
    for hit in retriever.search(question, 12, retriever_name):
        pairs = retriever.explain(question, hit)
        if hit.attention_score is not None:
            assert sum(pair.weight for pair in pairs) == pytest.approx(hit.attention_score, abs=1e-4)
        assert len(pairs) == len(retriever.backbone.encode_question(question).spans)
        assert all(0 <= start <= end <= len(question) for start, end in (pair.question_span for pair in pairs))
        assert all(0 <= a <= b <= len(hit.chunk.chunk.text) for a, b in (pair.chunk_span for pair in pairs))


def test_equal_words_answer_to_each_other(retriever):
    question = "Is leave in Norway?"
    [hit] = retriever.search(question, 1, "words", only="long.md")
    text = hit.chunk.chunk.text
    met = {question[slice(*p.question_span)]: text[slice(*p.chunk_span)] for p in retriever.explain(question, hit)}
    assert met["Norway"] == "Norway"


def test_stored_scores_are_the_live_attention_logits(retriever):
    for hit in retriever.search(QUESTIONS[0], 10, "attention", "exact"):
        tokens = retriever.backbone.tokenizer
        read = tokens.chunks([ChunkText(hit.chunk.chunk.title, hit.chunk.chunk.text)])[0]
        logits = live_logits(retriever.backbone, tokens.question(QUESTIONS[0]).ids, read.ids)
        assert hit.score == pytest.approx(float(logits.max(1).values.mean()), rel=2e-3)  # float16 keeps 11 bits


def live_logits(model, question, chunk):
    """Run the blocks below the head on two texts apart, then its block's attention: the head's logits (m, n)."""
    t5, block = model.t5, model.t5.encoder.layers()[model.head.layer]
    normed = []
    for ids in (torch.tensor([question]), torch.tensor([chunk])):
        states = t5.encode_range(t5.embed(ids), t5.encoder_bias(ids >= 0), slice(model.head.layer))
        normed.append(block.attention_norm(states))
    queries = block.attention.split(block.attention.q(normed[0]))  # (1, h, m, d)
    keys, _ = block.attention.keys_values(normed[1])  # (1, h, n, d)
    return (queries @ keys.transpose(2, 3))[0, model.head.number]


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
@pytest.mark.parametrize("search", ["exact", "fast", "two-stage"])
def test_only_leaves_the_best_of_some_documents(retriever, retriever_name, search):
    everything = retriever.search("travel in Norway", EVERYTHING, retriever_name, search)
    chosen = retriever.search("travel in Norway", 30, retriever_name, search, only="b.jsonl")
    assert {hit.chunk.path.rpartition("/")[2] for hit in chosen} == {"b.jsonl"}
    if retriever_name != "hybrid":  # which scales by what was found
        assert [h.score for h in chosen] == pytest.approx(
            [h.score for h in everything if h.chunk.path.endswith("b.jsonl")][:30], abs=1e-5
        )


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
def test_only_of_no_document_finds_nothing(retriever, retriever_name):
    assert retriever.search("travel", 8, retriever_name, only="*.pdf") == []


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
def test_equal_texts_are_two_hits_of_one_score(retriever, retriever_name):
    records = {hit.chunk.external_id: hit for hit in retriever.search("leave", EVERYTHING, "attention")}
    question = records["r0"].chunk.chunk.text
    first, second = retriever.search(question, 2, retriever_name)
    assert {first.chunk.external_id, second.chunk.external_id} == {"r0", "again"}
    assert first.score == second.score


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
def test_what_is_added_meanwhile_is_found(open_store, copy, ingest, tmp_path, retriever_name):
    retriever = open_store(copy)
    retriever.search("anything", 8, retriever_name)
    (tmp_path / "new.txt").write_text("Zebras graze behind Drøbak.")
    ingest(tmp_path / "new.txt", store=copy)
    found = retriever.search("Zebras graze behind Drøbak.", 8, retriever_name)
    assert found[0].chunk.path.endswith("new.txt")
    scores = brute_force(retriever, "Zebras graze behind Drøbak.")
    assert all(h.attention_score in (None, pytest.approx(scores[h.chunk.id], abs=1e-4)) for h in found)


def test_hybrid_of_attention_alone_is_the_order_of_attention(open_store, archive):
    retriever = open_store(archive, fusion=1.0, named=0.0)
    for question in QUESTIONS:
        expected = [hit.attention_score for hit in retriever.search(question, 50, "attention")]
        assert [hit.attention_score for hit in retriever.search(question, 50, "hybrid")] == expected


def test_hybrid_of_words_alone_begins_with_the_order_of_words(open_store, archive):
    retriever = open_store(archive, fusion=0.0, named=0.0)
    for question in QUESTIONS:
        expected = ids(retriever.search(question, 50, "words"))
        assert ids(retriever.search(question, 50, "hybrid"))[: len(expected)] == expected


def test_hybrid_knows_both_scores_of_what_words_found(retriever):
    scores = brute_force(retriever, QUESTIONS[0])
    words = {hit.chunk.id: hit.score for hit in retriever.search(QUESTIONS[0], 100, "words")}
    for hit in retriever.search(QUESTIONS[0], 100, "hybrid"):
        assert hit.attention_score == pytest.approx(scores[hit.chunk.id], abs=1e-5)
        assert hit.words_score == words.get(hit.chunk.id)
        assert 0 <= hit.score <= 1 + NAMED


@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
def test_ranks_count_from_one_and_scores_fall(retriever, retriever_name):
    hits = retriever.search(QUESTIONS[0], 20, retriever_name)
    assert [hit.rank for hit in hits] == list(range(1, 21))
    assert hits == sorted(hits, key=lambda hit: -hit.score)
    assert retriever.search(QUESTIONS[0], 20, retriever_name) == hits


@pytest.mark.parametrize("question", ["", "  ", "\n\t"])
def test_a_blank_question_is_refused(retriever, question):
    with pytest.raises(BadQuestion):
        retriever.search(question)


@pytest.mark.parametrize("question", ["\udcff leave", "\0", '"leave AND (', "leave " * 2000])
@pytest.mark.parametrize("retriever_name", ["attention", "words", "hybrid"])
def test_no_question_is_too_strange(retriever, retriever_name, question):
    assert len(retriever.search(question, 3, retriever_name)) == (
        0 if (retriever_name, question) == ("words", "\0") else 3
    )


def test_words_need_no_model(open_store, archive):
    retriever = open_store(archive, backbone=None)
    hits = retriever.search("leave in Norway", 3, "words")
    assert len(hits) == 3
    assert retriever.explain("leave", hits[0]) == []
    for name in ("attention", "hybrid"):
        with pytest.raises(ModelMismatch):
            retriever.search("leave in Norway", 3, name)
