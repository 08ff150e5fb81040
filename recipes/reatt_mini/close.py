"""Stage 4: find for each question the chunks of its set that share its words and do not answer it.

    python -m recipes.reatt_mini.close --out WORK

Most chunks of a batch are far from a question, and soon teach nothing. These are what word search would confuse with
the answer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bm25s  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from recipes.reatt_mini.batches import holds
from recipes.reatt_mini.data import CLOSE, SETS, Ids, Questions, load, ragged
from recipes.reatt_mini.shape import CONFIG

K1, B = 0.9, 0.4
BEST, KEPT = 24, 8  # chunks that are looked at, and those that are kept
VOCABULARY: int = CONFIG["vocab_size"]


class Words:
    """BM25 over the pieces of a set's chunks."""

    def __init__(self, questions: Questions) -> None:
        rows = [[*questions.titles[n], *questions.texts[n]] for n in range(len(questions.texts))]
        self._index = bm25s.BM25(k1=K1, b=B)
        self._index.index((rows, {str(piece): piece for piece in range(VOCABULARY)}), show_progress=False)

    def best(self, asked: Ids) -> list[int]:
        """Number the chunks that share most with a question, best first."""
        scores: NDArray[np.float32] = self._index.get_scores_from_ids(sorted(set(asked)))
        some = np.argpartition(-scores, min(BEST, len(scores) - 1))[:BEST]
        found: list[int] = some[np.argsort(-scores[some], kind="stable")].tolist()
        return [number for number in found if scores[number] > 0]


def close_chunks(questions: Questions) -> list[list[int]]:
    """List each question's close chunks: none that answers it, or that holds one of its answers."""
    words, found = Words(questions), []
    for question in range(len(questions.asked)):
        right = set(questions.positives[question])
        answers = [questions.answers[n] for n in questions.given[question]]
        wrong = (n for n in words.best(questions.asked[question]) if n not in right)
        found.append([n for n in wrong if not holds(questions.texts[n], answers)][:KEPT])
    return found


def main() -> None:
    """Find them for every set that has none yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    out: Path = parser.parse_args().out
    for name in SETS:
        file = out / f"{name}{CLOSE}"
        if not file.exists():
            rows = ragged(close_chunks(load(out / f"{name}.safetensors")))
            part = file.with_suffix(".part")
            save_file({"flat": rows.flat, "ends": rows.ends}, part)
            part.replace(file)
        print(f"{file} is there", flush=True)


if __name__ == "__main__":
    main()
