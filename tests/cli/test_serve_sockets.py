"""serve: its socket is for its owner alone, and nothing that comes over it ends the process."""

import os
import resource
import socket
from contextlib import contextmanager
from copy import deepcopy

import pytest

from reatt.search.query import Query
from reatt_cli.serving import server, warm
from reatt_cli.settings import Settings
from reatt_store.errors import StoreDamaged, SystemRefused
from tests.served import asked, served

NOBODY = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")


def test_one_that_was_killed_is_told_of_once(reatt, library, runtime):
    runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(warm.place(library).socket))
    assert "warning: reatt serve has been killed; the model was loaded instead" in reatt("search", "tea").err
    assert "warning" not in reatt("search", "tea").err
    assert not warm.place(library).socket.exists()


def test_the_socket_of_a_living_process_is_never_swept(library, runtime):
    where = warm.place(library)
    runtime.mkdir(mode=0o700)
    where.socket.touch()
    with warm.held(where):
        warm.sweep(where)
        assert where.socket.exists()
    warm.sweep(where)
    assert not where.socket.exists()


def test_socket_and_folder_are_for_their_owner_alone(library, runtime):
    with served(library):
        assert warm.place(library).socket.stat().st_mode & 0o777 == 0o600
        assert runtime.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_open_is_used_by_neither_side(reatt, library, runtime):
    with served(library, model=os.environ["REATT_MODEL"]):
        runtime.chmod(0o755)
        assert "is open to other users, so its sockets are not used" in reatt("search", "tea").err
        assert reatt("serve").code == 2
        runtime.chmod(0o700)


@needs_root
def test_the_socket_of_another_user_is_not_asked(reatt, library, runtime):
    runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(warm.place(library).socket))
        os.seteuid(NOBODY)
        foreign.listen()
        os.seteuid(0)
        done = reatt("search", "tea")
        foreign.setblocking(False)
        assert foreign.accept()[0].recv(9) == b""  # not a word was said
    assert (done.code, "belongs to another user" in done.err) == (0, True)


@needs_root
@pytest.mark.parametrize(("user", "heard"), [(0, {"stop": True}), (NOBODY, {})])
def test_another_user_is_not_heard(user, heard):
    os.seteuid(user)
    ours, theirs = socket.socketpair()
    os.seteuid(0)
    with ours, theirs:
        warm.send(theirs, {"stop": True})
        assert server._heard(ours) == heard


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"store": "/elsewhere"}, "another store"),
        ({"model": "other"}, "another model"),
        ({"version": "0"}, "another version"),
        ({"device": "cuda:7"}, "does not use the device cuda:7"),
        ({"query": {"question": "Why?"}}, "not a question"),
        ({"query": None}, "not a question"),
        ({"command": "serve"}, "not a question"),
    ],
)
def test_what_is_not_for_it_is_refused(changes, why, library, runtime):
    with served(library, model=os.environ["REATT_MODEL"]):
        assert why in asked(library, **changes)["refused"]
        assert "result" in asked(library)


@pytest.mark.parametrize("line", [b"", b"{", b"[]\n", b"\xff\n", b"{}\n", b"1" * 70_000])
def test_no_line_ends_it(line, library, runtime):
    with served(library, model=os.environ["REATT_MODEL"]):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(warm.place(library).socket))
            client.sendall(line)
        assert "result" in asked(library)


def test_a_socket_path_that_is_too_long_is_one_clear_line(reatt, library, home, monkeypatch):
    (home / ("x" * 120)).mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / ("x" * 120)))
    done = reatt("serve")
    assert (done.code, "set XDG_RUNTIME_DIR to a folder with a shorter path" in done.err) == (2, True)


@contextmanager
def few_files(more):
    """Let this process open so many files more, for a block."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + more, before[1]))
    held = []
    try:
        while len(held) < 1000:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        for number in held[len(held) - more :]:
            os.close(number)
        held = held[: len(held) - more]
    try:
        yield
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_one_that_can_open_no_more_files_says_so_and_answers_later(more, library, runtime):
    model = os.environ["REATT_MODEL"]
    asking = warm.request(library, model, "auto", "ask", Query("When is tea?"))
    answering = server.Warm(Settings(store=str(library), model=model, device="cpu"))
    with few_files(more):
        told = answering.reply(deepcopy(asking))
    assert "result" in told or told["error"]["id"] in rows()
    assert "result" in answering.reply(deepcopy(asking))


def rows():
    """Return the ids of the errors that a lack of open files may be told as."""
    return {SystemRefused.id, StoreDamaged.id}
