"""serve: nobody waits for a process that says nothing, and everybody for one that is busy."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing, contextmanager

import pytest

from reatt import ask as verb
from reatt_cli.serving import clients, warm
from tests.corpus_made import REATT
from tests.served import asked, served

ANSWERED = "does not answer; the model was loaded instead"


@contextmanager
def listening(library, runtime, backlog=8):
    """Listen in the place of a store's warm process."""
    runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(warm.place(library).socket))
        listener.listen(backlog)
        yield listener


@pytest.fixture
def stopped(library, runtime):
    """Start a warm process and stop it as Ctrl-Z does."""
    with subprocess.Popen([*REATT, "serve", "--store", library, "--json"], stdout=subprocess.PIPE, text=True) as server:
        told = json.loads(server.stdout.readline())
        server.send_signal(signal.SIGSTOP)
        yield told["pid"]
        server.kill()


def test_one_that_is_stopped_is_passed_over(reatt, library, stopped):
    done = reatt("search", "tea", "--json")
    assert done.code == 0
    assert json.loads(done.out)["hits"]
    assert f"reatt serve (process {stopped}) {ANSWERED}" in json.loads(done.out)["warnings"][0]


def test_many_questions_wait_for_it_once(library, stopped):
    call = [*REATT, "ask", "-", "--store", library]
    done = subprocess.run(call, input="Why?\nWhen?\nWho?\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.count("? ") >= 3
    assert done.stderr.count(ANSWERED) == 1


def test_one_that_is_stopped_cannot_be_told_to_stop_and_is_named(reatt, library, stopped):
    done = reatt("serve", "--stop", "--json")
    told = json.loads(done.err)
    assert (done.code, told["fix"]) == (1, f"kill -9 {stopped}")


@pytest.mark.parametrize("said", [b"", b"\n\n\n", b'{"result"', b"\n{"])
def test_one_that_hangs_is_passed_over_whatever_it_said(said, reatt, library, runtime):
    def hang(listener):
        client, _ = listener.accept()
        client.sendall(said)
        held.append(client)

    held = []
    with listening(library, runtime) as listener:
        thread = threading.Thread(target=hang, args=(listener,))
        thread.start()
        done = reatt("search", "tea")
        thread.join()
        held[0].close()
    assert done.code == 0
    assert f"reatt serve (process {os.getpid()}) {ANSWERED}" in done.err


def test_one_that_accepts_nobody_is_passed_over(reatt, library, runtime):
    with listening(library, runtime, backlog=0) as listener, closing(socket.socket(socket.AF_UNIX)) as other:
        other.connect(listener.getsockname())  # the queue is full
        done = reatt("search", "tea")
    assert (done.code, "the model was loaded instead" in done.err) == (0, True)


def test_one_that_is_busy_is_waited_for(library, runtime, monkeypatch):
    def slow(*question):
        time.sleep(0.8)  # the third waits longer than anybody is silent
        return ask(*question)

    ask = verb.ask
    monkeypatch.setattr(verb, "ask", slow)
    answers = []
    with served(library, model=os.environ["REATT_MODEL"]):
        askers = [threading.Thread(target=lambda: answers.append(asked(library))) for _ in range(3)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert ["result" in answer for answer in answers] == [True] * 3


def test_clients_that_say_nothing_hold_nobody_up_and_are_left(library, runtime, monkeypatch):
    monkeypatch.setattr(clients, "REQUEST_SECONDS", 3600.0)
    with served(library, model=os.environ["REATT_MODEL"]), closing(socket.socket(socket.AF_UNIX)) as silent:
        silent.connect(str(warm.place(library).socket))
        assert silent.recv(1) == b"\n"  # it was there first
        assert "result" in asked(library)
        monkeypatch.setattr(clients, "REQUEST_SECONDS", 0.01)
        with closing(socket.socket(socket.AF_UNIX)) as another:
            another.connect(str(warm.place(library).socket))
            while another.recv(64):  # until it is left
                pass
        assert "result" in asked(library)


def test_clients_that_go_away_or_never_ask_disturb_nobody(library, runtime, monkeypatch):
    monkeypatch.setattr(clients, "BEAT", 0.01)
    with served(library, model=os.environ["REATT_MODEL"]):
        idle = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for client in idle:
            client.connect(str(warm.place(library).socket))
        for client in idle[1:]:
            client.close()
        assert "result" in asked(library)
        assert idle[0].recv(1) == b"\n"
        idle[0].close()
