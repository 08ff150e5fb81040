"""Make the sets that are not made yet."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from recipes.reatt_mini.data import lines, training_tokenizer
from recipes.reatt_mini.made import compare, entities, facts, glossary, lists, prose, tables, texts, words

SEED = 1
GLOSSARY = "openstax_glossary.jsonl.gz"
ENTITIES = "entityquestions_train/queries.jsonl.gz"


def main() -> None:
    """Make every set whose folder is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    options = parser.parse_args()
    tokenizer = training_tokenizer(options.out)
    judging = texts.judged(options.data / "dev")

    def read(*patterns: str) -> list[texts.Article]:
        return list(texts.articles(options.data / "text", patterns, judging))

    kinds: dict[str, Callable[[], texts.Made]] = {
        "tables": lambda: tables.make(words.words(read(texts.SIMPLE)), tokenizer, SEED),
        "lists": lambda: lists.make(words.words(read(texts.SIMPLE)), tokenizer, SEED),
        "compare": lambda: compare.make(list(facts.subjects(read(*texts.WIKIS))), SEED),
        "prose": lambda: prose.make(read(*texts.WIKIS), SEED),
        "entities": lambda: entities.make(read(*texts.WIKIS), options.data / "train" / ENTITIES, SEED),
        "glossary": lambda: glossary.make(lines(options.data / "text" / GLOSSARY), SEED),
        "unanswerable": lambda: prose.lacking(read(texts.SIMPLE), SEED),
    }
    for name, make in kinds.items():
        folder = options.out / "made" / name
        if not (folder / "queries.jsonl.gz").exists():
            began = time.process_time()
            count = texts.write(folder, make(), tokenizer, judging)
            print(f"{name}: {count} questions, {time.process_time() - began:.0f} s of the processor", flush=True)


if __name__ == "__main__":
    main()
