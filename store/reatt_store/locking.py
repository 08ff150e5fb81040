"""One writer at a time: a lock that the kernel releases when its holder dies, and a note that names the holder."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from reatt_store.connection import pass_gate, translated
from reatt_store.errors import StoreLocked
from reatt_store.opening import open_regular
from reatt_store.records import Holder

LOCK = "lock"
LONGEST = 10_000  # bytes of the note


@contextmanager
def locked(folder: Path, doubted: bool = False) -> Iterator[None]:
    """Hold the write lock, or raise StoreLocked at once; `doubted` as in `open_writer`."""
    from filelock import FileLock, Timeout

    pass_gate(folder, doubted)  # the lock file is written to
    path = folder / LOCK
    lock = FileLock(path, timeout=0, mode=0o600)
    with translated(path):
        try:
            lock.acquire()
        except Timeout:
            raise _refusal(folder) from None
        try:
            path.write_text(json.dumps(asdict(_self())))
            yield
        finally:
            os.truncate(path, 0)
            lock.release()


def holder(folder: Path) -> Holder | None:
    """Name the process that holds the lock; reading the note never blocks a writer."""
    try:
        with open_regular(folder / LOCK) as file:
            note = Holder(**json.loads(file.read(LONGEST)))
    except (OSError, ValueError, TypeError):
        return None
    if type(note.pid) is not int or not all(isinstance(each, str) for each in (note.host, note.command, note.since)):
        return None  # not written by `locked`
    if note.host == socket.gethostname() and not _alive(note.pid):
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
