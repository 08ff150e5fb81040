"""The command group `cluster`: ingest into shards, and serve them, on Ray."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reatt_cli.command import command
from reatt_cli.commands.ingest import (
    PARTLY,
    SAY_EVERY,
    Encoding,
    Exclude,
    How,
    IdField,
    Include,
    Prune,
    Reencode,
    Retry,
    Size,
    TextField,
    Timeout,
    read_limits,
    render,
    result_of,
)
from reatt_cli.rendering import counted
from reatt_cli.session import Session, short_path

if TYPE_CHECKING:
    from reatt.cluster.fleet import Member
    from reatt.ingest import IngestReport

LOOK = 2.0  # seconds between two looks at the shards

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders and globs.")]
Shards = Annotated[int, typer.Option("--shards", min=1, max=1000, metavar="N", help="Number of shards.")]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of the shards.")]
Stores = Annotated[list[str], typer.Argument(metavar="STORE...", help="Stores, or folders of shards.")]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="A Ray cluster to use [one is started on this machine]."),
]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    cluster = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    command(cluster, "ingest", example="reatt cluster ingest ~/archive --shards 4 --out ~/shards", model=True)(ingest)
    command(cluster, "serve", example="reatt cluster serve ~/shards", model=True)(serve)
    app.add_typer(
        cluster, name="cluster", help="Ingest into shards and serve them, in many processes or machines (Ray)."
    )


def ingest(
    session: Session,
    paths: Paths,
    shards: Shards,
    out: Out,
    address: Address = None,
    include: Include = None,
    exclude: Exclude = None,
    prune: Prune = False,
    reencode: Reencode = False,
    max_file_size: Size = "200M",
    timeout: Timeout = 60,
    encoding: Encoding = None,
    text_field: TextField = None,
    id_field: IdField = "",
    retry: Retry = False,
    method: How = None,
) -> int:
    """Read files into the shards of a folder, each a store of its own; the same command continues what was stopped."""
    from reatt.cluster import ingesting, running
    from reatt.ingest import IngestOptions
    from reatt.places import expanded
    from reatt.search.workers import cores

    _no_store(session)
    running.require()
    limits = read_limits(max_file_size, timeout, encoding, text_field, id_field, None)
    options = IngestOptions(tuple(include or ()), tuple(exclude or ()), prune, reencode, retry, 1, limits)
    named, folder = ingesting.absolute(paths), expanded(out)
    how: dict[str, Any] = {"method": method, "model": _model(session.settings.model), "device": session.settings.device}
    with running.running(address, min(cores(), shards)), session.out.progress(SAY_EVERY) as on_progress:
        report = ingesting.ingest(named, folder, shards, options, on_progress, **how)
    return _read(session, report, folder, shards)


def _read(session: Session, report: IngestReport, folder: Path, shards: int) -> int:
    """Say what was read into which shards."""
    from reatt.cluster import layout

    stores = [str(store) for store in layout.shards(folder, shards)]
    result = result_of(session, report, folder).model_copy(update={"shards": stores})

    def show() -> None:
        render(session, result)
        place = short_path(folder)
        session.out.note(f"{counted(shards, 'shard')} in {place}; next: reatt cluster serve {shlex.quote(place)}")

    session.out.result(result, show)
    return PARTLY if result.files.failed else 0


def serve(session: Session, stores: Stores, address: Address = None) -> None:
    """Keep every shard open, with its model loaded, in a process of its own; ask, search and eval take --cluster."""
    from reatt.cluster import layout, running, serving
    from reatt.places import expanded
    from reatt.search.workers import cores
    from reatt_cli.schemas.store import Served

    _no_store(session)
    running.require()
    folders = layout.stores([expanded(store) for store in stores])
    _openable(folders)
    settings = session.settings
    with (
        running.running(address, max(cores(), len(folders))) as at,
        serving.serving(folders, _model(settings.model), settings.device) as members,
    ):
        result = Served(address=at, shards=[str(folder) for folder in folders], pid=os.getpid())

        def show() -> None:
            session.out.say(f"{counted(len(folders), 'shard')} ready: --cluster {at}")
            session.out.note("until Ctrl-C")

        session.out.result(result, show)
        _watch(session, members)


def _watch(session: Session, members: Sequence[Member]) -> None:
    """Say when a shard is lost, and when it is back, until Ctrl-C."""
    from reatt.cluster import serving

    gone: set[int] = set()
    while True:
        time.sleep(LOOK)
        now = set(serving.lost(members))
        for member in members:
            if member.number in now - gone:
                session.out.warn(f"{short_path(member.folder)} does not answer; it is restarted")
            if member.number in gone - now:
                session.out.note(f"{short_path(member.folder)} answers again")
        gone = now


def _openable(folders: Sequence[Path]) -> None:
    """Open each store once, so that a mistake is told before anything is started."""
    from reatt_store.library import Library

    for folder in folders:
        with Library.open(folder) as library:
            library.generation()


def _no_store(session: Session) -> None:
    from reatt_store.errors import UsageError

    if session.settings.store is not None:
        raise UsageError("a cluster does not use --store", "name the stores: reatt cluster serve STORE...")


def _model(named: str | None) -> str | None:
    """Name a model independently of the current folder."""
    from reatt_cli.serving.warm import named as absolute

    return absolute(named)
