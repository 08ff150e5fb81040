"""Kills while a FAISS index is built and cached: afterwards every question's ten best are those of exact search.

A few here, KILLS/30 by `make kills`.
"""

import os
import random
import shutil
import signal
import time

import pytest

from reatt.search.retriever import Retriever
from reatt_store.library import Library
from reatt_store.vectors import nearest

KILLS = max(1, int(os.environ.get("KILLS", "3000")) // 30)
QUESTIONS = ["the dome of Ada Berg", "How many weeks?", "Who painted the fence of Oslo?", "notebook", "1912"]


def slow(value):
    return pytest.param(value, marks=[pytest.mark.slow, pytest.mark.timeout(0)])


@pytest.fixture
def indexed(archive, tmp_path, monkeypatch):
    """Copy the store; let few keys be enough for an index, all of whose lists are searched."""
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 100)
    monkeypatch.setattr(nearest, "_PROBED", 1)
    shutil.copytree(archive, tmp_path / "store")
    return tmp_path / "store"


def best(store, backbone, search):
    """Return the ten best of every question."""
    with Library.open(store) as library:
        retriever = Retriever(library, backbone, library.generation())
        found = [retriever.search(question, 10, "attention", search) for question in QUESTIONS]
    return [[(hit.chunk.id, round(hit.score, 4)) for hit in hits] for hits in found]


def killed(store, backbone, after):
    """Build the index in a fork that is killed after some seconds; return whether the kill came in time."""
    child = os.fork()
    if not child:
        try:
            best(store, backbone, "two-stage")
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


@pytest.mark.parametrize("kills", [12, slow(KILLS)])
def test_a_kill_while_an_index_is_built_changes_no_answer(kills, indexed, tiny_reatt):
    exact = best(indexed, tiny_reatt, "exact")
    started = time.monotonic()
    assert best(indexed, tiny_reatt, "two-stage") == exact
    takes, pick, in_time = time.monotonic() - started, random.Random(0), 0
    for _ in range(kills):
        if pick.random() < 0.8:  # else the index, whole or not, stays as the last one left it
            for path in (indexed / "cache").iterdir():
                path.unlink()
        in_time += killed(indexed, tiny_reatt, pick.uniform(0, takes))
        assert best(indexed, tiny_reatt, "two-stage") == exact
    with Library.open(indexed) as library:
        assert library.check().damaged == ()
    print(f"\n{in_time} of {kills} kills came in time; ten best of {len(QUESTIONS)} questions equal after each")
    assert in_time
