"""Laws of teaching the decoder to retrieve: all evidence counts, and nothing but tokens and weights learns."""

import math
from dataclasses import replace

import pytest
import torch

from reatt import ingest
from reatt.lessons.corpus import Corpus
from reatt.lessons.evidence import evidence_examples
from reatt.model.backbone import ChunkText
from reatt.search.index import AttentionIndex
from reatt.search.retriever import Retriever
from reatt.training.decoder import (
    RETRIEVAL_PLAN,
    EvidenceMaterial,
    Learner,
    candidates,
    chunk_scores,
    drawn,
    evidence_loss,
    first_round,
    learn,
)
from reatt.training.plans import Steps
from reatt.weights import models
from reatt_store.errors import QueriesFormat
from reatt_store.library import Library


@pytest.fixture(scope="module")
def pool(write_pool, tmp_path_factory):
    return write_pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="module")
def intra(tiny):
    return models.load_intra(tiny, "cpu")


@pytest.fixture(scope="module")
def library(tiny, intra, pool):
    with Library.create(pool / "store") as library:
        options = ingest.IngestOptions()
        ingest.ingest(library, intra, tiny, [str(pool / "docs.jsonl")], options, lambda _: None)
        yield library


@pytest.fixture(scope="module")
def material(library, intra, pool):
    corpus = Corpus.of(library)
    examples = evidence_examples(corpus, pool / "qa.jsonl", pool / "qrels.tsv").examples
    index = AttentionIndex(library, library.generation().id, 2048)
    return EvidenceMaterial(examples, corpus, index, first_round(intra, index, examples, lambda _: None))


def test_the_loss_asks_for_all_of_the_evidence():
    scores = torch.tensor([1.0, 2.0, 0.0])
    total = math.log(math.e + math.e**2 + 1)
    assert float(evidence_loss(scores, torch.tensor([True, True, False]))) == pytest.approx(total - 1.5)
    both = evidence_loss(torch.tensor([9.0, 9.0, -9.0]), torch.tensor([True, True, False]))
    assert float(both) == pytest.approx(math.log(2), abs=1e-4)


def test_what_is_learnt_from_is_what_a_search_ranks_by(library, intra, material):
    example = material.examples[0]
    hits = Retriever(library, intra, library.generation()).search(example.text, 48, "attention", "exact")
    keys = material.index.keys([hit.chunk.id for hit in hits])
    memory = material.index.memory(material.before[0])
    passages = [ChunkText("", "", memory[chunk]) for chunk in material.before[0]]
    asked = intra.tokenizer.question(example.text)
    asking = intra.asks(asked, intra.context(asked, passages)[0], intra.tokens)
    padded = torch.nn.utils.rnn.pad_sequence([keys[hit.chunk.id] for hit in hits], batch_first=True)
    keep = torch.nn.utils.rnn.pad_sequence([torch.ones(len(keys[hit.chunk.id])) for hit in hits], batch_first=True) > 0
    scores = chunk_scores(asking, intra.tokens.weights, padded, keep)
    assert scores.tolist() == pytest.approx([hit.score for hit in hits], abs=1e-3)


@pytest.mark.parametrize("strangers", [0, 3, 256])
def test_a_step_tells_evidence_from_what_was_found_from_others_evidence_and_from_strangers(
    material, strangers, monkeypatch
):
    monkeypatch.setattr("reatt.training.decoder.STRANGERS", strangers)
    chosen, corpus, unknown = drawn(40, RETRIEVAL_PLAN, 3), material.corpus, 0
    others = {chunk for place in chosen for chunk in material.examples[place].close}
    for place, own in zip(chosen, candidates(material, chosen, 0, 3), strict=True):
        evidence = material.examples[place].close
        assert tuple(own[: len(evidence)]) == evidence
        assert len(evidence) == 2
        assert len(set(own)) == len(own)
        known = others | {corpus.ids[corpus.equal[corpus.number[chunk]]] for chunk in material.before[place]}
        assert known <= set(own)
        unknown += len(set(own) - known)
    assert (unknown > 0) == (strangers > 0)
    assert unknown <= strangers * len(chosen)
    assert sorted(drawn(32, RETRIEVAL_PLAN, 0) + drawn(32, RETRIEVAL_PLAN, 1)) == list(range(32))


def test_a_step_is_a_function_of_seed_and_number_and_touches_no_model(intra, material):
    before = {name: weight.clone() for name, weight in intra.asker.decoder.state_dict().items()}
    runs = []
    for _ in range(2):
        learner = Learner(intra, material, RETRIEVAL_PLAN)
        runs.append((learner.step(5, 1e-3), learner.tokens))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1].vectors, runs[1][1].vectors)
    assert not torch.equal(runs[0][1].vectors, intra.tokens.vectors)
    assert not torch.equal(runs[0][1].weights, intra.tokens.weights)
    assert all(torch.equal(weight, before[name]) for name, weight in intra.asker.decoder.state_dict().items())


def test_a_run_that_goes_on_ends_where_an_undisturbed_one_does(intra, material):
    whole, before, after = (Learner(intra, material, RETRIEVAL_PLAN) for _ in range(3))
    for number in range(3):
        whole.step(number, 1e-2)
    for number in range(2):
        before.step(number, 1e-2)
    after.restore(before.state())
    before.step(9, 1e-2)  # does not reach what was taken from it
    after.step(2, 1e-2)
    assert torch.equal(after.tokens.vectors, whole.tokens.vectors)
    assert torch.equal(after.tokens.weights, whole.tokens.weights)


def test_a_step_moves_what_a_head_weighs_by_its_own_measure(intra, material):
    learner = Learner(intra, material, RETRIEVAL_PLAN)
    learner.temper()  # weights are some thousandths now, and so is the rate
    before = learner.tokens.weights
    assert before.max() < 0.1
    learner.step(0, 3e-3)
    assert not torch.equal(learner.tokens.weights, before)
    assert ((learner.tokens.weights / before - 1).abs() < 3.1e-3).all()


def test_learning_finds_evidence(intra, material):
    few = replace(material, examples=material.examples[:3], before=material.before[:3])
    plan = replace(RETRIEVAL_PLAN, batch=3, rate=3e-2)
    learner = Learner(intra, few, plan)
    learner.temper()
    log = learn(learner, plan, Steps(20), lambda row, share: None, lambda: False)
    assert log.rows[-1].cross_document < 0.6 * log.rows[0].cross_document


def test_questions_whose_evidence_is_missing_are_left_out_and_told(material, pool, tmp_path):
    (tmp_path / "some.tsv").write_text("q0\td0\t1\nq1\td1\t1\nq1\tnowhere\t1\nq99\td3\t1\n")
    found = evidence_examples(material.corpus, pool / "qa.jsonl", tmp_path / "some.tsv")
    assert [example.id for example in found.examples] == ["q0"]
    assert [warning.split()[0] for warning in found.warnings] == ["1", "38", "1"]
    (tmp_path / "none.tsv").write_text("q0\tnowhere\t1\n")
    with pytest.raises(QueriesFormat, match="none of the 40 questions"):
        evidence_examples(material.corpus, pool / "qa.jsonl", tmp_path / "none.tsv")
