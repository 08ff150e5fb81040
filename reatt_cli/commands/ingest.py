"""The command `ingest`: reads files into the store."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reatt_cli import watch as watcher
from reatt_cli.command import command, require_number
from reatt_cli.commands.contents import problem_of, problem_rows, read_by_ocr
from reatt_cli.interrupts import patient
from reatt_cli.rendering import counted, human_bytes, human_seconds
from reatt_cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from reatt.documents.reader import ReadLimits
    from reatt.ingest import IngestOptions, IngestReport
    from reatt.progress import Progress
    from reatt_cli.schemas import published as schemas
    from reatt_cli.schemas.store import Ocr

PARTLY = 3
SHOWN_PROBLEMS = 20

Globs = list[str] | None
Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH...", help='Files, folders, globs, or "-" for standard input.', show_default=False),
]
Include = Annotated[Globs, typer.Option("--include", metavar="GLOB", help="Read only files that match; repeatable.")]
Exclude = Annotated[Globs, typer.Option("--exclude", metavar="GLOB", help="Skip files that match; repeatable.")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove documents whose files are gone.")]
Reencode = Annotated[
    bool,
    typer.Option(
        "--reencode", help="Encode all that is stored again, with --model or the newest model; needs no PATH."
    ),
]
Size = Annotated[
    str, typer.Option("--max-file-size", metavar="SIZE", help="Skip larger files, for example 500K, 200M, 2G.")
]
Timeout = Annotated[float, typer.Option("--timeout", min=1, metavar="SECONDS", help="Time limit for parsing one file.")]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="Encoding of text files; default: detected.")
]
TextField = Annotated[
    Globs,
    typer.Option(
        "--text-field",
        metavar="NAME",
        help="Field or column of records to read; repeatable; default: text, or guessed.",
    ),
]
IdField = Annotated[
    str,
    typer.Option("--id-field", metavar="NAME", help="Field or column with the id of a record; default: _id, or id."),
]
PasswordFile = Annotated[
    str | None, typer.Option("--password-file", metavar="FILE", help="File with passwords of PDFs, one per line.")
]

Retry = Annotated[bool, typer.Option("--retry", help="Read unchanged files again that took too long or had no text.")]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count the files that would be read.")]

How = Annotated[
    Literal["reatt", "intra"] | None,
    typer.Option(
        "--method", help="What retrieves: encoder attention, or the decoder [the store's method, else reatt]."
    ),
]

Keep = Annotated[bool, typer.Option("--keep-states", help="Also store encoder states: faster answers, larger store.")]

Workers = Annotated[
    int,
    typer.Option("--workers", min=1, max=256, metavar="N", help="Processes that encode; 1: this one, on all cores."),
]

Watch = Annotated[bool, typer.Option("--watch", help="Keep running and read files as they change, until Ctrl-C.")]


MOMENT = 0.5  # seconds that the first Ctrl-C waits for the end of a group of passages
SAY_EVERY = 30.0  # seconds between lines about progress where there is no terminal


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    command(app, "ingest", example="reatt ingest ~/handbook", model=True)(ingest)


def ingest(
    session: Session,
    paths: Paths = None,
    include: Include = None,
    exclude: Exclude = None,
    prune: Prune = False,
    reencode: Reencode = False,
    max_file_size: Size = "200M",
    timeout: Timeout = 60,
    encoding: Encoding = None,
    text_field: TextField = None,
    id_field: IdField = "",
    password_file: PasswordFile = None,
    retry: Retry = False,
    dry_run: DryRun = False,
    watch: Watch = False,
    method: How = None,
    keep_states: Keep = False,
    workers: Workers = 1,
) -> int:
    """Read files into the store. Unchanged files are skipped; a killed run continues where it stopped."""
    paths = _named(session, paths, reencode)
    if watch:
        watcher.check(session, paths)
    limits = read_limits(max_file_size, timeout, encoding, text_field, id_field, password_file)
    options = _options(include, exclude, prune, reencode, retry, workers, limits)
    if dry_run:
        return _say_what_would_be(session, paths, options)
    from reatt.model.backbone import KEEPING

    keeping = KEEPING if keep_states and method != "intra" else method

    def once() -> int:
        new = not session.exists
        with session.out.progress(SAY_EVERY) as show, _stops_between_batches(session, show, new) as on_progress:
            report = session.store.ingest(paths, options, method=keeping, progress=on_progress, warn=_once(session))
        session.name_store(new)
        return _told(session, report)

    return watcher.rounds(session, paths, once) if watch else once()


def _named(session: Session, paths: list[str] | None, reencode: bool) -> list[str]:
    """Return the paths. Without any, what is stored is encoded again; raises StoreError if there is no store."""
    from reatt_store.errors import UsageError

    if not paths and not reencode:
        raise UsageError("Missing argument 'PATH...'", "reatt ingest ~/handbook")
    if not paths:
        _ = session.library
    return paths or []


def _options(
    include: Globs, exclude: Globs, prune: bool, reencode: bool, retry: bool, workers: int, limits: ReadLimits
) -> IngestOptions:
    from reatt.ingest import IngestOptions

    return IngestOptions(tuple(include or ()), tuple(exclude or ()), prune, reencode, retry, workers, limits)


def _once(session: Session) -> Callable[[str], None]:
    """Return what warns of each thing once, however often `--watch` reads again."""
    return lambda text: None if text in session.warnings else session.warn(text)


def _told(session: Session, report: IngestReport) -> int:
    result = result_of(session, report, session.folder)
    session.out.result(result, lambda: _render(session, result))
    return PARTLY if result.files.failed else 0


def _say_what_would_be(session: Session, paths: Sequence[str], options: IngestOptions) -> int:
    from reatt import ingest as engine

    engine.preflight(paths, options)
    report = engine.foresee(session.library if session.exists else None, paths, options)
    result = result_of(session, report, session.folder).model_copy(update={"dry_run": True, "generation": None})
    files = result.files
    counts = (("new", files.added), ("known", files.changed), ("unchanged", files.unchanged))
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts if count)
    session.out.result(result, lambda: session.out.say(f"would read: {told}; {human_bytes(result.bytes)}"))
    return 0


def read_limits(
    size: str, timeout: float, encoding: str | None, fields: Globs, id_field: str, password_file: str | None
) -> ReadLimits:
    """Read the options about single files."""
    from reatt.documents.reader import ReadLimits

    passwords = tuple(_lines(password_file)) if password_file is not None else ()
    return ReadLimits(
        max_bytes=_bytes(size),
        seconds=timeout,
        encoding=encoding,
        fields=tuple(fields or ()),
        id_field=id_field,
        passwords=passwords,
    )


def _bytes(size: str) -> int:
    """Read a size such as 200M."""
    from reatt_store.errors import UsageError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", size.strip(), re.IGNORECASE | re.ASCII)
    if not found:
        raise UsageError(f"--max-file-size {size}: expected a number with K, M or G", "--max-file-size 200M")
    size_in_bytes = float(found[1]) * 1000 ** " KMGT".index(found[2].upper() or " ")
    require_number("max_file_size", int(size_in_bytes) if size_in_bytes < math.inf else math.inf)
    return int(size_in_bytes)


def _lines(path: str) -> list[str]:
    """Read a file of passwords; raises UsageError if it cannot be read."""
    from reatt_store.errors import UsageError

    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--password-file {path}: {error}", "use a text file with one password per line") from None


@contextmanager
def _stops_between_batches(
    session: Session, show: Callable[[Progress], None], new: bool
) -> Iterator[Callable[[Progress], None]]:
    """Let the first Ctrl-C wait a moment for the end of a group. The store is sound in any case."""

    def step(progress: Progress) -> None:
        session.name_store(new)
        if asked():
            raise KeyboardInterrupt
        show(progress)

    stopped = "stopped; what was read is stored, and the same command continues from there"
    with patient(session, "stopping at the next safe point", stopped, MOMENT) as asked:
        yield step


def result_of(session: Session, report: IngestReport, folder: Path) -> schemas.Ingest:
    """Say what was read into a folder."""
    from reatt_cli.schemas import published as schemas
    from reatt_cli.schemas.parts import noticed
    from reatt_store.errors import Notice

    warnings = [*session.warnings, *report.warnings]
    if report.duplicates:
        told = (
            f"{counted(report.duplicates, 'text')} in more than one file; those of one title share one set of vectors"
        )
        warnings.append(Notice("DUPLICATE", told))
    files = schemas.Files(
        seen=report.seen, added=report.added, changed=report.changed, unchanged=report.unchanged,
        removed=report.removed, skipped=report.skipped, failed=report.failed,
    )  # fmt: skip
    return schemas.Ingest(
        store=str(folder), generation=report.generation, files=files, chunks=report.chunks,
        tokens=report.tokens, bytes=report.bytes, seconds=report.seconds,
        problems=[problem_of(problem) for problem in report.problems],
        skipped=[problem_of(problem) for problem in report.passed_over], warnings=warnings, notices=noticed(warnings),
        duplicates=report.duplicates, ocr=_ocr(report.ocr),
    )  # fmt: skip


def _ocr(confidences: Sequence[tuple[float, ...]]) -> Ocr:
    """Sum up how sure OCR was of the pages of each document."""
    from reatt_cli.schemas.store import Ocr

    pages = [page for document in confidences for page in document]
    return Ocr(documents=len(confidences), pages=len(pages), confidence=sum(pages) / len(pages) if pages else None)


def _render(session: Session, result: schemas.Ingest) -> None:
    files = result.files
    render(session, result)
    if result.problems:
        session.out.note(f"to list all: {session.again('status', '--problems')}")
    if files.skipped:
        told = f"{counted(files.skipped, 'file')} skipped: empty, or of a format that is not read"
        see = f"{told}; see: {session.again('status', '--problems')}"
        session.out.note(see if result.skipped else told)
    if files.added or files.changed or files.unchanged:
        session.out.note("next: " + session.again("ask", '"…"'))


def render(session: Session, result: schemas.Ingest) -> None:
    """Print what was read."""
    out, files = session.out, result.files
    new = [
        ("added", files.added),
        ("changed", files.changed),
        ("unchanged", files.unchanged),
        ("removed", files.removed),
    ]
    what = ", ".join(f"{verb} {counted(count, 'document')}" for verb, count in new if count) or "nothing to read"
    size = f"{counted(result.chunks, 'passage')}, {counted(result.tokens, 'token')}"
    out.say(f"{what}; {size} in {human_seconds(result.seconds)}   store {human_bytes(result.bytes)}")
    if result.ocr.pages:
        out.note(f"read by OCR: {read_by_ocr(result.ocr)}")
    for warning in result.warnings[len(session.warnings) :]:  # the others were printed before
        out.warn(warning)
    if result.problems:
        out.note(f"{counted(len(result.problems), 'file')} not read:")
        for row in problem_rows(result.problems[:SHOWN_PROBLEMS]):
            out.note("  " + "   ".join(part for part in row if part))
