"""What people count on while they work: R6, R7, R9, R10 of docs/reliability.md. Long forms: `make figures`."""

import random
import signal
import subprocess
import sys
import time

import pytest

from reatt_store.errors import StoreLocked
from reatt_store.library import Library

REATT = [sys.executable, "-m", "reatt_cli.app"]
QUESTION = "parental leave in Norway"


def slow(value):
    return pytest.param(value, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])


@pytest.fixture
def corpus(home):
    """Return a function that writes so many small files and names their folder."""

    def write(count):
        folder = home / "corpus"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            words = random.Random(number).sample("leave Norway weeks pay travel rye bread oven key Ada".split(), 4)
            (folder / f"{number}.md").write_text(f"# {words[0]} {number}\n\nParental {' '.join(words)} {number}.\n")
        return folder

    return write


def modified(store):
    parts = [store / "reatt.db", *(path for part in ("segments", "models") for path in (store / part).rglob("*"))]
    return {path: path.stat().st_mtime_ns for path in parts}


@pytest.mark.parametrize("files", [30, slow(10_000)])
def test_a_second_ingest_writes_nothing(corpus, ingest, tmp_path, files):
    folder = corpus(files)
    ingest(folder)
    before, started = modified(tmp_path / "store"), time.monotonic()
    report = ingest(folder)
    took = time.monotonic() - started
    assert (report.unchanged, report.tokens) == (files, 0)
    assert modified(tmp_path / "store") == before
    print(f"\nR6: {files} unchanged files in {took:.2f} s")


@pytest.mark.parametrize("orders", [2, slow(30)])
def test_any_order_of_files_finds_the_same(corpus, ingest, tmp_path, tiny_reatt, orders):
    from reatt.search.retriever import Retriever

    paths, found = sorted(corpus(20).iterdir()), []
    for seed in range(orders):
        store = tmp_path / str(seed)
        ingest(*random.Random(seed).sample(paths, len(paths)), store=store)
        with Library.open(store) as library:
            retriever = Retriever(library, tiny_reatt, library.generation())
            hits = [hit for name in ("attention", "words") for hit in retriever.search(QUESTION, 99, name, "exact")]
        found.append({(hit.chunk.path, hit.chunk.chunk.text, round(hit.score, 3)) for hit in hits})
    assert len(found[0]) >= len(paths)
    assert all(each == found[0] for each in found)


HOLDING = """
import sys, time
from pathlib import Path
from reatt_store.library import Library
with Library.create(Path(sys.argv[1])) as library, library.writing():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("times", [1, slow(50)])
def test_a_killed_writer_holds_nobody_up(tmp_path, times):
    waits = []
    for _ in range(times):
        with subprocess.Popen([sys.executable, "-c", HOLDING, tmp_path], stdout=subprocess.PIPE) as holder:
            assert holder.stdout.readline() == b"held\n"
            started = time.monotonic()
            with Library.open(tmp_path) as library, pytest.raises(StoreLocked), library.writing():
                pass
            refused = time.monotonic() - started
            holder.kill()
        started = time.monotonic()
        with Library.open(tmp_path) as library, library.writing():
            waits.append((time.monotonic() - started, refused))
    assert times == 1 or max(max(pair) for pair in waits) < 1
    print(f"\nR9: refused in {max(r for _, r in waits):.3f} s, free after a kill in {max(f for f, _ in waits):.3f} s")


@pytest.mark.parametrize("times", [1, slow(40)])
def test_after_an_interrupt_the_prompt_is_back_and_the_store_sound(corpus, tiny, home, times):
    folder, waits = corpus(400), []
    for number in range(times):
        command = [*REATT, "ingest", "--store", home / str(number), "--model", tiny.path, folder]
        with subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not (home / str(number) / "lock").exists():
                time.sleep(0.01)
            time.sleep(random.Random(number).uniform(0, 0.5))
            process.send_signal(signal.SIGINT)
            started = time.monotonic()
            assert process.wait() in (0, 130, -signal.SIGINT)  # all of them 130 or 0 to a shell
            waits.append(time.monotonic() - started)
        with Library.open(home / str(number)) as library:
            assert library.check().ok
    within = sorted(waits)[int(0.95 * len(waits))]
    print(f"\nR10: back to the prompt in {within:.2f} s (95 %), {max(waits):.2f} s (longest)")
    assert times == 1 or within < 1
