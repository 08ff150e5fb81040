"""The standard streams of the program: open, and patient.

Whoever started us may have made a pipe or terminal non-blocking (node, ssh and some shells do), or may do so at any
time, since it is shared. Python then drops what such a pipe does not take at once. These streams wait for it, so output
is whole or an error, whoever writes: this program, Typer's help, or a progress bar of Rich.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO


class Patient(io.FileIO):
    """A descriptor that is read and written as if it were blocking, and written to the end."""

    def write(self, content: Any, /) -> int:
        """Write all of it: Python's layers above ignore how much was taken."""
        left = memoryview(content).cast("B")
        while left:
            taken = super().write(left)
            left = left[taken or 0 :]
            if taken is None:
                self._wait(select.POLLOUT)
        return len(memoryview(content).cast("B"))

    def readinto(self, room: Any, /) -> int:
        """Read at least a byte, unless the stream has ended."""
        while (read := super().readinto(room)) is None:
            self._wait(select.POLLIN)
        return read

    def _wait(self, event: int) -> None:
        ready = select.poll()
        ready.register(self.fileno(), event)
        ready.poll()


def open_standard() -> None:
    """Replace Python's standard streams by patient ones.

    Those that the caller closed become the null device; else a file would get their number, and their text.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        setattr(sys, name, _reading(number) if number == 0 else _writing(number, getattr(sys, name)))


def _reading(number: int) -> TextIO:
    known: Any = sys.stdin
    raw = io.BufferedReader(Patient(number, "rb", closefd=False))
    return io.TextIOWrapper(raw, known.encoding if known else "utf-8", known.errors if known else None)


def _writing(number: int, known: Any) -> TextIO:
    """Open a stream that keeps nothing back: what could not be written is not tried again at the end."""
    raw: Any = Patient(number, "wb", closefd=False)
    return io.TextIOWrapper(
        raw, known.encoding if known else "utf-8", known.errors if known else None, write_through=True
    )
