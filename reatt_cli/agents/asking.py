"""Questions to a store's warm process, which is started where there is none, and again if it was killed.

A question is asked in a thread. Giving it up closes its connection: the thread ends at once, and the warm process
drops the question if it has not begun with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from reatt_cli.agents.stores import Named
from reatt_cli.serving import warm

if TYPE_CHECKING:
    from reatt.search.query import Query

LOADING = 120.0  # seconds to wait for a warm process to load its model
NAP = 0.05
TRIES = 6  # with a warm process; the question is then answered in this process


class GivenUp(Exception):
    """Nobody waits for this question any more."""


class Call:
    """One question: where it is, and the connection by which to give it up."""

    def __init__(self) -> None:
        self.phase = "waiting"
        self._gone = False
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()

    def give_up(self) -> None:
        """End the waiting, from another thread."""
        with self._lock:
            self._gone = True
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)

    def enter(self, phase: str, connection: socket.socket | None = None) -> None:
        """Note what happens now; raises GivenUp if nobody waits."""
        with self._lock:
            if self._gone:
                raise GivenUp
            self.phase, self._connection = phase, connection


class Warmth:
    """The warm processes that this server started; they outlive it until they are idle, for whoever asks next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = list[subprocess.Popen[bytes]]()

    def ask(self, store: Named, command: warm.Command, query: Query, call: Call) -> dict[str, Any]:
        """Return what `--json` would print; raises ReattError, or GivenUp."""
        with store.library():  # a missing store is reported at once
            settings, folder = store.settings, store.session().folder
        where = warm.place(folder)
        asked = warm.request(folder, settings.model, settings.device, command, query)
        until = time.monotonic() + LOADING
        for number in range(TRIES):
            if time.monotonic() > until or not self._ready(store, where, call):
                break
            try:
                told = warm.exchange(where, asked, lambda connection: call.enter("searching and reading", connection))
            except warm.Unavailable:
                call.enter("starting again")
                time.sleep(NAP * 2**number)  # a process that was killed takes a moment to be gone
                continue
            if refused := told.get("refused"):
                return _cold(store, command, query, call, f"reatt serve cannot answer this: {refused}")
            return _result(told)
        return _cold(store, command, query, call, "")

    def _ready(self, store: Named, where: warm.Endpoint, call: Call) -> bool:
        """Start a warm process if there is none, and wait until it listens; False if it has ended instead."""
        with self._lock:
            self._started = [each for each in self._started if each.poll() is None]  # so that none stays a zombie
            process = None if _lives(where) else _started(where, store)
            self._started += [process] if process else []
            until = time.monotonic() + LOADING
            while not os.path.lexists(where.socket) and time.monotonic() < until:
                call.enter("loading the model")
                time.sleep(NAP)
                if (process is None or process.poll() is not None) and not _lives(where):
                    return False
            return True


def _started(where: warm.Endpoint, store: Named) -> subprocess.Popen[bytes]:
    """Start the warm process of a store, apart from this one, which may end before it."""
    warm.sweep(where)  # what a killed one has left
    null = subprocess.DEVNULL
    return subprocess.Popen(_command(store), stdin=null, stdout=null, stderr=null, start_new_session=True)


def _command(store: Named) -> list[str]:
    settings = store.settings
    model = [] if settings.model is None else ["--model", str(warm.named(settings.model))]
    where = ["--store", str(settings.store), *model, "--device", settings.device]
    return [sys.executable, "-m", "reatt_cli", "serve", "--json", *where]


def _lives(where: warm.Endpoint) -> bool:
    """Return whether a warm process has the lock: one that listens, or is about to."""
    try:
        with warm.held(where) as alone:
            return not alone
    except OSError:
        return False


def _result(told: dict[str, Any]) -> dict[str, Any]:
    from reatt_cli.replies.lookup import error_of

    if error := told.get("error"):
        raise error_of(error)
    result: dict[str, Any] = told["result"]
    return result


def _cold(store: Named, command: warm.Command, query: Query, call: Call, why: str) -> dict[str, Any]:
    """Answer in this process, where no warm one can be had."""
    from reatt_cli.replies import lookup

    call.enter("loading the model")
    session = store.session()
    try:
        if why:
            session.warn(f"{why}; the model was loaded instead")
        return lookup.found(session, command, query, cold=True).result.model_dump(mode="json", by_alias=True)
    finally:
        session.store.close()
