"""Make the sets that are not made yet."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from recipes.reatt_mini.data import training_tokenizer
from recipes.reatt_mini.made import lists, tables, texts, words

SEED = 1


def main() -> None:
    """Make every set whose folder is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    options = parser.parse_args()
    tokenizer = training_tokenizer(options.out)
    judging = texts.judged(options.data / "dev")
    vocabulary = words.words(texts.articles(options.data / "text", [texts.SIMPLE], judging))
    kinds: dict[str, Callable[[], texts.Made]] = {
        "tables": lambda: tables.make(vocabulary, tokenizer, SEED),
        "lists": lambda: lists.make(vocabulary, tokenizer, SEED),
    }
    for name, make in kinds.items():
        folder = options.out / "made" / name
        if not (folder / "queries.jsonl.gz").exists():
            began = time.process_time()
            count = texts.write(folder, make(), tokenizer, judging)
            print(f"{name}: {count} questions, {time.process_time() - began:.0f} s of the processor", flush=True)


if __name__ == "__main__":
    main()
