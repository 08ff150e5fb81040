"""The commands `list`, `show`, `remove`, `status`, `check` and `init`. None of them needs a model."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from reatt.places import expanded, registry
from reatt_cli import targets
from reatt_cli.command import command
from reatt_cli.commands.selecting import After, Before, Kind, Only, Without, selection
from reatt_cli.rendering import counted, human_bytes, human_count, human_seconds, tail, where
from reatt_cli.session import Session, below, labelled, labels, short_path

if TYPE_CHECKING:
    from reatt_cli.schemas import store as schemas
    from reatt_store.library import Library
    from reatt_store.records import Problem, StoredChunk, StoredDocument

ShownId = Annotated[
    str,
    typer.Argument(
        metavar="ID|PATH",
        help="D-… (a document), C-… (a chunk), or a path: PATH, PATH:10-40 (lines), PATH:p3 (a page).",
    ),
]
Targets = Annotated[list[str], typer.Argument(metavar="ID|PATH|GLOB...", help="D-…, a path, or a pattern for paths.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    command(app, "list", example='reatt list --only "*.pdf"', several=True)(list_documents)
    command(app, "show", example="reatt show handbook/leave.md:10-40")(show)
    command(app, "remove", example="reatt remove drafts/old.md")(remove)
    command(app, "status", example="reatt status --problems", several=True)(status)
    command(app, "check", example="reatt check --repair")(check)
    command(app, "init", example="reatt init ~/handbook")(init)


def list_documents(
    session: Session,
    only: Only = None,
    without: Without = None,
    kind: Kind = None,
    after: After = None,
    before: Before = None,
) -> None:
    """List the documents in the store."""
    from reatt_cli.schemas import store as schemas

    root = session.view.root()
    among = selection(only, without, kind, after, before)
    found = [listed(stored, root) for stored in session.view.documents(among)]
    stores = labels(document.store for document in found)

    def render() -> None:
        limit = session.out.width - 36 if session.out.on_terminal else None
        names = [labelled(stores[each.store], tail(_named(each, root), limit)) for each in found]
        sizes = [(f"{d.chunks:,}", human_bytes(d.bytes), d.added[:10]) for d in found]
        rows = zip(found, names, sizes, strict=True)
        session.out.table([(document.doc, name, *size) for document, name, size in rows])
        session.out.note(counted(len(found), "document"))

    store = "" if session.several else str(session.folder)
    session.out.result(schemas.Documents(store=store, root=root, documents=found), render)


def show(session: Session, shown: ShownId) -> None:
    """Show a stored document or chunk with its text: all of it, some of its lines, or a page."""
    from reatt_cli.schemas import store as schemas

    document, chunks, part = targets.find(session.library, shown)
    pieces = [_piece(stored) for stored in chunks]
    root = session.library.root()
    result = schemas.Show(id=shown, root=root, document=listed(document, root), chunks=pieces)

    def render() -> None:
        place = where(pieces[0].page, pieces[0].line_start) if shown.startswith("C-") or part else ""
        session.out.note(f"{_named(result.document, root)}{place}  {document.document.title}")
        session.out.block(_lines_of(pieces, part).rstrip("\n"))

    session.out.result(result, render)


def _lines_of(pieces: Sequence[schemas.Piece], part: targets.Part | None) -> str:
    """Return the text of chunks, or of those lines that were asked for."""
    text = "".join(piece.text for piece in pieces)
    if part is None or part.last is None:
        return text
    before = text[: len(text) - len(text.lstrip())].count("\n")  # a chunk's line is that of its first word
    lines, first = text.split("\n"), pieces[0].line_start - before
    return "\n".join(lines[max(0, part.first - first) : max(0, part.last - first + 1)])


def remove(
    session: Session,
    named: Targets,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
) -> None:
    """Remove documents from the store: text, words and vectors. The files stay."""
    from reatt_cli.schemas import store as schemas

    root = session.library.root()  # before they are gone
    found = {stored.id: stored for target in named for stored in targets.matching(session.library, target)}
    if not dry_run:
        with session.library.writing() as writer:
            writer.remove(list(found))
            writer.compact()
    gone = [listed(stored, root) for stored in found.values()]
    result = schemas.Remove(store=str(session.folder), root=root, dry_run=dry_run, removed=gone)

    def render() -> None:
        session.out.table([(d.doc, _named(d, root)) for d in gone])
        session.out.note(f"{'would remove' if dry_run else 'removed'} {counted(len(gone), 'document')}")

    session.out.result(result, render)


def status(
    session: Session,
    problems: Annotated[bool, typer.Option("--problems", help="List the files that were not read, and why.")] = False,
) -> None:
    """Show what the store holds, and which files were not read."""
    told = [_status(library) for library in session.view.libraries]
    result = _summed(told) if session.several else told[0]
    session.out.result(result, lambda: _render_status(session, result, problems))


def check(
    session: Session,
    repair: Annotated[bool, typer.Option("--repair", help="Repair damage from stored texts and files.")] = False,
) -> int:
    """Verify every checksum of the store; exit 12 if damage remains."""
    from reatt_cli.schemas import store as schemas
    from reatt_store.errors import StoreDamaged

    started = time.monotonic()
    session.store.doubt()
    checked, orphans, found = _checked(session)
    left = found
    if repair and found:
        from reatt import repair as engine

        with session.out.progress() as show:
            engine.repair(session.library, registry(), session.settings.device, show)
        checked, orphans, left = _checked(session)
    still = {(damage.what, damage.id) for damage in left}
    result = schemas.Check(
        ok=not left, checked=checked, damaged=left, orphans=orphans, seconds=time.monotonic() - started,
        repaired=[damage for damage in found if (damage.what, damage.id) not in still],
    )  # fmt: skip
    session.out.result(result, lambda: _render_check(session, result, repair))
    return StoreDamaged.exit_code if left else 0


def init(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder; the store becomes DIR/.reatt.")] = ".",
) -> None:
    """Create a store for this folder and the folders below it."""
    from reatt_cli.schemas import store as schemas
    from reatt_store.library import Library

    chosen = session.settings.store
    place = expanded(chosen) if chosen else expanded(folder) / ".reatt"
    new = not (place / "reatt.db").exists()
    (Library.create if new else Library.open)(place)
    result = schemas.Init(store=str(place), created=new)
    told = f"{short_path(place)}  {'created' if new else 'already exists'}"
    session.out.result(result, lambda: session.out.say(told))


def listed(stored: StoredDocument, root: str = "") -> schemas.Listed:
    """Convert a stored document to its schema object; its path is told relative to `root`."""
    from reatt_cli.schemas import store as schemas

    document = stored.document
    return schemas.Listed(
        doc=stored.name, path=below(root, document.path), external_id=document.external_id, title=document.title,
        kind=document.kind, pages=document.pages, chunks=stored.chunks, bytes=document.size, added=stored.added_at,
        store=stored.store,
    )  # fmt: skip


def problem_of(problem: Problem) -> schemas.Problem:
    """Convert a file that could not be read to its schema object."""
    from reatt_cli.schemas import store as schemas

    return schemas.Problem(path=problem.path, id=problem.id, detail=problem.detail, fix=problem.fix)


def problem_rows(problems: Sequence[schemas.Problem]) -> list[tuple[str, str, str]]:
    """Make a table of files that could not be read: name, reason, what to do."""
    return [(short_path(p.path), p.detail, f"try: {p.fix}" if p.fix else "") for p in problems]


def read_by_ocr(ocr: schemas.Ocr) -> str:
    """Say for a person what was read by OCR, and how sure it was."""
    return f"{counted(ocr.pages, 'page')} of {counted(ocr.documents, 'document')}, confidence {ocr.confidence:.2f}"


def _status(library: Library) -> schemas.Status:
    """Describe one store."""
    from reatt_cli.schemas import store as schemas

    found = library.status()
    made, holder = found.generation, found.holder
    return schemas.Status(
        store=found.folder, format=found.format, documents=found.documents, chunks=found.chunks,
        generation=made.id if made else None, model=made.model_name if made else None,
        tokens=found.tokens, bytes=schemas.Sizes(**asdict(found.bytes)), pending=found.pending,
        last_ingest=found.last_ingest, lock=schemas.Lock(**asdict(holder)) if holder else None,
        problems=[problem_of(problem) for problem in library.problems()],
        ocr=schemas.Ocr(
            documents=found.scans.documents, pages=found.scans.pages,
            confidence=found.scans.confidence if found.scans.pages else None,
        ),
    )  # fmt: skip


def _summed(told: Sequence[schemas.Status]) -> schemas.Status:
    """Add up what several stores hold."""
    from reatt_cli.schemas import store as schemas

    models = {each.model for each in told}
    parts = [schemas.Held(**{name: getattr(each, name) for name in schemas.Held.model_fields}) for each in told]
    sizes = {name: sum(getattr(each.bytes, name) for each in told) for name in schemas.Sizes.model_fields}
    sums = {name: sum(getattr(each, name) for each in told) for name in ("documents", "chunks", "tokens", "pending")}
    return schemas.Status(
        store="", format=min(each.format for each in told), generation=None, bytes=schemas.Sizes(**sizes), **sums,
        model=models.pop() if len(models) == 1 else None,
        last_ingest=max((each.last_ingest for each in told if each.last_ingest), default=None),
        lock=next((each.lock for each in told if each.lock), None),
        problems=[problem for each in told for problem in each.problems], stores=parts, ocr=_all_scans(told),
    )  # fmt: skip


def _all_scans(told: Sequence[schemas.Status]) -> schemas.Ocr:
    from reatt_cli.schemas import store as schemas

    found = [each.ocr for each in told]
    pages = sum(each.pages for each in found)
    weighed = sum(each.pages * (each.confidence or 0.0) for each in found)
    return schemas.Ocr(
        documents=sum(each.documents for each in found), pages=pages, confidence=weighed / pages if pages else None
    )


def _render_status(session: Session, status: schemas.Status, problems: bool) -> None:
    names = labels(each.store for each in status.stores)
    held = [(counted(each.documents, "document"), counted(each.chunks, "chunk")) for each in status.stores]
    told = zip(status.stores, held, strict=True)
    session.out.table([(names[each.store], *counts, each.model or "no model") for each, counts in told])
    made = f"{status.model}, generation {status.generation}" if status.generation else status.model or "none yet"
    sizes = status.bytes
    parts = f"text {human_bytes(sizes.sqlite)}, vectors {human_bytes(sizes.vectors)}"
    rest = f"cache {human_bytes(sizes.cache)}, models {human_bytes(sizes.models)}"
    rows = [
        ("documents", human_count(status.documents)),
        ("chunks", human_count(status.chunks) + (f" ({status.pending:,} not encoded yet)" if status.pending else "")),
        ("tokens", human_count(status.tokens)),
        ("size", f"{parts}, {rest}"),
        ("model", made),
        ("last ingest", status.last_ingest or "never"),
    ]
    if status.ocr.pages:
        rows.append(("read by OCR", read_by_ocr(status.ocr)))
    if status.lock is not None:
        rows.append(("being written", f"by process {status.lock.pid} since {status.lock.since}: {status.lock.command}"))
    if status.problems and not problems:
        rows.append(("not read", f"{counted(len(status.problems), 'file')}; see: reatt status --problems"))
    session.out.table(rows)
    if problems:
        session.out.table(problem_rows(status.problems))


def _checked(session: Session) -> tuple[int, int, list[schemas.Damage]]:
    """Check the store and its models: how many parts, how many stray files, what is damaged."""
    from reatt.weights import models
    from reatt_cli.schemas import store as schemas

    report = session.library.check()
    damaged = [schemas.Damage(what=d.what, id=d.id, detail=d.detail, repairable=d.repairable) for d in report.damaged]
    sound = all(damage.what != "database" for damage in damaged)  # else the rows that name models say nothing
    for model in models.damaged(session.library) if sound else ():
        gone = "its files are missing or differ from those the store was made with"
        damaged.append(schemas.Damage(what="model", id=model.path.name, detail=gone, repairable=False))
    return report.checked, report.orphans, damaged


def _render_check(session: Session, result: schemas.Check, repair: bool) -> None:
    session.out.table([("repaired", d.what, d.id) for d in result.repaired])
    session.out.table([(d.what, d.id, d.detail) for d in result.damaged])
    verdict = "ok" if result.ok else f"damaged: {counted(len(result.damaged), 'part')}"
    took = f"{human_count(result.checked)} parts checked in {human_seconds(result.seconds)}"
    session.out.say(f"{verdict}; {took}")
    if repair and not result.ok:
        session.out.note("texts whose files are gone are kept; to see or remove one: reatt show ID, reatt remove ID")
    elif not result.ok:
        session.out.note(f"try: {session.again('check', '--repair')}")


def _piece(stored: StoredChunk) -> schemas.Piece:
    from reatt_cli.schemas import store as schemas

    chunk = stored.chunk
    return schemas.Piece(
        chunk=f"C-{stored.id}", page=chunk.page, line_start=chunk.line, char_start=chunk.char_start,
        char_end=chunk.char_end, title=chunk.title, text=chunk.text,
    )  # fmt: skip


def _named(document: schemas.Listed, root: str = "") -> str:
    """Name a document for people: its path and record."""
    record = f" {document.external_id}" if document.external_id is not None else ""
    return short_path(os.path.join(root, document.path)) + record
