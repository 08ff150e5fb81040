"""Run Stanford's PLAID over given keys; for `bench.published`, by a Python that has PyLate and nothing of ours.

    PYTHON plaid.py FOLDER

reads FOLDER/given.npz, where texts' keys and questions' vectors lie one after the other, keeps its index beside it, and
writes FOLDER/found.json: what the index took, and for each setting the texts and the milliseconds of every question.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

BITS = 4  # of a residual; the most that are in use, for the best recall
SETTINGS = {  # the cells of each vector, the texts that are scored, the least score of a cell
    "PyLate's": {"ncells": 8, "ndocs": 8192, "centroid_score_threshold": 0.35},
    "Stanford's for 100": {"ncells": 2, "ndocs": 1024, "centroid_score_threshold": 0.45},
    "Stanford's for 10": {"ncells": 1, "ndocs": 256, "centroid_score_threshold": 0.5},
}
REPEATS = 3
SOME = 200  # texts


def index(folder: Path, width: int, anew: bool, settings: dict[str, Any]) -> Any:
    """Open the index for one way of searching it."""
    from pylate.indexes.stanford_plaid import StanfordPLAID  # type: ignore[import-not-found]

    where = {"index_folder": str(folder), "index_name": "plaid", "override": anew}
    return StanfordPLAID(**where, embedding_size=width, nbits=BITS, use_triton=False, **settings)


def make(folder: Path, keys: list[Any]) -> None:
    """Index texts anew."""
    made = index(folder, keys[0].shape[1], True, SETTINGS["PyLate's"])
    made.add_documents([str(number) for number in range(len(keys))], keys)


def times(opened: Any, questions: list[Any], count: int, deep: int) -> tuple[list[float], list[list[int]]]:
    """Ask every question with so many threads: the median of its milliseconds, and the texts that were found."""
    import torch

    torch.set_num_threads(count)
    spent: list[list[float]] = [[] for _ in questions]
    found: list[list[int]] = [[] for _ in questions]
    for _ in range(REPEATS):
        for number, vectors in enumerate(questions):
            started = time.perf_counter()
            texts, _, _ = opened.searcher.search(vectors, k=deep)
            spent[number].append(1000 * (time.perf_counter() - started))
            found[number] = [int(text) for text in texts]
    return [sorted(each)[REPEATS // 2] for each in spent], found


def measure(folder: Path) -> dict[str, Any]:
    """Make the index, and search it in each way."""
    given = np.load(folder / "given.npz")
    keys = np.split(given["keys"].astype(np.float32), given["key_offsets"][1:-1])
    questions = np.split(given["vectors"], given["vector_offsets"][1:-1])
    counts, deep = given["threads"].tolist(), int(given["deep"])
    make(folder, keys[:SOME])  # what PLAID compiles the first time is not measured
    started = time.perf_counter()
    make(folder, keys)
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in (folder / "plaid").rglob("*") if file.is_file())
    ways = {}
    for name, settings in SETTINGS.items():
        opened = index(folder, keys[0].shape[1], False, settings)
        asked = {str(count): times(opened, questions, count, deep) for count in counts}
        ways[name] = {"settings": settings, "ms": {count: each[0] for count, each in asked.items()}}
        ways[name]["found"] = asked[str(counts[0])][1]
    return {"bits": BITS, "seconds": seconds, "bytes": size, "ways": ways}


def main() -> None:
    """Measure, with what PLAID itself prints kept apart."""
    folder = Path(sys.argv[1])
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # ninja, to build with
    with contextlib.redirect_stdout(io.StringIO()):
        result = measure(folder)
    (folder / "found.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
