"""One stretch of a training, by the engine's own trainer: what is learnt from, its steps, its checkpoints."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from bench.papers.lessons import LESSONS, TEACHERS, Material
from bench.papers.rows import Stage
from reatt.lessons.batches import ChunkIds
from reatt.lessons.close_chunks import AttentionSearch, CorpusSearch, WordSearch, close_chunks, with_gold
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.reatt import ReAtt
from reatt.progress import TrainingRow
from reatt.training.freezing import FREEZES
from reatt.training.objective import Objective
from reatt.training.plans import Steps
from reatt.training.trainer import Trainer, TrainingData, train

CHUNK_TOKENS, QUESTION_TOKENS = 160, 48  # longer ones are cut
SAVE_EVERY = 60.0  # seconds

Tell = Callable[[str], None]  # may raise, to stop in time


def shortened(model: ReAtt) -> ReAtt:
    """Let a model cut texts that are longer than needed, and keep its words as they are when it learns."""
    model.tokenizer.chunk_limit, model.tokenizer.question_limit = CHUNK_TOKENS, QUESTION_TOKENS
    model.t5.float()
    model.t5.fixed = (model.t5.shared,)
    return model


def with_dropout(model: ReAtt, share: float) -> ReAtt:
    """Set the share of states that training drops, in place."""
    model.t5.config = replace(model.t5.config, dropout_rate=share)
    for module in model.t5.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = share  # type: ignore[assignment]
    return model


def taught(model: ReAtt, stage: Stage, material: Material, seed: int, folder: Path, tell: Tell) -> ReAtt:
    """Train a copy of a model by one stage, from its last checkpoint on; `tell` may raise, and nothing is lost.

    The folder's name says all that a checkpoint depends on.
    """
    learnt_from = LESSONS[stage.lessons](material, seed)
    plan = replace(stage.plan, seed=seed)
    objective = Objective(stage.answers, stage.cross_document, False, stage.in_batch, stage.alpha,
                          TEACHERS[stage.teacher], stage.posterior)  # fmt: skip
    trainer = Trainer(with_dropout(model, stage.dropout), plan, objective, FREEZES[stage.freeze], folder.name)
    trainer.resume(folder)
    trained = _data(learnt_from, stage, seed, model)
    stopped: list[BaseException] = []

    def stop() -> bool:
        try:
            tell(f"{folder.parents[1].name}: step {trainer.done} of {stage.steps}")
        except BaseException as reason:  # whatever it is, the checkpoint comes first
            stopped.append(reason)
        return bool(stopped)

    train(trainer, trained, Steps(stage.steps), folder, _nothing, stop, SAVE_EVERY)
    if stopped:
        raise stopped[0]
    return with_dropout(trainer.current(), 0.0)


def _data(material: Material, stage: Stage, seed: int, model: ReAtt) -> TrainingData:
    """Draw as many examples as the steps take, and say how their close chunks are found."""
    every, count = material.examples, stage.steps * stage.plan.batch
    drawn = random.Random(f"{seed} examples").sample(every, min(count, len(every)))
    words = WordSearch(material.corpus)
    mine = partial(_mine, material.corpus, words, drawn, stage.plan.close)
    chunks = ChunkIds(material.corpus, model.tokenizer)
    return TrainingData(drawn, chunks, mine, words.near, None, TEACHERS[stage.teacher])


def _mine(
    corpus: Corpus, words: WordSearch, examples: Sequence[Example], k: int, number: int, model: ReAtt
) -> list[list[int]]:
    """Find close chunks by words, and in later rounds by the model's own attention."""
    search: CorpusSearch = AttentionSearch(corpus, model) if number else words
    close = close_chunks(examples, corpus, search, k)
    return [with_gold(each, example, corpus) for each, example in zip(close, examples, strict=True)]


def _nothing(row: TrainingRow, share: float) -> None:
    """Log nothing: a checkpoint holds the rows."""
