"""The end of a run: the new model becomes current with its vectors, or nothing changes. One earlier model is kept."""

from __future__ import annotations

from reatt.judging.comparison import Verdict
from reatt.judging.report import Named
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.library import Generation, Library, Writer
from reatt_store.records import Outcome


def conclude(
    library: Library, writer: Writer, before: Generation, run: int, verdict: Verdict, made: ModelFolder, generation: int
) -> Named | None:
    """Make a model that reads `generation` current, or drop it; return what was kept.

    `before` was current until now. Its model is kept for a rollback; earlier ones are dropped.
    """
    outcome = Outcome(
        {name: change.before for name, change in verdict.figures.items()},
        {name: change.after for name, change in verdict.figures.items()},
        verdict.accepted, verdict.reason, made.sha256,
    )  # fmt: skip
    if verdict.accepted:
        models.keep_in_store(made, library.folder)
        writer.end_run(run, outcome, generation, made.name)
        for earlier in library.models():
            if not earlier.current and earlier.sha256 != before.model_sha256:
                writer.forget_model(earlier.id)
    else:
        writer.end_run(run, outcome)
        if generation not in {model.generation for model in library.models()}:
            writer.drop_generation(generation)
    models.drop_unused(library)
    if not verdict.accepted:
        return None
    return Named(made.name, made.sha256, str(models.in_store(library, made.name, made.sha256).path))
