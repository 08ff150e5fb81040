"""`ingest`, `adapt`, `remove`, `serve` and `ask` at once: each does its work or says who was first; the store is sound.

A few seconds here, MINUTES by `make together`.
"""

import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from tests.corpus_made import FAST, REATT, write_corpus
from tests.fuzz.nursery import nursery

MINUTES = float(os.environ.get("MINUTES", "10"))
LOCKED, NOT_BETTER, NO_ANSWER, UNKNOWN = 11, 5, 4, 2
ALLOWED = {
    "ingest": {0, LOCKED},
    "remove": {0, UNKNOWN, LOCKED},
    "adapt": {0, NOT_BETTER, LOCKED},
    "ask": {0, NO_ANSWER},
    "search": {0, NO_ANSWER},
}


def slow(value):
    return pytest.param(value, marks=[pytest.mark.slow, pytest.mark.timeout(0)])


class Worker(threading.Thread):
    """Runs one kind of call again and again, in forks of a process of its own."""

    def __init__(self, environment, folder, until, calls):
        super().__init__()
        self.environment, self.folder, self.until, self.calls = environment, folder, until, calls
        self.told, self.wrong = Counter(), []

    def run(self):
        pick = random.Random(str(self.calls))
        with nursery(self.environment, limited=False) as call:
            while time.monotonic() < self.until:
                words = pick.choice(self.calls)
                done = call([words], self.folder)
                code = done.codes[0] if done.codes else done.status
                self.told[words[0], code] += 1
                if code not in ALLOWED[words[0]]:
                    self.wrong.append((words, code, done.said[-300:]))


@contextmanager
def serving(store, environment):
    """Keep a warm process running, and stop it now and then."""
    over, starts = threading.Event(), []

    def serve():
        while not over.is_set():
            command = [*REATT, "serve", "--store", store, "--json"]
            with subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                starts.append(json.loads(process.stdout.readline() or "{}"))
                over.wait(20)
                process.terminate()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield starts
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("minutes", [0.2, slow(MINUTES)])
def test_all_at_once_each_does_its_work_or_says_who_was_first(minutes, home, model, runtime):
    folder = home / "work"
    write_corpus(folder / "corpus")
    for number in range(20):
        (folder / "corpus" / f"{number}.md").write_text(f"The ferry {number} sails at nine.\n")
    store = str(folder / "store")
    around = {name: os.environ[name] for name in os.environ if name.startswith(("XDG", "HOME", "PATH", "LANG"))}
    around |= {"OMP_NUM_THREADS": "1", "REATT_DEVICE": "cpu"}
    ingest = ["ingest", "corpus", "--store", store, "--progress", "never"]
    subprocess.run([*REATT, *ingest, "--model", str(model)], cwd=folder, env=around, check=True, capture_output=True)
    until = time.monotonic() + 60 * minutes
    questions = [[name, "the dome of Ada Berg", "--store", store] for name in ("ask", "search")]
    kinds = [
        [ingest],
        [["remove", f"D-{number}", "--store", store] for number in range(1, 60)],
        [["adapt", "--store", store, *FAST, "--accept", "always"]],
        questions,
    ]
    workers = [Worker(around, folder, until, calls) for calls in kinds]
    with serving(store, around) as starts:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    for wrong in (wrong for worker in workers for wrong in worker.wrong):
        pytest.fail(str(wrong))
    told = sum((worker.told for worker in workers), Counter())
    print(f"\n{minutes:g} minutes: {dict(sorted(told.items()))}, {len(starts)} starts of serve")
    done = subprocess.run([*REATT, *ingest], cwd=folder, env=around, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check = subprocess.run([*REATT, "check", "--store", store, "--json"], env=around, capture_output=True, check=False)
    assert json.loads(check.stdout)["damaged"] == []
    listed = subprocess.run([*REATT, "list", "--store", store, "--json"], env=around, capture_output=True, check=True)
    assert len(json.loads(listed.stdout)["documents"]) == 27 + 20
