"""How fast and how completely a store of real keys is searched, beside two engines that keep one vector or none."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.kit import corpus, machine
from bench.kit.plan import Plan
from bench.kit.stores import copied, store
from bench.kit.table import Goal, Row, at_least, number
from reatt.model.processor import multiplies_int8
from reatt.search import maxsim
from reatt.search.retriever import Hit, Retriever
from reatt.search.shards import load
from reatt_store.library import Library, Status

STAGE = "search"
TOP = 10
WIDTH = 384  # of the dense vectors: that of the small sentence encoders in wide use
REPEATS = 3
TIE = 1e-4  # scores this near are equal: neither search is wrong
APPROXIMATE = {"fast": 0.99, "clusters": 0.99, "two-stage": None}  # recall asked for
BLOCK = 8192  # keys

DEEP = 100

Search = Callable[[str], Sequence[Hit]]
Also = dict[str, float | int | str]


@dataclass(frozen=True)
class Engine:
    """One way to search, and what it keeps on the disk or in memory."""

    search: Callable[[str], Any]
    bytes: int = 0
    also: Mapping[str, float | int | str] = field(default_factory=dict)
    goal: Goal | None = None


def measure(plan: Plan) -> list[Row]:
    """Return the rows of this stage."""
    asked = corpus.questions(plan.data, plan.questions)
    backbone = plan.backbone()
    rows: list[Row] = []
    stores: list[Path] = []
    for chunks in plan.chunks:
        stores.append(store(plan, chunks))
    if plan.copies > 1:
        last = stores[-1]
        stores.append(copied(last, last.with_name(f"{last.name}-{plan.copies}-copies"), plan.copies))
    for folder in stores:
        with closing(Library.open(folder)) as library:
            retriever = Retriever(library, backbone, library.generation(), plan.fusion)
            engines = {**_ours(retriever, library, asked), **_others(library, asked)}
            rows += [*_rows(plan, library.status(), engines, asked), *_products(plan, retriever, library, asked)]
    return rows


def _ours(retriever: Retriever, library: Library, asked: Sequence[str]) -> dict[str, Engine]:
    ways: dict[str, Search] = {
        way: lambda question, way=way: retriever.search(question, TOP, "attention", way)  # type: ignore[misc]
        for way in ("exact", *APPROXIMATE)
    }
    also = {"clusters": trained(library), "two-stage": _first_search(library, ways["two-stage"], asked[0])}
    for count in (TOP, DEEP):
        deep = {way: partial(retriever.search, k=count, retriever="attention", search=way) for way in ways}
        best = {question: deep["exact"](question) for question in asked}
        for way in APPROXIMATE:
            also.setdefault(way, {})[f"recall@{count}"] = recall(best, deep[way])
    size = library.status().bytes
    indexes = {"clusters": _cached(library, ".clusters"), "two-stage": _cached(library, ".faiss")}
    kept = {way: size.vectors + indexes.get(way, 0) for way in ways}
    engines = {"question to vectors": Engine(lambda question: retriever.backbone.rounds[0].ask(question, ()))}
    for way, search in ways.items():
        bound = APPROXIMATE.get(way)
        goal = at_least(float(also[way][f"recall@{TOP}"]), bound) if bound else None
        engines[way] = Engine(search, kept[way], also.get(way, {}), goal)
    engines["words (FTS5)"] = Engine(lambda question: retriever.search(question, TOP, "words"), size.sqlite)
    hybrid = {"attention": "by auto"}
    whole = kept["clusters"] + size.sqlite
    engines["hybrid (default)"] = Engine(lambda question: retriever.search(question, TOP), whole, hybrid)
    return engines


def trained(library: Library) -> Also:
    """Let a writer make the clusters anew, and time it; a small store has none."""
    made = library.generation()
    if made is None or library.clusters(made.id) is None:
        return {"note": "too few passages: fast"}
    for path in (library.folder / "cache").glob("*.clusters"):
        path.unlink()
    started = time.perf_counter()
    with library.writing():
        pass
    seconds = time.perf_counter() - started
    return {"training, s": seconds, "s for a million keys": 1e6 * seconds / library.status().tokens}


def _cached(library: Library, ending: str) -> int:
    return sum(path.stat().st_size for path in (library.folder / "cache").glob(f"*{ending}"))


def _first_search(library: Library, search: Search, question: str) -> Also:
    """Time the search that has to open the token index, or to build one where none is kept."""
    index = "opened" if any((library.folder / "cache").glob("*.faiss")) else "built"
    started = time.perf_counter()
    search(question)
    return {f"first search, index {index}": f"{time.perf_counter() - started:.1f} s"}


def recall(best: Mapping[str, Sequence[Hit]], search: Search) -> float:
    """Return which share of the exact best ten a search finds; chunks that tie with the tenth count as it does."""
    shares = []
    for question, exact in best.items():
        least = exact[-1].score - TIE
        shares.append(sum(hit.score >= least for hit in search(question)) / len(exact))
    return statistics.fmean(shares)


def _others(library: Library, asked: Sequence[str]) -> dict[str, Engine]:
    import bm25s  # type: ignore[import-untyped]
    import faiss
    import Stemmer  # type: ignore[import-not-found]

    texts = [f"{each.chunk.title} {each.chunk.text}" for each in library.every_chunk()]
    stem = Stemmer.Stemmer("english")

    def cut(text: str | list[str]) -> Any:
        return bm25s.tokenize(text, stopwords="en", stemmer=stem, show_progress=False)

    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(cut(texts), show_progress=False)
    kept = sum(index.scores[name].nbytes for name in ("data", "indices", "indptr"))
    flat = faiss.IndexFlatIP(WIDTH)
    random = np.random.default_rng(0)
    for start in range(0, len(texts), 10_000):
        flat.add(_unit(random, min(10_000, len(texts) - start)))
    vectors = {question: _unit(random, 1) for question in asked}
    return {
        "bm25s, stemmed": Engine(lambda question: index.retrieve(cut(question), k=TOP, show_progress=False), kept),
        f"dense {WIDTH}, FAISS flat": Engine(
            lambda question: flat.search(vectors[question], TOP),
            4 * WIDTH * len(texts),
            {"note": "random unit vectors; encoding the question would come on top"},
        ),
    }


def _unit(random: np.random.Generator, count: int) -> Any:
    vectors = random.standard_normal((count, WIDTH), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _rows(plan: Plan, status: Status, engines: Mapping[str, Engine], asked: Sequence[str]) -> Iterator[Row]:
    times = {count: _times(engines, asked, count) for count in plan.threads}
    for name, engine in engines.items():
        medians = {count: statistics.median(spent[name]) for count, spent in times.items()}
        one = medians.get(1)
        all = medians[max(medians)] if max(medians) > 1 or one is None else None
        slowest: Also = {"p99": number(float(np.percentile(times[min(times)][name], 99)), "ms")}
        kept = {"bytes/token": engine.bytes / status.tokens} if engine.bytes else {}
        what = f"p50 of {status.chunks:,} chunks, {status.tokens:,} keys: {name}"
        yield Row(STAGE, what, "ms", one=one, all=all, goal=engine.goal, also={**slowest, **engine.also, **kept})


def _products(plan: Plan, retriever: Retriever, library: Library, asked: Sequence[str]) -> Iterator[Row]:
    """Yield what one block of keys costs by products of int8, beside float32: one thread, as searches make them."""
    made = library.generation()
    if plan.device != "cpu" or made is None:
        return
    shard = load(library.segments(made.id)[0])
    keys = min(BLOCK, len(shard.codes))
    queries = [retriever.backbone.rounds[0].ask(question, ()) for question in asked]
    spent: dict[str, list[float]] = {way: [] for way in _WAYS}
    with threads(1):
        for each in queries:
            for way, prepare in _WAYS.items():
                dots, _ = prepare(each.vectors, each.weights)
                started = time.perf_counter()
                dots(shard, 0, keys)
                spent[way].append(1000 * (time.perf_counter() - started))
    whole, coarse = (statistics.median(spent[way]) for way in ("float32", "int8"))
    vectors = statistics.median(len(each.vectors) for each in queries)
    taken = "int8" if multiplies_int8() else "float32"
    what, beside = f"products of {keys:,} keys with {vectors:.0f} vectors by int8", f"by float32: {number(whole, 'ms')}"
    yield Row(STAGE, what, "ms", one=coarse, beside=beside, ratio=coarse / whole, also={"fast multiplies": taken})


_WAYS = {"float32": maxsim._float32, "int8": maxsim._int8}


def _times(engines: Mapping[str, Engine], asked: Sequence[str], count: int) -> dict[str, list[float]]:
    """Take each engine's milliseconds for every question; the engines take turns, each with its data warm."""
    spent: dict[str, list[float]] = {name: [] for name in engines}
    with threads(count):
        for _ in range(REPEATS):
            for name, engine in engines.items():
                engine.search(asked[0])
                for question in asked:
                    started = time.perf_counter()
                    engine.search(question)
                    spent[name].append(1000 * (time.perf_counter() - started))
    return spent


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch and FAISS use so many threads."""
    import faiss

    torch.set_num_threads(count)
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(machine.cores())
        faiss.omp_set_num_threads(machine.cores())
