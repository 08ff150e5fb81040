"""Stage 1: train the tokenizer. Cased and lossless: byte-level BPE, so that every text has tokens and exact offsets.

    python -m recipes.reatt_mini.tokenizer --data DATA --out WORK

A space is put before every text, so that an answer on its own has the tokens that it has within a sentence.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SIZE = 16_000
SPECIAL = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{n}>" for n in range(10))]
WORDS = r"\p{N}{1,4}| ?[\p{L}\p{M}]+| ?\p{N}{1,4}| ?[^\s\p{L}\p{M}\p{N}]{1,8}|\s+(?!\S)|\s+"
SETS = ("squad11_train", "nq_qed_train", "fairytaleqa_train")
PROSE = ("simplewiki-000", "enwiki-a-000", "openstax-001")


def texts(data: Path) -> Iterator[str]:
    """Questions and paragraphs, then prose: what the model will read."""
    for name in SETS:
        for part in ("corpus", "queries"):
            with gzip.open(data / "train" / name / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)["text"]
    for name in PROSE:
        with lzma.open(data / "text" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number % 4 == 0:
                    yield json.loads(line)["text"][:20_000]


def main() -> None:
    """Train on the given data and write `tokenizer.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    options = parser.parse_args()
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=SPECIAL, initial_alphabet=alphabet, min_frequency=5)
    tokenizer.train_from_iterator(texts(options.data), trainer)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(options.out / "tokenizer.json"))


if __name__ == "__main__":
    main()
