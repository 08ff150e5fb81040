"""The connections of the server: how many at a time, and how long one may take to say what it wants.

Whoever reaches the port can open connections, without a token. So each has `PATIENCE` for a whole request that shows
one, and when all places are taken, those that have not shown one yet make room. Whoever finds no place waits outside.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from reatt_cli.web import guard

PATIENCE = 15.0  # seconds from the connection, or from the last answer, to the end of a request
AT_ONCE = 2.0  # seconds in which nobody has to make room
MOST = 256
WAITING = 1024  # connections that the system keeps until there is room
THREADS = 8  # questions are answered one at a time; these wait, or read a document
FILES_EACH = 5  # that a thread may have open: the store's, and both ends of a question to the warm process


@dataclass
class Room:
    """The places for connections, and who has them."""

    places: int
    threads: int
    connections: list[Connection] = field(default_factory=list)  # oldest first, by their last answer
    coming: int = 0  # accepted, but not yet among them

    def made(self) -> bool:
        """Return whether there is a place, or one could be made."""
        if len(self.connections) + self.coming < self.places:
            return True
        idle = [each for each in self.connections if each.idle(AT_ONCE)]
        for each in idle[:1]:
            each.leave()
        return bool(idle)


def room() -> Room:
    """Share the files that this process may still open: a half for threads, a quarter for connections, one spare."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8 * MOST if limit == resource.RLIM_INFINITY else limit
    left = most - len(os.listdir("/dev/fd"))
    return Room(max(2, min(MOST, left // 4)), max(1, min(THREADS, left // 2 // FILES_EACH)))


class Listener(socket.socket):
    """A listening socket that accepts nobody for whom there is no place."""

    room: Room | None = None

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection; asyncio tries again a second after `EMFILE`."""
        if self.room is not None and not self.room.made():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        accepted = super().accept()
        if self.room is not None:
            self.room.coming += 1
        return accepted


class Connection(H11Protocol):
    """A connection that has a place, and has to hurry until it has shown the token."""

    def __init__(self, room: Room, **given: Any) -> None:
        super().__init__(**given)
        self._room = room
        self._since = 0.0  # when it was opened, or last answered
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place."""
        super().connection_made(transport)
        self._room.coming -= 1
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._rest()
        super().connection_lost(exc)

    def idle(self, seconds: float) -> bool:
        """Return whether it has shown no token for some time, or not all of its request."""
        cycle = self.cycle
        known = cycle is not None and cycle.scope.get("state", {}).get(guard.KNOWN, False)
        served = bool(known) and not cycle.more_body and not cycle.response_complete
        return not served and self.loop.time() - self._since > seconds

    def leave(self) -> None:
        """Close the connection and free its place at once."""
        self._rest()
        self.transport.abort()

    def _wait(self) -> None:
        """Begin to wait for a request, behind all others."""
        self._rest()
        self._room.connections.append(self)
        self._since = self.loop.time()
        self._late = self.loop.call_later(PATIENCE, self._hurry)

    def _rest(self) -> None:
        """Give up the place, and wait no more."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
            self._room.connections.remove(self)

    def _hurry(self) -> None:
        if self.idle(0):
            self.leave()
