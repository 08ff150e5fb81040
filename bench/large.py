"""Large things: a log, a PDF, a spreadsheet and a mailbox. Writes bench/results/large.{md,json}.

Reading is measured whole, with an encoder that costs nothing (`kit/whole.py`): memory of the process and of the
parser's child, seconds, the longest time without a word of progress (Ctrl-C is heard with the next one), and what is
stored. Then `reatt ingest` itself, with the bundled model, is stopped by Ctrl-C while it parses and while it encodes,
killed, and begun again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.kit import large_files, machine
from bench.kit.processes import REATT, environment
from bench.kit.table import grid
from reatt.parsers.pool import worked
from reatt_store.library import Library

Figures = dict[str, dict[str, list[dict[str, Any]]]]  # of a part, of a file
_PATIENCE = 600.0  # seconds that a process may take to a moment, and to its end


@dataclass(frozen=True)
class Kind:
    """A sort of file: how it is made, and how large."""

    name: str
    write: Callable[[Path, int], None]
    size: int
    unit: str


KINDS = (
    Kind("large.log", large_files.write_log, 200_000_000, "bytes"),
    Kind("large.pdf", large_files.write_pdf, 2000, "pages"),
    Kind("large.xlsx", large_files.write_sheet, 100_000, "rows"),
    Kind("large.mbox", large_files.write_mailbox, 50_000, "messages"),
)


@dataclass(frozen=True)
class Read:
    """What reading a file took."""

    file: str
    size: int  # in the unit of its kind
    bytes: int
    found: Mapping[str, Any]  # what kit/whole.py says


@dataclass(frozen=True)
class Stopped:
    """How an ingest ended that was stopped, and what it left."""

    file: str
    signal: str
    moment: str
    seconds: float  # from the signal to the end
    worked: float  # of a processor in this time
    status: int
    encoded: int  # passages with vectors in the store afterwards
    sound: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    figures = _kept(options.out / "large.json")
    for kind in (kind for kind in KINDS if kind.name in options.files):
        with tempfile.TemporaryDirectory() as folder:
            for part in options.parts:
                figures[part][kind.name] = [asdict(row) for row in PARTS[part](kind, options.scale, Path(folder))]
        _write(options.out, machine.again("large", given), figures)
    return 0


def _kept(path: Path) -> Figures:
    """Return the figures of an earlier run: of the files and parts that are not measured again."""
    kept: Figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {part: kept.get(part, {}) for part in PARTS}


def _write(folder: Path, again: str, figures: Figures) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "large.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    names = [kind.name for kind in KINDS]
    reads = [Read(**row) for name in names for row in figures["read"].get(name, [])]
    stops = [Stopped(**row) for name in names for row in figures["stopped"].get(name, [])]
    (folder / "large.md").write_text(_page(again, reads, stops), encoding="utf-8")


def _reads(kind: Kind, scale: float, folder: Path) -> Iterator[Read]:
    """Read a file of a tenth of the size, then the whole one, which stays."""
    for share in (0.1, 1.0):
        size = max(1, int(kind.size * scale * share))
        path, store = folder / kind.name, folder / f"{kind.name}-{share}"
        kind.write(path, size)
        command = [sys.executable, "-m", "bench.kit.whole", str(path), str(store)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(folder), check=True)
        yield Read(kind.name, size, path.stat().st_size, json.loads(done.stdout))
        print(kind.name, size, done.stdout, end="", file=sys.stderr, flush=True)


def _stops(kind: Kind, scale: float, folder: Path) -> Iterator[Stopped]:
    """Stop an ingest of the whole file three times: while it parses, while it encodes, and by a kill."""
    path, store = folder / kind.name, folder / "stopped"
    if not path.exists():
        kind.write(path, int(kind.size * scale))
    for moment, passages, sent in (
        ("parsing", 0, signal.SIGINT), ("encoding", 100, signal.SIGINT), ("encoding", 200, signal.SIGKILL)
    ):  # fmt: skip
        yield _stopped(path, store / kind.name, moment, passages, sent)


def _stopped(path: Path, store: Path, moment: str, passages: int, sent: signal.Signals) -> Stopped:
    """Run an ingest, stop it at a moment, and look at what is left."""
    store.parent.mkdir(exist_ok=True)
    command = [*REATT, "ingest", str(path), "--store", str(store), "--progress", "json", "--max-file-size", "2G"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    before = _encoded(store)
    with subprocess.Popen(command, env=environment(path.parent), text=True, **pipes) as process:  # type: ignore[call-overload]
        _wait_for(process, passages)
        time.sleep(0.5)
        spent, started = worked(process.pid) or 0.0, time.monotonic()
        process.send_signal(sent)
        _, status, used = os.wait4(process.pid, 0)
        seconds, process.returncode = time.monotonic() - started, os.waitstatus_to_exitcode(status)
    with Library.open(store) as library:
        sound = library.check().ok
    print(path.name, moment, sent.name, seconds, process.returncode, before, file=sys.stderr, flush=True)
    took = max(0.0, used.ru_utime + used.ru_stime - spent)  # what was read until then by its children counts with it
    return Stopped(path.name, sent.name, moment, seconds, took, process.returncode, _encoded(store), sound)


def _wait_for(process: subprocess.Popen[str], passages: int) -> None:
    """Read progress until so many passages are encoded; for 0 until the file is being read."""
    assert process.stderr is not None
    until = time.monotonic() + _PATIENCE
    for line in process.stderr:
        note = json.loads(line).get("note", "") if line.startswith("{") else ""
        words = note.split("  ")
        if note and _count(words[-1]) >= passages:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"not reached: {passages} passages")
    raise RuntimeError("the ingest ended before it was stopped")


def _count(words: str) -> int:
    """Return the number that progress begins with.

    >>> _count("1,234 passages, 5% of the text"), _count("a.log")
    (1234, 0)
    """
    first = words.partition(" ")[0].replace(",", "")
    return int(first) if first.isdigit() else 0


def _encoded(store: Path) -> int:
    """Count the passages of a store that have vectors."""
    if not (store / "reatt.db").exists():
        return 0
    with Library.open(store) as library:
        current = library.generation()
        return sum(len(segment.digests) for segment in library.segments(current.id)) if current else 0


PARTS: dict[str, Callable[[Kind, float, Path], Iterator[Read | Stopped]]] = {"read": _reads, "stopped": _stops}


def _page(again: str, reads: Sequence[Read], stops: Sequence[Stopped]) -> str:
    described = machine.describe("cpu")
    about = ", ".join(f"{name}: {described[name]}" for name in ("processor", "cores", "memory", "commit"))
    parts = [
        "# Large files", f"`{again}`", f"{about}, load at the end: {machine.load()}",
        "Read whole, with an encoder that costs nothing. *Memory* is the most that the process held, less what it held "
        "before; *child* is all of the parser's process. *Silent* is the longest time without a word of progress, "
        "after half of a second of which Ctrl-C stops without waiting for one.", "\n".join(_read_rows(reads)),
    ]  # fmt: skip
    if stops:
        parts += [
            "`reatt ingest` with the bundled model, stopped, killed and begun again in the same store. *Encoded* are "
            "the passages whose vectors the store has then.",
            "\n".join(_stop_rows(stops)),
        ]
    return "\n\n".join(parts) + "\n"


def _read_rows(reads: Sequence[Read]) -> list[str]:
    units = {kind.name: kind.unit for kind in KINDS}
    head = (
        "file", "size", "bytes", "memory", "child", "seconds", "of a processor", "silent", "documents", "passages",
        "not read",
    )  # fmt: skip
    rows = []
    for read in reads:
        found = read.found
        sizes = (f"{read.size:,} {units[read.file]}", f"{read.bytes / 1e6:.1f} MB")
        memory = (f"{(found['peak'] - found['before']) / 1e6:.0f} MB", f"{found['child'] / 1e6:.0f} MB")
        times = (f"{found['seconds']:.0f}", f"{found['worked']:.0f}", f"{found['silent']:.2f} s")
        counts = (f"{found['documents']:,}", f"{found['chunks']:,}", "; ".join(found["problems"]) or "nothing")
        rows.append((read.file, *sizes, *memory, *times, *counts))
    return grid(head, rows)


def _stop_rows(stops: Sequence[Stopped]) -> list[str]:
    head = ("file", "stopped by", "while", "seconds to the end", "of a processor", "status", "encoded", "store")
    rows = []
    for each in stops:
        times = (f"{each.seconds:.2f}", f"{each.worked:.2f}")
        left = (str(each.status), f"{each.encoded:,}", "sound" if each.sound else "**damaged**")
        rows.append((each.file, each.signal, each.moment, *times, *left))
    return grid(head, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.large", description="Measure how large files are read.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the sizes [1]")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--files", nargs="+", choices=names, default=names, help="which files [all]")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="what to measure [all]")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="where the page is written")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
