"""The process that keeps a model loaded: it answers one client at a time, from the current model and vectors only.

It trusts its own user alone. Any unexpected error ends it; the command that asked then loads the model itself.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reatt_cli import failures
from reatt_cli.serving import warm
from reatt_cli.serving.clients import REQUEST_SECONDS, Clients
from reatt_cli.session import Session
from reatt_cli.settings import Settings

if TYPE_CHECKING:
    from reatt.search.query import Query
    from reatt_cli.replies.lookup import Found


class Warm:
    """A store with its current model loaded; both are checked at every question."""

    def __init__(self, settings: Settings) -> None:
        from reatt.weights.models import choose_device

        self._settings = replace(settings, json=True, quiet=True)  # warnings are sent inside the object
        self._devices = {"auto", settings.device, choose_device(settings.device)}
        self._session: Session | None = None
        self._files: list[tuple[int, int]] | None = None

    def session(self) -> Session:
        """Return the store as it is now; open it again if it was replaced."""
        if self._session is None or self._files != _identity(self._session):
            if self._session is not None and self._files is not None:
                self._session.store.close()
            self._session = Session(self._settings)
            self._files = _identity(self._session)
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

        try:
            if refused := self._refusal(message):
                return {"refused": refused}
            found = self._found(message["command"], _query(message["query"]))
        except (ReattError, OSError, RuntimeError) as error:  # the system refuses, say, to open one more file
            known = failures.known(error)
            if known is None:
                raise
            return {"error": {"id": known.id, "message": known.message, "fix": known.fix, "path": known.path}}
        return {"result": found.result.model_dump(mode="json", by_alias=True), "note": found.note}

    def _refusal(self, message: dict[str, Any]) -> str:
        """Return why this process cannot answer a question; "" if it can."""
        from reatt.search.query import Query

        own = warm.request(Session(self._settings).store.folders, self._settings.model, "auto", "ask", Query(""))
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
                if self._files == _identity(session):
                    raise
                continue
            if self._files == _identity(session):
                return found


def _identity(session: Session) -> list[tuple[int, int]] | None:
    """Identify a store, or several, to notice when another one has taken its place."""
    try:
        found = [os.stat(folder / "reatt.db") for folder in session.store.folders]
    except OSError:
        return None
    return [(each.st_dev, each.st_ino) for each in found]


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


def make_private(where: warm.Endpoint) -> None:
    """Create the folder of the sockets; refuse one that others can open."""
    from reatt_store.connection import translated
    from reatt_store.errors import UsageError
    from reatt_store.opening import private_folder

    with translated(where.folder):
        private_folder(where.folder)
    if not warm.private(where.folder):
        raise UsageError(f"{where.folder} is open to other users", f"chmod 700 {where.folder}", str(where.folder))


@contextmanager
def listening(where: warm.Endpoint) -> Iterator[socket.socket]:
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
