"""Several stores as one, to be searched: what a search asks of a `Library`, answered for all of them together.

Each chunk, document and segment has the id of its own store plus PER_STORE times that store's place, so ids do not
collide, and the chunks of a store count as older than those of the stores after it. A generation here is one of each
store, all with the same fingerprint, so that their keys can be compared; its number stands for the numbers of those.

Nothing is written, and nothing is built when the stores are opened. Another process may write to any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reatt_store.clusters.lists import Clusters
from reatt_store.errors import ModelMismatch, StoreDamaged, UsageError
from reatt_store.joined.twins import Twins, twins
from reatt_store.lexical import search as words
from reatt_store.lexical.joint import JointWords
from reatt_store.library import Library, shared_folder
from reatt_store.records import MOST, PER_STORE, Generation, StoredChunk, StoredDocument
from reatt_store.selection import EVERYTHING, Selection
from reatt_store.vectors.segments import Segment

LARGEST = MOST // PER_STORE - 1  # stores whose ids are exact in JSON
_Place = tuple[int, int]  # of a chunk's vectors: segment id, position


class JoinedLibrary:
    """Several stores, open for searching; a context manager that closes them."""

    def __init__(self, libraries: Sequence[Library]) -> None:
        self.libraries = list(libraries)
        self._made: list[tuple[int | None, ...]] = []  # the generations of each joint one that was met
        self._opened: tuple[int, list[Segment], Twins] | None = None  # the latest generation that was opened

    @classmethod
    def open(cls, folders: Sequence[Path]) -> JoinedLibrary:
        """Open stores; raises like `Library.open`, and UsageError for more than can be told apart."""
        if len(folders) > LARGEST:
            raise UsageError(f"{len(folders):,} stores are too many; at most {LARGEST:,} are searched together", "")
        opened: list[Library] = []
        try:
            opened.extend(map(Library.open, folders))
        except BaseException:
            for library in opened:
                library.close()
            raise
        return cls(opened)

    def close(self) -> None:
        """Close the connections; mapped segments stay valid."""
        for library in self.libraries:
            library.close()

    def __enter__(self) -> JoinedLibrary:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def version(self) -> tuple[int, ...]:
        """Return numbers that change with every commit to any of the stores."""
        return tuple(library.version() for library in self.libraries)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Read one state of every store for a block; commits wait for its end, up to a minute."""
        with ExitStack() as held:
            for library in self.libraries:
                held.enter_context(library.still())
            yield

    @property
    def leading(self) -> Library:
        """The store whose model asks: the first that has vectors, or else the first."""
        encoded = (library for library in self.libraries if library.generation() is not None)
        return next(encoded, self.libraries[0])

    def documents(self, among: Selection = EVERYTHING) -> Iterator[StoredDocument]:
        """Yield the documents, store by store, oldest first."""
        for number, library in enumerate(self.libraries):
            for stored in library.documents(among):
                yield replace(stored, id=_joint(number, stored.id), store=str(library.folder))

    def root(self) -> str:
        """Return the folder that the documents of all stores lie in; "" if there is none but the file system's root."""
        return shared_folder(self.ends())

    def ends(self) -> list[str]:
        """Return the first and the last path of all documents; none where there are no documents."""
        paths = [path for library in self.libraries for path in library.ends()]
        return [min(paths), max(paths)] if paths else []

    def chunks(self, ids: Sequence[int]) -> list[StoredChunk]:
        """Return chunks in the given order, without those that were removed since their ids were found."""
        found = {}
        for number, library, own in self._by_store(ids):
            for stored in library.chunks(own):
                id, document = _joint(number, stored.id), _joint(number, stored.document_id)
                found[id] = replace(stored, id=id, document_id=document, store=str(library.folder))
        return [found[id] for id in ids if id in found]

    def words(self, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, BM25) of the chunks that best match the question's words, best first."""
        with self.still():  # the statistics of a store and what it finds are of one state
            return words.search(self._words(among), question, limit, among)

    def names(self, question: str, limit: int, among: Selection = EVERYTHING) -> list[tuple[int, float]]:
        """Return (chunk id, score) of the chunks whose file, folders, title or author a question names, best first."""
        with self.still():
            return words.names(self._words(among), question, limit, among)

    def generation(self) -> Generation | None:
        """Return the current generation, under the name of the leading store's model; None if no store has vectors.

        Raises ModelMismatch if two stores were encoded by different models.
        """
        current = [library.generation() for library in self.libraries]
        made = [(library, each) for library, each in zip(self.libraries, current, strict=True) if each is not None]
        if not made:
            return None
        (first, leading), *others = made
        for library, each in others:
            if (each.fingerprint, each.method) != (leading.fingerprint, leading.method):
                raise _differ(first, leading, library, each)
        return self._joined(leading, tuple(each.id if each else None for each in current))

    def generations(self) -> list[Generation]:
        """Return the generations that were met here and are still in all of their stores, oldest first."""
        there = [{each.id: each for each in library.generations()} for library in self.libraries]
        found = []
        for made in self._made:
            own = [each.get(id) for each, id in zip(there, made, strict=True) if id is not None]
            if own and own[0] and all(own):
                found.append(self._joined(own[0], made))
        return found

    def parts(self, generation: int) -> list[tuple[Library, int]]:
        """Return the stores, each with its own generation; 0, which none is, for a store without vectors."""
        made = self._made[generation // PER_STORE - 1]
        return [(library, id or 0) for library, id in zip(self.libraries, made, strict=True)]

    def segments(self, generation: int) -> list[Segment]:
        """Map all segments of a generation, oldest first."""
        found = [
            replace(segment, id=_joint(number, segment.id))
            for number, (library, own) in enumerate(self.parts(generation))
            for segment in library.segments(own)
        ]
        self._opened = generation, found, twins(found)
        return found

    def live(self, generation: int, among: Selection = EVERYTHING) -> dict[int, NDArray[np.bool_]] | None:
        """Return segment id -> (c,) which chunks a search may return, each text once; None if all may."""
        segments, twins = self._at(generation)
        masks = {segment.id: np.ones(len(segment.digests), np.bool_) for segment in segments}
        limited = len(twins) > 0
        for number, (library, own) in enumerate(self.parts(generation)):
            live = library.live(own, among)
            if live is not None:
                limited = True
                masks = {id: mask for id, mask in masks.items() if id // PER_STORE != number}
                masks |= {_joint(number, id): mask for id, mask in live.items()}
        twins.keep_first(masks)
        return masks if limited else None

    def chunk_ids(self, generation: int, places: Sequence[_Place], among: Selection = EVERYTHING) -> list[list[int]]:
        """Return the ids of the chunks at each (segment id, position): several where texts are equal, in any store."""
        _, twins = self._at(generation)
        rows = [(row, place) for row, (segment, position) in enumerate(places) for place in twins.of(segment, position)]
        found: list[list[int]] = [[] for _ in places]
        for number, (library, own) in enumerate(self.parts(generation)):
            here = [(row, segment, position) for row, (segment, position) in rows if segment // PER_STORE == number]
            ids = library.chunk_ids(own, [(segment % PER_STORE, position) for _, segment, position in here], among)
            for (row, _, _), chunks in zip(here, ids, strict=True):
                found[row] += [_joint(number, id) for id in chunks]
        return found

    def places(self, generation: int, chunk_ids: Sequence[int]) -> dict[int, _Place]:
        """Return chunk id -> (segment id, position) of the vectors of those chunks that are encoded."""
        _, twins = self._at(generation)
        parts, found = self.parts(generation), dict[int, _Place]()
        for number, library, own in self._by_store(chunk_ids):
            for id, (segment, position) in library.places(parts[number][1], own).items():
                found[_joint(number, id)] = twins.of(_joint(number, segment), position)[0]
        return found

    def all_clusters(self, generation: int) -> list[Clusters]:
        """Map the clusters of the stores' keys, each of the segments of one store."""
        made = [library.clusters(own) for library, own in self.parts(generation)]
        return [
            replace(each, segments=each.segments + np.array([_joint(number, 0), 0]))
            for number, each in enumerate(made)
            if each is not None
        ]

    def _words(self, among: Selection) -> JointWords:
        return JointWords([library.index(among) for library in self.libraries])

    def _joined(self, leading: Generation, made: tuple[int | None, ...]) -> Generation:
        """Give the generations of the stores one number, which ends in that of the leading store."""
        if made not in self._made:
            self._made.append(made)
        return replace(leading, id=_joint(self._made.index(made) + 1, leading.id))

    def _at(self, generation: int) -> tuple[list[Segment], Twins]:
        if self._opened is None or self._opened[0] != generation:
            self.segments(generation)
        assert self._opened is not None
        return self._opened[1:]

    def _by_store(self, ids: Sequence[int]) -> Iterator[tuple[int, Library, list[int]]]:
        """Yield the place of each store, the store, and those of the ids that are its own, as it knows them."""
        for number, library in enumerate(self.libraries):
            if own := [id % PER_STORE for id in ids if id // PER_STORE == number]:
                yield number, library, own


def _joint(number: int, id: int) -> int:
    if not 0 <= id < PER_STORE:
        raise StoreDamaged(f"the store has an id that reatt does not give: {id}", "reatt check --repair")
    return number * PER_STORE + id


def _differ(one: Library, leading: Generation, other: Library, made: Generation) -> ModelMismatch:
    models = [f"{each.model_name} {each.model_sha256[:8]} ({each.method})" for each in (leading, made)]
    told = f"stores of different models cannot be searched together: {one.folder} has {models[0]}, {other.folder} has"
    return ModelMismatch(
        f"{told} {models[1]}", "search them one by one, or give both one model: reatt ingest --reencode"
    )
