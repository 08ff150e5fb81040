"""`reatt ingest` killed at any moment leaves a sound store, and running it again ends where an undisturbed run does."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from reatt_engine.retrieval import Retriever
from reatt_store.library import Library

REATT = [sys.executable, "-m", "reatt_cli.app"]
RECORDS = 1100  # some batches of chunks
TEXTS = 60  # files


@pytest.fixture
def corpus(home):
    """Return a function that writes a version of a corpus, most of whose texts differ in each; returns its folder."""
    folder = home / "corpus"
    folder.mkdir()

    def write(version):
        rows = []
        for number in range(version % 3 * 30, RECORDS - version % 3 * 40):  # some records go, some come
            words = random.Random(number if number % 5 == 0 else f"{number} {version}").sample(WORDS, 5)
            rows.append({"_id": str(number), "title": words[0], "text": " ".join(words)})
        (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for number in range(TEXTS):
            (folder / f"{number}.md").write_text(
                f"# Rule {number}\n\nRule {number} holds for {version * (number % 3)}."
            )
        return folder

    return write


WORDS = "leave Norway weeks pay travel head telescope mirror garden rye bread oven water plot key Ada Oslo 49".split()


@pytest.fixture
def ingest(tiny):
    """Return a function that makes the command that reads a folder into a store with the tiny model."""
    return lambda store, folder: [*REATT, "ingest", "--store", store, "--model", str(tiny.path), folder]


def finish(command):
    """Run a command to its end."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


@contextmanager
def writing(command, store):
    """Start a command, and go on when it holds the store's lock; it is dead afterwards."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and holder(store) != process.pid:
            time.sleep(0.005)
        yield process
    finally:
        process.kill()
        process.wait()


def holder(store):
    """Read who holds the lock; the note of a killed process stays."""
    with suppress(OSError, ValueError):
        return json.loads((store / "lock").read_text())["pid"]
    return None


def found(store, model):
    """Everything that some questions find, as places in texts, with scores as equal as float16 keys can be."""
    with Library.open(store) as library:
        assert library.check().damaged == ()
        retriever = Retriever(library, model, library.generation())
        return [
            {(hit.chunk.path, hit.chunk.external_id, hit.chunk.chunk.text): pytest.approx(hit.score, rel=2e-3, abs=2e-3)
             for hit in retriever.search(question, 10**6, name, "exact")}
            for question in ("leave in Norway", "rye bread", "Rule 7")
            for name in ("attention", "words")
        ]  # fmt: skip


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_an_ingest_killed_at_random_moments_ends_as_an_undisturbed_one(home, corpus, ingest, tiny_reatt, kills):
    store, undisturbed, pick, version = home / "store", home / "undisturbed", random.Random(kills), 0
    with writing(ingest(undisturbed, corpus(0)), undisturbed) as process:
        started = time.monotonic()
        while holder(undisturbed) == process.pid:
            time.sleep(0.005)
        whole = time.monotonic() - started
        assert process.wait() == 0
    while kills:
        with writing(ingest(store, corpus(version)), store) as process:
            time.sleep(pick.uniform(0, whole))
            process.send_signal(signal.SIGKILL)
            kills -= process.wait() == -signal.SIGKILL
        finish([*REATT, "check", "--store", store])
        version += pick.choice([0, 1, 1])  # the files may have changed meanwhile
    finish(ingest(store, corpus(0)))
    assert found(store, tiny_reatt) == found(undisturbed, tiny_reatt)


def test_a_second_writer_exits_11_at_once(home, corpus, ingest):
    store = home / "store"
    command = ingest(store, corpus(0))
    with writing(command, store) as process:
        os.kill(process.pid, signal.SIGSTOP)  # it holds the lock for as long as we like
        second = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False
        )
        assert second.returncode == 11
        assert str(process.pid) in second.stderr
        assert finish([*REATT, "status", "--store", store]).stdout  # readers are not in the way
