"""Runs every kind of transaction under faults; started by tests/store/test_faults.py with faults.c preloaded.

    driver.py LIBRARY FOLDER crash STRIDE           every state a kill can leave, and every state of each recovery
    driver.py LIBRARY FOLDER power RUNS             states that a power cut can leave
    driver.py LIBRARY FOLDER errno-28-1 STRIDE      the k-th change fails with an error; with 1, all later ones too

Prints one JSON object: how many states were tried, and what was wrong.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
from disk import Change, Disk, read_log

from reatt_store.errors import NoStore, StoreError
from reatt_store.library import Chunk, Document, Draft, Library, Problem, Writer
from reatt_store.records import Outcome
from reatt_store.vectors.segments import draft

faults = ctypes.CDLL(sys.argv[1])
work_folder = Path(sys.argv[2])
Step = Callable[[Library, Writer], object]


def chunks_of(*texts: str) -> list[Chunk]:
    return [Chunk(i, 0, len(text), 1, None, "t", text) for i, text in enumerate(texts)]


def vectors(library: Library, chunks: list[Chunk], generation: int) -> Draft | None:
    lacking = sorted(library.missing(generation, [chunk.digest for chunk in chunks]))
    keys = [np.random.default_rng([*digest]).standard_normal((2, 4)).astype(np.float32) for digest in lacking]
    return draft(lacking, keys) if lacking else None


def put(generation: int, name: str, *texts: str) -> Step:
    def step(library: Library, writer: Writer) -> None:
        documents = [(Document(f"/{name}", None, "t", "text", "".join(texts), 1, 0), chunks_of(*texts))] if name else []
        writer.publish(documents, vectors(library, chunks_of(*texts), generation), generation)

    return step


def begin(name: str) -> Step:
    return lambda _, writer: writer.begin_generation(f"print-{name}", name, name)


def remove(name: str) -> Step:
    return lambda _, writer: writer.forget_path(f"/{name}")


def adopt(library: Library, writer: Writer) -> None:
    run = next((run.id for run in library.runs()), None) or writer.begin_run("unlabelled", {"steps": 3})
    writer.end_run(run, Outcome({"f1": 0.1}, {"f1": 0.2}, True, "better", "bb"), 2, "bb")


def go_back_and_forget(library: Library, writer: Writer) -> None:
    kept = {model.name: model for model in library.models()}
    writer.use(kept["aa"].id)
    if "bb" in kept:
        writer.forget_model(kept["bb"].id)


def cache(library: Library, writer: Writer) -> None:
    path = library.folder / "tmp" / "index.faiss"
    path.write_bytes(b"an index")
    writer.add_cache(1, "1.faiss", path, b"its checksum")


LONG = "a longer text, so that pages split and the journal grows " * 60
# Each brings the store a little further, and does nothing to a store that has it already.
STEPS: list[Step] = [
    begin("aa"),
    lambda _, writer: writer.switch(1),
    put(1, "a", "apple", LONG),
    put(1, "b", "pear", "apple"),
    lambda _, writer: writer.record_problem(Problem("/bad", "PDF_DAMAGED", "", "", "")),
    put(1, "a", "plum", LONG),
    remove("b"),
    lambda _, writer: writer.compact(),
    cache,
    begin("bb"),
    put(2, "", "plum", LONG),
    adopt,
    go_back_and_forget,
    remove("bad"),
]

# Making a store, ending a run, going back and forgetting take more than one transaction each.
TWO = (0, STEPS.index(adopt), STEPS.index(go_back_and_forget))


def run(folder: Path, first: int, last: int) -> None:
    """Take the steps in turn; after each, note that it is done: from there on it is a promise."""
    with Library.create(folder) as library, library.writing() as writer:
        for number in range(first, last):
            STEPS[number](library, writer)
            promise(folder)


def promise(folder: Path) -> None:
    """Note a step in a folder of its own, whose sync makes no name of the store's safe."""
    (folder / "promises").mkdir(exist_ok=True)
    with open(folder / "promises" / "kept", "ab", buffering=0) as file:
        file.write(b"x")
        os.fsync(file.fileno())
    descriptor = os.open(folder / "promises", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def seen(folder: Path) -> object:
    """Give all that a user can see, and check that the rest is sound."""
    try:
        with Library.open(folder) as library:
            report, generation = library.check(), library.generation()
            assert report.damaged == (), report.damaged
            made = library.segments(generation.id) if generation else []
            keys = {digest.tobytes() for segment in made for digest in segment.digests}
            texts = {s.document.path: [c.chunk.text for c in library.chunks_of(s.id)] for s in library.documents()}
            alive = {c.chunk.digest in keys for c in library.every_chunk()} - {True}
            models = [(model.name, model.current) for model in library.models()]
            runs = [run.outcome is None for run in library.runs()]
            words = len(library.words("apple plum", 9))
            return texts, len(alive), models, runs, len(library.generations()), library.problems(), words
    except NoStore:
        return None


def promised(folder: Path) -> int:
    path = folder / "promises" / "kept"
    return path.stat().st_size if path.exists() else 0


def recorded(folder: Path, what: Callable[[], object]) -> list[Change]:
    """Do something and return the changes that it made below a folder."""
    log = work_folder / "log"
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    faults.faults_record(os.fsencode(folder), descriptor)
    what()
    faults.faults_stop()
    os.close(descriptor)
    return list(read_log(log))


def recover(folder: Path) -> None:
    with Library.create(folder) as library, library.writing():
        pass


class Trial:
    """The undisturbed run, and the law that every disturbed one is held to."""

    def __init__(self) -> None:
        undisturbed, self.folder = work_folder / "undisturbed", work_folder / "store"
        self.seen = [None]
        for number in range(len(STEPS)):
            run(undisturbed, number, number + 1)
            self.seen.append(seen(undisturbed))
        self.folder.mkdir()
        self.changes = recorded(self.folder, lambda: run(self.folder, 0, len(STEPS)))
        self.tried, self.wrong, self.told = 0, [], {}

    def judge(self, what: str, finish: bool = True) -> None:
        """Hold the store to the state before or after the step that was cut short, and let a rerun finish."""
        self.tried += 1
        try:
            done = promised(self.folder)
            found = seen(self.folder)
            whole = found in self.seen[done : done + 2]
            assert whole or done in TWO, f"neither before nor after step {done}: {found}"
            if finish:
                run(self.folder, done, len(STEPS))
                assert seen(self.folder) == self.seen[-1], "another end"
        except Exception as error:  # whatever it is, it is what we look for
            self.wrong.append(f"{what}: {type(error).__name__}: {error}"[:300])

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def crash(self, stride: int) -> None:
        empty = work_folder / "empty"
        empty.mkdir()
        for last in range(0, len(self.changes) + 1, stride):
            self.leave(Disk(empty), self.changes[:last])
            before = work_folder / "before"
            shutil.copytree(self.folder, before)
            again = recorded(self.folder, lambda: recover(self.folder))
            self.judge(f"killed after {last} changes")
            for cut in range(1, len(again)):
                start = self.rebased(before)
                self.leave(start, again[:cut])
                self.judge(f"killed after {last}, and after {cut} of recovery", finish=cut == 1)
            shutil.rmtree(before)

    def rebased(self, before: Path) -> Disk:
        """Start from a saved state, under the names that the log has."""
        disk = Disk(before)
        renamed = {path.replace(str(before), str(self.folder), 1): file for path, file in disk.now.items()}
        disk.safe, disk.now = renamed, dict(renamed)
        return disk

    def leave(self, disk: Disk, changes: list[Change], rng: random.Random | None = None) -> None:
        for change in changes:
            disk.apply(change)
        disk.root = str(self.folder)
        self.clear()
        disk.write(self.folder, rng)

    def power(self, runs: int) -> None:
        empty = work_folder / "empty"
        empty.mkdir()
        for seed in range(runs):
            rng = random.Random(seed)
            last = rng.randint(0, len(self.changes))
            self.leave(Disk(empty), self.changes[:last], rng)
            self.judge(f"power cut {seed} after {last} changes")

    def errors(self, error: int, stays: int, stride: int) -> None:
        told = self.told
        for at in range(0, len(self.changes), stride):
            self.clear()
            faults.faults_fail(os.fsencode(self.folder), ctypes.c_long(at), error, stays)
            try:
                run(self.folder, 0, len(STEPS))
            except StoreError as found:
                told[type(found).__name__] = told.get(type(found).__name__, 0) + 1
            except OSError as found:
                if "promise" not in "".join(traceback.format_exception(found)):  # those are not the store's
                    self.wrong.append(f"change {at}: {''.join(traceback.format_exception(found))[-900:]}")
            finally:
                faults.faults_stop()
            self.judge(f"change {at} failed")


trial = Trial()
mode, number = sys.argv[3], int(sys.argv[4])
if mode == "crash":
    trial.crash(number)
elif mode == "power":
    trial.power(number)
else:
    _, error, stays = mode.split("-")
    trial.errors(int(error), int(stays), number)
print(json.dumps({"changes": len(trial.changes), "tried": trial.tried, "told": trial.told, "wrong": trial.wrong}))
