"""Shards on Ray: an ingest with a killed worker, questions while shards are killed. Writes cluster.md and cluster.json.

    python -m bench.cluster [--passages N] [--questions N] [--data DIR] [--out DIR]

Every answer is compared with what the stores of the shards that it is of find as one, in this process.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench.kit import corpus, machine, sheets
from bench.kit.sheets import Sheet
from reatt.api import Store
from reatt.cluster import asking, ingesting, layout, running, serving
from reatt.cluster.fleet import Member
from reatt.ingest import IngestOptions
from reatt.search.query import Query
from reatt.search.retriever import Hit
from reatt.search.workers import cores
from reatt.weights import models
from reatt_store import locking
from reatt_store.errors import ShardsLost

Kind = TypeVar("Kind")

SHARDS = 4
EVERY = 10.0  # seconds between two kills of a shard's process
PACE = 0.5  # seconds from one question to the next, so that many kills fall among them
NOTES = (
    "Wrong: not, score for score, what the stores of the shards that the answer is of find as one.",
    "A question that meets the death of a shard is asked again without it: its time has both.",
    "One store: all passages in one, asked in this process by the same questions, while nothing is killed.",
)


@dataclass
class Asked:
    """What became of the questions."""

    times: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})  # by whether all shards said
    wrong: int = 0
    kills: int = 0
    none: int = 0  # that no shard answered, which is an error of its own


def main(arguments: Sequence[str] | None = None) -> int:
    """Ingest, ask, and write both files."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    questions = corpus.questions(options.data, options.questions)
    with tempfile.TemporaryDirectory() as work, running.running(None, max(cores(), SHARDS)) as _:
        files = _written(options.data, Path(work) / "files", options.passages)
        ingested = _ingest(files, Path(work) / "shards")
        one, took = _one_store(files, Path(work) / "one")
        folders = layout.stores([Path(work) / "shards"])
        quiet = [_timed(partial(one.search, Query(q)))[1] for q in questions]
        with serving.serving(folders, None, "cpu") as members:
            calm = _ask(members, folders, questions, kills=False)
            stormy = _ask(members, folders, questions, kills=True)
    rows: list[Sequence[sheets.Cell]] = [
        _row("one store", quiet, 0, 0, 0, 0),
        _row("four shards", calm.times[True], calm.wrong, len(calm.times[False]), calm.none, 0),
        _row("four shards, one killed every 10 s", sum(stormy.times.values(), []), stormy.wrong,  # noqa: RUF017
             len(stormy.times[False]), stormy.none, stormy.kills),
    ]  # fmt: skip
    columns = [
        "searched by",
        "questions",
        "p50 ms",
        "p99 ms",
        "wrong",
        "without a shard, and say so",
        "no shard answered",
        "kills",
    ]
    head = {"to repeat": f"`{machine.again('cluster', given)}`", "passages": f"{options.passages:,}"}
    head |= {"model": models.bundled().name, "load": machine.load(), **machine.describe("cpu")}
    tables = [Sheet("Ingest", ["into", "seconds", "documents", "killed"],
                    [["four shards, a worker killed", *ingested, 1], ["one store", took, options.passages, 0]]),
              Sheet("Questions", columns, rows)]  # fmt: skip
    print(sheets.write(options.out, "cluster", "Shards on Ray", head, tables, NOTES))
    return 1 if calm.wrong or stormy.wrong or ingested[1] != options.passages else 0


def _written(data: Path, folder: Path, count: int) -> Path:
    """Write passages, each as a file."""
    folder.mkdir()
    every = (passage for article in corpus.articles(data) for passage in corpus.passages(article))
    for number, passage in enumerate(itertools.islice(every, count)):
        (folder / f"{number:06d}.md").write_text(f"# {passage.title}\n\n{passage.text}\n", encoding="utf-8")
    return folder


def _ingest(files: Path, out: Path) -> tuple[float, int]:
    """Ingest into shards while a worker is killed; return the seconds and how many documents the shards hold."""
    killer = threading.Thread(target=_kill_a_writer, args=(layout.shards(out, SHARDS),))
    killer.start()
    _, took = _timed(lambda: ingesting.ingest([str(files)], out, SHARDS, IngestOptions(), lambda _: None))
    killer.join()
    held = [list(Store(folder).library.documents()) for folder in layout.stores([out])]
    assert len({stored.document.path for each in held for stored in each}) == sum(map(len, held))
    return took, sum(map(len, held))


def _kill_a_writer(folders: Sequence[Path]) -> None:
    """Kill the first process that has stored some of its documents and is still at it."""
    while True:
        for folder in folders:
            holder = locking.holder(folder)
            if holder is not None and next(Store(folder).library.documents(), None) is not None:
                os.kill(holder.pid, signal.SIGKILL)
                return
        time.sleep(0.01)


def _one_store(files: Path, folder: Path) -> tuple[Store, float]:
    store = Store(folder)
    _, took = _timed(lambda: store.ingest([str(files)]))
    return store, took


def _ask(members: Sequence[Member], folders: Sequence[Path], questions: Sequence[str], *, kills: bool) -> Asked:
    """Ask all questions, and compare each answer with what the stores that it is of find as one."""
    asked, cluster = Asked(), asking.Cluster(serving.known())
    expected: dict[tuple[str, ...], Store] = {}
    with _killed(members, asked) if kills else _nothing():
        for number, question in enumerate(questions):
            started, query = time.monotonic(), Query(question)
            try:
                found, took = _timed(partial(cluster.search, query))
            except ShardsLost:
                asked.none += 1
                time.sleep(PACE)
                continue
            asked.times[not found.partial].append(took)
            if found.partial not in expected:
                first, *beside = [folder for folder in folders if str(folder) not in found.partial]
                expected[found.partial] = Store(first, beside=beside)
            hits = expected[found.partial].search(query).found
            asked.wrong += list(map(_told, found.value.found)) != list(map(_told, hits))
            print(number, found.partial, round(took, 3), file=sys.stderr, flush=True)
            if kills:
                time.sleep(max(0.0, PACE - (time.monotonic() - started)))
    return asked


def _told(hit: Hit) -> tuple[object, ...]:
    return hit.path, hit.chunk.chunk.ordinal, hit.score, hit.words_score, hit.attention_score


@contextmanager
def _killed(members: Sequence[Member], asked: Asked) -> Iterator[None]:
    """Kill a shard's process every ten seconds, each in its turn, until the end of the block."""
    ended = threading.Event()

    def kill() -> None:
        for member in itertools.cycle(members):
            if ended.wait(EVERY):
                return
            for pid in _holders(Path(member.folder)):
                os.kill(pid, signal.SIGKILL)
                asked.kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        ended.set()
        killer.join()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _holders(folder: Path) -> Iterator[int]:
    """Yield the other processes that have a store open."""
    database = os.path.realpath(folder / "reatt.db")
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            opened = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if pid != os.getpid() and database in opened:
            yield pid


def _timed(do: Callable[[], Kind]) -> tuple[Kind, float]:
    started = time.monotonic()
    return do(), time.monotonic() - started


def _row(name: str, times: Sequence[float], wrong: int, partial: int, none: int, kills: int) -> list[sheets.Cell]:
    ordered = sorted(1000 * each for each in times)
    middle = round(median(ordered)) if ordered else None
    last = round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]) if ordered else None
    return [name, len(ordered), middle, last, wrong, partial, none, kills]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description="Kill workers and shards on Ray.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder [%(default)s]")
    parser.add_argument("--passages", type=int, default=1000, help="[%(default)s]")
    parser.add_argument("--questions", type=int, default=200, help="[%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="[%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
