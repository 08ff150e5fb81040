"""What a store cannot be adapted from, told before minutes are spent; and what was not taught, told after."""

from __future__ import annotations

from collections.abc import Callable

from reatt.lessons.material import Material
from reatt.model.reatt import ReAtt
from reatt.training.freezing import FREEZES
from reatt.training.plans import TrainingLog
from reatt_store.errors import ModelMismatch, UsageError
from reatt_store.library import Generation, Library

UNTAUGHT = "nothing taught retrieval: no teacher found more than words do (--teach-at-once does not wait for one)"


def check(material: Material, freeze: str) -> None:
    """Raise UsageError where what may learn and what there is to learn from have nothing in common."""
    chosen, examples = FREEZES[freeze], material.split.train
    if not chosen.retrieves and all(example.source == "relevance" for example in examples):
        message = "judgements teach retrieval, which --freeze retriever keeps as it is"
        raise UsageError(message, "leave out --freeze, or bring questions with answers: --qa FILE")
    if chosen.apart and all(example.chunk is None for example in examples):
        message = f"--freeze {freeze} teaches retrieval alone, and of no example the passage is known"
        raise UsageError(message, "--freeze none")


def check_taught(material: Material, freeze: str, passes: Callable[[], bool]) -> None:
    """Raise UsageError where retrieval alone is to learn, and its one teacher may not teach."""
    masked = any(example.source == "masked" for example in material.split.train)  # these need no teacher
    if FREEZES[freeze].apart and not masked and not passes():
        message = f"--freeze {freeze} teaches retrieval alone, and reading finds no more than words do here"
        raise UsageError(message, "leave out --freeze, or do not wait for a better reader: --teach-at-once")


def untaught(freeze: str, log: TrainingLog) -> list[str]:
    """Warn where retrieval might have learnt and nothing taught it."""
    taught = any(row.cross_document is not None or row.cloze is not None for row in log.rows)
    return [] if taught or not FREEZES[freeze].retrieves else [UNTAUGHT]


def in_force(library: Library) -> Generation:
    """Name the generation in force; raises UsageError where there is none."""
    made = library.generation()
    if made is None:
        raise UsageError("the store holds no vectors yet", "reatt ingest PATH", str(library.folder))
    if made.method == "intra":
        fix = "to move it over: reatt ingest --reencode --method reatt PATH"
        raise ModelMismatch(f"the store was encoded for {made.method}, which learns otherwise", fix)
    return made


def read_by(library: Library, model: ReAtt) -> Generation:
    """Name the generation in force; raises ModelMismatch where its keys are not the model's."""
    made = in_force(library)
    assert made.method == model.method, "a model is loaded for the method of its store"
    if made.fingerprint != model.fingerprint():
        message = f"the store's vectors were made by {made.model_name}, not by this model"
        raise ModelMismatch(message, "leave out --model, or move the store over first: reatt ingest --reencode")
    return made
