"""Children that read one hostile file after another, so that small files cost no process each.

A child gets open files (never paths) and their requests, one JSON line, through a socket, and answers with one JSON
object per line. Small files are asked for many at a time: to wake a child costs more than to read such a file. A child
is replaced when it has read many files or has grown, and at once after whatever went wrong: it took too long, wrote
too much, or died.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reatt.parsers.sandbox import MOMENT, PATIENCE, Crashed, Message, ended, read_message, untold
from reatt_store.errors import ParseLimit

FILES = 2000  # that one child reads
TOGETHER = 32  # files that may be asked for at once; a child may have 64 files open
_SCRIPT = Path(__file__).with_name("child.py")
_STARTS = 60.0  # seconds that a child may take to load its parsers
_BLOCK = 1 << 18
# Threads, and memory that libraries only reserve, count against the memory that a child may map.
_FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
}
LAST = frozenset(("content", "end", "error"))  # a message with one of these is the last about its file


@dataclass(frozen=True)
class Allowance:
    """What a child may take for one file."""

    seconds: float  # of the processor where the system tells them, and at most PATIENCE times as many in all
    memory: int  # bytes of address space
    output: int  # bytes of the answer; of each message where messages renew
    renews: bool = False  # whether every message starts time and output again


@dataclass(frozen=True)
class Request:
    """One file to read."""

    body: Mapping[str, object]
    file: int
    allowed: Allowance
    on_wait: Callable[[], None] = untold  # called some times a second until the answer is there; may raise to stop

    def line(self) -> dict[str, object]:
        """Return what the child is told."""
        limits = {"memory": self.allowed.memory, "cpu_seconds": int(PATIENCE * self.allowed.seconds) + 1}
        return {**self.body, **limits}


class Worker:
    """One child process."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._pending = bytearray()
        self._searched = 0  # bytes of these that hold no end of a line
        self.files = 0
        self.owner = os.getpid()
        with theirs:
            # -P: files in the script's folder must not shadow modules that the parser imports.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), str(theirs.fileno()), str(self.owner)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, **_FRUGAL},
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs, and is a child of this process, which may be a fork of the one that started it."""
        return self.owner == os.getpid() and self._process.poll() is None

    def close(self) -> None:
        """End the process, unless it belongs to the process that this one was forked from."""
        self._ours.close()
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()

    def ask(self, requests: Sequence[Request]) -> None:
        """Ask for files; raises Crashed."""
        if not self.files:
            self._next(_STARTS, _BLOCK, requests[0].on_wait)  # it says that it is ready
        self._send([request.line() for request in requests], [request.file for request in requests])

    def about(self, request: Request) -> Iterator[Message]:
        """Yield what the child says about the next file, the last message included; raises ParseLimit or Crashed.

        The time that the caller takes meanwhile does not count.
        """
        self.files += 1
        said: Message = {}
        allowed = request.allowed
        seconds, output = allowed.seconds, allowed.output
        while not LAST & said.keys():
            started = time.monotonic()
            line = self._next(seconds, output, request.on_wait)
            seconds -= time.monotonic() - started
            output -= len(line)
            if allowed.renews:
                seconds, output = allowed.seconds, allowed.output
            said = read_message(line)
            yield said

    def _send(self, lines: list[dict[str, object]], files: list[int]) -> None:
        line = json.dumps(lines).encode() + b"\n"
        self._ours.settimeout(_STARTS)
        try:
            sent = socket.send_fds(self._ours, [line], files)
            self._ours.sendall(line[sent:])
        except OSError:
            raise self._end() from None

    def _next(self, seconds: float, output: int, on_wait: Callable[[], None]) -> bytes:
        """Wait for a line."""
        patience = _Patience(self._process.pid, seconds)
        while (end := self._pending.find(b"\n", self._searched)) < 0:
            self._searched = len(self._pending)
            if self._searched > output:
                raise _too_long(output)
            self._ours.settimeout(patience.moment())
            try:
                block = self._ours.recv(_BLOCK)
            except TimeoutError:
                if patience.over():
                    raise ParseLimit(f"parsing took longer than {round(seconds, 1):g} s") from None
                on_wait()
                continue
            except OSError:
                block = b""
            if not block:
                raise self._end()
            self._pending += block
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        self._searched = 0
        if len(line) > output:
            raise _too_long(output)
        return line

    def _end(self) -> ParseLimit | Crashed:
        """Say why the child has closed its socket."""
        with suppress(subprocess.TimeoutExpired):
            return ended(self._process.wait(1))
        return Crashed("the parser closed its socket")


def _too_long(output: int) -> ParseLimit:
    return ParseLimit(f"parsing produced more than {output / 1e6:.0f} MB of text", "split the file")


class _Patience:
    """How long a child is waited for: what it may work, so that a busy machine makes no file too long to parse."""

    def __init__(self, child: int, seconds: float) -> None:
        self._child, self._seconds = child, seconds
        self._worked, self._started = worked(child), time.monotonic()
        self._deadline = self._started + seconds

    def moment(self) -> float:
        """Return how long to wait until the next look."""
        return min(MOMENT, max(self._deadline - time.monotonic(), 1e-4))

    def over(self) -> bool:
        """Return whether the child had its time; if it waited for a processor, give it more."""
        now = time.monotonic()
        if now < self._deadline:
            return False
        begun, since = self._worked, worked(self._child)
        left = 0.0 if begun is None or since is None else self._seconds - (since - begun)
        self._deadline = min(now + left, self._started + PATIENCE * self._seconds)
        return self._deadline <= now


def worked(process: int) -> float | None:
    """Return how many seconds of the processor a process has had; None where the system does not tell."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


class Pool:
    """The children that wait for a file; each is with one file at a time."""

    def __init__(self) -> None:
        self._waiting: list[Worker] = []
        self._lock = threading.Lock()

    def ask(self, requests: Sequence[Request]) -> Iterator[Message]:
        """Ask a child for files at once; return what it says, see `Worker.about`.

        The child is ended if it is left before the last message about the last file.
        """
        worker = self._take()
        try:
            worker.ask(requests)
        except BaseException:
            worker.close()
            raise
        return self._messages(worker, requests)

    def _messages(self, worker: Worker, requests: Sequence[Request]) -> Iterator[Message]:
        left, spent = len(requests), False
        try:
            for request in requests:
                for said in worker.about(request):
                    left -= bool(LAST & said.keys())
                    spent = spent or bool(said.get("spent"))
                    yield said
        finally:
            if left or spent or worker.files >= FILES:
                worker.close()
            else:
                with self._lock:
                    self._waiting.append(worker)

    def close(self) -> None:
        """End the children that wait."""
        while self._waiting:
            self._waiting.pop().close()

    def _take(self) -> Worker:
        while True:
            with self._lock:
                worker = self._waiting.pop() if self._waiting else None
            if worker is None:
                return Worker()
            if worker.alive:
                return worker
            worker.close()


POOL = Pool()  # of this process
atexit.register(POOL.close)
