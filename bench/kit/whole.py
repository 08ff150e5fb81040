"""Reads a file into a store with an encoder that costs nothing: all of an ingest but the model. Run as a script.

Arguments: the file and the store. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import torch

from reatt.ingest import IngestOptions, ingest
from reatt.model.backbone import ChunkCode, ChunkText
from reatt.parsers.sandbox import ReadLimits
from reatt.progress import Progress
from reatt.weights.models import bundled
from reatt_store.library import Library

_LOOK = 0.05  # seconds between looks at the memory of children
MOST = 2**31  # bytes of a file


class Free:
    """An encoder that gives each chunk one key, of its digest."""

    method = "reatt"
    max_chunk_tokens = 320

    def count_tokens(self, text: str) -> int:
        """Guess the number of tokens."""
        return len(text) // 4

    def encode_chunks(self, passages: Sequence[ChunkText]) -> list[ChunkCode]:
        """Return a key of eight numbers for each chunk."""
        digests = [blake2b(passage.text.encode(), digest_size=8).digest() for passage in passages]
        return [ChunkCode(torch.tensor([list(digest)], dtype=torch.float32) / 255 - 0.5) for digest in digests]

    def fingerprint(self) -> str:
        """Name the encoder."""
        return "free"


@dataclass
class Watched:
    """What was seen of a run: the memory of this process's children, and how long it was silent."""

    peaks: dict[str, int] = field(default_factory=dict)  # bytes of each child
    told: float = 0.0
    silent: float = 0.0  # the longest time without a word, in seconds
    before: str = ""  # what was told before it
    after: str = ""
    words: int = 0

    def hear(self, step: Progress) -> None:
        """Hear a word of progress: here Ctrl-C would end the run."""
        now = time.monotonic()
        if self.words and now - self.told > self.silent:
            self.silent, self.before, self.after = now - self.told, self._last, str(step)
        self.told, self.words, self._last = now, self.words + 1, str(step)

    _last: str = ""

    def look(self) -> None:
        """Look at the children, again and again."""
        while True:
            for child in _children():
                self.peaks[child] = max(self.peaks.get(child, 0), peak(child))
            time.sleep(_LOOK)


def _children() -> list[str]:
    found: list[str] = []
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError):
            found += Path("/proc/self/task", thread, "children").read_text(encoding="ascii").split()
    return found


def peak(process: str = "self") -> int:
    """Return the most memory that a process held, in bytes; 0 if it has ended."""
    with suppress(OSError):
        for line in Path("/proc", process, "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0


def main() -> None:
    """Read the file, and say what that took."""
    file, store = sys.argv[1:]
    watched, started, before = Watched(), time.monotonic(), peak()
    threading.Thread(target=watched.look, daemon=True).start()
    options = IngestOptions(limits=ReadLimits(max_bytes=MOST, seconds=60))
    with Library.create(Path(store)) as library:
        report = ingest(library, Free(), bundled(), [file], options, watched.hear)
        watched.hear(Progress("end", 1, 1))
        documents = library.status().documents
    spent = os.times()
    found = {
        "documents": documents, "chunks": report.chunks, "seconds": time.monotonic() - started,
        "worked": spent.user + spent.system + spent.children_user + spent.children_system,
        "before": before, "peak": peak(), "child": max(watched.peaks.values(), default=0),
        "silent": watched.silent, "silence": f"{watched.before} -> {watched.after}", "words": watched.words,
        "problems": [f"{problem.id}: {problem.detail}" for problem in report.problems], "warnings": report.warnings,
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
