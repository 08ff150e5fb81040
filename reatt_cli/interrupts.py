"""Ctrl-C in a long command: the first waits for a safe point, the second stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from reatt_cli.session import Session


@contextmanager
def patient(session: Session, waiting: str, stopped: str) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed. Print `waiting` then, and `stopped` at the end."""
    asked = False

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        session.out.note(f"{waiting}; Ctrl-C again to stop now")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    except KeyboardInterrupt:
        session.out.note(stopped)
        raise
    finally:
        signal.signal(signal.SIGINT, before)
