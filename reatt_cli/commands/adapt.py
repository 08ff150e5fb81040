"""The command `adapt`: train the store's model on the store's documents, and use it if it is better."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reatt_cli.command import command
from reatt_cli.interrupts import patient
from reatt_cli.rendering import counted, human_bytes, human_count, human_seconds
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from reatt.adapt import Course
    from reatt.adapt_encoder import EncoderCourse
    from reatt.adapt_keys import KeysCourse
    from reatt.courses import AdaptOptions
    from reatt.judging.report import Report
    from reatt.progress import Progress, TrainingRow
    from reatt_cli.schemas import adapt as schemas_adapt

KEPT = 5  # the exit code where the old model stays

File = str | None
Qa = Annotated[File, typer.Option("--qa", metavar="FILE", help="Questions with answers (JSON Lines).")]
Qrels = Annotated[
    File, typer.Option("--qrels", metavar="FILE", help="With --method intra: all relevant documents, as for eval.")
]
By = Annotated[
    Literal["reatt", "intra"] | None, typer.Option("--method", help="Train encoder or decoder [the store's method].")
]
Judged = Annotated[
    File, typer.Option("--judged", metavar="FILE", help="Questions with relevant documents (JSON Lines).")
]
Spans = Annotated[File, typer.Option("--spans", metavar="FILE", help="Names and terms to mask first, one per line.")]
Masked = Annotated[bool, typer.Option("--masked", help="Also train on masked sentences when a file is given.")]
Minutes = Annotated[float | None, typer.Option("--minutes", min=0.1, metavar="N", help="Total time in minutes [20].")]
StepCount = Annotated[int | None, typer.Option("--steps", min=1, metavar="N", help="Train N steps, not N minutes.")]
Freeze = Annotated[
    Literal["none", "retriever", "reader", "chunks"] | None,
    typer.Option("--freeze", help="What stays fixed; chunks, retriever: no re-encoding [chunks, without questions]."),
]
HoldOut = Annotated[str, typer.Option("--hold-out", metavar="SHARE", help="Share of documents held out for measuring.")]
CloseFrom = Annotated[
    str, typer.Option("--close-from", metavar="words|attention|FILE", help="How the passages to read are found.")
]
Preset = Annotated[
    Literal["auto", "paper", "gpu", "laptop"], typer.Option("--preset", help="Batch size and learning rate.")
]
Teacher = Annotated[
    Literal["auto", "attention", "likelihood"],
    typer.Option("--teacher", help="What retrieval learns from [the first that beats BM25 on your documents]."),
]
Wait = Annotated[
    bool, typer.Option("--wait-for-teacher/--teach-at-once", help="Train retrieval only after the teacher beats BM25.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed; the same seed repeats a run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what a run would do and need; change nothing.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run; repeat its options.")]
Accept = Annotated[Literal["if-better", "always", "never"], typer.Option("--accept", help="When to use the new model.")]
Warm = Annotated[bool, typer.Option("--warm-start", help="With --method intra: first train the decoder to answer.")]
Exclude = Annotated[bool, typer.Option("--exclude-source", help="Never read the passage a masked sentence comes from.")]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "adapt", example="reatt adapt --minutes 30", model=True)(adapt)


def adapt(
    session: Session,
    qa: Qa = None,
    qrels: Qrels = None,
    judged: Judged = None,
    spans: Spans = None,
    masked: Masked = False,
    minutes: Minutes = None,
    steps: StepCount = None,
    freeze: Freeze = None,
    hold_out: HoldOut = "5%",
    close_from: CloseFrom = "words",
    preset: Preset = "auto",
    teacher: Teacher = "auto",
    wait: Wait = True,
    seed: Seed = 0,
    dry_run: DryRun = False,
    resume: Resume = False,
    accept: Accept = "if-better",
    exclude_source: Exclude = False,
    method: By = None,
    warm_start: Warm = False,
) -> int:
    """Train the model on the store's documents; use the new model if it is better."""
    from reatt.courses import AdaptOptions

    options = AdaptOptions(
        qa, qrels, judged, spans, masked, minutes, steps, freeze, _share(hold_out), close_from, preset, teacher, wait,
        seed, resume, accept, exclude_source, warm_start, method,
    )  # fmt: skip
    return _learn(session, options, dry_run)


def _learn(session: Session, options: AdaptOptions, dry_run: bool) -> int:
    """Train as the options say; print the result, or what a run would need."""
    from reatt import adapt, courses
    from reatt.adapt_encoder import EncoderCourse
    from reatt.adapt_keys import KeysCourse
    from reatt.training import ranks
    from reatt_store.errors import UsageError

    began, method = time.monotonic(), courses.checked(session.library, options)
    if dry_run and method == "intra":
        raise UsageError("--method intra has no --dry-run", "leave it out")
    alone = nullcontext(ranks.ALONE)
    with (
        alone if method == "intra" else ranks.joined() as together,
        session.out.progress() as show,
        _stoppable(session, resumes=method != "intra") as stop,
    ):
        course = session.store.course(options, courses.Hooks(show, _rows(show), stop, began, together))
        if isinstance(course, EncoderCourse | KeysCourse) and together.number:  # only the first process prints
            if not dry_run:
                course.help(options.resume)
            return 0
        _tell_plan(session, course)
        planned = _planned(session, course) if dry_run and isinstance(course, EncoderCourse | KeysCourse) else None
        result = planned or _done(session, adapt.run(course, options.resume))
    session.out.result(result, lambda: _render(session, result))
    return 0 if dry_run or result.accepted else KEPT


def _share(text: str) -> float:
    """Read a share such as 5% or 0.05."""
    from reatt_store.errors import UsageError

    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise UsageError(f"--hold-out {text}: expected a share of the documents", "--hold-out 5%")
    return share


def _stoppable(session: Session, resumes: bool = True) -> AbstractContextManager[Callable[[], bool]]:
    """Let the first Ctrl-C end the training and keep what was learnt so far."""
    on = " To continue: the same command with --resume" if resumes else ""
    waiting = "stopping after this step, then comparing what was learnt"
    return patient(session, waiting, f"stopped; the store is as it was.{on}")


def _rows(show: Callable[[Progress], None]) -> Callable[[TrainingRow, float], None]:
    """Show a step of training as progress."""
    from reatt.progress import Progress

    def tell(row: TrainingRow, share: float) -> None:
        teacher = "" if row.teacher_hit is None else f"  teacher {row.teacher_hit:.2f}"
        finding = row.cloze if row.cross_document is None else row.cross_document  # what teaches retrieval
        retrieval = "" if finding is None else f"  retrieval {finding:.3f}"
        answer = "" if row.answer is None else f"answer {row.answer:.3f}"
        agreement = "" if row.agreement is None else f"  agreement {row.agreement:.2f}"
        steps = round(row.step / share) if share else row.step  # with --minutes the share of the first step is unknown
        show(Progress("train", row.step, max(row.step, steps), f"{answer}{retrieval}{teacher}{agreement}".strip()))

    return tell


def _tell_plan(session: Session, course: Course[Any]) -> None:
    from reatt.adapt_decoder import DecoderCourse
    from reatt.adapt_encoder import EncoderCourse
    from reatt.adapt_keys import KeysCourse

    if isinstance(course, DecoderCourse):
        train, held_out = len(course.split.train), len(course.split.held)
        return session.out.note(f"plan   {counted(train, 'question')} with evidence, {held_out:,} held out")
    assert isinstance(course, EncoderCourse | KeysCourse), "there are three"
    material, options = course.material, course.options
    total = sum(material.kinds.values())
    held, how = material.split, f"{options.steps} steps" if options.steps else f"{options.minutes:g} min"
    out = f"hold-out {counted(len(held.groups), 'group')}, {counted(len(held.held), 'question')}"
    session.out.note(f"plan   {human_count(total)} examples ({_mix(material.kinds)}), {out}, {how}")


def _planned(session: Session, course: EncoderCourse | KeysCourse) -> schemas_adapt.Adapt:
    from reatt_cli.schemas import adapt as schemas_adapt

    material = course.material
    return schemas_adapt.Adapt(
        run=None, dry_run=True, accepted=False, reason="--dry-run: nothing was trained", before={}, after={},
        delta_ci95={}, teacher=None, steps=0, tokens=0, stopped=False, seconds=0.0, reencoded=0, report=None,
        model=schemas_adapt.Learnt(
            name=session.model.name, parent_sha256=session.model.sha256, sha256=None, path=None
        ),
        forecast=schemas_adapt.Forecast(**asdict(course.forecast())),
        warnings=[*session.warnings, *material.warnings], store=str(session.folder), mode=material.mode,
        spans=dict(material.kinds), held_out_documents=len(material.split.groups),
        held_out_questions=len(material.split.held),
    )  # fmt: skip


def _done(session: Session, report: Report) -> schemas_adapt.Adapt:
    from reatt.judging.report import to_json
    from reatt_cli.schemas import adapt as schemas_adapt

    warnings = [*session.warnings, *report.warnings]
    return schemas_adapt.Adapt.model_validate({**to_json(report), "warnings": warnings})


def _render(session: Session, result: schemas_adapt.Adapt) -> None:
    out = session.out
    for warning in result.warnings:
        out.warn(warning)
    if result.forecast is not None:
        return _render_plan(session, result, result.forecast)
    heading = ("held-out", "before", "after", "change (95 % CI)")
    out.table([heading, *(_figure(result, name) for name in _shown(result))])
    if result.accepted:
        made = f"{human_count(result.reencoded)} keys encoded again" if result.reencoded else "nothing encoded again"
        out.say(f"accepted: {result.reason}; {made}; previous model kept ({session.again('models', 'rollback')})")
    else:
        out.say(f"the old model stays: {result.reason}")
    if result.teacher is not None:
        hit = f"{result.teacher.before:.2f} before, {result.teacher.after:.2f} after"
        out.note(f"teacher_hit@1 of {result.teacher.name} {hit}; BM25 {result.teacher.words_hit:.2f}")
    took = f"{counted(result.steps, 'step')}, {human_count(result.tokens)} tokens in {human_seconds(result.seconds)}"
    page = f"   report: {short_path(result.report)}" if result.report else ""
    out.note(f"{result.run}   {took}{page}")


def _render_plan(session: Session, result: schemas_adapt.Adapt, plan: schemas_adapt.Forecast) -> None:
    out = session.out
    out.say(f"trains on {human_count(sum(result.spans.values()))} examples: {_mix(result.spans)}")
    held = f"{counted(result.held_out_questions, 'question')} of {counted(result.held_out_documents, 'group')}"
    out.say(f"measures on {held} held out from training")
    out.say(f"takes {human_seconds(plan.seconds)}: {counted(plan.steps, 'step')} of {plan.step_seconds:.1f}s each")
    out.say(f"needs {human_bytes(plan.bytes)} of disk space during the run")


def _mix(spans: Mapping[str, int]) -> str:
    total = sum(spans.values())
    return ", ".join(f"{kind} {count / total:.0%}" for kind, count in spans.items())


def _shown(result: schemas_adapt.Adapt) -> list[str]:
    """Name the figures to print; those about several documents only if questions have several."""
    from reatt.judging.comparison import NAMES, WHOLE

    return [name for name in NAMES if name in result.after or name != WHOLE]


def _figure(result: schemas_adapt.Adapt, name: str) -> tuple[str, ...]:
    from reatt.judging.comparison import NAMES

    if name not in result.after:
        return NAMES[name], "", "", "not measured"
    before, after, (low, high) = result.before[name], result.after[name], result.delta_ci95[name]
    return NAMES[name], f"{before:.3f}", f"{after:.3f}", f"{after - before:+.3f} ({low:+.3f}, {high:+.3f})"
