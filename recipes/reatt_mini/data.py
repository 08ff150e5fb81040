"""Stage 2: turn sets of questions into packed token ids, once; then draw batches from them.

    python -m recipes.reatt_mini.data --data DATA --out WORK

A batch is some articles, of each a few paragraphs with a few questions: the other paragraphs of the article are what a
question has to be told apart from, and questions on one paragraph share the cost of encoding it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from reatt.model.backbone import ChunkText
from reatt.model.tokens import TextTokenizer, Tokens

SETS = ("squad11_train", "nq_qed_train", "qamr", "fairytaleqa_train", "distant_wiki_train")
LOWER_CASE = 0.2  # share of questions asked without capitals and mark, as people type them
QUESTION_LIMIT, CHUNK_LIMIT = 48, 320
VOCABULARY = 24_000
PLACES = 4  # of an answer that stands more often, the first count
Ids = tuple[int, ...]


@dataclass(frozen=True)
class Ragged:
    """Lists of numbers of different lengths in one array."""

    flat: NDArray[np.int32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> Ids:
        start = int(self.ends[number - 1]) if number else 0
        return tuple(self.flat[start : int(self.ends[number])].tolist())


def ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    """Pack lists into one array."""
    flat = np.fromiter((n for row in rows for n in row), np.int32)
    return Ragged(flat, np.cumsum([len(row) for row in rows], dtype=np.int64))


@dataclass(frozen=True)
class Example:
    """One question: its ids, its paragraph's number, and where in it the answer's tokens start and end."""

    question: Ids  # with end mark
    chunk: int
    starts: Ids  # token positions in the chunk, of equal length with `ends`
    ends: Ids  # positions of the answers' last tokens


@dataclass(frozen=True)
class Questions:
    """One packed set."""

    chunks: Ragged
    asked: Ragged
    typed: Ragged  # the same questions as people type them
    starts: Ragged
    ends: Ragged
    chunk: NDArray[np.int64]
    articles: list[dict[int, list[int]]]  # questions by paragraph, by article
    rarity: NDArray[np.float32]  # BM25's IDF of every token

    def example(self, number: int, draw: random.Random) -> Example:
        """Take one question, sometimes as people type it."""
        asked = self.typed if draw.random() < LOWER_CASE else self.asked
        return Example(asked[number], int(self.chunk[number]), self.starts[number], self.ends[number])


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """Read a compressed JSON Lines file."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def read_tokenizer(folder: Path) -> TextTokenizer:
    """Read stage 1's tokenizer, with the lengths that training uses."""
    return TextTokenizer(folder / "tokenizer.json", end=1, question_limit=QUESTION_LIMIT, chunk_limit=CHUNK_LIMIT)


def answer_places(tokens: Tokens, text: str, answer: str) -> list[tuple[int, int]]:
    """Find the first and last token of every place where the answer stands in the paragraph, token for token."""
    first = {start: i for i, (start, end) in enumerate(tokens.spans) if end > start}
    last = {end: i for i, (start, end) in enumerate(tokens.spans) if end > start}
    found: list[tuple[int, int]] = []
    at = text.find(answer)
    while at >= 0 and len(found) < PLACES:
        if at in first and at + len(answer) in last:
            found.append((first[at], last[at + len(answer)]))
        at = text.find(answer, at + 1)
    return found


def pack(folder: Path, tokenizer: TextTokenizer) -> dict[str, NDArray[Any]]:
    """Read one set's corpus and questions; only questions whose answer stands in their paragraph are kept."""
    documents = list(lines(folder / "corpus.jsonl.gz"))
    chunks = tokenizer.chunks([ChunkText(d["title"], d["text"]) for d in documents])
    number = {d["_id"]: i for i, d in enumerate(documents)}
    titles = {title: i for i, title in enumerate(dict.fromkeys(d["title"] for d in documents))}
    rows: dict[str, list[Any]] = {name: [] for name in ("asked", "typed", "starts", "ends", "chunk")}
    for query in lines(folder / "queries.jsonl.gz"):
        chunk = number.get(query.get("doc_id", ""))
        if chunk is None or not query["answers"]:
            continue
        at = answer_places(chunks[chunk], documents[chunk]["text"], query["answers"][0])
        if not at:
            continue
        text = query["text"].strip()
        rows["asked"].append(tokenizer.question(text).ids)
        rows["typed"].append(tokenizer.question(text.lower().rstrip("?")).ids)
        rows["starts"].append([start for start, _ in at])
        rows["ends"].append([end for _, end in at])
        rows["chunk"].append(chunk)
    lists = {name: ragged(rows[name]) for name in ("asked", "typed", "starts", "ends")}
    lists["chunks"] = ragged([t.ids for t in chunks])
    packed: dict[str, NDArray[Any]] = {f"{name}.flat": row.flat for name, row in lists.items()}
    packed |= {f"{name}.ends": row.ends for name, row in lists.items()}
    packed["chunk"] = np.array(rows["chunk"], np.int64)
    packed["title"] = np.array([titles[d["title"]] for d in documents], np.int64)
    return packed


def load(file: Path) -> Questions:
    """Read a packed set."""
    arrays = load_file(file)
    names = ("chunks", "asked", "typed", "starts", "ends")
    lists = {name: Ragged(arrays[f"{name}.flat"], arrays[f"{name}.ends"]) for name in names}
    chunk, title = arrays["chunk"], arrays["title"]
    articles: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for question, paragraph in enumerate(chunk.tolist()):
        articles[int(title[paragraph])][paragraph].append(question)
    return Questions(
        **lists, chunk=chunk, articles=[dict(a) for a in articles.values()], rarity=rarity(lists["chunks"])
    )


def rarity(chunks: Ragged) -> NDArray[np.float32]:
    """Each token's IDF among the chunks (BM25's, never negative), tokens that are nowhere included."""
    holders = np.zeros(VOCABULARY)
    for number in range(len(chunks)):
        holders[list(set(chunks[number]))] += 1
    return np.log1p((len(chunks) - holders + 0.5) / (holders + 0.5)).astype(np.float32)


@dataclass(frozen=True)
class Draw:
    """How a batch is drawn: paragraphs, of how many per article, with how many questions each."""

    chunks: int
    article: int
    questions: int

    def batches(self, sets: list[tuple[Questions, float]], seed: int) -> Iterator[tuple[Questions, list[Example]]]:
        """Draw batches for ever: one set each, by weight."""
        draw = random.Random(seed)
        weights = [weight for _, weight in sets]
        while True:
            questions = draw.choices([s for s, _ in sets], weights)[0]
            chosen: dict[int, list[int]] = {}
            while len(chosen) < min(self.chunks, sum(map(len, questions.articles))):
                article = draw.choice(questions.articles)
                for chunk in draw.sample(sorted(article), min(self.article, len(article), self.chunks - len(chosen))):
                    asked = article[chunk]
                    chosen[chunk] = draw.sample(asked, min(self.questions, len(asked)))
            yield questions, [questions.example(n, draw) for asked in chosen.values() for n in asked]


def main() -> None:
    """Pack every set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    options = parser.parse_args()
    tokenizer = read_tokenizer(options.out)
    for name in SETS:
        packed = pack(options.data / "train" / name, tokenizer)
        save_file(packed, options.out / f"{name}.safetensors")
        print(f"{name}: {len(packed['chunk'])} questions, {len(packed['title'])} paragraphs")


if __name__ == "__main__":
    main()
