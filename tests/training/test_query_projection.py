"""The query projection is learnt from stored keys alone, nothing else changes, and a killed run ends as any other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reatt.lessons.choices import Chooser, read
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.backbone import Queries
from reatt.model.reatt import ReAtt
from reatt.model.stacks.halves import projection
from reatt.search.index import AttentionIndex
from reatt.training import checkpoints
from reatt.training.plans import Steps
from reatt.training.query_projection import PLAN, QueryProjection, learn, projecting, started_with
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt.weights.write import write_reatt
from reatt_store.errors import UsageError
from reatt_store.library import Library

SHORT = replace(PLAN, batch=8, rate=0.05)


@pytest.fixture(scope="module")
def library(archive):
    with Library(archive) as opened:
        yield opened


@pytest.fixture(scope="module")
def made(library, tiny_reatt):
    """Choices of forty texts of the archive, the index of its keys, and the keys as they lie there."""
    corpus, index = Corpus.of(library), AttentionIndex(library, library.generation().id, 64)
    examples = [
        Example((f"{passage.text[:30]} ", passage.text[40:60]), (passage.text[30:40],), "g", id, "phrase")
        for id, passage in zip(corpus.ids[:40], corpus.passages, strict=False)
    ]
    choices = Chooser(library, index, tiny_reatt, corpus).choices(examples, seed=0)
    return choices, index, index.views(sorted({chunk for choice in choices for chunk in choice.chunks}))


def learner(model, made, plan=SHORT):
    return QueryProjection(model, made[0], made[2], plan, "run")


def run(map, folder, steps, stop=lambda: False):
    return learn(map, SHORT, Steps(steps), folder, lambda row, share: None, stop, save_every=0.0)


@pytest.fixture(scope="module")
def trained(tiny_reatt, made, tmp_path_factory):
    map = learner(tiny_reatt, made)
    run(map, tmp_path_factory.mktemp("map"), 30)
    return map


def test_a_choice_begins_with_the_questions_own_chunk_and_has_what_words_and_attention_find(made, library, tiny_reatt):
    corpus = Corpus.of(library)
    for number, choice in enumerate(made[0]):
        assert choice.chunks[0] == corpus.ids[corpus.equal[number]]
        assert len(set(choice.chunks)) == len(choice.chunks) > 12
        assert 0 <= float(choice.words.min()) <= float(choice.words.max()) <= 1


def test_it_is_learnt_from_stored_keys_alone(tiny_reatt, library, made, monkeypatch):
    monkeypatch.setattr(ReAtt, "encode_chunks", lambda *_: pytest.fail("a chunk was encoded"))
    map = learner(tiny_reatt, made)
    first, *_, last = [map.step(0.05, 0.0) for _ in range(30)]
    assert last.cloze < first.cloze
    held = made[1].keys([made[0][0].chunks[0]])
    assert torch.equal(made[2](made[0][0].chunks[0]), held[made[0][0].chunks[0]])


def old(model):
    return projection(model.t5, model.head, "q").detach()


def test_it_begins_as_it_was_and_scores_then_as_the_store_does(tiny_reatt, made):
    map, choice = learner(tiny_reatt, made), made[0][3]
    assert torch.allclose(map.learnt(), old(tiny_reatt), atol=1e-6)
    stored = made[1].scores(Queries.mean(choice.states @ old(tiny_reatt).T), choice.chunks)
    assert map.scores(map.weight, choice).tolist() == pytest.approx([stored[id] for id in choice.chunks], abs=1e-4)


def test_scores_keep_their_spread(trained, tiny_reatt):
    assert not torch.allclose(trained.learnt(), old(tiny_reatt), atol=1e-2)
    assert trained.spread(trained.learnt()) == pytest.approx(trained.spread(old(tiny_reatt)), rel=1e-3)


def test_after_it_the_best_of_an_exact_search_are_those_of_the_learnt_queries(tiny_reatt, made, trained, library):
    weight, (_, index, _) = trained.learnt(), made
    model, corpus = projecting(tiny_reatt, weight), Corpus.of(library)
    keys = {id: index.keys([id])[id] for id in corpus.ids}
    for passage in corpus.passages[:10]:
        queries = read(tiny_reatt, [(passage.text[:40],)])[0] @ weight.T
        scores = {id: float((queries @ each.T).amax(1).mean()) for id, each in keys.items()}
        found = index.search(model.encode_question(passage.text[:40]), 10, "exact")
        best = sorted(scores.values(), reverse=True)[: len(found)]
        assert [score for _, score in found] == pytest.approx([scores[id] for id, _ in found], abs=1e-4)
        assert [score for _, score in found] == pytest.approx(best, abs=1e-4)


def test_all_but_the_query_projection_is_as_it_was_bit_by_bit(tiny, tiny_reatt, trained, tmp_path):
    made = write_reatt(projecting(tiny_reatt, trained.learnt()), tiny, tmp_path / "made", {"fusion": 0.7, "named": 0.4})
    learnt = models.load(made, "cpu")
    assert learnt.fingerprint() == tiny_reatt.fingerprint()
    before, after = tiny_reatt.t5.state_dict(), learnt.t5.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items() if name != "retrieval.q.weight")
    assert torch.equal(projection(learnt.t5, learnt.head, "k"), projection(tiny_reatt.t5, tiny_reatt.head, "k"))
    assert not torch.equal(projection(learnt.t5, learnt.head, "q"), projection(tiny_reatt.t5, tiny_reatt.head, "q"))
    assert (models.fusion(made, 0.5), models.named(made, 0.8)) == (0.7, 0.4)
    assert models.named(ModelFolder(tiny.path), 0.8) == 0.8


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tiny_reatt, made, tmp_path):
    whole = learner(tiny_reatt, made)
    run(whole, tmp_path / "whole", 12)
    cut, taken = learner(tiny_reatt, made), iter([False] * 4 + [True])
    log = run(cut, tmp_path / "cut", 12, stop=lambda: next(taken))
    assert (len(log.rows), log.stopped) == (5, True)
    resumed = learner(tiny_reatt, made)
    assert started_with(tmp_path / "cut") == len(made[0])
    assert resumed.resume(tmp_path / "cut")
    assert len(run(resumed, tmp_path / "cut", 12).rows) == 12
    assert torch.equal(resumed.weight, whole.weight)
    assert [row.cloze for row in resumed.rows] == [row.cloze for row in whole.rows]


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tiny_reatt, made, tmp_path):
    map = learner(tiny_reatt, made)
    run(map, tmp_path, 1)
    with pytest.raises(UsageError, match="other settings"):
        QueryProjection(tiny_reatt, made[0], made[2], SHORT, "another").resume(tmp_path)
    found = checkpoints.load(tmp_path)
    for tensors, state, says in (
        ({"weight": found.tensors["weight"]}, found.state, "do not fit"),
        (found.tensors, {**found.state, "rows": [1]}, "log"),
    ):
        checkpoints.forget(tmp_path)
        checkpoints.save(tmp_path, 1, checkpoints.Checkpoint(tensors, state))
        with pytest.raises(UsageError, match=says):
            learner(tiny_reatt, made).resume(tmp_path)
    checkpoints.forget(tmp_path)
    checkpoints.save(tmp_path, 1, checkpoints.Checkpoint(found.tensors, {**found.state, "choices": "many"}))
    with pytest.raises(UsageError, match="learns from"):
        started_with(tmp_path)


def test_its_step_is_adams(tiny_reatt, made):
    map = learner(tiny_reatt, made)
    other = map.weight.detach().clone().requires_grad_()
    adam = torch.optim.Adam([other], lr=0.01 * float(other.detach().square().mean().sqrt()))
    draw = np.random.default_rng(0)
    for number in range(1, 4):
        gradient = torch.from_numpy(draw.normal(size=tuple(other.shape))).float()
        map.weight.grad, other.grad = gradient.clone(), gradient.clone()
        map.move(0.01, number)
        adam.step()
    assert torch.allclose(map.weight, other, atol=1e-6)
