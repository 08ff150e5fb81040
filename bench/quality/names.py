"""Questions about files by their names: what a file's name adds to its text, and how much it should weigh.

    python -m bench.quality.names [--data DIR] [--set nq_qed_dev] [--documents 400] [--work DIR]

Each document of a development set becomes a file that is named by its title and has an empty heading of its own, as
people's notes have; so neither the text nor its heading says the title. Weights are chosen on every other question and
reported on the others.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import reatt
from reatt.judging.metrics import hit, ndcg
from reatt.search.retriever import CANDIDATES, fuse
from reatt_store.lexical import search
from reatt_store.lexical.terms import terms

NAMED = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3)
PLACES = (0.0, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Asked:
    """A question, the file that answers it, and the scores of what was found, by chunk."""

    text: str
    gold: str
    files: Mapping[int, str]  # chunk -> file
    attention: Mapping[int, float]
    words: Mapping[float, Mapping[int, float]]  # by the weight of names
    names: Mapping[int, float]


def lines(path: Path) -> Iterator[dict[str, str]]:
    """Yield the records of a file of JSON Lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def write_files(source: Path, folder: Path, most: int) -> dict[str, str]:
    """Write a set's documents as files; return document id -> name."""
    folder.mkdir(parents=True, exist_ok=True)
    named: dict[str, str] = {}
    for number, record in enumerate(lines(source / "corpus.jsonl.gz")):
        title = re.sub(r"[^\w ()'-]+", " ", record.get("title", "")).strip()
        if len(named) < most and title:
            named[record["_id"]] = f"{title[:80]} {number}.md"
            body = re.sub(r"^[#\s]+", "", record["text"])
            (folder / named[record["_id"]]).write_text(f"# Notes\n\n{body}\n", encoding="utf-8")
    return named


def asked(store: reatt.Store, source: Path, named: Mapping[str, str]) -> Iterator[Asked]:
    """Ask the questions whose words name the file that answers them."""
    texts = {record["_id"]: record["text"] for record in lines(source / "queries.jsonl.gz")}
    rows = [row.split("\t") for row in (source / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    for query, document, *_ in rows:
        if document in named and set(terms(named[document])) & set(terms(texts[query])):
            yield _scored(store, texts[query], named[document])


def _scored(store: reatt.Store, text: str, gold: str) -> Asked:
    library, words = store.library, {}
    for place in PLACES:
        search.WEIGHTS = (place, place, search.HEADING, search.TEXT)
        words[place] = dict(library.words(text, CANDIDATES))
    names = dict(library.names(text, CANDIDATES))
    hits = store.retriever().find(reatt.Query(text, top=3 * CANDIDATES))
    attention = {each.chunk.id: each.attention_score for each in hits if each.attention_score is not None}
    every = {*attention, *names, *(chunk for found in words.values() for chunk in found)}
    files = {chunk.id: Path(chunk.path).name for chunk in library.chunks(sorted(every))}
    return Asked(text, gold, files, attention, words, names)


def measured(questions: Sequence[Asked], fusion: float, place: float, named: float) -> tuple[float, float]:
    """Return nDCG@10 and hit@1 with some weights."""
    ranked = [
        (
            list(dict.fromkeys(q.files[c] for c in fuse(q.attention, q.words[place], fusion, q.names, named))),
            {q.gold: 1},
        )
        for q in questions
    ]
    return mean(ndcg(each, gold, k=10) for each, gold in ranked), mean(hit(each, gold, k=1) for each, gold in ranked)


def main() -> None:
    """Print a table for each half of the questions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", default="nq_qed_dev")
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--work", type=Path, default=Path(".work/names"))
    given = parser.parse_args()
    source, work = given.data / "dev" / given.set, given.work / given.set
    named = write_files(source, work / "files", given.documents)
    with reatt.open(work / "store") as store:
        store.ingest([work / "files"])
        fusion = store.retriever().fusion
        questions = list(asked(store, source, named))
    for half, some in (("chosen on", questions[::2]), ("reported", questions[1::2])):
        print(f"{given.set}: {half} {len(some)} questions; nDCG@10 hit@1 (words alone first)")
        for place in PLACES:
            alone, both = measured(some, 0.0, place, 0.0), [measured(some, fusion, place, named) for named in NAMED]
            row = "  ".join(f"{by:.3f} {first:.3f}" for by, first in (alone, *both))
            print(f"  names {place:4}:  {row}")


if __name__ == "__main__":
    main()
