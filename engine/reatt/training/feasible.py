"""Check before a run whether the store's examples can teach anything; warn after it if retrieval was not taught."""

from __future__ import annotations

from collections.abc import Callable

from reatt.lessons.material import Material
from reatt.model.reatt import ReAtt
from reatt.progress import TrainingLog
from reatt.training.freezing import FREEZES
from reatt_store.errors import ModelMismatch, UsageError
from reatt_store.library import Generation, Library

UNTAUGHT = "nothing taught retrieval: no teacher found more than words do (--teach-at-once does not wait for one)"


def check(material: Material, freeze: str) -> None:
    """Raise UsageError if the examples cannot teach any of the parts that may learn."""
    chosen, examples = FREEZES[freeze], material.split.train
    if not chosen.retrieves and all(example.source == "relevance" for example in examples):
        message = "judgements teach retrieval, which --freeze retriever keeps as it is"
        raise UsageError(message, "leave out --freeze, or bring questions with answers: --qa FILE")
    if chosen.apart and all(example.chunk is None for example in examples):
        message = f"--freeze {freeze} trains only retrieval, but no example has a known passage"
        raise UsageError(message, "--freeze none")


def check_taught(material: Material, freeze: str, passes: Callable[[], bool]) -> None:
    """Raise UsageError if only retrieval may learn, and the only teacher did not pass its exam."""
    masked = any(example.source == "masked" for example in material.split.train)  # these need no teacher
    if FREEZES[freeze].apart and not masked and not passes():
        message = f"--freeze {freeze} trains only retrieval, but here reading finds no more than words do"
        raise UsageError(message, "leave out --freeze, or do not wait for a better reader: --teach-at-once")


def untaught(freeze: str, log: TrainingLog) -> list[str]:
    """Warn if retrieval could have learnt, but nothing taught it."""
    taught = any(row.cross_document is not None or row.cloze is not None for row in log.rows)
    return [] if taught or not FREEZES[freeze].retrieves else [UNTAUGHT]


def in_force(library: Library) -> Generation:
    """Return the current generation; raises UsageError if there is none."""
    made = library.generation()
    if made is None:
        raise UsageError("the store holds no vectors yet", "reatt ingest PATH", str(library.folder))
    if made.method == "intra":
        fix = "to move it over: reatt ingest --reencode --method reatt"
        raise ModelMismatch(f"the store was encoded for {made.method}, which is trained in another way", fix)
    return made


def read_by(library: Library, model: ReAtt) -> Generation:
    """Return the current generation; raises ModelMismatch if another model made its keys."""
    made = in_force(library)
    assert made.method == model.method, "a model is loaded for the method of its store"
    if made.fingerprint != model.fingerprint():
        message = f"the store's vectors were made by {made.model_name}, not by this model"
        raise ModelMismatch(message, "leave out --model, or move the store over first: reatt ingest --reencode")
    return made
