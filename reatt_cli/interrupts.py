"""Ctrl-C in a long command: the first waits for a safe point, perhaps only for a moment; the second stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from reatt_cli.session import Session


@contextmanager
def patient(session: Session, waiting: str, stopped: str, within: float | None = None) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C was pressed. Print `waiting` then, and `stopped` at the end.

    `within`: seconds after which the first Ctrl-C stops at once, too, wherever the command is.
    """
    asked = False
    moment = _Moment(within)

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        moment.begin()
        session.out.note(f"{waiting}; Ctrl-C again to stop now")

    def heard() -> bool:
        if asked:
            moment.end()  # the caller stops now, and nothing may disturb its tidying up
        return asked

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield heard
    except KeyboardInterrupt:
        session.out.note(stopped)
        raise
    finally:
        moment.end()
        signal.signal(signal.SIGINT, before)


class _Moment:
    """An alarm after some seconds, which raises KeyboardInterrupt; the system's one timer is touched only for that."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._runs = False

    def begin(self) -> None:
        """Set the alarm, if there is to be one."""
        if self._seconds is not None:
            self._before = signal.signal(signal.SIGALRM, _stop)
            self._runs = True
            signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def end(self) -> None:
        """Take the alarm back."""
        if self._runs:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            self._runs = False


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
