"""Laws of a warm start: the decoder learns to answer from kept states, and nothing that a store keeps changes."""

from dataclasses import replace

import pytest
import torch

from reatt import ingest
from reatt.lessons.corpus import Corpus
from reatt.lessons.evidence import evidence_examples
from reatt.model.backbone import ChunkText
from reatt.progress import TrainingLog, TrainingRow
from reatt.search.index import AttentionIndex
from reatt.training.decoder import EvidenceMaterial, first_round, learn
from reatt.training.plans import Steps
from reatt.training.warm_start import ANSWER_PLAN, AnswerLearner, Warmed, answer_loss, answered
from reatt.weights import models
from reatt.weights.write import write_intra
from reatt_store.errors import QueriesFormat
from reatt_store.library import Library


@pytest.fixture(scope="module")
def intra(tiny):
    return models.load_intra(tiny, "cpu")


@pytest.fixture(scope="module")
def material(tiny, intra, write_pool, tmp_path_factory):
    pool = write_pool(tmp_path_factory.mktemp("pool"))
    with Library.create(pool / "store") as library:
        paths = [str(pool / "docs.jsonl")]
        ingest.ingest(library, intra, tiny, paths, ingest.IngestOptions(), lambda _: None)
        corpus = Corpus.of(library)
        examples = evidence_examples(corpus, pool / "qa.jsonl", pool / "qrels.tsv").examples[:6]
        index = AttentionIndex(library, library.generation().id, 2048)
        yield EvidenceMaterial(examples, corpus, index, first_round(intra, index, examples, lambda _: None))


@pytest.fixture(scope="module")
def taught(intra, material):
    plan = replace(ANSWER_PLAN, batch=6, rate=1e-2)
    learner = AnswerLearner(intra, material, plan)
    return learner, learn(learner, plan, Steps(12), lambda row, share: None, lambda: False)


def test_the_loss_of_answers_falls(taught):
    losses = [row.answer for row in taught[1].rows]
    assert losses[-1] < 0.7 * losses[0]
    assert all(row.cross_document is None and row.agreement is None for row in taught[1].rows)


def test_memory_keys_and_fingerprint_stay_and_the_decoder_does_not(intra, taught):
    learnt, passage = taught[0].model, [ChunkText("T", "Ada has the key of the fence.")]
    before, after = (model.encode_chunks(passage)[0] for model in (intra, learnt))
    assert torch.equal(after.memory, before.memory)
    assert torch.equal(after.keys, before.keys)
    assert learnt.fingerprint() == intra.fingerprint()
    pairs = zip(intra.asker.decoder.decoder.parameters(), taught[0].asker.decoder.decoder.parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in pairs)
    assert not any(weight.requires_grad for weight in taught[0].asker.parameters())


def test_what_was_warmed_comes_back_from_the_disk_as_it_was(tiny, intra, taught, tmp_path):
    made = write_intra(intra.tokens, tiny, tmp_path / "made", taught[0].asker)
    again = models.load_intra(made, "cpu")
    assert again.fingerprint() == intra.fingerprint()
    weights = again.asker.decoder.state_dict()
    assert all(torch.equal(weights[name], each) for name, each in taught[0].asker.decoder.state_dict().items())
    assert made.sha256 != tiny.sha256


def test_a_step_is_a_function_of_seed_and_number(intra, material):
    one, other = (AnswerLearner(intra, material, ANSWER_PLAN) for _ in range(2))
    assert one.step(5, 1e-3) == other.step(5, 1e-3)
    assert all(torch.equal(a, b) for a, b in zip(one.asker.parameters(), other.asker.parameters(), strict=True))


def test_beside_its_evidence_stand_other_questions_evidence_and_the_first_rounds_in_turn(intra, material, monkeypatch):
    read, learner = [], AnswerLearner(intra, material, replace(ANSWER_PLAN, batch=6))
    memory = material.index.memory
    monkeypatch.setattr(material.index, "memory", lambda chunks: read.append(list(chunks)) or memory(chunks))
    learner.step(0, 1e-3)
    asked = {tuple(example.close): example for example in material.examples}
    assert len(read) == 6
    for chunks in read:
        own = next(close for close in asked if tuple(chunks[: len(close)]) == close)
        before = material.before[material.examples.index(asked[own])]
        others = {chunk for close in asked for chunk in close} - set(own)
        assert len(chunks) == len(set(chunks)) == intra.reads
        assert set(chunks[len(own) :]) & others
        assert set(chunks[len(own) :]) <= others | set(before)


def test_the_loss_is_that_of_the_answers_tokens_one_by_one(intra):
    t5, memory, prompt, answer = intra.asker.decoder, torch.randn(7, intra.asker.width), [9, 0], [12, 13, 1]
    with torch.no_grad():
        told = [
            t5.logits(t5.decode(torch.tensor([prompt + answer[:at]]), intra.asker.remember(memory))[0, -1])
            for at in range(3)
        ]
        found = answer_loss(t5, intra.asker.remember(memory), prompt, answer)
    each = [-float(scores.log_softmax(-1)[token]) for scores, token in zip(told, answer, strict=True)]
    assert float(found) == pytest.approx(sum(each) / 3, abs=1e-4)


def test_questions_without_answers_are_not_learnt_from(material):
    silent = replace(material.examples[0], answers=())
    some = answered(replace(material, examples=(silent, *material.examples[1:])))
    assert some.examples == tuple(material.examples[1:])
    assert list(some.before) == list(material.before[1:])
    with pytest.raises(QueriesFormat, match="no question has answers"):
        answered(replace(material, examples=(silent,), before=material.before[:1]))


def test_steps_go_on_behind_those_of_the_warm_start(intra):
    def log(*seconds, stopped=False):
        rows = (TrainingRow(n, at, 0.1, 1, 1.0, None, None, None, None) for n, at in enumerate(seconds, 1))
        return TrainingLog(tuple(rows), None, stopped)

    whole = Warmed(intra, log(2.0, 4.0, stopped=True)).then(log(1.0))
    assert [(row.step, row.seconds) for row in whole.rows] == [(1, 2.0), (2, 4.0), (3, 5.0)]
    assert whole.stopped
    assert Warmed(intra).then(log(1.0)) == log(1.0)
