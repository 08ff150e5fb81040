"""Reads pages by OCR in its own process. Run as a script by `sandbox.Child`.

Before it touches the file, it loads the engine with its models and gives up the right to open any file or socket, by a
limit of 0 open files. So whatever a hostile picture does to the engine, it can read no other file and reach nobody.
It can write nothing either, because a file that it writes may have 0 bytes. These limits do not keep a process from
running a program, or from removing, cutting or renaming files by their names. Where the kernel has Landlock, it gives
that up, too, before it loads the engine (`confined.only_read`). Nothing keeps it from changing modes, owners and times
of files, or from signals to other processes of the user before Linux 6.12.

Prints one JSON object per line:
    {"count": 41}                                       pages that the file has
    {"page": 1, "text": "...", "confidence": 0.98, "characters": 1800}    or {"page": 1, "failed": "why"}
    {"error": "engine" | "damaged", "detail": "..."}
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from reatt.parsers.confined import die_with, limit, limit_for_now, limit_open_files, only_read

if TYPE_CHECKING:
    from reatt.parsers.ocr.engine import Engine
    from reatt.parsers.ocr.images import Pages

Message = dict[str, Any]


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    die_with(request["parent"])
    out = _own_output()
    limit(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    only_read()  # before the engine starts threads
    limit_for_now(request["memory"], request["cpu_seconds"])
    for message in answers(request):
        out.write(json.dumps(message) + "\n")
        out.flush()


def _own_output() -> TextIO:
    """Keep standard output for the answers: what the libraries print or log goes nowhere."""
    logging.disable()
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)
    return out


def answers(request: Message) -> Iterator[Message]:
    """Load the engine, then read the pages."""
    sys.addaudithook(_no_network)
    try:
        from reatt.parsers.ocr.engine import Engine
        from reatt.parsers.ocr.images import pages_of

        with open(request["file"], "rb", closefd=False) as file:
            file.seek(0)
            data = file.read()
        engine = Engine()
        limit_open_files(0)
    except Exception as error:
        yield {"error": "engine", "detail": _told(error)}
        return
    try:
        pages = pages_of(request["kind"], data, request["passwords"])
    except Exception as error:
        yield {"error": "damaged", "detail": _told(error)}
        return
    yield {"count": pages.count}
    numbers = request["pages"] or range(1, min(pages.count, request["most"]) + 1)
    yield from _read(pages, engine, numbers, request)


def _read(pages: Pages, engine: Engine, numbers: Sequence[int], request: Message) -> Iterator[Message]:
    for number in numbers:
        limit_for_now(request["memory"], request["cpu_seconds"])
        try:
            yield {"page": number, **_page(pages, engine, number)}
        except Exception as error:  # of a hostile page, which does not affect the others
            yield {"page": number, "failed": _told(error)}


def _page(pages: Pages, engine: Engine, number: int) -> Message:
    from reatt.parsers.ocr.placing import PageRead, page_of

    image = pages.image(number)
    read = PageRead("", 0.0, 0) if image is None else page_of(engine.lines(image), image.shape[1], image.shape[0])
    return read._asdict()


def _told(error: Exception) -> str:
    from reatt.parsers.ocr.images import NoImage

    if isinstance(error, MemoryError):
        return "it needs more memory than allowed"
    return str(error) if isinstance(error, NoImage) else f"{type(error).__name__}: {error}"[:200]


def _no_network(event: str, _: Any) -> None:
    """Refuse what the engine's package might try while it loads: to download models."""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise PermissionError(f"{event} is not allowed")


if __name__ == "__main__":
    main()
