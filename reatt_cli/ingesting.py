"""`ingest`: read files into the store."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from reatt_cli.library import problem_rows
from reatt_cli.rendering import counted, human_bytes, human_count, human_seconds
from reatt_cli.session import Session
from reatt_cli.settings import command

if TYPE_CHECKING:
    from reatt_cli import schemas
    from reatt_engine.indexing import IngestReport, Progress

PARTLY = 3
Globs = list[str] | None


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    command(app, "ingest", example="reatt ingest ~/handbook", model=True)(ingest)


def ingest(
    session: Session,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help='Files, folders, globs, or "-".')],
    include: Annotated[
        Globs, typer.Option("--include", metavar="GLOB", help="Only files that match; repeatable.")
    ] = None,
    exclude: Annotated[
        Globs, typer.Option("--exclude", metavar="GLOB", help="No files that match; repeatable.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove documents whose files are gone.")] = False,
    reencode: Annotated[bool, typer.Option("--reencode", help="Move the store over to another model.")] = False,
) -> int:
    """Read files into the store. What has not changed is skipped; a run that was killed goes on where it stopped."""
    raise NotImplementedError
