"""Real prose to measure on, from a data folder: whole articles, short passages of them, and people's questions."""

from __future__ import annotations

import gzip
import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

SOURCES = ("simplewiki-*.jsonl.xz", "enwiki-*.jsonl.xz")
QUESTIONS = Path("dev", "nq_qed_dev", "queries.jsonl.gz")  # typed into a search engine by real people
SHORTEST, LONGEST = 70, 100  # words of a passage: one chunk, however it is cut
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Article:
    """A title and a text."""

    title: str
    text: str


def articles(data: Path) -> Iterator[Article]:
    """Yield articles, of each source file in turn, so that a small corpus is mixed, too."""
    files = sorted(path for pattern in SOURCES for path in (data / "text").glob(pattern))
    if not files:
        raise FileNotFoundError(f"no {SOURCES[0]} in {data / 'text'}: pass --data DIR")
    streams = [_articles(file) for file in files]
    while streams:
        for stream in list(streams):
            article = next(stream, None)
            if article is None:
                streams.remove(stream)
            else:
                yield article


def passages(article: Article) -> Iterator[Article]:
    """Cut an article into runs of whole sentences of 70 to 100 words; what does not fit is left out."""
    gathered: list[str] = []
    for sentence in _SENTENCE.split(article.text):
        gathered.append(sentence)
        words = len(" ".join(gathered).split())
        if words >= SHORTEST:
            if words <= LONGEST:
                yield Article(article.title, " ".join(gathered))
            gathered = []


def write_passages(data: Path, file: Path, count: int) -> Path:
    """Write so many passages, no text twice, as BEIR records; a file that is there is kept."""

    def different() -> Iterator[Article]:
        seen = set()
        for article in articles(data):
            for passage in passages(article):
                if passage.text not in seen:
                    seen.add(passage.text)
                    yield passage

    return _write(file, islice(different(), count))


def write_articles(data: Path, file: Path, size: int) -> Path:
    """Write articles until their text has so many bytes, as BEIR records; a file that is there is kept."""

    def enough() -> Iterator[Article]:
        written = 0
        for article in articles(data):
            if written >= size:
                return
            written += len(article.text.encode())
            yield article

    return _write(file, enough())


def questions(data: Path, count: int) -> list[str]:
    """Take questions, evenly spaced."""
    with gzip.open(data / QUESTIONS, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    return [texts[i * len(texts) // count] for i in range(min(count, len(texts)))]


def _articles(file: Path) -> Iterator[Article]:
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield Article(record["title"], record["text"])


def _write(file: Path, contents: Iterator[Article]) -> Path:
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        with open(part, "w", encoding="utf-8") as out:
            for number, each in enumerate(contents):
                record = {"_id": f"p{number}", "title": each.title, "text": each.text}
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
        part.rename(file)
    return file
