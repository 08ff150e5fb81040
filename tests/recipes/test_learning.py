"""Losses by hand, and training that can stop anywhere."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from reatt.model.backbone import ChunkText, Limits
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from recipes.reatt_mini import shape
from recipes.reatt_mini.batches import Form, draw
from recipes.reatt_mini.export import export, trained
from recipes.reatt_mini.losses import Keys, Learner, judged, losses, retrieval_loss
from recipes.reatt_mini.packed import Layout
from recipes.reatt_mini.passages import Reading
from recipes.reatt_mini.spans import allowed_only, first_choices, surprises
from recipes.reatt_mini.stages import Stage
from recipes.reatt_mini.state import CHECKPOINT
from recipes.reatt_mini.teacher import SHARPNESS, Teacher, rarity
from tests.recipes.conftest import LAYER, fresh, run

QUERIES = "model.t5.retrieval.q.weight"
FORM = Form(1500, 96, 2, 3)
BOTH = Stage(1.0, 96, Reading(near=1.0, others=2), null=True, words=True, retrieval=1.0, answer=1.0, copying=1.0)
TWIN = replace(BOTH, twin=True)


def test_retrieval_loss_by_hand():
    scores = torch.tensor([[2.0, 1.0], [0.5, 3.0]])
    right = torch.tensor([[True, False], [False, True]])
    expected = (math.log(1 + math.exp(1 - 2)) + math.log(1 + math.exp(0.5 - 3))) / 2
    assert float(retrieval_loss(scores, right, ~right & False)) == pytest.approx(expected, abs=1e-6)


def test_other_right_chunks_count_neither_for_nor_against():
    scores = torch.tensor([[2.0, 1.0]])
    both = torch.tensor([[True, True]])
    assert float(retrieval_loss(scores, both, ~both)) == pytest.approx(0.0, abs=1e-6)  # nothing is wrong
    old = torch.tensor([[2.0, 1.0, 9.0]])
    right, unjudged = torch.tensor([[True, False, False]]), torch.tensor([[False, False, True]])
    expected = retrieval_loss(scores, right[:, :2], unjudged[:, :2])
    torch.testing.assert_close(retrieval_loss(old, right, unjudged), expected)


def test_what_the_bank_holds_of_the_right_chunks_is_not_judged(sets):
    batch = draw(sets, FORM, 1)
    old = Keys(torch.zeros(2, 12), Layout((1, 1), torch.device("cpu")), [batch.numbers[0], 10_000])
    right, unjudged = judged(batch, [old], torch.device("cpu"))
    for row, asked in enumerate(batch.questions):
        assert right[row].tolist() == [n in asked.positives for n in batch.numbers] + [False, False]
        assert unjudged[row].tolist()[-2:] == [batch.numbers[0] in asked.positives, False]


def test_one_softmax_runs_over_all_stretches_of_all_passages_of_a_question():
    scores = torch.arange(27.0).view(3, 3, 3) / 9  # three passages: a question's mark and two tokens, or one
    text = torch.tensor([[False, True, True], [False, True, False], [False, True, True]])
    cells = [[(0, 1, 2), (0, 2, 2)], [(2, 0, 0)]]  # the first question has two passages, the other one has no answer
    hidden = allowed_only(scores.masked_fill(torch.ones(3, 3).tril(-1) > 0, -math.inf), text, null=True)
    first = [scores[p, i, j] for p, i, j in [(0, 0, 0), (0, 1, 1), (0, 1, 2), (0, 2, 2), (1, 0, 0), (1, 1, 1)]]
    second = [scores[2, i, j] for i, j in [(0, 0), (1, 1), (1, 2), (2, 2)]]
    right = torch.stack([scores[0, 1, 2], scores[0, 2, 2]])
    expected = [
        torch.stack(first).logsumexp(0) - right.logsumexp(0),
        torch.stack(second).logsumexp(0) - scores[2, 0, 0],
    ]
    torch.testing.assert_close(surprises(hidden, [2, 1], cells), torch.stack(expected))
    assert first_choices(hidden, [2, 1]) == [(1, 1, 1), (2, 2, 2)]


def test_yes_and_no_teach_the_decoder_and_never_the_pointer(work, sets):
    learner, batch = fresh(work), reading_batch(sets)
    told = replace(batch.questions[0], spans=(), said=(7,), others=(1 - min(batch.questions[0].own, 1),))
    batch, stage = replace(batch, questions=[told]), replace(BOTH, reading=Reading(near=0.0, told=True))
    found, _ = losses(learner, batch, [], stage, 0)
    (gradient,) = torch.autograd.grad(found.answer, learner.stack.layers()[0].wi.weight, retain_graph=True)
    assert gradient.abs().sum() > 0
    assert found.spans == found.copying == 0
    assert math.isnan(found.exact)
    assert losses(learner, batch, [], replace(stage, reading=Reading(near=0.0)), 0)[0].answer == 0


def reading_batch(sets):
    return next(batch for seed in range(50) if (batch := draw(sets, FORM, seed)).source == "one")


def test_every_loss_reaches_the_encoder(work, sets):
    learner = fresh(work)
    found, _ = losses(learner, reading_batch(sets), [], BOTH, 0)
    for loss in (found.retrieval, found.spans, found.answer, found.copying):
        (gradient,) = torch.autograd.grad(loss, learner.stack.layers()[0].wi.weight, retain_graph=True)
        assert gradient.abs().sum() > 0
    assert 0 <= found.hit <= 1
    assert not math.isnan(found.teacher)


def test_the_twin_learns_retrieval_from_its_reader_and_never_the_reader_from_retrieval(work, sets):
    learner = fresh(work)
    found, _ = losses(learner, reading_batch(sets), [], TWIN, 0)
    found.retrieval.backward()
    assert learner.t5.retrieval.k.weight.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in learner.t5.decoder.parameters())
    assert learner.t5.pointer.weight.grad is None
    alone, _ = losses(learner, reading_batch(sets), [], replace(TWIN, reading=Reading(0.0)), 0)
    assert alone.retrieval.item() == 0  # one chunk compares nothing


def test_the_decoder_tells_pieces_apart_from_the_first(work):
    learner = fresh(work)
    with torch.no_grad():
        out = learner.t5.decoder.final_norm(torch.randn(50, 32)) * 32**-0.5
    torch.testing.assert_close(out.norm(dim=1), torch.full((50,), shape.LOUDNESS), atol=0.02, rtol=0)


def test_the_joint_blocks_begin_as_copies_of_the_last(work):
    blocks = shape.pretrained(work, LAYER).encoder.layers()
    assert len(blocks) == LAYER + 1
    for copy, original in zip(blocks[LAYER].parameters(), blocks[LAYER - 1].parameters(), strict=True):
        assert torch.equal(copy, original)


def test_retrieval_begins_with_principal_components(work):
    model = shape.pretrained(work, LAYER)
    states = torch.randn(400, 3) @ torch.randn(3, 32)
    shape.find_by_components(model, states)
    torch.testing.assert_close((states @ model.retrieval.q.weight.T).norm(dim=1).mean(), torch.tensor(1.0))
    ratio = model.retrieval.q.weight[:3] / model.retrieval.k.weight[:3]
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio))
    unit = torch.nn.functional.normalize(states, dim=1)
    found = (unit @ model.retrieval.k.weight[:3].T).T.cov(correction=0)  # three of them hold everything
    variances = torch.linalg.eigvalsh(unit.T.cov(correction=0)).flip(0)[:3]
    expected = (variances * variances[0]).sqrt()  # v * (v / v0) ** -0.5
    torch.testing.assert_close(found, torch.diag(expected), atol=1e-5, rtol=1e-3)


def test_the_teacher_finds_by_the_cosine_of_the_untrained_encoder_and_hears_rare_pieces_more(work, sets):
    learner = fresh(work)
    teacher = Teacher(work, learner, rarity(sets))
    batch = reading_batch(sets)
    unit = torch.nn.functional.normalize
    question = unit(learner.deeper(learner.lower([batch.questions[0].ids], 0)).values, dim=1)
    kept = [unit(learner.deeper(learner.lower([chunk.ids], 0)).values, dim=1) for chunk in batch.chunks]
    weights = rarity(sets)[list(batch.questions[0].ids)]
    scores = torch.stack([((question @ chunk.T).amax(1) * weights).sum() / weights.sum() for chunk in kept])
    expected = (scores * SHARPNESS).log_softmax(0)
    torch.testing.assert_close(teacher.logs(batch)[0], expected, atol=1e-3, rtol=0)
    found, _ = losses(learner, batch, [], BOTH, 0, teacher.logs(batch))
    (gradient,) = torch.autograd.grad(found.taught, learner.t5.retrieval.k.weight)
    assert gradient.abs().sum() > 0


def test_rare_pieces_weigh_more(sets):
    questions, _ = sets["one"]
    weights = rarity({"one": sets["one"]})
    every = set.intersection(*(set(questions.texts[n]) for n in range(len(questions.texts))))
    some = set(questions.texts[0]) - every
    assert every
    assert max(weights[list(every)]) < min(weights[list(some)])


@pytest.mark.parametrize("more", [(), ("--twin",)])
def test_an_interrupted_run_gives_the_weights_of_an_undisturbed_one(work, tmp_path, small, more):
    whole = load_file(run(work, tmp_path / "whole", (6, 6), more=more) / CHECKPOINT)
    parts = load_file(run(work, tmp_path / "parts", (6, 2), (6, 4), (6, 6), more=more) / CHECKPOINT)
    assert whole.keys() == parts.keys()
    assert any(name.startswith("bank.one") for name in whole)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_the_words_learn_in_the_first_stage_alone(work, tmp_path, small):
    weights = [load_file(run(work, tmp_path / str(until), (6, until)) / CHECKPOINT) for until in (1, 3, 6)]
    for name, still in (("t5.shared.weight", True), ("t5.pointer.weight", False), ("temperature", False)):
        first, middle, last = (each[f"model.{name}"] for each in weights)
        assert not torch.equal(first, middle)
        assert torch.equal(middle, last) == still


@pytest.mark.parametrize("full", [True, False])
def test_an_exported_model_scores_and_reads_as_the_trained_one(work, tmp_path, small, full):
    folder = run(work, tmp_path / "run", (4, 4))
    export(folder / CHECKPOINT, folder, tmp_path / "model", full=full)
    model = models.load(ModelFolder(tmp_path / "model"), "cpu")
    learner = Learner(trained(folder / CHECKPOINT, folder), LAYER, LAYER).requires_grad_(False)
    learner.temperature.zero_()  # the model's queries carry it
    passages = [ChunkText("amber", "The river of amber was found in 1900."), ChunkText("", "It is old.")]
    asked = model.tokenizer.question("when was the river found?")
    first = learner.lower([asked.ids], 0)
    second = learner.lower([tokens.ids for tokens in model.tokenizer.chunks(passages)], 1)
    keys = learner.keys(second.values).split(list(second.layout.lengths))
    expected = [float((learner.queries(first.values) @ key.T).amax(1).mean()) for key in keys]
    queries = model.encode_question("when was the river found?").vectors
    found = [float((queries @ code.keys.T).amax(1).mean()) for code in model.encode_chunks(passages)]
    assert found == pytest.approx(expected, abs=1e-4 if full else 0.5)
    assert (tmp_path / "model" / "embeddings.safetensors").exists() != full
    assert model.answer("when was the river found?", passages, found, Limits()).text


def test_a_model_is_averaged_with_the_one_it_began_with(work, tmp_path, small):
    folder = run(work, tmp_path / "run", (4, 4))
    export(folder / CHECKPOINT, folder, tmp_path / "first", full=True)
    after = run(work, tmp_path / "more", (4, 2), more=("--begin", str(tmp_path / "first")))
    export(after / CHECKPOINT, after, tmp_path / "second", full=True)
    export(after / CHECKPOINT, after, tmp_path / "both", ModelFolder(tmp_path / "first"), full=True)
    first, second, both = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second", "both"))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    for name, weight in both.items():
        torch.testing.assert_close(weight, (first[name] + second[name]) / 2, atol=1e-6, rtol=1e-5)


def test_training_goes_on_from_an_exported_model(work, tmp_path, small):
    folder = run(work, tmp_path / "run", (4, 4))
    export(folder / CHECKPOINT, folder, tmp_path / "model", full=True)
    after = run(work, tmp_path / "more", (4, 0), more=("--begin", str(tmp_path / "model")))
    averaged = load_file(folder / CHECKPOINT)
    begun = load_file(after / CHECKPOINT)
    names = {name for name in begun if name.startswith("model.")} - {"model.temperature", QUERIES}
    assert len(names) > 20
    for name in names:
        torch.testing.assert_close(begun[name], averaged[name.replace("model.", "average.", 1)], atol=1e-5, rtol=0)
    before, now = (
        found[f"{of}.t5.retrieval.q.weight"] * found[f"{of}.temperature"].exp()
        for found, of in ((averaged, "average"), (begun, "model"))
    )
    torch.testing.assert_close(now, before, atol=1e-4, rtol=0)
