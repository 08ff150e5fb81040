"""The client of a warm process (`reatt serve`): its socket, its owner, and the protocol.

One connection carries one question: one line of JSON goes there, one line comes back with the object that `--json`
prints, or the error. Until then empty lines come back, by which a process says that it lives. Only the standard library
is imported, so that a question waits for nothing but the model. If anything goes wrong on the way, the command loads
the model itself and says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from reatt.search.query import Query
from reatt_cli import __version__

LARGEST = 64_000_000  # bytes of a line
PATIENCE = 120.0  # seconds to wait for an answer before the command loads the model itself
SILENCE = 2.0  # seconds in which a process that lives says something
Command = Literal["ask", "search"]
CREDENTIALS = struct.Struct("3i")  # process, user, group


@dataclass(frozen=True)
class Endpoint:
    """Where a store's warm process listens, and the lock that it holds while it lives."""

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        """The socket, accessible to its owner only."""
        return self.folder / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.folder / f"{self.name}.lock"


class Received(dict[str, Any]):
    """An object of `schemas` as it came through the socket, read by attribute like one.

    Creating the pydantic classes takes 35 of the 250 ms that a question costs beside the model. The content is not
    validated: it comes from the same version of this program and the same user.
    """

    def __getattr__(self, name: str) -> Any:
        """Return a field."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def model_dump(self, **_: object) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return self


class Unavailable(Exception):
    """No warm process can answer. The message says why; it is "" if there simply is none."""


class Silent(Unavailable):
    """There is a process, but it says nothing: it was stopped, or hangs."""

    def __init__(self, process: int) -> None:
        super().__init__(f"reatt serve (process {process}) does not answer")
        self.process = process


def place(*stores: Path) -> Endpoint:
    """Return the place of the warm process of a store, or of several as one: a user's folder, a name of real paths."""
    from reatt.places import cache_folder

    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime) / "reatt" if os.path.isabs(runtime) else cache_folder() / "run"
    named = b"\0".join(os.fsencode(os.path.realpath(store)) for store in stores)
    return Endpoint(folder, hashlib.blake2b(named, digest_size=8).hexdigest())


def request(
    store: Path | Sequence[Path], model: str | None, device: str, command: Command, query: Query
) -> dict[str, Any]:
    """Build the message; a warm process of another version, store, model or device refuses it."""
    stores = [os.path.realpath(each) for each in ([store] if isinstance(store, Path) else store)]
    return {
        "version": __version__, "store": stores, "model": named(model), "device": device,
        "command": command, "query": asdict(query),
    }  # fmt: skip


def named(model: str | None) -> str | None:
    """Name a model independently of the current folder."""
    return os.path.realpath(os.path.expanduser(model)) if model and os.path.isdir(os.path.expanduser(model)) else model


def exchange(
    where: Endpoint, message: dict[str, Any], connected: Callable[[socket.socket], None] = lambda _: None
) -> dict[str, Any]:
    """Send one message and return what comes back; raises `Unavailable`.

    `connected` gets the connection: whoever shuts it down ends the waiting.
    """
    if not os.path.lexists(where.socket):
        raise Unavailable
    with _connected(where) as connection:
        connected(connection)
        try:
            send(connection, message)
            return receive(connection, time.monotonic() + PATIENCE)
        except TimeoutError:
            raise Silent(peer(connection)[0]) from None
        except (OSError, ValueError):
            raise Unavailable("reatt serve stopped during the question") from None


def stop(where: Endpoint) -> bool:
    """Stop the process, and return whether there was one; raises SystemRefused if it does not answer."""
    from reatt_store.errors import SystemRefused

    try:
        return bool(exchange(where, {"stop": True}).get("stopped"))
    except Silent as why:
        raise SystemRefused(f"{why}, so it cannot be told to stop", f"kill -9 {why.process}") from None
    except Unavailable:
        return False


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a line, fully escaped, so that names that are not valid text arrive unchanged."""
    connection.sendall(json.dumps(message).encode("ascii") + b"\n")


def receive(connection: socket.socket, until: float) -> dict[str, Any]:
    """Receive a line after any empty ones; raises ValueError if it is incomplete, and TimeoutError."""
    received = bytearray()
    while not received.endswith(b"\n") or received.isspace():
        if time.monotonic() > until:
            raise TimeoutError
        part = connection.recv(1 << 16)
        received += part
        if not part or len(received) > LARGEST:
            raise ValueError("no whole line")
    message = json.loads(received, object_hook=Received)
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return (process, user) of the other end, as reported by the kernel."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    process, user, _ = CREDENTIALS.unpack(told)
    return process, user


def private(folder: Path) -> bool:
    """Return whether a folder belongs to the user and is closed to all others."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


@contextmanager
def held(where: Endpoint) -> Iterator[bool]:
    """Hold the lock of a place for a block; yield False if a warm process holds it. It ends with its process."""
    descriptor = os.open(where.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


@contextmanager
def _connected(where: Endpoint) -> Iterator[socket.socket]:
    """Connect to our own warm process; remove what a killed one left."""
    try:
        if not private(where.folder):
            raise Unavailable(f"{where.folder} is open to other users, so its sockets are not used")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"cannot connect to reatt serve: {error.strerror}") from None
    with connection:
        connection.settimeout(SILENCE)
        try:
            connection.connect(str(where.socket))
        except (ConnectionRefusedError, FileNotFoundError):
            sweep(where)
            raise Unavailable("reatt serve has been killed") from None
        except OSError as error:
            raise Unavailable(f"cannot connect to reatt serve: {error}") from None
        if peer(connection)[1] != os.getuid():
            raise Unavailable(f"{where.socket} belongs to another user, so it is not used")
        yield connection


def sweep(where: Endpoint) -> None:
    """Remove a socket on which no process listens any more."""
    with suppress(OSError), held(where) as dead:
        if dead:
            where.socket.unlink(missing_ok=True)
