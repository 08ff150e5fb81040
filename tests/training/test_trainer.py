"""Training: six documents are learnt by heart, and a run that was killed ends as one that was not.

Run as a script, this file is a run to be killed: it trains the model given, from the checkpoints given.
"""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from reatt.lessons.batches import ChunkIds, gather, order
from reatt.lessons.close_chunks import WordSearch, close_chunks
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.backbone import ChunkText, Limits
from reatt.model.stacks.halves import Head
from reatt.training import checkpoints
from reatt.training import trainer as training
from reatt.training.exams import Exam
from reatt.training.freezing import FREEZES
from reatt.training.grad_cache import accumulate
from reatt.training.objective import Objective
from reatt.training.plans import Plan, Seconds, Steps, rate
from reatt.training.ranks import Distributed
from reatt.training.teachers import TEACHERS
from reatt.training.trainer import Trainer, TrainingData, train
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.errors import DiskFull, OutOfMemory, UsageError

FACTS = {
    "Norway": ("leave", "Parental leave in Norway is 49 weeks.", "49 weeks"),
    "Oslo": ("harbour", "The ferry to Oslo leaves from the harbour at four.", "at four"),
    "bread": ("oven", "Rye bread stays in the oven for 90 minutes.", "90 minutes"),
    "garden": ("fence", "The garden has a fence that Ada painted.", "Ada"),
    "telescope": ("dome", "The mirror of the telescope is 30 inches wide.", "30 inches"),
    "key": ("treasurer", "The treasurer keeps the key of the notebook.", "treasurer"),
}
PLAN = Plan(batch=6, close=3, micro=2, rate=3e-3, warm_up=0.1, rounds=1, learn_head=False, lead=None,
            half=False, recompute=False)  # fmt: skip


def corpus():
    ids = tuple(range(1, 1 + len(FACTS)))
    passages = tuple(ChunkText(title, text) for title, text, _ in FACTS.values())
    return Corpus(ids, passages, tuple(FACTS), ids, tuple(FACTS), tuple(range(len(ids))))


def examples():
    return [
        Example((f"What about {name}?",), (answer,), name, number, "question")
        for number, (name, (_, _, answer)) in enumerate(FACTS.items(), 1)
    ]


def course(model, exam=None, close=3):
    whole = corpus()
    mine = lambda round, _: close_chunks(examples(), whole, WordSearch(whole), close)  # noqa: E731
    return TrainingData(examples(), ChunkIds(whole, model.tokenizer), mine, WordSearch(whole).near, exam)


def trainer(model, plan=PLAN, freeze="none", **parts):
    return Trainer(model, plan, Objective(**parts), FREEZES[freeze])


def learn(learner, model, budget, folder, stop=lambda: False, close=3, **more):
    return train(learner, course(model, close=close), budget, folder, lambda row, share: None, stop, **more)


def weights(learner):
    return {name: weight.detach().clone() for name, weight in learner.current().t5.named_parameters()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(weight, other[name]) for name, weight in one.items())


def scores(model, question):
    queries = model.encode_question(question)
    codes = model.encode_chunks(corpus().passages)
    return [float((queries.vectors @ code.keys.T).amax(1).mean()) for code in codes]


def test_six_documents_are_learnt_by_heart(tiny_reatt, tmp_path):
    learner = trainer(tiny_reatt, replace(PLAN, rate=5e-3))
    learn(learner, tiny_reatt, Steps(80), tmp_path, close=1)  # the other questions' chunks tell right from wrong
    model, passages = learner.current(), corpus().passages
    for number, example in enumerate(examples()):
        found = scores(model, example.text)
        assert found.index(max(found)) == number
        assert model.answer(example.text, [passages[number]], [1.0], Limits(free=True)).text == example.answers[0]


def test_a_learning_rate_of_zero_changes_nothing(tiny_reatt, tmp_path):
    learner = trainer(tiny_reatt, replace(PLAN, rate=0.0))
    learn(learner, tiny_reatt, Steps(3), tmp_path)
    assert learner.current().fingerprint() == tiny_reatt.fingerprint()
    assert same(weights(learner), dict(tiny_reatt.t5.named_parameters()))


@pytest.mark.parametrize("freeze", ["retriever", "chunks"])
def test_a_frozen_run_learns_and_leaves_the_fingerprint(freeze, tiny_reatt, tmp_path):
    learner = trainer(tiny_reatt, replace(PLAN, learn_head=True), freeze=freeze)
    learn(learner, tiny_reatt, Steps(3), tmp_path)
    assert not same(weights(learner), dict(tiny_reatt.t5.named_parameters()))
    assert learner.current().fingerprint() == tiny_reatt.fingerprint()


def test_until_something_teaches_which_head_retrieves_the_model_keeps_its_own(tiny_reatt, tmp_path):
    tiny_reatt.head = Head(tiny_reatt.head.layer, 1)
    learner = trainer(tiny_reatt, replace(PLAN, learn_head=True), cross_document=False, cloze=False)
    learn(learner, tiny_reatt, Steps(2), tmp_path)
    assert learner.current().head.number == 1


def test_without_a_freeze_the_fingerprint_changes(tiny_reatt, tmp_path):
    learner = trainer(tiny_reatt)
    learn(learner, tiny_reatt, Steps(2), tmp_path)
    assert learner.current().fingerprint() != tiny_reatt.fingerprint()


def test_a_run_that_goes_on_is_the_run_that_was_never_interrupted(tiny_reatt, tmp_path):
    whole, first, second = (trainer(tiny_reatt) for _ in range(3))
    learn(whole, tiny_reatt, Steps(8), tmp_path / "whole")
    learn(first, tiny_reatt, Steps(8), tmp_path / "parts", stop=lambda: first.done == 3)
    assert second.resume(tmp_path / "parts")
    learn(second, tiny_reatt, Steps(8), tmp_path / "parts")
    assert same(weights(second), weights(whole))
    assert [row.answer for row in second.rows] == [row.answer for row in whole.rows]


def test_a_killed_run_goes_on_bit_by_bit_as_if_it_had_not_been(tiny, tiny_reatt, tmp_path):
    command = [sys.executable, __file__, str(tiny.path), str(tmp_path / "run")]
    for moment in (3, 9):  # steps taken since it began
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(moment):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    survivor, whole = trainer(tiny_reatt), trainer(tiny_reatt)
    assert survivor.resume(tmp_path / "run")
    assert 3 <= survivor.done < 24
    learn(survivor, tiny_reatt, Steps(24), tmp_path / "run")
    learn(whole, tiny_reatt, Steps(24), tmp_path / "whole")
    assert same(weights(survivor), weights(whole))


def test_another_runs_checkpoint_is_refused(tiny_reatt, tmp_path):
    learn(trainer(tiny_reatt), tiny_reatt, Steps(1), tmp_path)
    stranger = Trainer(tiny_reatt, PLAN, Objective(), FREEZES["none"], identity="another")
    with pytest.raises(UsageError, match="other settings"):
        stranger.resume(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"micro": 0}, {"done": -1}, {"round": "1"}, {"spent": None}, {"teaching": 1}, {"rows": [{}]}, {"rows": 3}],
    ids=str,
)
def test_a_damaged_checkpoint_is_told_and_not_continued(tiny_reatt, tmp_path, change):
    learn(trainer(tiny_reatt), tiny_reatt, Steps(1), tmp_path)
    [folder] = tmp_path.glob("step-*")
    state = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**state, **change}))
    survivor = trainer(tiny_reatt)
    with pytest.raises(UsageError, match="cannot be read"):
        survivor.resume(tmp_path)
    assert survivor.done == 0


def test_a_checkpoint_of_another_shape_is_not_continued(tiny_reatt, tmp_path):
    learn(trainer(tiny_reatt), tiny_reatt, Steps(1), tmp_path)
    [folder] = tmp_path.glob("step-*")
    tensors = load_file(folder / "training.safetensors")
    name = next(name for name in tensors if name.startswith("model."))
    for wrong in ({name: tensors[name][:1].clone()}, {"optimizer.900.step": torch.ones(())}, {"close": torch.ones(3)}):
        save_file({**tensors, **wrong}, folder / "training.safetensors")
        with pytest.raises(UsageError, match="cannot be read"):
            trainer(tiny_reatt).resume(tmp_path)


def test_where_memory_runs_out_half_as_many_questions_are_read_and_the_step_is_the_same(
    tiny_reatt, tmp_path, monkeypatch
):
    def crowded(*given, micro, **how):
        if micro > 1:
            raise torch.OutOfMemoryError
        return accumulate(*given, micro=micro, **how)

    frugal, learner = trainer(tiny_reatt, replace(PLAN, micro=1)), trainer(tiny_reatt, replace(PLAN, micro=4))
    learn(frugal, tiny_reatt, Steps(2), tmp_path / "frugal")
    monkeypatch.setattr(training, "accumulate", crowded)
    learn(learner, tiny_reatt, Steps(2), tmp_path / "crowded")
    assert learner.micro == 1
    assert same(weights(learner), weights(frugal))


def test_where_not_even_one_question_fits_the_error_says_so(tiny_reatt, tmp_path, monkeypatch):
    def full(*given, **how):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(training, "accumulate", full)
    with pytest.raises(OutOfMemory, match="does not fit"):
        learn(trainer(tiny_reatt), tiny_reatt, Steps(1), tmp_path)


def test_no_bug_is_taken_for_a_full_memory(tiny_reatt, tmp_path, monkeypatch):
    def broken(*given, **how):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(training, "accumulate", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        learn(trainer(tiny_reatt), tiny_reatt, Steps(1), tmp_path)


@pytest.mark.parametrize(("hit", "teaches"), [(0.6, False), (0.64, False), (0.66, True)])
def test_retrieval_learns_only_from_a_teacher_who_knows_more_than_words(hit, teaches, tiny_reatt, tmp_path):
    learner = trainer(tiny_reatt, replace(PLAN, lead=0.05))
    quiet = lambda row, share: None  # noqa: E731
    held = course(tiny_reatt, Exam(9, 0.6, lambda model, teacher: hit))
    log = train(learner, held, Steps(2), tmp_path, quiet, lambda: False)
    assert [row.cross_document is not None for row in log.rows] == [teaches, teaches]
    assert {row.teacher_hit for row in log.rows} == {hit}
    assert log.words_hit == 0.6


@pytest.mark.parametrize(
    ("attention", "likelihood", "chosen"),
    [(0.7, 0.9, "attention"), (0.6, 0.9, "likelihood"), (0.3, 0.2, "attention"), (0.2, 0.3, "likelihood")],
)
def test_the_first_teacher_that_passes_is_chosen_or_the_best(attention, likelihood, chosen, tiny_reatt):
    hits = {TEACHERS["attention"]: attention, TEACHERS["likelihood"]: likelihood}
    assert Exam(9, 0.6, lambda model, teacher: hits[teacher]).chosen(tiny_reatt, 0.05) == chosen


def test_without_a_known_answer_there_is_no_exam_and_retrieval_waits(tiny_reatt, tmp_path):
    log = learn(trainer(tiny_reatt, replace(PLAN, lead=0.05)), tiny_reatt, Steps(2), tmp_path)
    assert {row.cross_document for row in log.rows} == {None}


def test_a_run_by_minutes_ends_when_they_are_spent(tiny_reatt, tmp_path):
    log = learn(trainer(tiny_reatt), tiny_reatt, Seconds(2.0), tmp_path)
    *before, last = log.rows
    assert not log.stopped
    assert all(row.seconds < 2.0 for row in before)
    assert Seconds(2.0).share(last.step, last.seconds) >= 1


def test_activations_computed_again_change_nothing(tiny_reatt, tmp_path):
    kept, again = (trainer(tiny_reatt, replace(PLAN, recompute=recompute)) for recompute in (False, True))
    for number, learner in enumerate((kept, again)):
        learn(learner, tiny_reatt, Steps(2), tmp_path / str(number))
    for name, weight in weights(kept).items():
        torch.testing.assert_close(weights(again)[name], weight, rtol=1e-5, atol=1e-6)


def process(rank, path, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = models.load(ModelFolder(path), "cpu")
    learner = Trainer(model, PLAN, Objective(), FREEZES["none"], ranks=Distributed())
    learn(learner, model, [Steps(3), Seconds(0.0)][rank], folder / "run")  # the first one says how long
    torch.save((learner.done, weights(learner)), folder / f"{rank}")
    dist.destroy_process_group()


def test_two_processes_take_the_steps_of_one(write_model, home):
    path = home / "calm"
    write_model(path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "dropout_rate": 0.0}))
    mp.spawn(process, (path, home), nprocs=2)
    model = models.load(ModelFolder(path), "cpu")
    alone = trainer(model)
    learn(alone, model, Steps(3), home / "alone")
    (done, first), (steps, second) = (torch.load(home / rank) for rank in "01")
    assert (done, steps) == (3, 3)
    assert same(first, second)
    for name, weight in weights(alone).items():
        torch.testing.assert_close(first[name], weight, rtol=1e-4, atol=1e-5)


def test_more_processes_than_questions_are_refused(tiny_reatt):
    crowd = SimpleNamespace(number=0, count=7)
    with pytest.raises(UsageError, match="7 processes cannot share the 6 questions"):
        Trainer(tiny_reatt, PLAN, Objective(), FREEZES["none"], ranks=crowd)


def test_every_epoch_shows_every_example_once_and_in_another_order():
    lengths, size = tuple(range(24)), 4
    epochs = [[order(lengths, size, 7, step) for step in range(6 * n, 6 * n + 6)] for n in range(2)]
    assert all(sorted(number for batch in epoch for number in batch) == list(range(24)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_batch_holds_like_lengths():
    lengths = tuple([10] * 32 + [1000] * 32)
    assert all(len({lengths[number] for number in order(lengths, 8, 0, step)}) == 1 for step in range(8))


def test_fewer_examples_than_a_batch_make_one_smaller_batch():
    assert sorted(order((5, 5, 5), 16, 0, 9)) == [0, 1, 2]


def test_a_chunk_that_is_close_twice_is_in_the_pool_once():
    batch = gather([(5, 1), (6, 1)], [(7, 1), (8, 1)], [[(1, 2), (3, 4)], [(3, 4), (9, 9), (1, 2)]])
    assert batch.chunks == ((1, 2), (3, 4), (9, 9))
    assert batch.close == ((0, 1), (1, 2, 0))


def test_the_learning_rate_rises_and_falls_in_lines():
    plan = Plan(rate=2.0, warm_up=0.1)
    assert [round(rate(plan, share), 6) for share in (0.05, 0.1, 0.55, 1.0)] == [1.0, 2.0, 1.0, 0.0]
    assert rate(replace(plan, warm_up=0.0), 0.0) == 2.0


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tiny_reatt, tmp_path, monkeypatch):
    learn(trainer(tiny_reatt), tiny_reatt, Steps(1), tmp_path)
    monkeypatch.setattr(checkpoints, "save_file", _full_disk)
    with pytest.raises(DiskFull, match="no checkpoint"):
        learn(trainer(tiny_reatt), tiny_reatt, Steps(2), tmp_path)
    survivor = trainer(tiny_reatt)
    assert survivor.resume(tmp_path)
    assert survivor.done == 1


def _full_disk(*_):
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


if __name__ == "__main__":
    model = models.load(ModelFolder(Path(sys.argv[1])), "cpu")
    learner = trainer(model)
    learner.resume(Path(sys.argv[2]))
    counted = lambda row, share: print(row.step, flush=True)  # noqa: E731
    train(learner, course(model), Steps(24), Path(sys.argv[2]), counted, lambda: False, save_every=0.0)
