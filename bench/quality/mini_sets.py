"""The judged sets of DATA/dev: what is asked of each, its store, and the baselines that stand beside us.

A study asks every judged question, or those of baselines.json, evenly spaced over them, so that its means are of the
same questions.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from bench.kit.plan import Plan
from reatt import ingest
from reatt.lessons.judged import Judgements, Question, read_qrels, read_queries
from reatt.model.reatt import ReAtt
from reatt.progress import OnProgress
from reatt.search.retriever import Hit, Retriever
from reatt_store.errors import StoreError
from reatt_store.library import Chunk, Library, StoredChunk
from reatt_store.selection import Selection

Item = TypeVar("Item")

SPACED = 400  # baselines.json takes every (judged // 400)th judged question
K1, B = 0.9, 0.4  # as there


@dataclass(frozen=True)
class Dev:
    """A set's name, and which measures mean something on it."""

    name: str
    reads: bool = False  # and short enough that exact match is fair
    counts: bool = True  # in the means
    seen: bool = False  # perhaps by the pretrained encoder: means are given without it, too


SETS = (
    Dev("squad11_dev13", reads=True),
    Dev("nq_qed_dev", reads=True, seen=True),
    Dev("2wiki_dev200", reads=True),
    Dev("covidqa", reads=True),
    Dev("pubmedqa"),
    Dev("chroma_chunking_eval"),
    Dev("fairytaleqa_val"),
    Dev("qmsum_val"),
    Dev("limit_small", counts=False),
)


@dataclass(frozen=True)
class Judged:
    """A set with the questions that are asked of it, each with judgements."""

    dev: Dev
    folder: Path
    asked: tuple[Question, ...]
    relevant: Judgements

    @property
    def name(self) -> str:
        """What the set is called."""
        return self.dev.name

    @property
    def corpus(self) -> Path:
        """The file of its documents."""
        return self.folder / "corpus.jsonl.gz"

    @property
    def qrels(self) -> Path:
        """The file of its judgements."""
        return self.folder / "qrels.tsv"

    def questions(self, limit: int) -> list[Question]:
        """Return so many of the questions, evenly spaced, of those with answers."""
        return spaced([question for question in self.asked if question.answers], limit)

    def write_queries(self, folder: Path) -> Path:
        """Write the questions that are asked as a file that `evaluate` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}.queries.jsonl"
        rows = ({"_id": each.id, "text": each.text, "answers": each.answers} for each in self.asked)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return file


def load(data: Path, dev: Dev, limit: int | None, *, every: bool = False) -> Judged:
    """Choose a set's questions: those of baselines.json or every judged one, or `limit` of them."""
    folder = data / "dev" / dev.name
    relevant = read_qrels(folder / "qrels.tsv")
    judged = [question for question in read_queries(folder / "queries.jsonl.gz") if question.id in relevant]
    asked = judged if every else judged[:: max(1, len(judged) // SPACED)]
    return Judged(dev, folder, tuple(spaced(asked, limit or len(asked))), relevant)


def spaced(questions: Sequence[Item], limit: int) -> list[Item]:
    """Take so many, evenly spaced.

    >>> spaced(list("abcdefg"), 3)
    ['a', 'c', 'e']
    """
    count = min(limit, len(questions))
    return [questions[i * len(questions) // count] for i in range(count)]


def published(data: Path, sets: Sequence[Judged]) -> dict[str, dict[str, Any]]:
    """Read baselines.json (set -> bm25, minilm, rrf -> measure -> mean), but for sets it asked otherwise.

    It says how many questions it asked; as many as are asked here are the same ones.
    """
    file = data / "dev" / "baselines.json"
    every = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    asked = {each.name: len(each.asked) for each in sets}
    return {name: each for name, each in every.items() if each["bm25"]["queries"] == asked.get(name)}


def lines(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a gzipped JSON Lines file."""
    with gzip.open(file, "rt", encoding="utf-8") as rows:
        yield from map(json.loads, rows)


class Bm25s:
    """BM25 with stemming over whole documents, as baselines.json has it: that file keeps means, pairs need each."""

    def __init__(self, corpus: Path) -> None:
        import bm25s  # type: ignore[import-untyped]

        self._documents = list(lines(corpus))
        texts = [f"{each.get('title', '')} {each['text']}".strip() for each in self._documents]
        self._index = bm25s.BM25(k1=K1, b=B)
        self._index.index(self._cut(texts), show_progress=False)

    def search(
        self, question: str, k: int = 8, retriever: str = "", search: str = "", only: Selection | str | None = None
    ) -> list[Hit]:
        """Return the best `k` documents, best first."""
        count = min(k, len(self._documents))
        places, scores = self._index.retrieve(self._cut([question]), k=count, show_progress=False)
        rows = zip(places[0].tolist(), scores[0].tolist(), strict=True)
        return [Hit(self._whole(place), score, rank, score, None) for rank, (place, score) in enumerate(rows, 1)]

    def _cut(self, texts: list[str]) -> Any:
        import bm25s

        return bm25s.tokenize(texts, stopwords="en", stemmer=self._stem, show_progress=False)

    @cached_property
    def _stem(self) -> Any:
        import Stemmer  # type: ignore[import-not-found]

        return Stemmer.Stemmer("english")

    def _whole(self, place: int) -> StoredChunk:
        document = self._documents[place]
        chunk = Chunk(0, 0, len(document["text"]), 1, None, document.get("title", ""), document["text"])
        return StoredChunk(place, place, "", str(document["_id"]), chunk)


def open_store(plan: Plan, backbone: ReAtt, judged: Judged, on_progress: OnProgress = lambda _: None) -> Retriever:
    """Ingest a set's documents in the model's keys, or go on with the store that an earlier run has made of them."""
    fingerprint = backbone.fingerprint()
    folder = plan.work / "mini" / f"{judged.name}-{fingerprint[:12]}"
    if not made_by(folder, fingerprint):
        shutil.rmtree(folder, ignore_errors=True)
        Library.create(folder).close()
    library = Library.open(folder)
    ingest.ingest(library, backbone, plan.model, [str(judged.corpus)], ingest.IngestOptions(), on_progress)
    return Retriever(library, backbone, library.generation(), plan.fusion)


def library_of(retriever: Retriever) -> Library:
    """Return the one store that a retriever searches."""
    assert isinstance(retriever.library, Library)
    return retriever.library


def made_by(folder: Path, fingerprint: str) -> bool:
    """Say whether a store is there whose keys all were made by a model of this fingerprint."""
    try:
        with Library.open(folder) as library:
            return all(made.fingerprint == fingerprint for made in library.generations())
    except StoreError:
        return False
