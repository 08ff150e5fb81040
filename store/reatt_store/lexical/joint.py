"""The words of several stores as one index: BM25 with the document frequencies of all.

FTS5 knows the statistics of its own store alone, so each store says how often it has each term, and BM25 is computed
here, in FTS5's own form and order:

    score(chunk) = sum_i idf_i * f_i * (K1 + 1) / (f_i + K1 * (1 - B + B * length / mean length))
    idf_i = ln((N - n_i + 1/2) / (n_i + 1/2))

where f_i is the weighted number of places where the chunk has term i, n_i of all N chunks have it, and lengths count
words. So a chunk's score is what it would be in one store that held everything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reatt_store.errors import UsageError
from reatt_store.lexical.search import WEIGHTS, Part
from reatt_store.lexical.stored import StoredWords, bm25, damaged, phrase
from reatt_store.records import PER_STORE
from reatt_store.selection import Selection

K1, B, LEAST_IDF = 1.2, 0.75, 1e-6  # of FTS5
GRAIN = 0.25  # all weights of columns are multiples of it, and so are weighted numbers of places
_WRONG = 0.01  # grains: what is farther from one was not computed by FTS5
_LONGEST = 8  # bytes of a number
GOES_ON = 128  # from here on, a byte of a number is not its last
COLUMNS = len(WEIGHTS)
_HIT = np.dtype([("chunk", np.int64), ("score", np.float64)])

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """What BM25 needs to know of one store: c of its N chunks have any of the terms."""

    total: int  # N
    words: int  # of all chunks
    chunks: Integers  # (c,) ids, rising
    lengths: Integers  # (c,) words of each
    holders: list[Integers]  # for each term, which of the c chunks have it (n_i,)
    often: list[Floats]  # the weighted number of places there (n_i,)

    @property
    def frequencies(self) -> Frequencies:
        """What the other stores need to know of this one."""
        return Frequencies(self.total, self.words, tuple(map(len, self.holders)))


@dataclass(frozen=True)
class Frequencies:
    """What decides a term's weight: of one store, or of all together."""

    total: int  # N
    words: int  # of all chunks
    holders: tuple[int, ...]  # n_i of each term


class JointWords:
    """The words of several stores; ids of chunks and documents are those of `JoinedLibrary`."""

    old = False

    def __init__(self, stores: Sequence[StoredWords]) -> None:
        self._stores = stores
        for store in stores:
            require_new(store)

    def best(
        self, parts: Sequence[Part], weights: Sequence[float], limit: int, among: Selection
    ) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the best chunks that have any of the terms, best first; ties go to the older.

        The chunks of a store are older than those of the stores after it.
        """
        phrases = phrases_of(parts)
        if not phrases or limit < 1:
            return []
        counts = [counted(store, phrases, weights) for store in self._stores]
        every = summed([each.frequencies for each in counts])
        stores = zip(self._stores, counts, strict=True)
        return merged({number: best_in(*each, every, limit, among) for number, each in enumerate(stores)}, limit)

    def stands(self, columns: str, term: str) -> bool:
        """Return whether a term stands anywhere in some columns."""
        return any(store.stands(columns, term) for store in self._stores)

    def owners(self, chunks: Sequence[int]) -> list[tuple[int, int]]:
        """Return (chunk id, document id) of chunks."""
        found = []
        for number, store in enumerate(self._stores):
            own = [id - number * PER_STORE for id in chunks if id // PER_STORE == number]
            found += [(number * PER_STORE + id, number * PER_STORE + owner) for id, owner in store.owners(own)]
        return found

    def ends(self) -> tuple[Any, Any]:
        """Return the first and the last path of all documents."""
        paths = [path for store in self._stores for path in store.ends() if isinstance(path, str)]
        return min(paths, default=None), max(paths, default=None)


def require_new(store: StoredWords) -> None:
    """Raise UsageError for an index of an earlier version, which does not know its words well enough."""
    if store.old:
        folder = store.connection.file.parent
        told = f"the word index of {folder} was made by an earlier version, so it cannot be searched with others"
        raise UsageError(told, f"reatt ingest --store {folder} PATH, which brings it up to date", str(folder))


def phrases_of(parts: Sequence[Part]) -> list[str]:
    """Write the FTS5 query of each term."""
    return [phrase(columns, term) for columns, asked in parts for term in asked]


def summed(every: Sequence[Frequencies]) -> Frequencies:
    """Add up what stores know of the same terms.

    >>> summed([Frequencies(3, 20, (1, 0)), Frequencies(4, 30, (2, 1))])
    Frequencies(total=7, words=50, holders=(3, 1))
    """
    holders = tuple(map(sum, zip(*(each.holders for each in every), strict=True)))
    return Frequencies(sum(each.total for each in every), sum(each.words for each in every), holders)


def best_in(
    store: StoredWords, counts: Counts, every: Frequencies, limit: int, among: Selection
) -> list[tuple[int, float]]:
    """Return (chunk id, BM25) of the best chunks of one store, by the frequencies in all; its own ids."""
    idf = [_idf(every.total, holders) for holders in every.holders]
    ids, scores = counts.chunks, _scores(counts, idf, every.words / max(every.total, 1))
    if among:
        allowed = np.isin(ids, _allowed(store, among))
        ids, scores = ids[allowed], scores[allowed]
    order = _first(ids, scores, limit)
    return list(zip(ids[order].tolist(), scores[order].tolist(), strict=True))


def merged(found: Mapping[int, Sequence[tuple[int, float]]], limit: int) -> list[tuple[int, float]]:
    """Put the best of each store, by its number, in one order; ties go to the older chunk.

    >>> merged({0: [(7, 2.0), (3, 1.0)], 1: [(7, 2.0)]}, 2) == [(7, 2.0), (PER_STORE + 7, 2.0)]
    True
    """
    every = [(number * PER_STORE + id, score) for number, best in found.items() for id, score in best]
    return sorted(every, key=lambda each: (-each[1], each[0]))[:limit]


def counted(store: StoredWords, phrases: Sequence[str], weights: Sequence[float]) -> Counts:
    """Count where a store has the terms."""
    total, words = _totals(store)
    hits = [_hits(store, each, weights) for each in phrases]
    chunks = np.unique(np.concatenate([each["chunk"] for each in hits]))
    lengths = _lengths(store, chunks)
    damping = _damping(lengths, words / max(total, 1))
    holders = [np.searchsorted(chunks, each["chunk"]) for each in hits]
    often = [_often(each["score"], _idf(total, len(each)), damping[at]) for each, at in zip(hits, holders, strict=True)]
    return Counts(total, words, chunks, lengths, holders, often)


def _scores(counts: Counts, idf: Sequence[float], mean: float) -> Floats:
    """Score the chunks (c,)."""
    damping, scores = _damping(counts.lengths, mean), np.zeros(len(counts.chunks))
    for weight, holders, often in zip(idf, counts.holders, counts.often, strict=True):
        scores[holders] += weight * (often * (K1 + 1) / (often + damping[holders]))
    return scores


def _damping(lengths: Integers, mean: float) -> Floats:
    """Return what is added below the fraction for chunks of some lengths (c,)."""
    return K1 * (1 - B + B * lengths.astype(np.float64) / (mean or 1.0))


def _idf(total: int, holders: int) -> float:
    if holders > total:
        raise damaged()
    idf = math.log((total - holders + 0.5) / (holders + 0.5))
    return idf if idf > 0 else LEAST_IDF


def _often(scores: Floats, idf: float, damping: Floats) -> Floats:
    """Return how often chunks have a term (n,), from what FTS5 gives them for that term alone.

    FTS5 tells the numbers of places to its ranking functions only, but a score of one term leaves no other choice. They
    are multiples of GRAIN, so rounding makes them exact.
    """
    shares = scores / idf
    if not (np.isfinite(shares).all() and (shares > 0).all() and (shares < K1 + 1).all()):
        raise damaged()
    grains = shares * damping / (K1 + 1 - shares) / GRAIN
    whole = np.round(grains)
    if (np.abs(grains - whole) > _WRONG).any() or (whole < 1).any():
        raise damaged()
    return whole * GRAIN


def _hits(store: StoredWords, asked: str, weights: Sequence[float]) -> NDArray[np.void]:
    """Return the chunks that have a term, each with FTS5's score for it."""
    sql = f"SELECT rowid, -{bm25(weights).replace('(', '(words, ')} FROM words WHERE words MATCH ?"  # noqa: S608
    with store.connection.translated():
        found = np.fromiter(store.connection.execute(sql, [asked]), dtype=_HIT)  # 16 bytes a row, never a list
    if ((found["chunk"] < 0) | (found["chunk"] >= PER_STORE)).any():
        raise damaged()
    return found


def _totals(store: StoredWords) -> tuple[int, int]:
    """Return how many chunks the index has, and how many words, as FTS5 has counted them."""
    block = store.connection.value("SELECT block FROM words_data WHERE id = 1")
    numbers = _numbers(block).tolist() if isinstance(block, bytes) else []
    return sum(numbers[:1]), sum(numbers[1:])


def _lengths(store: StoredWords, chunks: Integers) -> Integers:
    """Return the words of some chunks (c,)."""
    sql = """SELECT sz FROM json_each(?) AS asked CROSS JOIN words_docsize AS sizes ON sizes.id = asked.value
             ORDER BY asked.key"""
    blobs = [blob for (blob,) in store.connection.rows(sql, [json.dumps(chunks.tolist())])]
    if len(blobs) != len(chunks) or not all(isinstance(blob, bytes) for blob in blobs):
        raise damaged()
    numbers = _numbers(b"".join(blobs))
    if len(numbers) != COLUMNS * len(chunks):
        raise damaged()
    lengths: Integers = numbers.reshape(-1, COLUMNS).sum(1)
    return lengths


def _numbers(content: bytes) -> Integers:
    """Read SQLite's numbers of variable length: seven bits a byte, the highest first; all but the last byte go on."""
    found = np.frombuffer(content, np.uint8)
    if not len(found):
        return np.zeros(0, np.int64)
    if found[-1] >= GOES_ON:
        raise damaged()
    ends = np.flatnonzero(found < GOES_ON)
    power = ends[np.searchsorted(ends, np.arange(len(found)))] - np.arange(len(found))
    if power.max() >= _LONGEST:
        raise damaged()
    starts = np.concatenate([[0], ends[:-1] + 1])
    numbers: Integers = np.add.reduceat((found % GOES_ON).astype(np.int64) << (7 * power), starts)
    return numbers


def _allowed(store: StoredWords, among: Selection) -> Integers:
    sql, values = store.chosen(among)
    return np.array([id for (id,) in store.connection.rows(sql, values)], np.int64)


def _first(ids: Integers, scores: Floats, limit: int) -> Integers:
    """Return where the best scores stand, best first, ties by id."""
    places = np.arange(len(scores))
    if limit < len(scores):
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        places = np.flatnonzero(scores >= least)
    return places[np.lexsort((ids[places], -scores[places]))][:limit]
