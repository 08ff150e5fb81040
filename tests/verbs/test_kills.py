"""`ingest` and `remove` killed at any moment leave a sound store; done again, they end where an undisturbed run does.

R1 of docs/reliability.md, with store/test_crash.py and cli/test_adapt.py. `make kills` kills 3,000 times in all.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress

import pytest

from reatt.search.retriever import Retriever
from reatt_store.errors import NoStore
from reatt_store.library import Library

REATT = [sys.executable, "-m", "reatt_cli.app"]
KILLS = int(os.environ.get("KILLS", "3000"))  # in all tests of R1 together
KILLED = -signal.SIGKILL
PATIENT = pytest.mark.timeout(1800)
RECORDS = 1100  # some batches of chunks
TEXTS = 60  # files


def slow(*values):
    return pytest.param(*values, marks=[pytest.mark.slow, pytest.mark.timeout(0)])


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
    """Return a function that makes the arguments that read a folder into a store with the tiny model."""
    return lambda store, folder: ["ingest", "--store", str(store), "--model", str(tiny.path), str(folder)]


def sound(store):
    """Say whether a store is; one that was never made is."""
    try:
        with Library.open(store) as library:
            return library.check().damaged == ()
    except NoStore:
        return True


def found(store, model):
    """Everything that some questions find, as places in texts, with scores as equal as float16 keys can be."""
    with Library.open(store) as library:
        retriever = Retriever(library, model, library.generation())
        return [
            {(hit.chunk.path, hit.chunk.external_id, hit.chunk.chunk.text): pytest.approx(hit.score, rel=2e-3, abs=2e-3)
             for hit in retriever.search(question, 10**6, name, "exact")}
            for question in ("leave in Norway", "rye bread", "Rule 7")
            for name in ("attention", "words")
        ]  # fmt: skip


def timed(command):
    """Run a command to its end; return how long that takes."""
    started = time.monotonic()
    assert command() == 0
    return time.monotonic() - started


@pytest.mark.parametrize(("rounds", "kills"), [pytest.param(1, 5, marks=PATIENT), slow(KILLS * 3 // 10 // 30, 30)])
def test_an_ingest_killed_at_random_moments_ends_as_an_undisturbed_one(
    home, corpus, ingest, nursery, tiny_reatt, rounds, kills
):
    store, undisturbed, pick = home / "store", home / "undisturbed", random.Random(kills)
    whole = timed(lambda: nursery(*ingest(undisturbed, corpus(0))))
    for _ in range(rounds):
        left = kills
        while left:
            version = pick.choice([0, 1, 2])  # the files may have changed meanwhile
            left -= nursery(*ingest(store, corpus(version)), kill_after=pick.uniform(0, whole)) == KILLED
            assert sound(store)
        assert nursery(*ingest(store, corpus(0))) == 0
        assert found(store, tiny_reatt) == found(undisturbed, tiny_reatt)
    print(f"\nR1: {rounds * kills} kills of ingest, 0 bad")


@pytest.mark.parametrize("kills", [pytest.param(3, marks=PATIENT), slow(KILLS // 4)])
def test_a_removal_killed_at_random_moments_removes_all_or_nothing(home, corpus, ingest, nursery, tiny_reatt, kills):
    store, full, removed, pick = home / "store", home / "full", home / "removed", random.Random(kills)
    assert nursery(*ingest(full, corpus(0))) == 0
    shutil.copytree(full, removed)
    remove = ("remove", str(home / "corpus" / "records.jsonl"), "--store")
    whole = timed(lambda: nursery(*remove, removed))
    before, after = found(full, tiny_reatt), found(removed, tiny_reatt)
    left = kills
    while left:
        shutil.copytree(full, store)
        left -= nursery(*remove, store, kill_after=pick.uniform(0, 1.1 * whole)) == KILLED
        assert sound(store)
        assert found(store, tiny_reatt) in (before, after)
        shutil.rmtree(store)
    print(f"\nR1: {kills} kills of remove, 0 bad")


def test_a_store_killed_while_it_was_made_is_none_yet_and_is_made_by_the_next_ingest(reatt, home, corpus, ingest):
    (home / "store").mkdir()
    (home / "store" / "reatt.db").touch()
    assert reatt("search", "--store", home / "store", "leave").code == 10
    assert reatt(*ingest(home / "store", corpus(0))).code == 0


def test_a_second_writer_exits_11_at_once(home, corpus, ingest):
    store = home / "store"
    command = [*REATT, *ingest(store, corpus(0))]
    with writing(command, store) as process:
        stopped_between_transactions(process.pid, store)  # it holds the lock for as long as we like
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 11
        assert str(process.pid) in second.stderr
        done = subprocess.run([*REATT, "status", "--store", str(store)], capture_output=True, check=False)
        assert (done.returncode, done.stdout != b"") == (0, True)  # readers are not in the way


@contextmanager
def writing(command, store):
    """Start a command, and go on when it holds the store's lock; it is dead afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and holder(store) != process.pid:
            time.sleep(0.005)
        yield process
    finally:
        process.kill()
        process.wait()


def stopped_between_transactions(pid, store):
    """Stop a process where it keeps no reader waiting: one that is stopped in a commit would, for a minute."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        with suppress(sqlite3.OperationalError), closing(read_only(store / "reatt.db")) as database:
            database.execute("SELECT count(*) FROM documents").fetchone()
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)


def read_only(file):
    return sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.2)


def holder(store):
    """Read who holds the lock; the note of a killed process stays."""
    with suppress(OSError, ValueError):
        return json.loads((store / "lock").read_text())["pid"]
    return None
