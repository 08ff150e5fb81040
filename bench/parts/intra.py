"""The part `intra`: INTRA's first round in the large pool, `bench.intra`'s, without anything that is learnt.

Only keys are kept, seven a chunk and no states, in shards of so many documents: a run that is stopped goes on at the
next shard. Where the processor multiplies bfloat16, encoding does; keys then differ by some thousandths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.kit.kept import batched
from bench.kit.sheets import Cell, Sheet
from bench.parts.minilm import chunks
from bench.parts.page import Bar, figure, mean
from bench.parts.run import Run, Subject
from bench.parts.scorer import TOGETHER, Keys, best, scores
from bench.quality.intra_page import complete
from bench.quality.intra_pool import Size, questions, write_pool
from reatt.lessons.corpus import Corpus
from reatt.lessons.examples import Example
from reatt.model.backbone import Backbone, ChunkText
from reatt.model.processor import multiplies_bfloat16
from reatt.model.tokens import HEAD_TOKENS
from reatt.search.encode import ENCODE_CHUNKS
from reatt.weights import models

SHARD = 1000  # documents
FIRST = 5  # texts
DEEP = 50  # chunks, of which the first texts are taken
FLOORS = {"2wiki_dev200": 0.15, "nq_qed_dev": 0.60}


@dataclass(frozen=True)
class Shards:
    """The pool in one model's keys, shard by shard."""

    subject: Subject
    size: Size
    tell: Callable[[str], None]

    @cached_property
    def model(self) -> Backbone:
        """The model that retrieves with its decoder; only its encoder is asked here."""
        return models.load_for("intra", self.subject.plan.model, self.subject.plan.device)

    @cached_property
    def files(self) -> list[Path]:
        """The shards, each encoded: SHARD.safetensors has the keys, SHARD.jsonl the chunks."""
        documents = write_pool(self.subject.plan, self.size)
        folder = documents.with_suffix("") / self.model.fingerprint()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        made = []
        with open(documents, encoding="utf-8") as lines:
            for number, some in enumerate(batched(lines, SHARD)):
                file = folder / f"{number:04}.safetensors"
                if not file.is_file():
                    self.tell(f"encode for INTRA: {number * SHARD:,} documents")
                    self._encode(some, file)
                made.append(file)
        return made

    def _encode(self, documents: Sequence[str], file: Path) -> None:
        """Cut and encode some documents; the keys are written last."""
        source, part = file.with_suffix(".source.jsonl"), file.with_suffix(".part")
        source.write_text("".join(documents), encoding="utf-8")
        cut = list(chunks(source, self.model.count_tokens, self.model.max_chunk_tokens - HEAD_TOKENS))
        source.unlink()
        rows = ({"name": name, "title": chunk.title, "text": chunk.text} for name, chunk in cut)
        file.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        keys = encoded(self.model, [chunk for _, chunk in cut])
        offsets = torch.tensor(np.concatenate(([0], np.cumsum([len(each) for each in keys]))))
        save_file({"keys": torch.cat(keys).half(), "offsets": offsets}, part)
        part.replace(file)

    @cached_property
    def corpus(self) -> Corpus:
        """All chunks, in the order of the shards."""
        rows = [json.loads(line) for file in self.files for line in file.with_suffix(".jsonl").open(encoding="utf-8")]
        passages = tuple(ChunkText(row["title"], row["text"]) for row in rows)
        names = tuple(row["name"] for row in rows)
        documents = {name: number for number, name in enumerate(dict.fromkeys(names))}
        first: dict[ChunkText, int] = {}
        equal = tuple(first.setdefault(passage, number) for number, passage in enumerate(passages))
        numbers = tuple(range(len(rows)))
        return Corpus(numbers, passages, names, tuple(documents[name] for name in names), names, equal)

    def find(self, asked: Sequence[str]) -> list[list[int]]:
        """Number the best chunks for each question, best first."""
        with torch.inference_mode():
            queries = [self.model.rounds[0].ask(question, ()) for question in asked]
        found: list[list[tuple[float, int]]] = [[] for _ in asked]
        start = 0
        for file in self.files:
            self.tell(f"search {file.stem}")
            held = load_file(file)
            keys = Keys(held["keys"].float(), held["offsets"].numpy())
            for some in batched(range(len(asked)), TOGETHER):
                scored = scores(keys, [queries[number] for number in some])
                for number, of in zip(some, scored, strict=True):
                    found[number] += [(float(of[place]), start + int(place)) for place in best(of, DEEP)]
            start += len(keys.offsets) - 1
        return [[place for _, place in sorted(each, key=lambda of: (-of[0], of[1]))[:DEEP]] for each in found]


def encoded(model: Backbone, passages: Sequence[ChunkText]) -> list[Tensor]:
    """Encode chunks into their keys, those of like length together."""
    found: dict[int, Tensor] = {}
    order = sorted(range(len(passages)), key=lambda number: len(passages[number].text))
    narrow = multiplies_bfloat16(torch.device("cpu"))
    for some in batched(order, ENCODE_CHUNKS):
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            codes = model.encode_chunks([passages[number] for number in some])
        found |= zip(some, (code.keys.float() for code in codes), strict=True)
    return [found[number] for number in range(len(passages))]


def measure(run: Run) -> tuple[list[Sheet], list[Bar]]:
    """Encode the pool, or go on with that, then ask."""
    size = Size(run.sizes.pool, None)
    shards = Shards(run.main, size, run.clock.tell)
    corpus = shards.corpus
    rows, bars = list[list[Cell]](), list[Bar]()
    for name, asked in questions(run.main.plan, corpus, size).items():
        if asked:
            right = [judge(corpus, example, found) for example, found in _found(shards, asked)]
            rows.append([name, len(asked), figure([right])])
            what = f"INTRA's first round, complete evidence@{FIRST}, {name}"
            bars += [] if run.sizes.pool else [Bar(what, mean([right]), FLOORS[name], None)]
    text = f"{len(corpus.ids):,} chunks, {len(set(corpus.equal)):,} different. Complete: all evidence among five texts."
    return [Sheet("INTRA's first round in one pool", ["set", "questions", f"complete@{FIRST}"], rows, text)], bars


def _found(shards: Shards, asked: Sequence[Example]) -> Iterator[tuple[Example, list[int]]]:
    yield from zip(asked, shards.find([example.text for example in asked]), strict=True)


def judge(corpus: Corpus, example: Example, found: Sequence[int]) -> float:
    """Return 1 if all evidence is among the first texts, or others of the same documents."""
    texts = list(dict.fromkeys(corpus.equal[number] for number in found))[:FIRST]
    return complete([_names(corpus, text) for text in texts], [_names(corpus, number) for number in example.close])


def _names(corpus: Corpus, number: int) -> frozenset[str]:
    """Name the documents in which a text stands."""
    return frozenset(corpus.names[corpus.number[id]] for id in corpus.same(corpus.ids[number]))
