"""Stage 3: turn sets of questions into packed token ids, once.

    python -m recipes.reatt_mini.data --data DATA --out WORK

A twentieth of the articles is held out of training: `calibrate` fits on it what turns scores into decisions.
"""

from __future__ import annotations

import argparse
import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from reatt.model.backbone import ChunkText
from reatt.model.tokens import TextTokenizer, Tokens
from reatt.weights.folder import ModelFolder
from reatt.weights.tokenizer_files import read_tokenizer

QUESTION_LIMIT, CHUNK_LIMIT = 48, 256  # tokens that are kept, all marks included
PLACES, ANSWERS = 6, 3  # of an answer that stands more often, the first count; of several answers, too
SHORTEST = 3  # letters: an answer has more, if it is to say which of several passages holds it
CLOSE = ".close.safetensors"  # ends the name of the file of a set's close chunks
HELD_OUT, PARTS = 7, 20  # one part of the articles
Ids = tuple[int, ...]
Json = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """How a training set is drawn from."""

    weight: float  # share of the batches
    chunks: int = 2  # of an article, at most
    questions: int = 1  # on a chunk, at most
    read: bool = True  # else for retrieval alone
    articles: bool = True  # else every chunk is its own
    made: bool = False  # it lies in WORK, by `made`, else in DATA


SETS = {
    "squad11_train": Source(0.58, 6, 2),
    "nq_qed_train": Source(0.18),
    "fairytaleqa_train": Source(0.08, 6, 2),
    "distant_wiki_train": Source(0.07),
    "qamr": Source(0.02, 6, 4),
    "medquad": Source(0.03, read=False, articles=False),
    "qmsum_train": Source(0.03, 6, 2, read=False),
    "2wiki_train500": Source(0.03),
    "hotpotqa_train_sample": Source(0.01),
    "musique_train_sample": Source(0.01),
    "tables": Source(0.1, 2, 3, made=True),
    "lists": Source(0.08, 2, 3, made=True),
    "compare": Source(0.03, 1, 2, made=True),
    "prose": Source(0.1, 2, 2, made=True),
    "entities": Source(0.04, made=True),
    "glossary": Source(0.02, 2, 3, made=True),
}


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
class Questions:
    """One packed set. Of chunks: their own pieces, without marks."""

    titles: Ragged
    texts: Ragged
    asked: Ragged  # with marks
    typed: Ragged  # the same questions without their question mark
    positives: Ragged  # the chunks that answer, the first of them the one that a question is drawn by
    starts: Ragged  # in that chunk's text, where it is to be read: first and last piece of each place of the answer
    ends: Ragged
    others: Ragged  # chunks that have to be read with that one: a comparison, or yes or no, which stands in none
    given: Ragged  # a question's answers, by number
    answers: Ragged  # their pieces
    close: Ragged  # chunks that share a question's words and do not answer it (stage `close`)
    articles: list[dict[int, list[int]]]  # questions by chunk, by article


Sets = dict[str, tuple[Questions, Source]]  # by name
LISTS = tuple(field.name for field in fields(Questions) if field.type == "Ragged" and field.name != "close")


def lines(file: Path) -> Iterator[Json]:
    """Read a compressed JSON Lines file."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def judgements(folder: Path) -> dict[str, dict[str, int]]:
    """Read a set's qrels: question -> document -> grade; empty where there are none."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    file = folder / "qrels.tsv"
    for line in file.read_text(encoding="utf-8").splitlines()[1:] if file.exists() else ():
        question, document, grade = line.split("\t")
        found[question][document] = int(float(grade))
    return dict(found)


def article_of(document: Json) -> str:
    """Name what a document is a part of."""
    return str(next(name for field in ("article", "story", "meeting", "title", "_id") if (name := document.get(field))))


def held_out(document: Json) -> bool:
    """Say whether a document's article teaches nothing, by its name alone."""
    return zlib.crc32(article_of(document).encode()) % PARTS == HELD_OUT


def answering(query: Json, known: Mapping[str, Json], relevant: Mapping[str, int]) -> tuple[str | None, list[str]]:
    """Name the document to read a question's answer in, if one can be told, and all that answer it."""
    positives = [name for name in relevant or {str(query.get("doc_id")): 1} if name in known]
    if not query.get("answers"):
        return None, positives
    if query.get("doc_id") in known:
        return str(query["doc_id"]), positives
    holding = [p for p in positives if any(len(a) > SHORTEST and a in known[p]["text"] for a in query["answers"])]
    return (holding[0] if len(holding) == 1 else None), positives


def answer_places(tokens: Tokens, text: str, answer: str, only: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """Find the first and last token of every place where the answer stands in the chunk, token for token; `only`: of
    the places that begin at these characters, where the same words elsewhere answer nothing.
    """
    first = {start: i for i, (start, end) in enumerate(tokens.spans) if end > start}
    last = {end: i for i, (start, end) in enumerate(tokens.spans) if end > start}
    found: list[tuple[int, int]] = []
    at = text.find(answer)
    while at >= 0 and len(found) < PLACES:
        if at in first and at + len(answer) in last and (only is None or at in only):
            found.append((first[at], last[at + len(answer)]))
        at = text.find(answer, at + 1)
    return found


def pack(folder: Path, source: Source, tokenizer: TextTokenizer) -> dict[str, NDArray[Any]]:
    """Read one set's corpus and questions, without those held out and those whose answer is not where it should be."""
    documents = list(lines(folder / "corpus.jsonl.gz"))
    known, number = {d["_id"]: d for d in documents}, {d["_id"]: i for i, d in enumerate(documents)}
    texts = [_inner(t, 2) for t in tokenizer.chunks([ChunkText("", d["text"]) for d in documents])]
    titles = [_inner(t, 1) for t in tokenizer.chunks([ChunkText(d.get("title", ""), "") for d in documents])]
    relevant = judgements(folder)
    rows: dict[str, list[Sequence[int]]] = {name: [] for name in LISTS}
    for query in lines(folder / "queries.jsonl.gz"):
        read, positives = answering(query, known, relevant.get(query["_id"], {}))
        if not positives or held_out(known[positives[0]]):
            continue
        home = read if read and source.read else positives[0]
        stands = source.read and read and query.get("kind") != "yesno"  # yes and no stand nowhere
        places = _places(texts[number[home]], known[home]["text"], query) if stands else []
        if places or "kind" in query or not (source.read and read):
            _add(rows, tokenizer, query)
            rows["others"].append([number[name] for name in query.get("doc_ids", ()) if name != home])
            rows["positives"].append([number[home], *(number[p] for p in positives if p != home)])
            rows["starts"].append([start for start, _ in places])
            rows["ends"].append([end for _, end in places])
    rows |= {"titles": [t.ids[:-1] for t in titles], "texts": [t.ids for t in texts]}
    packed: dict[str, NDArray[Any]] = {}
    for name, row in ((name, ragged(rows[name])) for name in LISTS):
        packed |= {f"{name}.flat": row.flat, f"{name}.ends": row.ends}
    names = {name: i for i, name in enumerate(dict.fromkeys(map(article_of, documents)))}
    whole = [names[article_of(d)] if source.articles else i for i, d in enumerate(documents)]
    return packed | {"article": np.array(whole, np.int64)}


def _inner(tokens: Tokens, before: int) -> Tokens:
    """Leave out the marks around a text."""
    return Tokens(tokens.ids[before:-1], tokens.spans[before:-1])


def _places(tokens: Tokens, text: str, query: Json) -> list[tuple[int, int]]:
    """Find the places of the first answer that stands in a text; yes and no, as answers, stand in none."""
    if query.get("kind") == "yesno":
        return []
    found = (answer_places(tokens, text, answer, query.get("places")) for answer in query["answers"][:ANSWERS])
    return next(filter(None, found), [])


def _add(rows: dict[str, list[Sequence[int]]], tokenizer: TextTokenizer, query: Json) -> None:
    text, answers = query["text"].strip(), [tokenizer.answer(answer)[:-1] for answer in query.get("answers", [])]
    rows["asked"].append(tokenizer.question(text).ids)
    rows["typed"].append(tokenizer.question(text.rstrip("?")).ids)
    rows["given"].append(range(len(rows["answers"]), len(rows["answers"]) + len(answers)))
    rows["answers"] += answers


def load(file: Path) -> Questions:
    """Read a packed set; one that was packed before there were `others` has none."""
    arrays = load_file(file)
    there = [name for name in LISTS if f"{name}.ends" in arrays]
    lists = {"others": ragged([()] * len(arrays["asked.ends"]))}
    lists |= {name: Ragged(arrays[f"{name}.flat"], arrays[f"{name}.ends"]) for name in there}
    articles: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for question in range(len(lists["positives"])):
        home = lists["positives"][question][0]
        articles[int(arrays["article"][home])][home].append(question)
    return Questions(**lists, close=_close(file, len(lists["asked"])), articles=[dict(a) for a in articles.values()])


def _close(file: Path, questions: int) -> Ragged:
    """Read the close chunks beside a packed set; none where they were not looked for."""
    beside = file.with_name(f"{file.stem}{CLOSE}")
    if not beside.exists():
        return ragged([()] * questions)
    found = load_file(beside)
    return Ragged(found["flat"], found["ends"])


def training_tokenizer(folder: Path) -> TextTokenizer:
    """Read a folder's tokenizer, with the lengths that training uses."""
    tokenizer = read_tokenizer(ModelFolder(folder))
    tokenizer.question_limit, tokenizer.chunk_limit = QUESTION_LIMIT, CHUNK_LIMIT
    return tokenizer


def main() -> None:
    """Pack every set that is not packed yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path(".work/reatt-mini"))
    options = parser.parse_args()
    tokenizer = training_tokenizer(options.out)
    for name, source in SETS.items():
        file = options.out / f"{name}.safetensors"
        if not file.exists():
            folder = options.out / "made" if source.made else options.data / "train"
            packed = pack(folder / name, source, tokenizer)
            part = file.with_suffix(".part")
            save_file(packed, part)
            part.replace(file)
        questions = load(file)
        print(f"{name}: {len(questions.asked)} questions, {len(questions.texts)} chunks", flush=True)


if __name__ == "__main__":
    main()
