"""Processes that encode chunks side by side, for one writer: the same groups, and so the same keys, however many.

A worker gets the texts of a group and gives back keys, as plain bytes through a socket; nothing is pickled. Each has
its share of the cores as threads. A worker that dies is replaced and its group is encoded again; a group that two
workers died of is an error. The workers end with this process, however it ends, and hear no Ctrl-C of the terminal.
"""

from __future__ import annotations

import json
import math
import os
import selectors
import socket
import struct
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from reatt.model.backbone import ChunkCode, ChunkText, Encoder
from reatt.search.encode import EncodeGroups, Groups, alone
from reatt.weights.folder import ModelFolder
from reatt_store.errors import InternalError, OutOfMemory, UsageError, rebuilt

DEATHS = 2  # of workers, by one group
_SCRIPT = Path(__file__).with_name("worker.py")
_SIZE = struct.Struct("<Q")
_FEWER = "use fewer --workers, or close other programs"


@contextmanager
def encoding(model: ModelFolder, backbone: Encoder, count: int) -> Iterator[EncodeGroups]:
    """Yield who encodes groups of chunks: this process, or so many workers, which end with the block."""
    if count == 1:
        yield alone(backbone)
        return
    with Workers(model, backbone, count) as workers:
        yield workers.encode


def require_processor(count: int, device: str) -> None:
    """Raise UsageError if several processes would have to share a GPU."""
    from reatt.weights.models import choose_device

    if count > 1 and (chosen := choose_device(device)) != "cpu":
        raise UsageError(f"--workers is for the processor, but the model runs on {chosen}", "--device cpu")


class Died(Exception):
    """A worker has ended without an answer."""


class Worker:
    """One process with the model; it encodes one group at a time."""

    def __init__(self, told: dict[str, Any], threads: int) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"},
            )
        self.group: int | None = None  # the number of what it encodes
        with suppress(Died):  # found out when it does not answer
            send(self._ours, told)

    def fileno(self) -> int:
        """Return the number of what becomes readable when the worker answers, or dies."""
        return self._ours.fileno()

    def ask(self, number: int, group: Sequence[ChunkText]) -> None:
        """Begin a group."""
        self.group = number
        with suppress(Died):
            send(self._ours, {"chunks": [[chunk.title, chunk.text] for chunk in group]})

    def answer(self) -> list[ChunkCode]:
        """Return the codes of the group; raises Died, and what the worker met."""
        said, data = receive(self._ours)
        self.group = None
        if "error" in said:
            raise rebuilt(said["error"], said["message"], said["fix"], None)
        return codes(said, data)

    def close(self) -> None:
        """End the process."""
        self._ours.close()
        self.process.kill()
        self.process.wait()


class Workers:
    """Some workers, started when there is something to encode; a context manager that never leaves one running."""

    def __init__(self, model: ModelFolder, backbone: Encoder, count: int) -> None:
        self._count = count
        self._threads = max(1, cores() // count)
        self._told = {
            "path": str(model.path), "origin": model.origin, "called": model.called, "made_with": model.made_with,
            "method": backbone.method, "fingerprint": backbone.fingerprint(),
        }  # fmt: skip
        self.running: list[Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self.running:
            self.running.pop().close()

    def encode(self, groups: Groups) -> Iterator[tuple[int, list[ChunkCode]]]:
        """Yield each group's number and codes when it is done; the last groups, which are the longest, come first.

        Raises OutOfMemory for a group that workers are killed over, InternalError for one that they end over.
        """
        left = deque(reversed(range(len(groups))))
        deaths = Counter[int]()
        assert all(worker.group is None for worker in self.running), "the groups before are done"
        while left or any(worker.group is not None for worker in self.running):
            self._hand_out(left, groups)
            for worker in self._ready():
                number = worker.group
                assert number is not None
                try:
                    done = worker.answer()
                except Died:
                    self._replace(worker, deaths, number)
                    left.appendleft(number)
                    continue
                yield number, done

    def _hand_out(self, left: deque[int], groups: Groups) -> None:
        for worker in [each for each in self.running if each.group is None][: len(left)]:
            number = left.popleft()
            worker.ask(number, groups[number])
        while left and len(self.running) < self._count:
            number = left.popleft()
            self.running.append(Worker(self._told, self._threads))
            self.running[-1].ask(number, groups[number])

    def _ready(self) -> list[Worker]:
        busy = {worker.fileno(): worker for worker in self.running if worker.group is not None}
        with selectors.DefaultSelector() as selector:
            for number in busy:
                selector.register(number, selectors.EVENT_READ)
            return [busy[key.fd] for key, _ in selector.select()]

    def _replace(self, worker: Worker, deaths: Counter[int], number: int) -> None:
        """Forget a worker that died of a group; raises an error if it was not the first."""
        self.running.remove(worker)
        worker.close()
        deaths[number] += 1
        if deaths[number] < DEATHS:
            return
        if worker.process.returncode < 0:
            raise OutOfMemory(f"{DEATHS} processes that encode were killed; memory may be short", _FEWER)
        raise InternalError(f"{DEATHS} processes that encode ended with status {worker.process.returncode}")


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def send(connection: socket.socket, said: dict[str, Any], data: bytes = b"") -> None:
    """Send an object and bytes; raises Died."""
    head = json.dumps(said).encode()
    try:
        connection.sendall(_SIZE.pack(len(head)) + _SIZE.pack(len(data)) + head + data)
    except OSError as error:
        raise Died from error


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Receive an object and bytes; raises Died."""
    sizes = _exactly(connection, 2 * _SIZE.size)
    (head,), (data,) = _SIZE.unpack(sizes[: _SIZE.size]), _SIZE.unpack(sizes[_SIZE.size :])
    said: dict[str, Any] = json.loads(_exactly(connection, head))
    return said, _exactly(connection, data)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        try:
            read = connection.recv_into(view)
        except OSError as error:
            raise Died from error
        if not read:
            raise Died
        view = view[read:]
    return bytes(data)


def packed(done: Sequence[ChunkCode]) -> tuple[dict[str, Any], bytes]:
    """Write codes as their shapes, and float32 numbers one after the other."""
    tensors = [tensor for code in done for tensor in (code.keys, code.memory) if tensor is not None]
    shapes = [[list(code.keys.shape), None if code.memory is None else list(code.memory.shape)] for code in done]
    data = b"".join(tensor.cpu().float().contiguous().numpy().tobytes() for tensor in tensors)
    return {"shapes": shapes}, data


def codes(said: dict[str, Any], data: bytes) -> list[ChunkCode]:
    """Reverse `packed`."""
    import torch

    numbers, at = torch.frombuffer(bytearray(data), dtype=torch.float32), 0
    found = []
    for keys, states in said["shapes"]:
        between, end = at + math.prod(keys), at + math.prod(keys) + (math.prod(states) if states else 0)
        memory = numbers[between:end].reshape(states) if states else None
        found.append(ChunkCode(numbers[at:between].reshape(keys), memory))
        at = end
    return found
