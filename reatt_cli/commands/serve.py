"""`serve`: keep a store's model loaded and answer `ask` and `search` from it, over a socket for its owner only.

The process trusts only its own user, answers only from the current model and vectors, and ends by itself. Any
unexpected error ends it; the command that asked then loads the model itself.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reatt_cli import warm
from reatt_cli.clients import Clients
from reatt_cli.command import command
from reatt_cli.session import Session, short_path
from reatt_cli.settings import Settings

if TYPE_CHECKING:
    from reatt.search.query import Query
    from reatt_cli.replies.lookup import Found

REQUEST_SECONDS = 5.0  # for a client to send its request

Idle = Annotated[
    float, typer.Option("--idle", min=0.01, metavar="MINUTES", help="Stop after this time without questions.")
]
Http = Annotated[bool, typer.Option("--http", help="Also serve a page and HTTP; the address is printed.")]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address of this machine for --http.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="Port for --http; 0: a free one.")]
Stop = Annotated[bool, typer.Option("--stop", help="Stop the running process.")]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    command(app, "serve", example="reatt serve &", model=True)(serve)


def serve(
    session: Session, idle: Idle = 30, stop: Stop = False, http: Http = False, host: Host = "127.0.0.1", port: Port = 0
) -> None:
    """Keep the model loaded, so that ask and search answer faster."""
    where = warm.place(session.folder)
    if stop:
        return _tell(session, "stopped" if _stopped(where) else "none", idle)
    _ = session.library  # before torch is loaded, so that a missing store is reported at once
    if http:
        _needs_web()
    _make_private(where)
    with warm.held(where) as alone:
        if not alone:
            return _beside(session, idle, http, host, port)
        answering = Warm(replace(session.settings, store=str(session.folder)))
        answering.session().store.retriever()  # load the model before reporting ready
        with _listening(where) as listener, _page(session, http, host, port) as address:
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
    from reatt_cli.web import server

    settings = replace(session.settings, store=str(session.folder))
    with server.serving(settings, host, port) as address:
        yield address.url


class Warm:
    """A store with its current model loaded; both are checked at every question."""

    def __init__(self, settings: Settings) -> None:
        from reatt.weights.models import choose_device

        self._settings = replace(settings, json=True, quiet=True)  # warnings are sent inside the object
        self._devices = {"auto", settings.device, choose_device(settings.device)}
        self._session: Session | None = None
        self._file: tuple[int, int] | None = None

    def session(self) -> Session:
        """Return the store as it is now; open it again if it was replaced."""
        if self._session is None or self._file != _identity(self._session):
            if self._session is not None and self._file is not None:
                self._session.store.close()
            self._session = Session(self._settings)
            self._file = _identity(self._session)
        return self._session

    def serve(self, listener: socket.socket, where: warm.Endpoint, idle: float) -> None:
        """Answer connections one at a time until none comes for `idle` seconds or one asks to stop."""
        clients = Clients(listener)
        with clients.greeted():
            while True:
                with clients.next(idle) as client:
                    if client is None:
                        return
                    message = _heard(client)
                    if message.get("stop"):
                        where.socket.unlink(missing_ok=True)  # first, so that the next client finds none
                        clients.answer(client, {"stopped": True})
                        return
                    if message and not _gone(client):
                        clients.answer(client, self.reply(message))

    def reply(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer a message with the result, or with the reason why there is none."""
        from reatt_store.errors import ReattError

        if refused := self._refusal(message):
            return {"refused": refused}
        try:
            found = self._found(message["command"], _query(message["query"]))
        except ReattError as error:
            code = {"id": error.id, "message": error.message, "fix": error.fix, "path": error.path}
            return {"error": code}
        return {"result": found.result.model_dump(mode="json", by_alias=True), "note": found.note}

    def _refusal(self, message: dict[str, Any]) -> str:
        """Return why this process cannot answer a question; "" if it can."""
        from reatt.search.query import Query

        own = warm.request(Session(self._settings).folder, self._settings.model, "auto", "ask", Query(""))
        for what in ("version", "store", "model"):
            if message.get(what) != own[what]:
                return f"it uses another {what}: {own[what] or 'the one in the store'}"
        query = message.get("query")
        known = isinstance(query, dict) and query.keys() == own["query"].keys()
        if not known or message.get("command") not in ("ask", "search"):
            return "it is not a question"
        return "" if message.get("device") in self._devices else f"it does not use the device {message.get('device')}"

    def _found(self, command: warm.Command, query: Query) -> Found:
        """Find with the current model, from the store that exists when the answer is sent."""
        from reatt_cli.replies import lookup
        from reatt_store.errors import ReattError

        while True:
            session = self.session()
            try:
                found = lookup.found(session, command, query, cold=True)
            except ReattError:
                if self._file == _identity(session):
                    raise
                continue
            if self._file == _identity(session):
                return found


def _identity(session: Session) -> tuple[int, int] | None:
    """Identify a store, to notice when another one has taken its place."""
    try:
        found = os.stat(session.folder / "reatt.db")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _heard(connection: socket.socket) -> dict[str, Any]:
    """Read the request of a client of the same user; None for other users and for clients that are too slow."""
    connection.settimeout(REQUEST_SECONDS)
    try:
        own = warm.peer(connection)[1] == os.getuid()
        return warm.receive(connection, time.monotonic() + REQUEST_SECONDS) if own else {}
    except (OSError, ValueError):
        return {}


def _query(asked: dict[str, Any]) -> Query:
    """Rebuild the query that a client sent."""
    from reatt.search.query import Query
    from reatt_store.selection import Selection

    only = asked.pop("only")
    return Query(**asked, only=Selection(**only) if isinstance(only, dict) else only)


def _gone(connection: socket.socket) -> bool:
    """Return whether the client has given up its question while others were answered."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(REQUEST_SECONDS)


def _stopped(where: warm.Endpoint) -> bool:
    from reatt_store.errors import SystemRefused

    try:
        return bool(warm.exchange(where, {"stop": True}).get("stopped"))
    except warm.Silent as why:
        raise SystemRefused(f"{why}, so it cannot be told to stop", f"kill -9 {why.process}") from None
    except warm.Unavailable:
        return False


def _make_private(where: warm.Endpoint) -> None:
    """Create the folder of the sockets; refuse one that others can open."""
    from reatt_store.connection import translated
    from reatt_store.errors import UsageError

    with translated(where.folder):
        where.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not warm.private(where.folder):
        raise UsageError(f"{where.folder} is open to other users", f"chmod 700 {where.folder}", str(where.folder))


@contextmanager
def _listening(where: warm.Endpoint) -> Iterator[socket.socket]:
    """Listen on a new socket for our own user only; it is removed at the end of the block."""
    from reatt_store.errors import UsageError

    where.socket.unlink(missing_ok=True)  # left by a killed process; we hold the lock
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(where.socket))
        except OSError as error:
            shorter = "set XDG_RUNTIME_DIR to a folder with a shorter path"
            raise UsageError(f"cannot create a socket at {where.socket}: {error}", shorter) from None
        finally:
            os.umask(before)
        listener.listen()
        try:
            yield listener
        finally:
            where.socket.unlink(missing_ok=True)


def _tell(
    session: Session, state: Literal["ready", "already", "stopped", "none"], idle: float, address: str | None = None
) -> None:
    from reatt_cli.schemas import store as schemas

    told = {
        "ready": f"ready; ask and search use it automatically. It stops after {idle:g} idle minutes, or with Ctrl-C",
        "already": "already running: another process has the model loaded",
        "stopped": "stopped",
        "none": "none is running",
    }
    result = schemas.Serve(
        store=str(session.folder), socket=str(warm.place(session.folder).socket), state=state,
        pid=os.getpid() if state == "ready" else None, idle_minutes=idle, address=address,
    )  # fmt: skip

    def render() -> None:
        session.out.say(f"{short_path(session.folder)}: {told[state]}")
        if address:
            session.out.say(address)

    session.out.result(result, render)
