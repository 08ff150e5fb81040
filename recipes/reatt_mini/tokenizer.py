"""Stage 1: train the tokenizer. Cased and lossless, and a word falls into the same pieces however it is capitalised.

    python -m recipes.reatt_mini.tokenizer --data DATA --out WORK

Byte-level BPE learnt on text in small letters, with every merge that begins a word given a twin for the capitalised
word: `Ġnik|ola` and `ĠNik|ola`. People type questions without capitals; with an ordinary cased BPE a rare name then has
other pieces than in the document, and attention cannot find it (measured in docs/LOG.md). Acronyms are added whole.
A space is put before every text, so that an answer on its own has the tokens that it has within a sentence.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SIZE = 24_000
SMALL_SIZE = 16_000  # pieces learnt before capitals double those that begin a word
SPECIAL = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{n}>" for n in range(10))]
ACRONYMS = 150
WORDS = r"\p{N}{1,4}| ?[\p{L}\p{M}]+| ?\p{N}{1,4}| ?[^\s\p{L}\p{M}\p{N}]{1,8}|\s+(?!\S)|\s+"
SETS = ("squad11_train", "nq_qed_train", "fairytaleqa_train")
PROSE = ("simplewiki-000", "enwiki-a-000", "openstax-001")
SPACE = "Ġ"  # how byte-level BPE writes a space
BEGINNINGS = {SPACE + letter: chr(0xE000 + i) for i, letter in enumerate(string.ascii_lowercase)}  # one sign for both
Merge = tuple[str, str]


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


def splitter() -> pre_tokenizers.PreTokenizer:
    """Cut text into words, numbers and marks, each with the space before it, and these into bytes."""
    cut = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def small_merges(words: Counter[str]) -> list[Merge]:
    """Learn merges on words in small letters; a space and the letter after it are one sign from the start."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    alphabet = [*pre_tokenizers.ByteLevel.alphabet(), *BEGINNINGS.values()]
    trainer = trainers.BpeTrainer(vocab_size=SMALL_SIZE, initial_alphabet=alphabet, min_frequency=5)
    beginning = re.compile(f"{SPACE}[a-z]")
    signs = {beginning.sub(lambda found: BEGINNINGS[found[0]], word): count for word, count in words.items()}
    learner.train_from_iterator((w for w, count in signs.items() for _ in range(min(count, 20_000))), trainer)
    written = {sign: both for both, sign in BEGINNINGS.items()}
    pairs = json.loads(learner.to_str())["model"]["merges"]
    return [("".join(written.get(c, c) for c in a), "".join(written.get(c, c) for c in b)) for a, b in pairs]


def twins(merge: Merge) -> list[Merge]:
    """Give a merge that begins a word its capitalised twin."""
    left, right = merge
    if len(left) > 1 and left[0] == SPACE and left[1] in string.ascii_lowercase:
        return [merge, (SPACE + left[1].upper() + left[2:], right)]
    return [merge]


def acronym_merges(found: Counter[str]) -> list[Merge]:
    """Spell the commonest acronyms out as merges, letter by letter."""
    merges = {(SPACE + word[:n], word[n]): None for word, _ in found.most_common(ACRONYMS) for n in range(1, len(word))}
    return list(merges)


def assemble(small: list[Merge], acronyms: list[Merge]) -> Tokenizer:
    """Build the tokenizer: bytes, beginnings of words, merges with their twins, acronyms."""
    merges: list[Merge] = [(SPACE, letter) for letter in string.ascii_letters]
    pieces = dict.fromkeys([*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(a + b for a, b in merges)])
    last = dict.fromkeys(a + b for a, b in acronyms)
    for merge in small:
        new = twins(merge)
        if merge[1].startswith(SPACE):
            continue
        if len(pieces) + len(last) + len(new) > SIZE:
            break
        merges += new
        pieces.update(dict.fromkeys(a + b for a, b in new))
    vocabulary = {piece: number for number, piece in enumerate(pieces | last)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges + acronyms))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Prepend(" "), splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in SPECIAL])
    return tokenizer


def main() -> None:
    """Train on the given data and write `tokenizer.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    options = parser.parse_args()
    words: Counter[str] = Counter()
    acronyms: Counter[str] = Counter()
    split = splitter()
    for text in texts(options.data):
        words.update(word for word, _ in split.pre_tokenize_str(" " + text.lower()))
        acronyms.update(re.findall(r"\b[A-Z]{2,5}\b", text))
    tokenizer = assemble(small_merges(words), acronym_merges(acronyms))
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(options.out / "tokenizer.json"))


if __name__ == "__main__":
    main()
