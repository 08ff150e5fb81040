"""What sets are made of and written as: prose without what is held out, documents and questions."""

from __future__ import annotations

import gzip
import io
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reatt.model.backbone import ChunkText
from reatt.model.tokens import TextTokenizer, Tokens
from recipes.reatt_mini.data import Json, answer_places, held_out, lines

SIMPLE = "simplewiki-*.jsonl.xz"
WIKIS = (SIMPLE, "enwiki-*.jsonl.xz")


@dataclass(frozen=True)
class Article:
    """An article of the prose; a paragraph is a line."""

    title: str
    text: str

    @property
    def lead(self) -> str:
        """The first paragraph."""
        return self.text.partition("\n")[0].strip()


@dataclass(frozen=True)
class Judged:
    """What is for judging only: titles and questions of the development sets."""

    titles: frozenset[str]
    questions: frozenset[str]


@dataclass
class Made:
    """A set in the making."""

    documents: list[Json] = field(default_factory=list)
    queries: list[Json] = field(default_factory=list)
    relevant: list[tuple[str, str]] = field(default_factory=list)  # question and document, beside its `doc_id`

    def document(self, title: str, text: str, article: str = "") -> str:
        """Add a document and name it."""
        name = f"d{len(self.documents)}"
        self.documents.append({"_id": name, "title": title, "text": text} | ({"article": article} if article else {}))
        return name

    def ask(self, text: str, answers: Sequence[str], document: str, **more: object) -> None:
        """Add a question on a document."""
        name = f"q{len(self.queries)}"
        self.queries.append({"_id": name, "text": text, "answers": list(answers), "doc_id": document} | more)


def judged(folder: Path) -> Judged:
    """Read titles and questions of all development sets."""
    titles = {d.get("title") for file in sorted(folder.glob("*/corpus.jsonl.gz")) for d in lines(file)}
    asked = {plain(q["text"]) for file in sorted(folder.glob("*/queries.jsonl.gz")) for q in lines(file)}
    return Judged(frozenset(title for title in titles if title), frozenset(asked))


def plain(question: str) -> str:
    """Write a question so that equal ones are equal.

    >>> plain("Who  was she?") == plain("who was she")
    True
    """
    return " ".join(question.lower().rstrip("? ").split())


def articles(folder: Path, patterns: Iterable[str], judging: Judged) -> Iterator[Article]:
    """Read the prose in order, each title once, without what is held out or judged."""
    seen = set(judging.titles)
    for file in (file for pattern in patterns for file in sorted(folder.glob(pattern))):
        with lzma.open(file, "rt", encoding="utf-8") as stream:
            for row in map(json.loads, stream):
                title = str(row["title"])
                if title not in seen and ":" not in title and not held_out({"title": title}):
                    seen.add(title)
                    yield Article(title, row["text"])


def write(folder: Path, made: Made, tokenizer: TextTokenizer, judging: Judged) -> int:
    """Write a set without questions that are judged, asked twice or whose answer cannot be read; count the rest."""
    queries = list(_sound(made, tokenizer, judging))
    wanted = {str(name) for query in queries for name in (query["doc_id"], *query.get("doc_ids", ()))}
    kept = {str(query["_id"]) for query in queries}
    relevant = [(query, name) for query, name in made.relevant if query in kept]
    wanted |= {name for _, name in relevant} | {d["_id"] for d in made.documents if "article" in d}
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / "corpus.jsonl.gz", [d for d in made.documents if d["_id"] in wanted])
    _write_lines(folder / "queries.jsonl.gz", queries)
    if relevant:
        rows = [f"{query}\t{name}\t1\n" for query, name in relevant]
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), encoding="utf-8")
    return len(queries)


def _sound(made: Made, tokenizer: TextTokenizer, judging: Judged) -> Iterator[Json]:
    known = {document["_id"]: document for document in made.documents}
    encoded = tokenizer.chunks([ChunkText(d["title"], d["text"]) for d in made.documents])
    tokens = dict(zip(known, encoded, strict=True))
    seen: set[tuple[str, str]] = set()
    for query in made.queries:
        name, asked = query["doc_id"], plain(query["text"])
        if (
            _stands(query, tokens[name], known[name]["text"])
            and asked not in judging.questions
            and (asked, name) not in seen
        ):
            seen.add((asked, name))
            yield query


def _stands(query: Json, tokens: Tokens, text: str) -> bool:
    answers = () if "kind" in query else query["answers"]
    return all(answer_places(tokens, text, answer, query.get("places")) for answer in answers)


def _write_lines(file: Path, rows: Iterable[Json]) -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream:
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
    file.write_bytes(buffer.getvalue())
