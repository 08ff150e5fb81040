"""Output is whole, or the exit code is not 0: also on a pipe or terminal that another program made non-blocking."""

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.corpus_made import REATT

LINES = [f"The orrery number {number} was built by Jonas Felder, a clockmaker of Basel." for number in range(60)]
F_SETPIPE_SZ = 1031
TIMES = re.compile(rb'"timing_ms": {[^}]*}')
SMALL = 4096  # bytes that a pipe holds; a page is the least


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    """Make a store of sixty documents, and of one that is long."""
    folder = tmp_path_factory.mktemp("orreries")
    for number, line in enumerate(LINES):
        (folder / f"{number}.md").write_text(f"{line} {' word' * 40}\n")
    (folder / "long.md").write_text("\n\n".join(LINES))
    call = [*REATT, "ingest", str(folder), "--store", str(folder / "store"), "--model", str(model)]
    subprocess.run(call, check=True, capture_output=True)
    return folder / "store"


def non_blocking(end):
    """Make an end of a pipe non-blocking, and the pipe small; Linux alone can do the second."""
    fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_NONBLOCK)
    if sys.platform == "linux":
        fcntl.fcntl(end, F_SETPIPE_SZ, SMALL)


def slowly(reading):
    """Read to the end, after a while in which the pipe fills up."""
    time.sleep(0.5)
    received = bytearray()
    while block := os.read(reading, 1000):
        received += block
    return bytes(received)


def through_a_full_pipe(stream, *arguments):
    """Run `reatt` with one stream on a full pipe that does not block; return the exit code and all that came."""
    reading, writing = os.pipe()
    non_blocking(writing)
    filled = os.write(writing, b"x" * SMALL)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | {stream: writing}
    with subprocess.Popen([*REATT, *map(str, arguments)], stdin=subprocess.DEVNULL, **streams) as process:
        os.close(writing)
        received = slowly(reading)
        os.close(reading)
    return process.returncode, received[filled:]


@pytest.mark.parametrize(
    "call",
    ["search orrery -k 100 --retriever words --json", "search orrery -k 100 --retriever words", "list", "show D-61",
     "schema ask", "ask --help", "completion bash"],
)  # fmt: skip
def test_what_is_printed_arrives_whole(call, store):
    command = call.split()
    if command[0] in ("search", "list", "show"):
        command += ["--store", store]
    usual = subprocess.run([*REATT, *map(str, command)], capture_output=True, check=True).stdout
    code, received = through_a_full_pipe("stdout", *command)
    assert (code, TIMES.sub(b"", received)) == (0, TIMES.sub(b"", usual))


def test_progress_and_notes_arrive_whole(store, tmp_path):
    for number in range(200):
        (tmp_path / f"{number}.txt").write_text(f"File {number}.\n")
    call = ("ingest", tmp_path, "--store", tmp_path / "new", "--progress", "json")
    code, received = through_a_full_pipe("stderr", *call)
    events = [json.loads(line) for line in received.splitlines() if line.startswith(b"{")]
    assert code == 0
    assert events[-1]["done"] == events[-1]["total"]


def test_an_error_arrives_whole(home):
    name = "x" * 200 + "/" + "y" * 5000
    code, received = through_a_full_pipe("stderr", "list", "--json", "--store", name)
    assert json.loads(received)["code"] == code == 1


def test_a_terminal_that_does_not_block_gets_all(store):
    outer, inner = pty.openpty()
    fcntl.fcntl(inner, fcntl.F_SETFL, fcntl.fcntl(inner, fcntl.F_GETFL) | os.O_NONBLOCK)
    call = [*REATT, "search", "orrery", "-k", "100", "--retriever", "words", "--json", "--store", str(store)]
    with subprocess.Popen(call, stdin=subprocess.DEVNULL, stdout=inner, stderr=subprocess.DEVNULL) as process:
        os.close(inner)
        received = b""
        time.sleep(0.5)
        while not received.endswith(b"\n"):
            received += os.read(outer, 1000)
    os.close(outer)
    assert process.returncode == 0
    assert len(json.loads(received)["hits"]) >= 60


def test_a_reader_that_goes_away_ends_it_as_the_shell_expects(store):
    reading, writing = os.pipe()
    non_blocking(writing)
    call = [*REATT, "search", "orrery", "-k", "100", "--retriever", "words", "--json", "--store", str(store)]
    with subprocess.Popen(call, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        assert os.read(reading, 1000)
        os.close(reading)
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_while_the_reader_sleeps(signum, store):
    reading, writing = os.pipe()
    non_blocking(writing)
    call = [*REATT, "search", "orrery", "-k", "100", "--retriever", "words", "--json", "--store", str(store)]
    with subprocess.Popen(call, stdout=writing, stderr=subprocess.DEVNULL) as process:
        os.close(writing)
        assert os.read(reading, 1)
        process.send_signal(signum)
        assert process.wait() == 128 + signum
    os.close(reading)


def test_a_full_disk_is_an_error(store):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*REATT, "list", "--store", str(store)], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, b"no space left" in done.stderr) == (22, True)


def test_questions_from_a_pipe_that_does_not_block_are_all_read(store):
    reading, writing = os.pipe()
    non_blocking(reading)
    call = [*REATT, "ask", "-", "--jsonl", "--store", str(store)]
    with subprocess.Popen(call, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        os.close(reading)
        for question in ("Who built the orrery?", "Where is Basel?"):
            time.sleep(0.5)
            os.write(writing, question.encode() + b"\n")
        os.close(writing)
        received = process.stdout.read()
    assert process.returncode == 0
    assert len([json.loads(line) for line in received.splitlines()]) == 2
