"""The commands `completion` and `schema`: what shells and programs need to know about the command line.

The scripts contain every command and option, so a TAB starts no Python. Only ids of documents and names of models are
looked up, by the hidden `reatt values`, which needs only the standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

import typer

from reatt.places import registry, usable_store
from reatt_cli.command import command
from reatt_cli.output import Output
from reatt_cli.rendering import one_line
from reatt_cli.session import Session

if TYPE_CHECKING:
    from sqlite3 import Connection

    from reatt_cli.completion_scripts import Node

MOST_VALUES = 200
BUSY_SECONDS = 0.05  # the longest time that a TAB waits for a writer
STEPS = 1_000_000  # of SQLite's machine, half of those that a TAB takes at most
LONGEST = 1_000_000  # bytes of a value that SQLite reads or makes for a TAB

# What each metavar means; anything else is free text.
KINDS = {
    "DIR": "folder",
    "FILE": "file",
    "PATH...": "file",
    "DIR|HUB_NAME": "folder",
    "ID|PATH": "id",
    "ID|PATH|GLOB...": "document",
    "MODEL": "model",
}


@dataclass(frozen=True)
class Column:
    """The query that looks up ids of one kind, in a table that must be as we make it: a stranger's could be a view."""

    prefix: str
    sql: str
    table: str
    made: str  # digest of the statement that makes it; the schema itself would take a TAB too long to import


_DOCUMENTS = Column(
    "D-", "SELECT id, path || ' ' || coalesce(external_id, '') FROM documents", "documents", "31e7068f57957955"
)
_CHUNKS = Column("C-", "SELECT id, title FROM chunks", "chunks", "58ce5b51a6b37dfe")
COLUMNS = {"id": (_DOCUMENTS, _CHUNKS), "document": (_DOCUMENTS,)}


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    command(app, "schema", example="reatt schema ask")(schema)
    command(app, "completion", example="reatt completion bash > ~/.local/share/bash-completion/completions/reatt")(
        completion
    )


def schema(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of a schema; without one, list all names.")
    ] = None,
) -> None:
    """Print the JSON Schema of the output of a command with --json."""
    from reatt_cli.schemas import published as schemas

    if name is None:
        names = schemas.SchemaNames(names=list(schemas.PUBLISHED))
        session.out.result(names, lambda: session.out.table([(each,) for each in names.names]))
    elif name in schemas.PUBLISHED:
        described = schemas.json_schema(name)
        session.out.raw(json.dumps(described, indent=None if session.out.json else 2) + "\n")
    else:
        from reatt_store.errors import UsageError

        raise UsageError(f"no schema is called {name}; the schemas are: {', '.join(schemas.PUBLISHED)}", "reatt schema")


def completion(
    session: Session,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish", help="The shell.")],
) -> None:
    """Print the script for TAB completion in a shell."""
    from reatt_cli.schemas import published as schemas

    text = script(shell)
    session.out.result(schemas.Completion(shell=shell, script=text), lambda: session.out.raw(text))


def script(shell: str) -> str:
    """Generate the completion script of a shell from the commands."""
    from reatt_cli.completion_scripts import GENERATORS
    from reatt_cli.program import app

    return GENERATORS[shell](_node(typer.main.get_command(app), ()))


def values(kind: str = "", current: str = "", *words: str) -> None:
    """Print the values that may replace `current`, each with a description after a tab, one per line.

    Never fails and never waits: if nothing can be looked up, nothing is completed.
    """
    found = _models(current) if kind == "model" else _ids(COLUMNS.get(kind, ()), current, words)
    Output().raw("".join(f"{value}\t{what}\n" for value, what in found))


def _models(current: str) -> list[tuple[str, str]]:
    try:
        folders = sorted(path for path in registry().iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        folders = []
    names = ["reatt-mini", *(path.name for path in folders if path.name.replace("-", "").replace(".", "").isalnum())]
    return [(name, "model") for name in names if name.startswith(current)]


def _ids(columns: tuple[Column, ...], current: str, words: Sequence[str]) -> list[tuple[str, str]]:
    import sqlite3

    wanted = [column for column in columns if current.startswith(column.prefix) or column.prefix.startswith(current)]
    named = next((after for word, after in pairwise(words) if word == "--store"), None)
    found: list[tuple[str, str]] = []
    try:
        folder = usable_store(named)
        if folder is None or not _is_quiet(folder / "reatt.db"):
            return []
        uri = f"file:{quote(str(folder / 'reatt.db'))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        connection.set_progress_handler(iter(range(2)).__next__, STEPS)  # 0 goes on, 1 stops
        for column in wanted if current else wanted[:1]:
            if not _is_ours(connection, column):
                return []
            digits = current.removeprefix(column.prefix)
            sql = f"{column.sql} WHERE id LIKE ? ORDER BY id LIMIT ?"  # the text before WHERE is a constant
            rows = connection.execute(sql, (f"{digits}%" if digits.isdecimal() else "%", MOST_VALUES)).fetchall()
            found += [(f"{column.prefix}{number}", one_line(Path(str(what)).name)) for number, what in rows]
    except (sqlite3.Error, OSError, UnicodeError, ValueError):
        return []
    except Exception as error:  # a usage error of our own, which is not imported for a TAB
        if not hasattr(error, "exit_code"):
            raise
        return []
    return found


def _is_ours(connection: Connection, column: Column) -> bool:
    """Return whether the table of a column is the one that we make."""
    made = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (column.table,)).fetchall()
    return [digest(str(sql)) for (sql,) in made] == [column.made]


def digest(statement: str) -> str:
    """Digest a statement of the schema."""
    return hashlib.blake2b(statement.encode(), digest_size=8).hexdigest()


def _is_quiet(database: Path) -> bool:
    """Return whether SQLite would read a file and nothing beside it; a TAB leaves the rest to a command."""
    beside = any(os.path.lexists(f"{database}{end}") for end in ("-journal", "-wal"))
    return not beside and stat.S_ISREG(database.lstat().st_mode)


def _node(command: Any, path: tuple[str, ...]) -> Node:
    """Read one command, and those below it, from Typer's objects."""
    from reatt_cli.completion_scripts import Node, Option

    options, arguments = [Option(("-h", "--help"), "Show this message and exit.", None)], []
    for parameter in command.params:
        value = None if getattr(parameter, "is_flag", False) else _value(parameter)
        if parameter.param_type_name == "argument":
            arguments.append(value or _value(parameter))
        else:
            options.append(Option(tuple(parameter.opts), parameter.help, value))
    below = [child for child in getattr(command, "commands", {}).values() if not child.hidden]
    return Node(
        path=path,
        help=command.get_short_help_str(70),
        options=tuple(options),
        arguments=tuple(arguments),
        children=tuple(_node(child, (*path, child.name)) for child in below),
    )


def _value(parameter: Any) -> Any:
    """Return what a parameter's value may be: some words, or a kind of value to look up."""
    from reatt_cli.completion_scripts import Value

    described = parameter.type_descriptor
    if described.is_choice:
        return Value("words", tuple(described.choices), parameter.nargs == -1)
    metavar = parameter.metavar or ""
    if set(metavar) <= set("abcdefghijklmnopqrstuvwxyz|[:N]") and "|" in metavar:
        return Value("words", tuple(word.partition("[")[0] for word in metavar.split("|")), False)
    return Value(KINDS.get(metavar, "text"), (), parameter.nargs == -1)
