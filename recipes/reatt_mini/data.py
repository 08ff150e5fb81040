"""Questions with their paragraphs as token ids, grouped by article, in batches that hold hard negatives.

A batch is some articles, of each a few paragraphs with one question: the other paragraphs of the article are what a
question has to be told apart from.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reatt_engine.backbone import ChunkText
from reatt_engine.tokens import TextTokenizer, Tokens

ARTICLE = 6  # paragraphs of an article in a batch
LOWER_CASE = 0.15  # share of questions asked without capitals, as people type them


@dataclass(frozen=True)
class Example:
    """A question and the paragraph that answers it."""

    question: str
    answer: str
    chunk: int  # number of the paragraph


@dataclass(frozen=True)
class Questions:
    """One set: its paragraphs, and its examples by article and paragraph."""

    chunks: list[Tokens]
    texts: list[str]
    articles: list[dict[int, list[Example]]]


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """Read a compressed JSON Lines file."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def load(folder: Path, tokenizer: TextTokenizer) -> Questions:
    """Read one set's `corpus.jsonl.gz` and `queries.jsonl.gz`."""
    documents = list(lines(folder / "corpus.jsonl.gz"))
    chunks = tokenizer.chunks([ChunkText(d["title"], d["text"]) for d in documents])
    number = {d["_id"]: i for i, d in enumerate(documents)}
    articles: dict[str, dict[int, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for query in lines(folder / "queries.jsonl.gz"):
        chunk = number.get(query.get("doc_id", ""))
        if chunk is not None and query["answers"]:
            example = Example(query["text"].strip(), query["answers"][0], chunk)
            articles[documents[chunk]["title"]][chunk].append(example)
    return Questions(chunks, [d["text"] for d in documents], list(articles.values()))


def batches(sets: list[tuple[Questions, float]], size: int, seed: int) -> Iterator[tuple[Questions, list[Example]]]:
    """Draw batches for ever: one set each (by weight), one question of `size` different paragraphs."""
    draw = random.Random(seed)
    weights = [weight for _, weight in sets]
    while True:
        questions = draw.choices([s for s, _ in sets], weights)[0]
        yield questions, _batch(questions, size, draw)


def _batch(questions: Questions, size: int, draw: random.Random) -> list[Example]:
    chosen: dict[int, Example] = {}
    while len(chosen) < size:
        article = draw.choice(questions.articles)
        for chunk in draw.sample(sorted(article), min(ARTICLE, len(article), size - len(chosen))):
            example = draw.choice(article[chunk])
            if draw.random() < LOWER_CASE:
                example = Example(example.question.lower(), example.answer, chunk)
            chosen[chunk] = example
    return list(chosen.values())


def answer_starts(tokens: Tokens, text: str, answer: str) -> list[int]:
    """Find the tokens at which the answer begins, at every place where it stands in the paragraph."""
    by_start = {start: i for i, (start, end) in enumerate(tokens.spans) if end > start}
    found, at = [], text.find(answer)
    while at >= 0:
        if at in by_start:
            found.append(by_start[at])
        at = text.find(answer, at + 1)
    return found
