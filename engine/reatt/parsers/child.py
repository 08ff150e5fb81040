"""Reads files in a process of its own, one after another. Run as a script by `pool.Worker`.

Arguments: the number of the socket, and of the process that started this one. Says {"ready": true}, then about each
file, as JSON lines:
    {"content": {...}, "spent": false}      a `Content`; `spent`: this process has grown and wants to be replaced
    {"checked": 1000}, {"record": {...}}, {"end": true, ...}        a file of many documents
    {"error": id, "message": "...", "fix": "...", "spent": false}
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator

from reatt.parsers.confined import die_with, limit, limit_for_now
from reatt.parsers.pool import LAST, TOGETHER
from reatt.parsers.registry import STREAMS, content_message
from reatt.parsers.sandbox import Message
from reatt_store.errors import DocumentError, ParseLimit

_GROWN = 256 << 20  # bytes of memory
_BLOCK, _SOON = 1 << 16, 0.05  # bytes and seconds after which messages are sent
_UNLIMITED = resource.RLIM_INFINITY


def answers(request: Message, file: int) -> Iterator[Message]:
    """Read the requested file."""
    limit_for_now(request["memory"], request["cpu_seconds"])
    try:
        with open(file, "rb", closefd=False) as stream:
            stream.seek(0)
            if request["kind"] in STREAMS:
                read = STREAMS[request["kind"]]
                for message in read(stream, request["name"], request["longest"], **request["more"]):
                    yield message
                    if "checked" in message:
                        limit_for_now(request["memory"], request["cpu_seconds"])
                yield {"end": True}
            else:
                yield content_message(request["kind"], stream.read(request["size"]), request["encoding"])
    except DocumentError as error:
        yield {"error": error.id, "message": error.message, "fix": error.fix}
    except RecursionError:
        yield {"error": ParseLimit.id, "message": "nested too deeply", "fix": "split or simplify the file"}
    except OSError as error:
        yield {"error": DocumentError.id, "message": f"cannot be read: {error.strerror or error}", "fix": ""}
    except MemoryError:
        limit_for_now(_UNLIMITED, 60)
        why = "parsing needs more memory than allowed"
        yield {"error": ParseLimit.id, "message": why, "fix": "split the file", "spent": True}


def _requests(connection: socket.socket) -> Iterator[tuple[Message, int]]:
    """Yield each request with its open file, which is closed afterwards."""
    while True:
        line, files = bytearray(), list[int]()
        while not line.endswith(b"\n"):
            block, came, _, _ = socket.recv_fds(connection, 1 << 16, TOGETHER)
            if not block:
                return
            line += block
            files += came
        for request, file in zip(json.loads(line), files, strict=True):
            yield request, file
            os.close(file)


def _spent() -> bool:
    """Say whether this process has grown; the system counts its largest size from before it was this program."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize() > _GROWN
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _GROWN  # bytes where there is no /proc


class _Speaker:
    """Sends messages; many small ones at a time, because each wakes the parent."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._waiting = bytearray()
        self._sent = time.monotonic()

    def say(self, message: Message, last: bool = True) -> None:
        text = json.dumps(message, ensure_ascii=False, check_circular=False)
        self._waiting += text.encode("utf-8", "replace") + b"\n"
        if last or len(self._waiting) > _BLOCK or time.monotonic() - self._sent > _SOON:
            self._connection.sendall(self._waiting)
            self._waiting.clear()
            self._sent = time.monotonic()


def main() -> None:
    """Answer requests until there are no more."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    die_with(int(sys.argv[2]))
    limit(_UNLIMITED, _UNLIMITED)
    speaker = _Speaker(connection)
    speaker.say({"ready": True})
    for request, file in _requests(connection):
        for message in answers(request, file):
            if last := bool(message.keys() & LAST):
                limit_for_now(_UNLIMITED, 60)
                message["spent"] = message.get("spent") or _spent()
            speaker.say(message, last)


if __name__ == "__main__":
    main()
