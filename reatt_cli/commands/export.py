"""The command `export`: the passages and their keys as a Parquet file, for other engines."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from reatt_cli.command import command
from reatt_cli.commands.selecting import After, Before, Kind, Only, Without, selection
from reatt_cli.rendering import counted, human_bytes
from reatt_cli.session import Session, short_path

File = Annotated[str, typer.Argument(metavar="FILE", help="The Parquet file to write; it replaces what has its name.")]
Form = Annotated[
    Literal["int8", "float16"], typer.Option("--keys", help="Keys in 8 bits with a scale for each, or in 16 bits.")
]
CHANGED = "the store changed while it was exported, so the file may lack passages; export it again"


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "export", example="reatt export keys.parquet")(export)


def export(
    session: Session,
    file: File,
    keys: Form = "int8",
    only: Only = None,
    without: Without = None,
    kind: Kind = None,
    after: After = None,
    before: Before = None,
) -> None:
    """Write passages and their keys to a Parquet file, for another engine. It needs reatt[parquet]."""
    from reatt.export import export as write
    from reatt_cli.schemas import upkeep

    target = session.target(file, "an export", "reatt export keys.parquet")
    among = selection(only, without, kind, after, before)
    with session.out.progress() as show:
        done = write(session.library, target, keys, among, show)
    if done.changed:
        session.warn(CHANGED)
    result = upkeep.Exported(
        path=str(target.absolute()), form=keys, chunks=done.chunks, keys=done.keys, width=done.width,
        bytes=done.bytes, warnings=session.warnings,
    )  # fmt: skip
    told = f"{counted(done.chunks, 'passage')}, {counted(done.keys, 'key')}, {human_bytes(done.bytes)}"
    session.out.result(result, lambda: session.out.say(f"{short_path(result.path)}  {told}"))
