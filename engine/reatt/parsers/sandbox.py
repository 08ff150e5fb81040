"""Run a parser of hostile files in a child process: limited memory, processor time, wall clock and output.

A 24 KB file can occupy a pure-Python parser for 20 seconds, and a C++ parser can crash. Neither may stop an ingest, so
every parser runs in a child. `pool.py` has the children that read one file after another; here is the child that does
one thing, such as to read a PDF or to convert a model, and then ends. It gets open files and a request of one JSON line
on standard input, and answers with one JSON object per line. It sets its own limits before it reads a file.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from reatt_store.errors import ParseLimit

Message = dict[str, Any]
PATIENCE = 10  # a file with many pages may take at most this many times the time limit
_BLOCK = 1 << 16
MOMENT = 0.25  # seconds of waiting without a word
_KILLED_FOR_TIME = (-signal.SIGXCPU, -signal.SIGKILL)


def untold(*_: int) -> None:
    """Tell nobody how far the reading is."""


@dataclass(frozen=True)
class ReadLimits:
    """The limits for one file, and how to open it."""

    max_bytes: int = 200_000_000  # of a file; of one line of JSON Lines, one row of a table
    seconds: float = 60  # in a parser; more for many pages (pdf.py)
    memory: int = 2 << 30  # bytes of a parser's address space
    output: int = 50_000_000  # bytes that a parser may write
    passwords: tuple[str, ...] = field(default=(), repr=False)  # tried after the empty one
    encoding: str | None = None  # None: detect it
    fields: tuple[str, ...] = ()  # of records, that hold the text; (): "text", or guess them
    id_field: str = ""  # of records, that holds the id; "": "_id" or "id", or their numbers
    on_page: Callable[[int, int], None] = untold  # (done, of how many; 0, 0 uncounted) often; may raise to stop

    def on_wait(self) -> None:
        """Tell that a file is still being read, whose pages are not counted."""
        self.on_page(0, 0)


class Crashed(Exception):
    """The parser died without a message."""


class Child:
    """One parser process; a context manager that never leaves it running."""

    def __init__(
        self,
        script: Path,
        request: Mapping[str, Any],
        files: tuple[int, ...] = (),
        *,
        seconds: float,
        output: int,
        on_wait: Callable[[], None] = untold,
    ) -> None:
        self._started = time.monotonic()  # or when its time was renewed
        self._seconds = seconds
        self._longest = PATIENCE * seconds
        self._deadline = self._started + seconds
        self._output = output
        self._on_wait = on_wait  # called some times a second while there is nothing to read; may raise to stop
        # -P: files in the script's folder must not shadow modules that the parser imports.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=files,
            start_new_session=True,
        )
        self._request = {**request, "cpu_seconds": int(self._longest) + 1, "parent": os.getpid()}

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def allow(self, more: float) -> None:
        """Extend the time limit, for instance because the file has many pages."""
        self._deadline = min(self._deadline + more, self._started + self._longest)

    def renew(self) -> None:
        """Start the time limit again, for the next part of the file."""
        self._started = time.monotonic()
        self._deadline = self._started + self._seconds

    def messages(self) -> Iterator[Message]:
        """Yield the messages of the child until it ends; raises ParseLimit or Crashed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(self._request).encode() + b"\n")
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once; its exit status tells why
        pending = bytearray()
        for block in self._blocks():
            pending += block
            if b"\n" in block:  # a page may arrive in many blocks, so search only the new one for its end
                *lines, pending = pending.split(b"\n")
                yield from map(read_message, lines)
        self._judge()

    def _blocks(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        received, heard = 0, time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                ready, now = selector.select(min(MOMENT, max(self._deadline - time.monotonic(), 0))), time.monotonic()
                if not ready and now >= self._deadline:
                    raise ParseLimit(f"parsing took longer than {round(self._deadline - self._started, 1):g} s")
                if not ready or now - heard > MOMENT:  # also while the child talks all the time
                    heard = now
                    self._on_wait()
                if not ready:
                    continue
                block = os.read(self._process.stdout.fileno(), _BLOCK)
                if not block:
                    return
                received += len(block)
                if received > self._output:
                    told = f"parsing produced more than {self._output / 1e6:.0f} MB of text"
                    raise ParseLimit(told, "split the file")
                yield block

    def _judge(self) -> None:
        try:
            status = self._process.wait(max(self._deadline - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            raise ParseLimit("the parser did not end") from None
        if status:
            raise ended(status)


def read_message(line: bytes | bytearray) -> Message:
    """Read what a child says; a file may have taken it over, so it may be anything: then raises Crashed."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, not UTF-8, a number of thousands of digits, nested too deep
        said = None
    if not isinstance(said, dict):
        raise Crashed("it said what is no answer")
    return said


def ended(status: int) -> ParseLimit | Crashed:
    """Say what the exit status of a parser that has ended means."""
    if status in _KILLED_FOR_TIME:
        return ParseLimit("parsing took more processor time or memory than allowed")
    return Crashed(f"the parser ended with status {status}")
