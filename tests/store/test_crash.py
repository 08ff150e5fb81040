"""A writer killed at any moment leaves a sound store, and a rerun ends where an undisturbed run does.

Run as a script, this file is the writer: it brings a store from any state to one fixed end, through every kind of
transaction there is. Run as tests, it starts that writer, kills it, looks at the store, and lets a rerun finish.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from reatt_store.errors import NoStore, StoreDamaged
from reatt_store.library import Chunk, Document, Draft, Library, Problem, Writer
from reatt_store.selection import Selection
from reatt_store.vectors.segments import draft

FILES = 24
REMOVED = (20, 21)  # names removed at the end of version 0 and 1
KILLS = int(os.environ.get("KILLS", "3000"))  # in all tests of R1 together: see test_kills.py


def chunks_of(name: int, version: int) -> list[Chunk]:
    texts = [f"file {name} says word{name + i} in {version * i}. " * 8 for i in range(1 + name % 5)]
    texts.append(f"a text that every fourth file shares, {name % 4}")
    ends = np.cumsum([len(text) for text in texts]).tolist()
    return [Chunk(i, ends[i] - len(text), ends[i], i + 1, None, "t", text) for i, text in enumerate(texts)]


def vectors(library: Library, generation: int, chunks: list[Chunk]) -> Draft | None:
    lacking = library.missing(generation, [chunk.digest for chunk in chunks])
    fresh = sorted({chunk.digest: len(chunk.text) % 4 for chunk in chunks if chunk.digest in lacking}.items())
    keys = [np.random.default_rng([*digest]).standard_normal((n, 8)).astype(np.float32) for digest, n in fresh]
    return draft([digest for digest, _ in fresh], keys) if fresh else None


def ingest(library: Library, writer: Writer, version: int, generation: int) -> None:
    for first in range(0, FILES, 3):
        batch = []
        for name in range(first, first + 3):
            document = Document(f"/{name}.md", None, "t", "text", str(version * (name % 3)), 1, 0)
            if library.digests(document.path) != {None: document.digest}:
                batch.append((document, chunks_of(name, version * (name % 3))))
        every = [chunk for _, chunks in batch for chunk in chunks]
        if first % 2:  # as for a large document: some vectors first
            writer.publish([], vectors(library, generation, every[:2]), generation)
        writer.publish(batch, vectors(library, generation, every), generation)
        print(first, first + 1, first + 2, flush=True)  # from here on, this is a promise


def bring_up(folder: Path, version: int) -> None:
    """Ingest one version of the files, then move to another model, through every method of the writer."""
    with Library.create(folder) as library, library.writing() as writer:
        generation = writer.begin_generation(f"print-{version}", "mini", "aa")
        before = library.generation()
        if before is None:
            writer.switch(generation)
        ingest(library, writer, version, before.id if before else generation)
        writer.remove([each.id for each in library.documents(Selection(only=(f"/{REMOVED[version]}.md",)))])
        writer.record_problem(Problem("/bad.pdf", "PDF_DAMAGED", str(version), "", ""))
        for found in library.unencoded(generation):
            writer.publish([], vectors(library, generation, [found.chunk]), generation)
        writer.switch(generation)
        for other in library.generations():
            if other.id != generation:
                writer.drop_generation(other.id)
        writer.compact()


def seen(folder: Path) -> dict[str, object]:
    """Everything a user can see of a store, without ids and times."""
    with Library.open(folder) as library:
        generation = library.generation()
        keys = {}
        for segment in library.segments(generation.id):
            parts = np.split(segment.keys(), segment.offsets[1:-1])
            keys |= {digest.tobytes(): part.tobytes() for digest, part in zip(segment.digests, parts, strict=True)}
        hits = [(library.chunk(id), score) for id, score in library.words("file says word3 word7 word21", 100)]
        return {
            "texts": {s.document: [c.chunk for c in library.chunks_of(s.id)] for s in library.documents()},
            "words": sorted((hit.path, hit.chunk.ordinal, round(score, 9)) for hit, score in hits),
            "vectors": keys,
            "live": library.live(generation.id),
            "rest": (library.problems(), generation.fingerprint, library.check().damaged, library.check().orphans),
        }


@dataclass(frozen=True)
class End:
    """What an undisturbed run leads to, and how long it takes."""

    folder: Path
    seconds: float


def timed(folder: Path, version: int) -> End:
    started = time.monotonic()
    bring_up(folder, version)
    return End(folder, time.monotonic() - started)


@pytest.fixture(scope="module")
def ends(tmp_path_factory) -> list[End]:
    """Undisturbed stores: version 0, and version 1 on top of a copy of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    first = timed(folder / "0", 0)
    shutil.copytree(folder / "0", folder / "1")
    return [first, timed(folder / "1", 1)]


def kill_at(moment: float, folder: Path, version: int) -> tuple[set[str], bool]:
    """Run the writer, kill it after some seconds; return what it promised and whether the kill came in time."""
    command = [sys.executable, __file__, str(folder), str(version)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(moment)
        process.kill()
        promised = set(process.stdout.read().split())
    return promised, process.returncode == -9


def trial(seed: int, folder: Path, ends: list[End]) -> bool:
    """Kill a writer once or twice, check the store after each, finish it, compare."""
    rng = random.Random(seed)
    version = seed % 2
    if version:
        shutil.copytree(ends[0].folder, folder)
    in_time = False
    for _ in range(rng.choice((1, 1, 2))):
        promised, killed = kill_at(rng.uniform(0, 1.2 * ends[version].seconds), folder, version)
        in_time |= killed
        try:
            with Library.open(folder) as library:
                assert library.check().damaged == ()
                kept = {each.document.path for each in library.documents()}
                assert {f"/{name}.md" for name in promised if int(name) not in REMOVED} <= kept
        except NoStore:
            assert version == 0
            assert not promised
    bring_up(folder, version)
    assert seen(folder) == seen(ends[version].folder)
    return in_time


def test_a_killed_writer_leaves_a_sound_store_and_a_rerun_completes_it(tmp_path, ends):
    in_time = [trial(seed, tmp_path / str(seed), ends) for seed in range(5)]
    assert any(in_time)


HALF_WRITTEN = """
import os, signal, sys
from pathlib import Path
from reatt_store.connection import open_writer
connection = open_writer(Path(sys.argv[1]))
connection.execute("PRAGMA cache_size = 5")  # pages: the rest goes to the file before the commit
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE chunks SET text = hex(randomblob(4000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reader_takes_back_a_half_written_transaction(tmp_path, ends):
    shutil.copytree(ends[1].folder, tmp_path / "store")
    with Library.open(tmp_path / "store") as early:
        subprocess.run([sys.executable, "-c", HALF_WRITTEN, tmp_path / "store"], check=False)
        assert (tmp_path / "store" / "reatt.db-journal").stat().st_size > 0
        assert early.check().damaged == ()
    assert seen(tmp_path / "store") == seen(ends[1].folder)


def test_a_reader_never_fails_and_never_sees_a_half_while_a_writer_works(tmp_path, ends):
    shutil.copytree(ends[0].folder, tmp_path / "store")
    command = [sys.executable, __file__, str(tmp_path / "store"), "1"]
    reads = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as writer, Library.open(tmp_path / "store") as library:
        while writer.poll() is None:
            for document in library.documents():
                chunks = library.chunks_of(document.id)
                assert [chunk.chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
            library.segments(library.generation().id)
            assert library.words("file", 5)
            reads += 1
    assert reads > 0
    assert writer.returncode == 0


def flipped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


@pytest.mark.parametrize("flips", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_flipped_bit_of_the_database_is_found_or_does_no_harm(tmp_path, ends, flips):
    shutil.copytree(ends[0].folder, tmp_path / "store")
    content, sound = (ends[0].folder / "reatt.db").read_bytes(), seen(ends[0].folder)
    rng = random.Random(flips)
    for _ in range(flips):
        (tmp_path / "store" / "reatt.db").write_bytes(flipped(content, rng))
        try:
            with Library.open(tmp_path / "store") as library:
                found = not library.check().ok
        except StoreDamaged:
            found = True
        assert found or seen(tmp_path / "store") == sound


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_thousands_of_kills_leave_sound_stores(tmp_path, ends):
    in_time, seed = 0, 100
    while in_time < KILLS * 4 // 10:
        in_time += trial(seed, tmp_path / "store", ends)
        shutil.rmtree(tmp_path / "store")
        seed += 1
    print(f"\nR1: {seed - 100} trials of one or two kills, {in_time} of them killed in the middle, 0 bad")


if __name__ == "__main__":
    print("ready", flush=True)
    bring_up(Path(sys.argv[1]), int(sys.argv[2]))
