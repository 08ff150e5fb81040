"""Asking while a store moves to another model: never fails, never mixes two models. R8 of docs/reliability.md.

The move comes before every single call of the code that reads store and model (`make moves`; here before some), and
meanwhile from another process (`make asks COUNT=10000`; here a few). What is found names the model that found it, and
its scores must be the ones that this model gives, to the rounding of keys to half precision.
"""

import json
import os
import random
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from reatt import api, ingest
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_cli.serving import server, warm
from reatt_cli.settings import Settings
from reatt_store import library as store_library
from reatt_store.library import Library

REATT = [sys.executable, "-m", "reatt_cli.app"]
QUESTION = "parental leave in Norway"
SEARCH = ("search", "--json", "--explain", "--cold", "-k99", "--retriever", "attention", QUESTION)
HYBRID = ("search", "--json", "--explain", "--cold", "-k99", QUESTION)
ASK = ("ask", "--json", "--explain", "--cold", "--ok-empty", "-k99", QUESTION)
STORE = str(Path(store_library.__file__).parent)
LOOKED_AT = "weights/models.py weights/folder.py weights/t5_files.py search/retriever.py search/index.py".split()
READING = (STORE, *(str(Path(models.__file__).parents[1] / name) for name in LOOKED_AT))
ASKS = int(os.environ.get("ASKS", "1000"))
ALONE = 100  # one ask in so many starts a process


def slow(*values):
    return pytest.param(*values, marks=[pytest.mark.slow, pytest.mark.timeout(0)])


@pytest.fixture
def folder(home):
    """Write a dozen files; return their folder."""
    (home / "corpus").mkdir()
    for number in range(12):
        words = random.Random(number).sample("leave Norway weeks pay travel rye bread oven key Ada".split(), 4)
        text = f"# {words[0]} {number}\n\nParental {' '.join(words)} {number}.\n"
        (home / "corpus" / f"{number}.md").write_text(text)
    return home / "corpus"


@pytest.fixture
def two(tiny, write_model, tmp_path):
    """Name two models; the keys of the second are twice as long as its seed makes them, and so are its scores."""
    weights = write_model(tmp_path / "other", seed=1) / "model.safetensors"
    changed = load_file(weights)
    changed["encoder.block.1.layer.0.SelfAttention.k.weight"] *= 2
    save_file(changed, weights)
    return [tiny, ModelFolder(weights.parent)]


@pytest.fixture
def move(reatt, two, folder, home):
    """Return a function that moves the store to the other model."""
    both = cycle([(models.load(each, "cpu"), each) for each in two])

    def to_the_other():
        with Library.create(home / "work" / ".reatt") as library:
            options = ingest.IngestOptions(reencode=True)
            ingest.ingest(library, *next(both), [str(folder)], options, lambda _: None)

    return to_the_other


def scores(told):
    """Give the score of everything that a search or an answer has found."""
    found = told["hits"] if "hits" in told else told["evidence"]
    return {each["text"]: each["retrieval"]["attention"] for each in found}


def holds(told, expected):
    """Say whether all scores are those of the model that is named, and all of them explained."""
    found = told["hits"] if "hits" in told else told["evidence"]
    explained = all(each["retrieval"]["tokens"] for each in found)
    return explained and scores(told) == expected[told["model"]["sha256"]]


@pytest.fixture
def expected(reatt, two, move):
    """Give what each model finds in a store at rest; no passage has scores from both that are anything like."""
    by_model = {}
    for _ in two:
        move()
        told = json.loads(reatt(*SEARCH).out)
        by_model[told["model"]["sha256"]] = scores(told)
    first, second = (by_model[each.sha256] for each in two)
    assert all(1.5 * first[text] < second[text] for text in first)
    return {sha256: pytest.approx(found, rel=1e-3) for sha256, found in by_model.items()}


def before_call(number, do):
    """From now on, do something before one of the calls of what reads a store or a model; return what stops and counts.

    It is done in another thread, as another process would: torch's modes are a thread's own.
    """
    calls = 0

    def watch(frame, event, _):
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(READING):
            calls += 1
            if calls == number:
                elsewhere = threading.Thread(target=do)
                elsewhere.start()
                elsewhere.join()

    def stop():
        sys.setprofile(None)
        return calls

    sys.setprofile(watch)
    return stop


@pytest.mark.parametrize(
    ("command", "points"), [(SEARCH, 5), *(slow(command, None) for command in (SEARCH, HYBRID, ASK))]
)
def test_a_move_before_any_call_changes_no_answer_but_its_model(reatt, expected, move, command, points):
    stop = before_call(0, move)
    reatt(*command)
    calls = stop()
    for number in range(calls // 9, calls, calls // points) if points else range(1, calls + 1):
        stop = before_call(number, move)
        done = reatt(*command)
        if stop() < number:  # the first run had to make more calls: there is none left to move before
            assert number > 0.99 * calls
            break
        assert (number, done.code, done.err) == (number, 0, "")
        assert holds(json.loads(done.out), expected), number
    print(f"\nR8: a move before each of {calls} calls of what reads store and model, in one {command[0]}")


def test_a_store_that_moves_at_every_attempt_is_held_still(reatt, expected, move, monkeypatch):
    movers, find = [], Retriever.find

    def moved_meanwhile(retriever, query):
        found = find(retriever, query)
        movers.append(threading.Thread(target=move))
        movers[-1].start()
        movers[-1].join(None if len(movers) <= api.TRIES else 0.1)  # the last one waits for us
        return found

    monkeypatch.setattr(Retriever, "find", moved_meanwhile)
    told = json.loads(reatt(*SEARCH).out)
    movers[-1].join()
    assert len(movers) == api.TRIES + 1
    assert holds(told, expected)


MOVING = """
import random, sys, time
from pathlib import Path
from reatt import ingest
from reatt.weights import models
from reatt.weights.folder import ModelFolder
from reatt_store.library import Library
store, folder, *paths = sys.argv[1:]
both = [(models.load(each, "cpu"), each) for each in map(ModelFolder, map(Path, paths))]
while True:
    for model in both:
        with Library.open(Path(store)) as library:
            ingest.ingest(library, *model, [folder], ingest.IngestOptions(reencode=True), lambda _: None)
        time.sleep(random.uniform(0, 0.3))
"""


@contextmanager
def moving(store, folder, two):
    """Move the store to and fro in another process, as fast as a person could never do."""
    command = [sys.executable, "-c", MOVING, store, folder, *(each.path for each in two)]
    with subprocess.Popen([str(part) for part in command]) as writer:
        try:
            yield writer
            assert writer.poll() is None
        finally:
            writer.kill()


@pytest.mark.parametrize("asks", [10, slow(ASKS)])
def test_asking_while_the_store_moves_never_fails_and_never_mixes(reatt, expected, two, folder, home, asks):
    store, seen = home / "work" / ".reatt", []
    served = server.Warm(Settings(store=str(store), device="cpu"))
    query = Query(QUESTION, top=99, retriever="attention")
    ways = (
        lambda: json.loads(reatt(*SEARCH).out),
        lambda: served.reply(warm.request(store, None, "cpu", "search", query))["result"],
        lambda: json.loads(reatt(*HYBRID).out),
        lambda: served.reply(warm.request(store, None, "cpu", "ask", query))["result"],
    )
    with moving(store, folder, two) as writer:
        while len(seen) < asks or len(set(seen)) < 2:
            assert writer.poll() is None, "what moves the store has ended"
            number = len(seen)
            alone = number % ALONE == ALONE - 1
            told = in_a_process_of_its_own() if alone else ways[number % len(ways)]()
            assert holds(told, expected), number
            seen.append(told["model"]["generation"])
    alone, moves = len(seen) // ALONE, len(set(seen))
    print(f"\nR8: {len(seen)} asks, {alone} of them in processes of their own; {moves} generations seen")


def in_a_process_of_its_own():
    done = subprocess.run([*REATT, *SEARCH], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
