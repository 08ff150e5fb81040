"""`serve`: keep the model of a store, or of several as one, loaded and answer `ask` and `search` from it.

It listens on a socket for its owner only (`reatt_cli/serving`), and ends by itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Literal

import typer

from reatt_cli.command import command, require_one
from reatt_cli.session import Session, short_path
from reatt_cli.settings import Settings

Idle = Annotated[
    float, typer.Option("--idle", min=0.01, metavar="MINUTES", help="Stop after this time without questions.")
]
Http = Annotated[bool, typer.Option("--http", help="Also serve a page and HTTP; the address is printed.")]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address of this machine for --http.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="Port for --http; 0: a free one.")]
Stop = Annotated[bool, typer.Option("--stop", help="Stop the running process.")]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "serve", example="reatt serve &", model=True, several=True)(serve)


def serve(
    session: Session, idle: Idle = 30, stop: Stop = False, http: Http = False, host: Host = "127.0.0.1", port: Port = 0
) -> None:
    """Keep the model loaded, so that ask and search answer faster."""
    from reatt_cli.serving import server, warm

    where = warm.place(*session.store.folders)
    if stop:
        return _tell(session, "stopped" if warm.stop(where) else "none", idle)
    if http:
        require_one("reatt serve --http", session.settings)
        _needs_web()
    _ = session.view  # before torch is loaded, so that a missing store is reported at once
    server.make_private(where)
    with warm.held(where) as alone:
        if not alone:
            return _beside(session, idle, http, host, port)
        answering = server.Warm(_pinned(session))
        answering.session().store.retriever()  # load the model before reporting ready
        with server.listening(where) as listener, _page(session, http, host, port) as address:
            _tell(session, "ready", idle, address)
            answering.serve(listener, where, 60 * idle)
    session.out.note(f"stopped: no question for {idle:g} minutes, or --stop")


def _needs_web() -> None:
    """Raise UsageError, before a model is loaded, if the extra is missing."""
    from importlib.util import find_spec

    from reatt_store.errors import UsageError

    for name in ("starlette", "uvicorn"):
        if find_spec(name) is None:
            raise UsageError(f"--http needs the library {name}, which is not installed", 'pip install "reatt[web]"')


def _beside(session: Session, idle: float, http: bool, host: str, port: int) -> None:
    """Say that another process has the model; with `http` serve the page in front of that one, until Ctrl-C."""
    with _page(session, http, host, port) as address:
        _tell(session, "already", idle, address)
        while http:
            time.sleep(idle)


@contextmanager
def _page(session: Session, http: bool, host: str, port: int) -> Iterator[str | None]:
    """Serve the page for a block, if that is wanted; yield its address, which holds the token."""
    if not http:
        yield None
        return
    from reatt_cli.web.server import serving

    with serving(_pinned(session), host, port) as address:
        yield address.url


def _pinned(session: Session) -> Settings:
    """Return the settings with the stores in full, wherever a command is run."""
    folder, *beside = map(str, session.store.folders)
    return replace(session.settings, store=folder, beside=tuple(beside))


def _tell(
    session: Session, state: Literal["ready", "already", "stopped", "none"], idle: float, address: str | None = None
) -> None:
    from reatt_cli.schemas import store as schemas
    from reatt_cli.serving import warm

    told = {
        "ready": f"ready; ask and search use it automatically. It stops after {idle:g} idle minutes, or with Ctrl-C",
        "already": "already running: another process has the model loaded",
        "stopped": "stopped",
        "none": "none is running",
    }
    result = schemas.Serve(
        store=str(session.folder), socket=str(warm.place(*session.store.folders).socket), state=state,
        pid=os.getpid() if state == "ready" else None, idle_minutes=idle, address=address,
        beside=[str(folder) for folder in session.store.folders[1:]],
    )  # fmt: skip

    def render() -> None:
        session.out.say(f"{', '.join(map(short_path, session.store.folders))}: {told[state]}")
        if address:
            session.out.say(address)

    session.out.result(result, render)
