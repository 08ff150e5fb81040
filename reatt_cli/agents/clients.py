"""What a client of the Model Context Protocol has to be told about `reatt mcp`: one table, client by client."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """A client: the file of its settings, and what to write there."""

    file: str
    write: Callable[[str, Sequence[str]], str]


def _json(key: str, **more: object) -> Callable[[str, Sequence[str]], str]:
    def write(command: str, arguments: Sequence[str]) -> str:
        server = {**more, "command": command, "args": list(arguments)}
        return json.dumps({key: {"reatt": server}}, indent=2) + "\n"

    return write


def _toml(command: str, arguments: Sequence[str]) -> str:
    """Write a table of TOML, whose basic strings are escaped as those of JSON are."""
    words = ", ".join(map(json.dumps, arguments))
    return f"[mcp_servers.reatt]\ncommand = {json.dumps(command)}\nargs = [{words}]\n"


CLIENTS = {
    "claude-code": Client(".mcp.json in the project", _json("mcpServers")),
    "codex": Client("~/.codex/config.toml", _toml),
    "vscode": Client(".vscode/mcp.json in the project", _json("servers", type="stdio")),
    "zed": Client("settings.json of Zed", _json("context_servers", source="custom")),
}


def config(client: str, folders: Sequence[str]) -> str:
    """Return what to write into a client's settings."""
    program = shutil.which(sys.argv[0]) or sys.argv[0]
    known = os.path.basename(program) == "reatt"
    command, arguments = (
        (os.path.abspath(program), ["mcp"]) if known else (os.path.abspath(sys.executable), ["-m", "reatt_cli", "mcp"])
    )
    return CLIENTS[client].write(command, [*arguments, *folders])
