"""`reatt serve --http` and those who open connections and say nothing, or not all: others are answered."""

import http.client
import json
import os
import socket
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("uvicorn", reason='the extra is not installed: pip install "reatt[web]"')
pytest.importorskip("starlette", reason='the extra is not installed: pip install "reatt[web]"')

from reatt_cli.settings import Settings, log_file
from reatt_cli.web import connections, server
from tests.served import served

PLACES = 8


@contextmanager
def site(library):
    """Serve the page of a store over few connections; yield its address."""
    settings = Settings(store=str(library), model=os.environ["REATT_MODEL"], device="cpu")
    with served(library, model=os.environ["REATT_MODEL"]), server.serving(settings, "127.0.0.1", 0) as address:
        yield address


@pytest.fixture
def small(library, runtime, monkeypatch):
    monkeypatch.setattr(connections, "MOST", PLACES)
    monkeypatch.setattr(connections, "AT_ONCE", 0.1)
    with site(library) as address:
        yield address


@pytest.fixture
def hasty(library, runtime, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with site(library) as address:
        yield address


def asked(address):
    """Ask as a program does; return the status."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=120)
    body = json.dumps({"question": "How long is parental leave?"})
    connection.request("POST", "/v1/search", body, {"Authorization": f"Bearer {address.token}"})
    with connection.getresponse() as response:
        response.read()
        return response.status


def started(address):
    """Return what those send that do not ask."""
    return {
        "nothing": b"",
        "half a line": b"GET / HT",
        "a head without end": f"GET / HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nX-A: a".encode(),
        "half a body without the token": (
            f"POST /v1/ask HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nContent-Length: 90\r\n\r\n{{"
        ).encode(),
        "half a body": (
            f"POST /v1/ask HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
            f"Authorization: Bearer {address.token}\r\nContent-Length: 90\r\n\r\n{{"
        ).encode(),
    }


@pytest.fixture
def opened():
    """Open connections that are closed at the end."""
    with ExitStack() as stack:

        def opening(address, what):
            connection = stack.enter_context(socket.create_connection((address.host, address.port), timeout=120))
            connection.sendall(started(address)[what])
            return connection

        yield opening


KINDS = ["nothing", "half a line", "a head without end", "half a body without the token", "half a body"]


@pytest.mark.parametrize("what", KINDS)
def test_many_who_do_not_ask_keep_nobody_from_an_answer(what, small, opened):
    before, many = len(os.listdir("/dev/fd")), 4 * PLACES
    several = [opened(small, what) for _ in range(many)]
    assert asked(small) == 200
    assert len(os.listdir("/dev/fd")) < before + len(several) + 3 * PLACES  # both ends are in this process


@pytest.mark.parametrize("what", KINDS)
def test_one_that_does_not_end_its_request_is_left(what, hasty, opened):
    connection = opened(hasty, what)
    received = b""
    try:
        while part := connection.recv(1000):
            received += part
    except ConnectionResetError:
        pass
    assert b" 200 " not in received
    assert not log_file().exists()
    assert asked(hasty) == 200


def test_more_than_there_are_places_for_are_answered_in_turn(small, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(connections, "AT_ONCE", 60.0)  # on a busy machine a program may take long to ask
    with ThreadPoolExecutor(2 * PLACES) as pool:
        assert set(pool.map(asked, [small] * 3 * PLACES)) == {200}


def test_a_process_that_may_open_few_files_has_few_places_and_threads():
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/dev/fd"))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, limits[1]))
        few = connections.room()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert few.places + few.threads * connections.FILES_EACH <= 20
    assert min(few.places, few.threads) >= 1
