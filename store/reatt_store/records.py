"""The records of a store: frozen dataclasses without behaviour, except their names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from types import NoneType
from typing import Any

from reatt_store.errors import StoreDamaged

DIGEST_BYTES = 16
MOST = 1 << 53  # no number of a store is larger, and all are exact in JSON
PER_STORE = 1 << 44  # where several stores are one: the ids of the second begin here, those of the third at twice this
_TYPES: dict[str, tuple[type, ...]] = {
    "n": (int,), "N": (int, NoneType), "t": (str,), "T": (str, NoneType), "b": (bytes,),
}  # fmt: skip


def sound(what: str, columns: str, row: Sequence[Any]) -> Sequence[Any]:
    """Return a row whose columns have their types: n a number, t a text, b bytes, in capitals if they may be NULL.

    SQLite holds no column to its type, so a damaged store, or a stranger's, can have anything anywhere.
    """
    numbers = [value for value in row if type(value) is int]
    if tuple(map(type, row)) not in _kinds(columns) or (numbers and not 0 <= min(numbers) <= max(numbers) <= MOST):
        raise StoreDamaged(f"a row of {what} is damaged", "reatt check --repair")
    return row


@cache
def _kinds(columns: str) -> frozenset[tuple[type, ...]]:
    return frozenset(product(*(_TYPES[column] for column in columns)))


@dataclass(frozen=True)
class Chunk:
    """A stretch of a document's text; the chunks of a document tile its text exactly."""

    ordinal: int
    char_start: int
    char_end: int
    line: int  # 1-based line of the first character that is not a space
    page: int | None  # 1-based
    title: str
    text: str

    @cached_property
    def digest(self) -> bytes:
        """Identify what is encoded; chunks with equal digests share one set of vectors."""
        content = f"{self.title}\0{self.text.rstrip()}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


@dataclass(frozen=True)
class Document:
    """A source text; (path, external_id) is its identity."""

    path: str  # absolute posix path, or "-" for standard input
    external_id: str | None  # the `_id` of a record in a JSON Lines file
    title: str
    kind: str
    digest: str  # hexadecimal BLAKE2b of the source bytes or the record
    size: int  # bytes
    pages: int
    author: str = ""
    dated: str = ""  # the date that it gives itself, ISO 8601
    modified: str = ""  # when its file was changed, ISO 8601
    ocr_pages: int = 0  # that were read by OCR
    ocr_confidence: int = 0  # of these on average, in thousandths

    @property
    def origin(self) -> tuple[str, str, str]:
        """What is known of its making."""
        return self.author, self.dated, self.modified

    @property
    def scan(self) -> tuple[int, int]:
        """What is known of its reading by OCR."""
        return self.ocr_pages, self.ocr_confidence


@dataclass(frozen=True)
class StoredDocument:
    """A stored document."""

    id: int
    document: Document
    chunks: int
    added_at: str  # UTC, ISO 8601
    store: str | None = None  # the folder of its store, where several are searched as one

    @property
    def name(self) -> str:
        """What a person calls it, in its own store: D-12."""
        return f"D-{own(self.id, self.store)}"


@dataclass(frozen=True)
class StoredChunk:
    """A stored chunk with its document."""

    id: int
    document_id: int
    path: str
    external_id: str | None
    chunk: Chunk
    store: str | None = None  # the folder of its store, where several are searched as one

    @property
    def name(self) -> str:
        """What a person calls it, in its own store: C-345."""
        return f"C-{own(self.id, self.store)}"

    @property
    def document_name(self) -> str:
        """What a person calls its document, in its own store: D-12."""
        return f"D-{own(self.document_id, self.store)}"


def own(id: int, store: str | None) -> int:
    """Return the id that a chunk or document has in its own store.

    >>> own(PER_STORE + 7, "/home/ada/work"), own(7, None)
    (7, 7)
    """
    return id if store is None else id % PER_STORE


@dataclass(frozen=True)
class Problem:
    """A file, or a record of one, that could not be read at the last attempt."""

    path: str
    id: str  # of the error, such as PDF_PASSWORD
    detail: str
    fix: str
    digest: str  # of the bytes that failed; "" if even those cannot be read


@dataclass(frozen=True)
class Holder:
    """The process that writes to the store."""

    pid: int
    host: str
    command: str
    since: str  # UTC, ISO 8601


@dataclass(frozen=True)
class Sizes:
    """Bytes on disk by purpose."""

    sqlite: int
    vectors: int
    cache: int
    models: int


@dataclass(frozen=True)
class Generation:
    """One encoding of the whole corpus: keys are comparable within a generation and never across two."""

    id: int
    fingerprint: str
    model_name: str
    model_sha256: str
    method: str
    created_at: str  # UTC, ISO 8601
    current: bool


@dataclass(frozen=True)
class StoreModel:
    """The current model or an earlier one, with the generation whose vectors it searches."""

    id: int  # increases with time
    generation: int
    name: str
    sha256: str
    added_at: str  # UTC, ISO 8601
    current: bool


@dataclass(frozen=True)
class Outcome:
    """The end of a training run: figures by name, and whether its model is used."""

    before: dict[str, float]
    after: dict[str, float]
    accepted: bool
    reason: str
    model_sha256: str | None  # of the model that it made; None if it made none


@dataclass(frozen=True)
class Run:
    """A training run on a store."""

    id: int
    started_at: str  # UTC, ISO 8601
    ended_at: str | None  # None while it runs, and forever if it was killed
    mode: str
    settings: dict[str, Any]
    parent_sha256: str | None  # of the current model when it began
    outcome: Outcome | None


@dataclass(frozen=True)
class Scans:
    """What was read by OCR."""

    documents: int
    pages: int
    confidence: float  # 0 to 1, the mean over the pages; 0 where there are none


@dataclass(frozen=True)
class Status:
    """A summary of a store."""

    folder: str
    format: int
    generation: Generation | None
    documents: int
    chunks: int
    pending: int  # chunks that the current generation has not encoded
    tokens: int  # that the current generation has encoded
    bytes: Sizes
    problems: int
    scans: Scans
    last_ingest: str | None  # UTC, ISO 8601
    holder: Holder | None


@dataclass(frozen=True)
class Damage:
    """One damaged part of a store."""

    what: str  # file, database, words, document, chunk, segment, clusters, encoding
    id: str
    detail: str
    repairable: bool  # from other data in the store, without the source file


@dataclass(frozen=True)
class Doubted:
    """A document whose stored text is damaged or incomplete, so that its file must be read again."""

    id: int
    path: str
    external_id: str | None


@dataclass(frozen=True)
class CheckReport:
    """The result of a full check."""

    checked: int
    damaged: tuple[Damage, ...]
    orphans: int  # files that no row names; harmless, and removed by the next writer
    seconds: float

    @property
    def ok(self) -> bool:
        """Return whether nothing is damaged."""
        return not self.damaged


def seal(document: Document, chunks: Sequence[Chunk]) -> bytes:
    """Digest everything stored about a document, so that a check finds one flipped bit; SQLite has no checksums."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    source = (document.path, document.external_id, document.title, document.kind, document.digest, document.size)
    origin = document.origin if any(document.origin) else ()  # documents stored before these were kept have none
    scan = document.scan if any(document.scan) else ()
    state.update(repr((source, document.pages, len(chunks), *origin, *scan)).encode())
    for chunk in chunks:
        place = (chunk.ordinal, chunk.char_start, chunk.char_end, chunk.line, chunk.page, chunk.title)
        state.update(repr(place).encode())
        state.update(chunk.text.encode("utf-8", "surrogatepass"))
    return state.digest()


def sealed_as(document: Document, chunks: Sequence[Chunk], expected: object) -> bool:
    """Return whether a document matches its seal; damage can turn any column into any type."""
    try:
        return seal(document, chunks) == expected
    except AttributeError:  # not valid text
        return False
