"""Token search: the keys nearest to each query vector by inner product, from FAISS over the segments.

The first stage of ReAtt's search (section 2.4): the chunks that own one of the K' nearest keys are the candidates. Keys
are not of unit length, so nothing here normalises. An index is a disposable copy of the segments. FAISS loads a damaged
file silently, so a cached index is used only if its BLAKE2b is the one in SQLite; otherwise it is built again.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reatt_store.errors import DiskFull, ReadOnly, StoreLocked
from reatt_store.vectors.arrays import checksum
from reatt_store.vectors.segments import Segment
from reatt_store.vouching import own_key
from reatt_store.writing import writing

if TYPE_CHECKING:
    from pathlib import Path

    from reatt_store.library import Library

FLAT_LIMIT = 1_000_000  # keys; above this, an exhaustive scan takes longer than the rest of a search
RECIPE = "ivf2"  # part of a cache's name; raise it when builds give another index
_BLOCK = 65_536  # keys in memory at a time
_SAMPLE = 64  # training keys per list
_PROBED = 8  # one list in 8 is searched


@dataclass(frozen=True)
class TokenRows:
    """Maps the rows of an index, which are the keys of all segments in order, to the chunks that own them."""

    ids: NDArray[np.int64]  # (s,) segments
    chunks: NDArray[np.int64]  # (s + 1,) where each segment's chunks start among all
    starts: NDArray[np.int64]  # (c + 1,) where each chunk's keys start among all
    texts: bytes = b""  # one digest of what the chunks say, segment by segment

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> TokenRows:
        """Concatenate segments."""
        ids = np.array([segment.id for segment in segments], np.int64)
        chunks = np.cumsum([0, *(len(segment.digests) for segment in segments)], dtype=np.int64)
        lengths = [np.diff(segment.offsets) for segment in segments]
        starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths) if lengths else [])]).astype(np.int64)
        said = hashlib.blake2b(digest_size=32)
        for segment in segments:
            said.update(np.ascontiguousarray(segment.digests).data)
            said.update(np.ascontiguousarray(segment.offsets).data)
            said.update(segment.codes[:: len(segment.codes) // _SAMPLE + 1].tobytes())  # all would take long
        return cls(ids, chunks, starts, said.digest())

    def owners(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the segment ids and the positions in them of the chunks that own some rows, in the shape of `rows`."""
        chunk = np.searchsorted(self.starts, rows, side="right") - 1  # "right" skips chunks without keys
        segment = np.searchsorted(self.chunks, chunk, side="right") - 1
        return self.ids[segment], chunk - self.chunks[segment]

    def bitmap(self, live: Mapping[int, NDArray[np.bool_]]) -> NDArray[np.uint8]:
        """Expand masks over the chunks of each segment to one bit per row, lowest bit first."""
        mask = np.concatenate([live[int(id)] for id in self.ids])  # (c,)
        return np.packbits(np.repeat(mask, np.diff(self.starts)), bitorder="little")


class TokenIndex:
    """An index over every key of some segments."""

    def __init__(self, index: Any, rows: TokenRows) -> None:
        self._index = index
        self.rows = rows

    @classmethod
    def build(cls, segments: Sequence[Segment], kind: str | None = None) -> TokenIndex:
        """Build a "flat" (exact) or an "ivf" index, chosen by size if not given; extra memory is bounded."""
        rows = TokenRows.of(segments)
        kind = kind or ("flat" if rows.starts[-1] <= FLAT_LIMIT else "ivf")
        return cls(_BUILDERS[kind](segments), rows)

    def __len__(self) -> int:
        """Return the number of keys."""
        return int(self._index.ntotal)

    def search(
        self, vectors: NDArray[np.float32], k: int, live: Mapping[int, NDArray[np.bool_]] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and rows (m, k) of the nearest keys to each vector (m, d), best first.

        `k` is cut to the number of keys (FAISS on a GPU allows at most 2048). If fewer are found, the score is -inf and
        the row -1. `live` is the result of `Library.live`; rows of other chunks are skipped.
        """
        k = min(k, len(self))
        if k == 0:
            return np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64)
        bits = (
            None if live is None else self.rows.bitmap(live)
        )  # must outlive the call, because FAISS keeps a bare pointer
        vectors = np.ascontiguousarray(vectors, np.float32)
        scores, rows = self._index.search(vectors, k, params=self._parameters(bits))
        scores[rows < 0] = -np.inf
        return scores, rows

    def chunk_of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the segment ids and the positions in them of the chunks that own some rows (all >= 0)."""
        return self.rows.owners(rows)

    def save(self, path: Path) -> None:
        """Write the index to a file, for the cache."""
        try:
            _faiss().write_index(self._index, os.fspath(path))
        except RuntimeError as error:  # the only error of FAISS for a file that it cannot write
            path.unlink(missing_ok=True)
            raise DiskFull(f"cannot write {path}: {error}", "free some space", str(path)) from error

    def _parameters(self, bits: NDArray[np.uint8] | None) -> Any:
        faiss = _faiss()
        chosen = {} if bits is None else {"sel": faiss.IDSelectorBitmap(bits)}
        if isinstance(self._index, faiss.IndexIVF):
            return faiss.SearchParametersIVF(nprobe=max(1, self._index.nlist // _PROBED), **chosen)
        return faiss.SearchParameters(**chosen)


def open_index(library: Library, generation: int, segments: Sequence[Segment]) -> TokenIndex:
    """Return an index of all segments, from the cache if it is sound; a new one is cached if possible."""
    rows = TokenRows.of(segments)
    if rows.starts[-1] <= FLAT_LIMIT:
        return TokenIndex.build(segments, "flat")  # building is as fast as reading
    name = f"{generation:04d}-{RECIPE}-{hashlib.blake2b(rows.ids.tobytes(), digest_size=8).hexdigest()}.faiss"
    index = _cached(library, name, rows)
    if index is not None:
        return TokenIndex(index, rows)
    built = TokenIndex.build(segments, "ivf")
    with suppress(StoreLocked, ReadOnly, DiskFull, FileNotFoundError):  # the cache is optional
        _cache(library, generation, name, built)
    return built


def _bound(digest: bytes, rows: TokenRows, key: bytes) -> bytes:
    """Bind the checksum of an index to the texts that its rows stand for: one of another store is none of this."""
    return hashlib.blake2b(digest + rows.texts, digest_size=32, key=key).digest()


def _cached(library: Library, name: str, rows: TokenRows) -> Any:
    known, key = library.cached(name), own_key()
    path = library.folder / "cache" / name
    try:
        if known is None or key is None or path.stat().st_size != known[0]:
            return None
        if _bound(checksum(path, key), rows, key) != known[1]:
            return None
    except OSError:
        return None
    faiss = _faiss()
    index = faiss.read_index(os.fspath(path), faiss.IO_FLAG_MMAP_IFC)
    return index if index.ntotal == rows.starts[-1] else None


def _cache(library: Library, generation: int, name: str, index: TokenIndex) -> None:
    """Save an index before taking the lock, so that a large one does not block a writer.

    A writer that starts meanwhile deletes the file; then there is no cache this time.
    """
    key = own_key()
    if key is None:
        return
    passing = library.folder / "tmp" / f"{name}.{secrets.token_hex(8)}"
    try:
        index.save(passing)
        passing.chmod(0o600)
        blake2b = _bound(checksum(passing, key), index.rows, key)
        with writing(library.folder, keep=passing) as writer:
            writer.add_cache(generation, name, passing, blake2b)
    finally:
        passing.unlink(missing_ok=True)


def _flat(segments: Sequence[Segment]) -> Any:
    faiss = _faiss()
    width = segments[0].codes.shape[1] if segments else 1
    index = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for _, keys in _blocks(segments):
        index.add(keys)
    return index


def _ivf(segments: Sequence[Segment]) -> Any:
    """Cluster the keys by distance and probe the lists by inner product.

    FAISS's own recipe for inner products clusters directions, which hides a long key in a list of short ones.
    Clustering by distance gives long keys centroids of their own length, which inner products find first. Measured on
    1.5 million keys of uneven length, K' = 2048, one list in 8: recall 0.90 in 49 ms, against 0.82 in 87 ms.
    """
    faiss = _faiss()
    total = sum(len(segment.codes) for segment in segments)
    width = segments[0].codes.shape[1]
    lists = max(1, 2 ** round(np.log2(total**0.5)))
    means = faiss.Kmeans(width, lists, niter=10, seed=1, max_points_per_centroid=_SAMPLE, min_points_per_centroid=1)
    means.train(_sample(segments, min(total, lists * _SAMPLE)))
    quantizer = faiss.IndexFlatIP(width)
    quantizer.add(means.centroids)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, width, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.is_trained = True
    for start, block in _blocks(segments):
        _, assigned = means.index.search(block, 1)
        ids = np.arange(start, start + len(block), dtype=np.int64)
        pointers = (faiss.swig_ptr(block), faiss.swig_ptr(ids), faiss.swig_ptr(assigned))
        index.add_core(len(block), *pointers)
    return index


def _faiss() -> Any:
    import faiss  # 0.2 s to import, only for a search that needs it

    return faiss


_BUILDERS = {"flat": _flat, "ivf": _ivf}


def _blocks(segments: Sequence[Segment]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (first row, keys) in blocks."""
    first = 0
    for segment in segments:
        for start in range(0, len(segment.codes), _BLOCK):
            yield first + start, segment.keys(slice(start, start + _BLOCK))
        first += len(segment.codes)


def _sample(segments: Sequence[Segment], count: int) -> NDArray[np.float32]:
    """Draw keys (count, d) evenly from all segments."""
    lengths = np.cumsum([0, *(len(segment.codes) for segment in segments)])
    rows = np.sort(np.random.default_rng(1).choice(int(lengths[-1]), count, replace=False))
    parts = np.split(rows, np.searchsorted(rows, lengths[1:-1]))
    drawn = [segment.keys(part - first) for segment, part, first in zip(segments, parts, lengths, strict=False)]
    return np.concatenate(drawn)
