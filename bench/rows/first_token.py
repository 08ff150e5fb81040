"""How long it takes to begin an answer: from states that a store keeps, or from the same passages encoded anew."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from bench.kit.plan import Plan
from bench.kit.table import Row, at_least
from bench.rows.search import threads
from reatt.model.backbone import ChunkText
from reatt.model.intra import Intra
from reatt.model.reatt import ReAtt
from reatt.search.encode import ENCODE_CHUNKS
from reatt.search.retriever import Retriever
from reatt_store.library import Library, StoredChunk

STAGE = "first token"
READ = (1, 5, 20, 50)  # passages
GOAL = {("reatt-states", 20): 3.0}  # times as fast as without
REPEATS = 3

Begin = Callable[[str, Sequence[StoredChunk]], int]  # question, passages -> the first token of its answer


def measure(plan: Plan, model: Intra | ReAtt, library: Library, asked: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each number of passages; every question has passages of its own."""
    retriever = Retriever(library, model, library.generation())
    stored = list(library.every_chunk())
    ways: dict[str, Begin] = {
        "kept": lambda question, chunks: first_token(model, question, retriever.passages(chunks)),
        "anew": lambda question, chunks: first_token(model, question, _encoded(model, chunks)),
    }
    for count in READ:
        read = {question: _share(stored, number, count) for number, question in enumerate(asked)}
        times = {each: _medians(ways, read, each) for each in plan.threads}
        yield _row(model.method, count, times)


@torch.inference_mode()
def first_token(model: Intra | ReAtt, question: str, passages: Sequence[ChunkText]) -> int:
    """Read the passages and name the most likely first token of an answer."""
    reading = model.read(question, passages)
    decoder = model.t5 if isinstance(model, ReAtt) else model.asker.decoder
    inputs = torch.tensor([reading.prompt or (decoder.config.decoder_start_token_id,)])
    return int(decoder.logits(decoder.decode(inputs, reading.cache)[0, -1]).argmax())


def _encoded(model: Intra | ReAtt, chunks: Sequence[StoredChunk]) -> list[ChunkText]:
    """Give passages as a reader takes them that has nothing kept; ReAtt encodes them itself, with the question."""
    texts = [ChunkText(each.chunk.title, each.chunk.text) for each in chunks]
    if isinstance(model, ReAtt):
        return texts
    order = sorted(range(len(texts)), key=lambda place: len(texts[place].text))
    for at in range(0, len(order), ENCODE_CHUNKS):
        group = order[at : at + ENCODE_CHUNKS]
        for place, code in zip(group, model.encode_chunks([texts[place] for place in group]), strict=True):
            texts[place] = replace(texts[place], memory=code.memory)
    return texts


def _share(stored: Sequence[StoredChunk], number: int, count: int) -> list[StoredChunk]:
    """Take so many passages, others for each question, spread over the store."""
    return [stored[(number + place * 97) % len(stored)] for place in range(count)]


@dataclass(frozen=True)
class Spent:
    """Each way's median milliseconds, and how often both begin with the same token."""

    kept: float
    anew: float
    alike: float


def _medians(ways: Mapping[str, Begin], read: Mapping[str, Sequence[StoredChunk]], count: int) -> Spent:
    """Let the ways take turns, after one question that does not count."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    begun: dict[str, list[int]] = {name: [] for name in ways}
    with threads(count):
        for begin in ways.values():
            begin(*next(iter(read.items())))
        for _ in range(REPEATS):
            for question, chunks in read.items():
                for name, begin in ways.items():
                    started = time.perf_counter()
                    begun[name].append(begin(question, chunks))
                    spent[name].append(1000 * (time.perf_counter() - started))
    alike = statistics.fmean(one == other for one, other in zip(*begun.values(), strict=True))
    return Spent(statistics.median(spent["kept"]), statistics.median(spent["anew"]), alike)


def _row(method: str, count: int, times: Mapping[int, Spent]) -> Row:
    one, all = times.get(1), times[max(times)] if max(times) > 1 else None
    best = all or times[max(times)]
    ratio = best.anew / best.kept
    goal = at_least(ratio, GOAL[method, count]) if (method, count) in GOAL else None
    beside = f"anew: {best.anew:.1f} ms" + (f"; {one.anew:.1f} ms with 1 thread" if one and all else "")
    return Row(
        STAGE, f"{method}: {count} passage{'s' * (count != 1)} from kept states", "ms", one=one.kept if one else None,
        all=all.kept if all else None, beside=beside, ratio=ratio, goal=goal, also={"same token": best.alike},
    )  # fmt: skip
