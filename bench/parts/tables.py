"""The part `tables`: questions about lists, tables and settings, asked of one store of them all.

The documents and questions of `bench/tables/` were written for this, by hand, and no training reads them. An answer is
a whole cell. `given` searches the document alone that has the answer, so that finding it is no part of it.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.kit.kept import Record
from bench.kit.sheets import Cell, Sheet
from bench.parts.page import Bar, figure, mean
from bench.parts.run import Run, Subject
from bench.quality.mini_reading import judge
from bench.quality.mini_sets import library_of, made_by, spaced
from reatt import ingest
from reatt.ask import ask
from reatt.lessons.judged import Question
from reatt.lessons.lines import numbered_lines
from reatt.search.query import Query
from reatt.search.retriever import Retriever
from reatt_store.library import Library

FOLDER = Path(__file__).resolve().parents[1] / "tables"
WAYS = {"store": False, "given": True}  # name -> whether the document is given
FLOOR, GOAL = 0.40, 0.60  # exact match over the whole store


@dataclass(frozen=True)
class Asked:
    """A question, and the file in which its answer stands."""

    question: Question
    document: str

    @property
    def kind(self) -> str:
        """The kind of that file."""
        return self.document.rpartition(".")[2]


def questions(folder: Path = FOLDER) -> dict[str, Asked]:
    """Read the questions by their ids."""
    rows = (json.loads(line) for _, line in numbered_lines(folder / "questions.jsonl", "it is a file of lines"))
    return {
        row["_id"]: Asked(Question(row["_id"], row["text"], tuple(row["answers"])), row["document"]) for row in rows
    }


def open_store(run: Run, subject: Subject, folder: Path = FOLDER) -> Retriever:
    """Ingest the documents as a person does, with the parsers of their kinds."""
    fingerprint = subject.model.fingerprint()
    store = run.work / "mini" / f"tables-{fingerprint[:12]}"
    if not made_by(store, fingerprint):
        shutil.rmtree(store, ignore_errors=True)
        Library.create(store).close()
    library = Library.open(store)
    options = ingest.IngestOptions(prune=True)
    paths = [str(folder / "documents")]
    ingest.ingest(library, subject.model, subject.plan.model, paths, options, run.told("encode tables"))
    return Retriever(library, subject.model, library.generation(), subject.plan.fusion)


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Ask every model everything, in both ways."""
    asked = dict(spaced(list(questions().items()), run.sizes.tables))
    rows, bars = list[list[Cell]](), list[Bar]()
    for subject in run.subjects:
        stores: list[Retriever] = []
        store = partial(_opened, stores, partial(open_store, run, subject))
        found = {
            way: subject.kept("tables", way).fill(asked, partial(_answers, store, given), run.clock.tell)
            for way, given in WAYS.items()
        }
        for each in stores:
            library_of(each).close()
        rows += _rows(subject.name, asked, found)
        if subject is run.main:
            right = [found["store"][id]["em"] for id in asked]
            bars.append(Bar(f"{len(asked)} table questions, EM", mean([right]), FLOOR, GOAL))
    columns = ["model", "documents", "questions", "found", "EM", "F1", "EM, document given", "F1, document given"]
    text = "Found: the document is among those of the eight chunks that are read. An answer is a whole cell."
    return [Sheet("tables and settings", columns, rows, text)], bars


def _opened(stores: list[Retriever], make: Callable[[], Retriever]) -> Retriever:
    if not stores:
        stores.append(make())
    return stores[0]


def _answers(store: Callable[[], Retriever], given: bool, some: Sequence[Asked]) -> Iterator[Record]:
    for asked in some:
        only = f"*{asked.document}" if given else None
        reply = ask(store(), Query(asked.question.text, only=only, abstain=0.0, answer="span"))
        found = any(Path(hit.path).name == asked.document for hit in reply.evidence)
        yield {**judge(reply.answer or "", reply.confidence, asked.question), "found": float(found)}


def _rows(model: str, asked: Mapping[str, Asked], found: Mapping[str, Mapping[str, Record]]) -> Iterator[list[Cell]]:
    """Lay out each kind of file, and all."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for id, each in asked.items():
        kinds[each.kind].append(id)
    for kind, ids in [*sorted(kinds.items()), ("**all**", list(asked))]:
        values = [[found[way][id][name] for id in ids] for way in WAYS for name in ("em", "f1")]
        here = mean([[found["store"][id]["found"] for id in ids]])
        yield [model, kind, len(ids), here, *(figure([each]) for each in values)]
