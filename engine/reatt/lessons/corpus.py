"""The chunks of a store in memory, as training needs them: texts, their documents, and which texts are equal.

This takes some hundred bytes per chunk plus the text. Examples are held out by group: a file or, in files of records,
all records with the same title, because paragraphs of one article answer each other's questions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reatt.model.backbone import ChunkText
from reatt_store.library import Library, StoredChunk

FEW_GROUPS = 20  # with fewer groups they are cut; otherwise nothing could be held out of one long book
SECTION = 20  # chunks, about six pages


@dataclass(frozen=True)
class Corpus:
    """All chunks of a store, in the order of their ids; a chunk's number is its place here."""

    ids: tuple[int, ...]  # store chunk ids
    passages: tuple[ChunkText, ...]
    groups: tuple[str, ...]
    documents: tuple[int, ...]  # store document ids
    names: tuple[str, ...]  # name of the document: a record's external id, or a file's path
    equal: tuple[int, ...]  # the number of the first chunk with this title and text

    @classmethod
    def of(cls, library: Library) -> Corpus:
        """Read all chunks of a store."""
        chunks = list(library.every_chunk())
        titles = {stored.id: stored.document.title for stored in library.documents()}
        first: dict[bytes, int] = {}
        return cls(
            tuple(stored.id for stored in chunks),
            tuple(ChunkText(stored.chunk.title, stored.chunk.text) for stored in chunks),
            _sections([_group(stored, titles.get(stored.document_id, "")) for stored in chunks]),
            tuple(stored.document_id for stored in chunks),
            tuple(stored.external_id or stored.path for stored in chunks),
            tuple(first.setdefault(stored.chunk.digest, number) for number, stored in enumerate(chunks)),
        )

    @cached_property
    def number(self) -> Mapping[int, int]:
        """Store chunk id -> number."""
        return {id: number for number, id in enumerate(self.ids)}

    @cached_property
    def copies(self) -> Mapping[int, tuple[int, ...]]:
        """Number of the first -> ids of all chunks of equal text, where there is more than one."""
        found: dict[int, list[int]] = defaultdict(list)
        for id, first in zip(self.ids, self.equal, strict=True):
            found[first].append(id)
        return {first: tuple(ids) for first, ids in found.items() if len(ids) > 1}

    def same(self, id: int) -> tuple[int, ...]:
        """Return the ids of all chunks with this text, including this one."""
        return self.copies.get(self.equal[self.number[id]], (id,))

    @cached_property
    def by_name(self) -> Mapping[str, tuple[int, ...]]:
        """Name of a document, or the last part of its path -> numbers of its chunks."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self.names):
            for known in {name, name.rpartition("/")[2]}:
                found[known].append(number)
        return {name: tuple(numbers) for name, numbers in found.items()}

    @cached_property
    def group_documents(self) -> Mapping[str, int]:
        """Group -> how many documents it holds."""
        return Counter(group for group, _ in set(zip(self.groups, self.documents, strict=True)))


def _group(stored: StoredChunk, title: str) -> str:
    return stored.path if stored.external_id is None else title or stored.external_id


def _sections(groups: Sequence[str]) -> tuple[str, ...]:
    """Cut the groups of a corpus with few groups into runs of `SECTION` chunks.

    >>> _sections(["a", "a", "b"])
    ('a#0', 'a#0', 'b#0')
    """
    if len(set(groups)) >= FEW_GROUPS:
        return tuple(groups)
    return tuple(f"{group}#{place // SECTION}" for group, place in zip(groups, _places(groups), strict=True))


def _places(groups: Iterable[str]) -> Iterable[int]:
    seen: Counter[str] = Counter()
    for group in groups:
        yield seen[group]
        seen[group] += 1
