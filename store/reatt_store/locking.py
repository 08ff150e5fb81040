"""One writer at a time: a lock that the kernel releases when its holder dies, and a note that names the holder."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from reatt_store import gate
from reatt_store.connection import pass_gate, translated
from reatt_store.errors import StoreLocked
from reatt_store.gate import DATABASE
from reatt_store.opening import open_regular, small_json
from reatt_store.records import Holder

LOCK = "lock"
LONGEST = 10_000  # bytes of the note


@contextmanager
def locked(folder: Path, doubted: bool = False) -> Iterator[None]:
    """Hold the write lock, or raise StoreLocked at once; `doubted` as in `open_writer`."""
    pass_gate(folder, doubted)
    for name in (LOCK, DATABASE):  # which are written in place; all else is made anew
        gate.only_name(folder / name)
    with translated(folder / LOCK):
        descriptor = _acquired(folder)
        try:
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps(asdict(_self())).encode())
            yield
        finally:
            with closing(os.fdopen(descriptor, "rb")):  # which releases the lock, whatever the disk says
                os.truncate(descriptor, 0)


def _acquired(folder: Path) -> int:
    """Lock the file by the kernel, so that the lock ends with its holder, and return its descriptor."""
    path = folder / LOCK
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise _refusal(folder) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another process has just removed the file that was locked


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def holder(folder: Path) -> Holder | None:
    """Name the process that holds the lock; reading the note never blocks a writer."""
    try:
        with open_regular(folder / LOCK) as file:
            note = Holder(**small_json(file.read(LONGEST)))
    except (OSError, ValueError, TypeError):
        return None
    if type(note.pid) is not int or not all(isinstance(each, str) for each in (note.host, note.command, note.since)):
        return None  # not written by `locked`
    if note.host == socket.gethostname() and not (note.pid > 0 and _alive(note.pid)):
        return None  # killed before it could clear the note
    return note


def _refusal(folder: Path) -> StoreLocked:
    note = holder(folder)
    who = f"process {note.pid} on {note.host} since {note.since}: {note.command}" if note else "another process"
    return StoreLocked(f"the store is being written to by {who}", "wait until it has finished", str(folder))


def _self() -> Holder:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(os.getpid(), socket.gethostname(), shlex.join(sys.argv)[:500], since)


def _alive(pid: int) -> bool:
    with suppress(PermissionError):  # it is alive but belongs to another user
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True
