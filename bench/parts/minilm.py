"""all-MiniLM-L6-v2 as it came, beside the model that begins with it: one vector a chunk, and its states untrained.

Its text of a chunk is title and text, one after the other; the chunks are cut as the engine cuts them for this
tokenizer. `whole` is how its authors use it: the mean of the last states, by the cosine. `tokens` is a MaxSim of the
same states, each of unit length, mean over the question's tokens. Where the processor multiplies bfloat16, it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from bench.parts.scorer import Keys
from reatt.documents.chunking import stream
from reatt.documents.files import found_in, steady
from reatt.documents.reader import ReadLimits
from reatt.model.backbone import ChunkText, Queries
from reatt.model.processor import multiplies_bfloat16
from reatt.model.stacks.bert import BertStack
from reatt.model.t5 import T5
from reatt.model.tokens import HEAD_TOKENS
from recipes.reatt_mini import packed, shape

CHUNK = 320 - HEAD_TOKENS  # pieces of a chunk's text
BATCH = 8192  # pieces encoded together


@dataclass(frozen=True)
class Chunked:
    """A corpus in chunks, each with the name of its document."""

    names: list[str]
    texts: list[str]


@dataclass(frozen=True)
class Known:
    """A corpus as the encoder sees it, under both ways of asking."""

    names: list[str]
    tokens: Keys
    whole: Keys


class MiniLM:
    """The encoder in a folder that the recipe has fetched it to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(shape.read(folder)["encoder"]["max_position_embeddings"])
        self._narrow = multiplies_bfloat16(torch.device("cpu"))

    @cached_property
    def _model(self) -> T5:
        return shape.pretrained(self._folder, shape.depths(shape.read(self._folder))[0]).eval()

    def know(self, corpus: Path) -> Known:
        """Encode a corpus."""
        cut = self.chunked(corpus)
        states = self.encode(cut.texts)
        whole = Keys.of([F.normalize(each.mean(0, keepdim=True), dim=-1) for each in states])
        tokens = Keys.of([self._small(F.normalize(each, dim=-1)) for each in states])
        return Known(cut.names, tokens, whole)

    def ask(self, questions: Sequence[str]) -> tuple[list[Queries], list[Queries]]:
        """Encode questions: by their tokens, and each as a whole."""
        states = self.encode(questions)
        tokens = [Queries.mean(F.normalize(each, dim=-1)) for each in states]
        return tokens, [Queries.mean(F.normalize(each.mean(0, keepdim=True), dim=-1)) for each in states]

    def chunked(self, corpus: Path) -> Chunked:
        """Cut the documents of a file."""
        names, texts = [], []
        for name, chunk in chunks(corpus, self._count, CHUNK):
            names.append(name)
            texts.append(f"{chunk.title} {chunk.text}".strip())
        return Chunked(names, texts)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> list[Tensor]:
        """Encode texts apart -> states (n, D) float32 each."""
        rows = [each.ids for each in self._tokenizer.encode_batch(list(texts))]
        stack = cast(BertStack, self._model.encoder)
        found: dict[int, Tensor] = {}
        for numbers in _batches(rows):
            with torch.autocast("cpu", torch.bfloat16, enabled=self._narrow):
                begun = packed.embed(self._model, stack, [rows[number] for number in numbers], 0)
                done = packed.encode(stack.layers(), begun)
            found |= zip(numbers, torch.split(done.values.float(), list(done.layout.lengths)), strict=True)
        return [found[number] for number in range(len(rows))]

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _small(self, keys: Tensor) -> Tensor:
        return keys.bfloat16() if self._narrow else keys


def chunks(corpus: Path, count: Callable[[str], int], most: int) -> Iterator[tuple[str, ChunkText]]:
    """Yield the chunks of a file's documents as an ingest cuts them, each with its document's name."""
    for found in found_in([str(corpus)], (), ()):
        for text in steady(found, ReadLimits()):
            for chunk in stream(text, count, most):
                yield text.external_id or text.path, ChunkText(chunk.title, chunk.text)


def _batches(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Group texts of like length, so many pieces together."""
    batch: list[int] = []
    size = 0
    for number in sorted(range(len(rows)), key=lambda number: len(rows[number])):
        if batch and size + len(rows[number]) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(number)
        size += len(rows[number])
    if batch:
        yield batch
