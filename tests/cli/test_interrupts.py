"""Laws of Ctrl-C in a long command: it is heard within a moment, whatever the command is busy with."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from reatt_cli.interrupts import patient


@pytest.fixture
def session():
    """Note what is said."""
    said = []
    return SimpleNamespace(out=SimpleNamespace(note=said.append), said=said)


def press(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


def busy():
    press()
    while True:
        time.sleep(0.01)


def test_a_command_that_looks_up_stops_at_a_safe_point_and_is_not_disturbed_after_it(session):
    with patient(session, "waiting", "stopped", 0.05) as asked:
        assert not asked()
        press()
        assert asked()
        time.sleep(0.2)  # what tidies up may take longer than the moment
    assert session.said == ["waiting; Ctrl-C again to stop now"]


def test_a_command_that_does_not_look_up_stops_after_a_moment(session):
    with pytest.raises(KeyboardInterrupt), patient(session, "waiting", "stopped", 0.05):
        busy()
    assert session.said[-1] == "stopped"


def test_the_second_ctrl_c_stops_at_once_and_the_handlers_are_put_back(session):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), patient(session, "waiting", "stopped"):
        press(2)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
