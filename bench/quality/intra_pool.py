"""One pool of every corpus of DATA, and what is asked of it: files, stores in two methods' vectors, questions.

The pool is one JSON Lines file of all documents of dev/ and train/ and passages of text/, each named SET:ID; ingesting
it takes up where an earlier run stopped. Equal texts are one thing to find, in whichever set they stand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from bench.kit import corpus as prose
from bench.kit.plan import Plan
from bench.quality.mini_sets import lines, spaced
from reatt import ingest
from reatt.lessons.corpus import Corpus
from reatt.lessons.evidence import evidence_examples
from reatt.lessons.examples import Example
from reatt.model.backbone import Backbone, ChunkText
from reatt.progress import Progress
from reatt.search.index import AttentionIndex
from reatt.search.retriever import TOKEN_CANDIDATES
from reatt.weights import models
from reatt_store.errors import QueriesFormat
from reatt_store.library import Generation, Library

ASKED = {"2wiki_dev200": None, "nq_qed_dev": 200}  # of dev/: how many questions, evenly spaced; None is all
LEARNT = {
    "2wiki_train500": None,
    "hotpotqa_train_sample": None,
    "musique_train_sample": None,
    "nq_qed_train": 1000,
    "squad11_train": 500,
}  # of train/; more questions of one hop would leave those of two a small share of a step
TEXT = 30_000  # passages of text/
FIRST = (*(f"dev/{name}" for name in ASKED), *(f"train/{name}" for name in LEARNT))


@dataclass(frozen=True)
class Size:
    """How large a trial is."""

    documents: int | None = None  # of the pool; None is all
    questions: int | None = None  # of each set that is asked of it; None as in ASKED


@dataclass(frozen=True)
class Pool:
    """The pool in one method's vectors, with the model that made them."""

    library: Library
    generation: Generation
    model: Any

    @cached_property
    def corpus(self) -> Corpus:
        """All chunks in memory."""
        return Corpus.of(self.library)

    @cached_property
    def index(self) -> AttentionIndex:
        """The stored keys and states."""
        return AttentionIndex(self.library, self.generation.id, TOKEN_CANDIDATES)

    @cached_property
    def numbers(self) -> Mapping[bytes, int]:
        """Digest of a text -> the number of the first chunk that has it."""
        found: dict[bytes, int] = {}
        for number, stored in enumerate(self.library.every_chunk()):
            found.setdefault(stored.chunk.digest, number)
        return found

    def texts(self, chunks: Sequence[int]) -> list[int]:
        """Name chunks by the number of the first of equal text, each text once."""
        return list(dict.fromkeys(self.corpus.equal[self.corpus.number[chunk]] for chunk in chunks))

    def memory(self, numbers: Sequence[int]) -> list[ChunkText]:
        """Give texts by number as a reader takes them, with their states."""
        ids = [self.corpus.ids[number] for number in numbers]
        kept = self.index.memory(ids)
        return [replace(self.corpus.passages[number], memory=kept[id]) for number, id in zip(numbers, ids, strict=True)]

    def names(self, number: int) -> frozenset[str]:
        """Name the documents in which a text stands."""
        ids = self.corpus.same(self.corpus.ids[number])
        return frozenset(self.corpus.names[self.corpus.number[id]] for id in ids)


def write_pool(plan: Plan, size: Size) -> Path:
    """Write the pool's file, the sets that are asked first; a small trial takes as many of each of those."""
    file = plan.work / f"pool-{size.documents or 'all'}.jsonl"
    if not file.is_file():
        part = file.with_suffix(".part")
        with open(part, "w", encoding="utf-8") as out:
            for record in islice(_records(plan.data, size), size.documents):
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
        part.rename(file)
    return file


def _records(data: Path, size: Size) -> Iterator[Mapping[str, str]]:
    every = sorted(path.parent for part in ("dev", "train") for path in (data / part).glob("*/corpus.jsonl.gz"))
    share = size.documents and size.documents // len(FIRST)
    for folder in (*(data / name for name in FIRST), *(path for path in every if path not in _first(data))):
        for each in islice(lines(folder / "corpus.jsonl.gz"), share):
            yield {"_id": f"{folder.name}:{each['_id']}", "title": each.get("title") or "", "text": each["text"]}
    passages = (passage for article in prose.articles(data) for passage in prose.passages(article))
    for number, passage in enumerate(islice(passages, TEXT)):
        yield {"_id": f"text:{number}", "title": passage.title, "text": passage.text}


def _first(data: Path) -> set[Path]:
    return {data / name for name in FIRST}


def open_pool(plan: Plan, size: Size, method: str, on_progress: Callable[[Progress], None]) -> Pool:
    """Encode the pool, or go on with it, or open it; raises what `on_progress` raises, and keeps what is published."""
    model: Backbone = models.load_for(method, plan.model, plan.device)
    folder = plan.work / f"pool-{size.documents or 'all'}-{method}-{model.fingerprint()[:12]}"
    library = Library.create(folder)
    done = folder.with_suffix(".done")
    if not done.is_file():
        ingest.ingest(library, model, plan.model, [str(write_pool(plan, size))], ingest.IngestOptions(), on_progress)
        done.touch()
    made = library.generation()
    assert made is not None, "an ingested store has a generation"
    return Pool(library, made, model)


def questions(plan: Plan, corpus: Corpus, size: Size) -> dict[str, list[Example]]:
    """Name what is asked, by set: questions whose evidence is all in the pool."""
    asked = {name: _examples(plan, corpus, size, f"dev/{name}", most) for name, most in ASKED.items()}
    return {name: spaced(each, size.questions or len(each)) for name, each in asked.items()}


def lessons(plan: Plan, corpus: Corpus, size: Size) -> list[Example]:
    """Name what is learnt from."""
    every = (_examples(plan, corpus, size, f"train/{name}", most) for name, most in LEARNT.items())
    return [example for each in every for example in each]


def _examples(plan: Plan, corpus: Corpus, size: Size, name: str, most: int | None) -> list[Example]:
    """Read a set's questions with their evidence, named as in the pool; none where a trial's pool has none of it."""
    folder, named = plan.data / name, Path(name).name
    qa, qrels = plan.work / f"{named}.queries.jsonl", plan.work / f"{named}.qrels.tsv"
    rows = [
        {"_id": f"{named}:{each['_id']}", "text": each["text"], "answers": each["answers"]}
        for each in lines(folder / "queries.jsonl.gz")
    ]
    if most and size.documents is None:
        rows = spaced(rows, most)
    qa.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    _, *judged = (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()
    parts = (line.split("\t") for line in judged)
    qrels.write_text("".join(f"{named}:{asked}\t{named}:{id}\t{grade}\n" for asked, id, grade in parts))
    try:
        found = list(evidence_examples(corpus, qa, qrels).examples)
    except QueriesFormat:
        return []
    return spaced(found, most or len(found))


def first_scores(model: Any, question: str, passages: Sequence[ChunkText]) -> list[float]:
    """Score passages by a model's first round, encoding them here."""
    with torch.inference_mode():
        asked = model.rounds[0].ask(question, ())
        coded = model.encode_chunks(passages)
        return [float((asked.vectors @ code.keys.T).amax(1) @ asked.weights) for code in coded]
