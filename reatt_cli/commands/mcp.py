"""The command `mcp`: the documents for agents, over the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from reatt_cli.command import command
from reatt_cli.session import Session

LEAST = 1000  # tokens of a result

Stores = Annotated[
    list[str] | None,
    typer.Argument(metavar="DIR...", help="Stores, or folders that hold one as .reatt [the usual store]."),
]
ClientName = Literal["claude-code", "codex", "vscode", "zed"]
Print = Annotated[
    ClientName | None, typer.Option("--print-config", help="Only print what to write into a client's settings.")
]
Limit = Annotated[int, typer.Option("--limit", min=LEAST, metavar="N", help="Tokens that one result holds at most.")]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "mcp", example="reatt mcp --print-config claude-code", model=True, several=True)(mcp)


def mcp(session: Session, stores: Stores = None, print_config: Print = None, limit: Limit = 25_000) -> None:
    """Serve the documents to agents: search, ask, read, list and status as tools (MCP, on stdin and stdout)."""
    settings = session.settings
    stores = stores or ([str(settings.store), *settings.beside] if settings.beside else [])
    if print_config is not None:
        return _print(session, print_config, stores)
    from importlib.util import find_spec

    from reatt_cli.agents.stores import named
    from reatt_store.errors import UsageError

    if session.out.json:
        raise UsageError("stdout is for the protocol; with --json it would be one object", "leave --json out")
    if find_spec("mcp") is None:
        raise UsageError("reatt mcp needs the library mcp, which is not installed", 'pip install "reatt[mcp]"')
    served = named(settings, stores)
    from reatt_cli.agents.server import serve
    from reatt_cli.agents.tools import Tools

    serve(Tools(served, limit))
    return None


def _print(session: Session, client: ClientName, stores: list[str]) -> None:
    """Print the settings of a client, with full paths, because it starts the server in a folder of its own."""
    from reatt.places import expanded
    from reatt_cli.agents import clients
    from reatt_cli.schemas import upkeep

    given = stores or ([session.settings.store] if session.settings.store else [])
    folders = [str(expanded(folder)) for folder in given]
    text = clients.config(client, folders)
    result = upkeep.Mcp(client=client, file=clients.CLIENTS[client].file, config=text)

    def render() -> None:
        session.out.note(f"for {result.file}:")
        session.out.raw(text)

    session.out.result(result, render)
