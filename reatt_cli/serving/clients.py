"""The clients of a warm process: greeted as they come, answered one at a time.

A client cannot tell a process that is busy from one that was stopped, or hangs. So a thread accepts clients at once and
sends each an empty line, then another twice a second until its answer is there. One that says nothing is passed over by
those behind it, and left after a while.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from reatt_cli.serving import warm

BEAT = warm.SILENCE / 4  # seconds
REQUEST_SECONDS = 5.0  # for a client to send its request


class Clients:
    """Those that wait for an answer on a listening socket."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._arrived: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        self._woken, self._wake = socket.socketpair()  # whoever waits for the next client
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._silent: dict[socket.socket, float] = {}  # those that have said nothing yet, and until when they may
        self._waiting: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended, self._end = socket.socketpair()

    @contextmanager
    def greeted(self) -> Iterator[None]:
        """Accept and greet clients while a block runs; those without an answer are then left."""
        self._listener.setblocking(False)
        thread = threading.Thread(target=self._greet, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.close()
            thread.join()
            self._ended.close()
            for each in (*self._waiting, self._wake, self._woken):
                each.close()

    @contextmanager
    def next(self, idle: float) -> Iterator[socket.socket | None]:
        """Yield the next client that says something, closed afterwards; None if none does for `idle` seconds."""
        client = self._speaking(time.monotonic() + idle)
        if client is None:
            yield None
            return
        with client:
            try:
                yield client
            finally:
                self._silence(client)

    def _speaking(self, until: float) -> socket.socket | None:
        """Wait for a client to say something, the first of those that came; leave those that say nothing."""
        while True:
            with suppress(OSError):
                self._woken.recv(4096)
            while not self._arrived.empty():
                self._silent[self._arrived.get()] = time.monotonic() + REQUEST_SECONDS
            ready = select.poll()
            for each in (self._woken, *self._silent):
                ready.register(each, select.POLLIN)
            left = min([until, *self._silent.values()]) - time.monotonic()
            heard = {number for number, _ in ready.poll(1000 * max(left, 0.0))}
            client = next((each for each in self._silent if each.fileno() in heard), None)
            if client is not None:
                del self._silent[client]
                return client
            now = time.monotonic()
            for late in [each for each, end in self._silent.items() if end <= now]:
                del self._silent[late]
                self._silence(late)
                late.close()
            if not heard and now >= until:
                return None

    def answer(self, client: socket.socket, reply: dict[str, Any]) -> None:
        """Send a client its answer, unless it has gone."""
        self._silence(client)
        with suppress(OSError):
            warm.send(client, reply)

    def _silence(self, client: socket.socket) -> None:
        """Greet a client no more: what it receives next is its answer."""
        with self._lock:
            self._waiting.discard(client)

    def _greet(self) -> None:
        ready = select.poll()
        ready.register(self._listener, select.POLLIN)
        ready.register(self._ended, select.POLLIN)
        while True:
            found = {number for number, _ in ready.poll(1000 * BEAT if self._waiting else None)}
            if self._ended.fileno() in found:
                return
            if self._listener.fileno() in found:
                self._accept()
            self._beat()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # too many files are open, perhaps; then it waits a little
            select.select([self._ended], [], [], BEAT)
            return
        if warm.peer(client)[1] != os.getuid():
            client.close()
            return
        client.setblocking(False)
        with self._lock:
            self._waiting.add(client)
        self._arrived.put(client)
        with suppress(OSError):  # it is awake
            self._wake.send(b".")

    def _beat(self) -> None:
        with self._lock:
            for client in self._waiting:
                with suppress(OSError):  # it has gone, or does not read
                    os.write(client.fileno(), b"\n")  # `send` would wait, once the client has a time limit
