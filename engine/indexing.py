"""Files to findable chunks: read, cut, encode, publish; batch after batch, so that memory is flat and a kill costs one.

A batch is sealed as one segment and becomes visible in one transaction. Vectors are known by the digest of their text:
what is already encoded, by an earlier run or in another document, is never encoded again.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reatt_engine.backbone import Backbone, ChunkText
from reatt_engine.chunking import stream
from reatt_engine.documents import Found, ReadLimits, Text, find, read, read_stdin
from reatt_engine.folders import ModelFolder
from reatt_engine.models import drop_unused, keep_in_store
from reatt_engine.tokens import HEAD_TOKENS
from reatt_store.errors import DocumentError, EmptyDocument, ModelMismatch, NotText
from reatt_store.library import Chunk, Document, Library, Writer
from reatt_store.records import Problem
from reatt_store.segments import Draft, draft

BATCH_CHUNKS = 512  # chunks sealed together: some seconds of encoding, which is what a kill can cost
ENCODE_CHUNKS = 16  # chunks encoded together: on a CPU more fall out of its caches
SHOWN_WARNINGS = 20


@dataclass(frozen=True)
class Progress:
    """How far a long run is."""

    phase: str
    done: int
    total: int | None
    note: str = ""


@dataclass(frozen=True)
class IngestOptions:
    """What to read, and what to do beside reading it."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prune: bool = False
    reencode: bool = False
    limits: ReadLimits = field(default_factory=ReadLimits)


@dataclass
class IngestReport:
    """What a run did; counts are of documents, `skipped` of files that hold no text."""

    generation: int
    seen: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: int = 0
    failed: int = 0
    chunks: int = 0
    tokens: int = 0  # newly encoded
    bytes: int = 0  # of the store
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def preflight(paths: Sequence[str], options: IngestOptions) -> None:
    """Raise what is wrong with the paths (NoSuchPath, NothingFound) before a store is made for them."""
    for _ in _files(paths, options, []):
        return


def ingest(
    library: Library,
    backbone: Backbone,
    model: ModelFolder,
    paths: Sequence[str],
    options: IngestOptions,
    on_progress: Callable[[Progress], None],
) -> IngestReport:
    """Read files into the store; unchanged ones are skipped, changed ones replaced, bad ones noted.

    Raises `StoreLocked` at once if another process writes, and `ModelMismatch` if the store was encoded by another
    model and `options.reencode` does not ask to move over.
    """
    started, fingerprint = time.monotonic(), backbone.fingerprint()
    with library.writing() as writer:
        current = library.generation()
        if current and current.fingerprint != fingerprint and not options.reencode:
            fix = "leave out --model, or move the store over: reatt ingest --reencode"
            raise ModelMismatch(f"the store was encoded by {current.model_name}, not by {model.name}", fix)
        keep_in_store(model, library.folder)
        generation = writer.begin_generation(fingerprint, model.name, model.sha256)
        run = _Run(library, writer, backbone, IngestReport(generation), on_progress)
        if current is None or current.id != generation:
            run.reencode()  # also what a run that was killed before the first switch has left
            writer.switch(generation)
        run.read_all(list(_files(paths, options, run.report.warnings)), options)
        _drop_others(library, writer, generation, options)
        if options.prune:
            run.report.removed += writer.remove(_vanished(library, paths))
        if run.report.changed or run.report.removed or library.live(generation) is not None:
            writer.compact()  # what was replaced is to leave the disk, too
    status = library.status()
    run.report.bytes = status.bytes.sqlite + status.bytes.vectors
    run.report.seconds = time.monotonic() - started
    del run.report.warnings[SHOWN_WARNINGS:]
    return run.report


def complete(
    library: Library, writer: Writer, backbone: Backbone, generation: int, on_progress: Callable[[Progress], None]
) -> int:
    """Encode what a generation lacks of the store, so that it can come into force; return how many keys were made."""
    assert backbone.fingerprint() in {made.fingerprint for made in library.generations() if made.id == generation}
    run = _Run(library, writer, backbone, IngestReport(generation), on_progress)
    run.reencode()
    return run.report.tokens


class _Run:
    """One ingest: the batch that is being gathered, and what has been done."""

    def __init__(
        self,
        library: Library,
        writer: Writer,
        backbone: Backbone,
        report: IngestReport,
        tell: Callable[[Progress], None],
    ) -> None:
        self.library, self.writer, self.backbone, self.report, self.tell = library, writer, backbone, report, tell
        self.documents: list[tuple[Document, list[Chunk]]] = []
        self.waiting: dict[bytes, ChunkText] = {}
        self.encoded = 0  # chunks
        self.at = Progress("read", 0, None)

    def read_all(self, files: Sequence[Found], options: IngestOptions) -> None:
        """Read every file, going on after one that cannot be read."""
        for number, found in enumerate(files):
            self.at = Progress("read", number, len(files), found.path.name)
            self.tell(self.at)
            self.report.seen += 1
            try:
                self._read_file(found, options)
            except (NotText, EmptyDocument) as error:
                self._pass_over(found, error)
            except DocumentError as error:
                self._fail(found, error)
        self._publish()
        self.tell(Progress("read", len(files), len(files)))

    def reencode(self) -> None:
        """Encode what the store holds anew, for a generation of another model."""
        total = self.library.status().chunks
        for number, stored in enumerate(self.library.unencoded(self.report.generation)):
            self.at = Progress("encode", number, total)
            self._wait_for(stored.chunk)
        self._publish()

    def _read_file(self, found: Found, options: IngestOptions) -> None:
        path = storable(found.path)
        known = self.library.digests(path)
        if None in known and known[None] == _digest(found.path):
            self.report.unchanged += 1
            return
        kept: set[str | None] = set()
        texts = read_stdin(sys.stdin.buffer) if path == "-" else read(found, options.limits)
        for text in texts:
            self.report.warnings += [f"{path}: {warning}" for warning in text.warnings]
            if not text.text.strip():
                self.report.skipped += 1
                continue
            kept.add(text.external_id)
            if known.get(text.external_id) == text.digest:
                self.report.unchanged += 1
            else:
                self._take(text, known=text.external_id in known)
        if known.keys() - kept:
            self._publish()
            self.report.removed += self.writer.forget_path(path, keep=kept)
        self.writer.clear_problem(path)

    def _take(self, text: Text, known: bool) -> None:
        chunks: list[Chunk] = []
        for chunk in stream(text, self.backbone.count_tokens, self.backbone.max_chunk_tokens - HEAD_TOKENS):
            chunks.append(chunk)
            self._wait_for(chunk)
        document = Document(
            text.path, text.external_id, text.title, text.kind, text.digest, text.size, max(1, len(text.pages))
        )
        self.documents.append((document, chunks))
        self.report.chunks += len(chunks)
        if known:
            self.report.changed += 1
        else:
            self.report.added += 1

    def _wait_for(self, chunk: Chunk) -> None:
        self.waiting[chunk.digest] = ChunkText(chunk.title, chunk.text)
        if len(self.waiting) >= BATCH_CHUNKS:
            self._publish()

    def _publish(self) -> None:
        """Encode what waits and make it, and the documents that are complete, visible in one transaction."""
        if not self.waiting and not self.documents:
            return
        missing = self.library.missing(self.report.generation, self.waiting)
        passages = {digest: passage for digest, passage in self.waiting.items() if digest in missing}
        segment = encode(self.backbone, passages, self._encoded) if passages else None
        self.report.tokens += len(segment.keys) if segment else 0
        self.writer.publish(self.documents, segment, self.report.generation)
        self.documents, self.waiting = [], {}

    def _encoded(self, chunks: int) -> None:
        """Show a sign of life, and let whoever listens stop the run, some times a second."""
        self.encoded += chunks
        self.tell(replace(self.at, note=f"{self.at.note}  {self.encoded:,} passages".strip()))

    def _pass_over(self, found: Found, error: DocumentError) -> None:
        if found.explicit and isinstance(error, NotText):
            self._fail(found, error)
        else:
            self.report.skipped += 1
            self.report.removed += self.writer.forget_path(storable(found.path))  # of when it still held text

    def _fail(self, found: Found, error: DocumentError) -> None:
        path = os.fsencode(found.path).decode("utf-8", "backslashreplace")
        problem = Problem(path, error.id, error.message, error.fix, _digest(found.path))
        if self.library.problem(path) != problem:
            self.writer.record_problem(problem)
        self.report.problems.append(problem)
        self.report.failed += 1


def encode(backbone: Backbone, passages: dict[bytes, ChunkText], on_chunks: Callable[[int], None]) -> Draft:
    """Encode chunks in groups of like length, so that little is padded, and gather their keys in the order given.

    `on_chunks` hears the size of each group when it is done.
    """
    order = sorted(passages, key=lambda digest: len(passages[digest].text))
    codes: dict[bytes, NDArray[np.float32]] = {}
    for group in (order[at : at + ENCODE_CHUNKS] for at in range(0, len(order), ENCODE_CHUNKS)):
        encoded = backbone.encode_chunks([passages[digest] for digest in group])
        codes |= {digest: code.keys.cpu().numpy() for digest, code in zip(group, encoded, strict=True)}
        on_chunks(len(group))
    return draft(list(passages), [codes[digest] for digest in passages])


def _files(paths: Sequence[str], options: IngestOptions, warnings: list[str]) -> Iterator[Found]:
    if "-" in paths:
        yield Found(Path("-"), explicit=True)
    named = [path for path in paths if path != "-"]
    if named:
        links: Callable[[Path], None] = lambda link: warnings.append(f"{link}: symbolic link not followed")  # noqa: E731
        yield from find(named, options.include, options.exclude, links)


def _drop_others(library: Library, writer: Writer, generation: int, options: IngestOptions) -> None:
    """Drop the generations that are left behind.

    Kept are those of earlier models, for a rollback, and later ones: moves that were cut short and may yet go on.
    """
    others = [made.id for made in library.generations() if made.id != generation]
    kept = {model.generation for model in library.models()}
    for id in others:
        if options.reencode or (id < generation and id not in kept):
            writer.drop_generation(id)
    if others:
        drop_unused(library)


def _vanished(library: Library, paths: Sequence[str]) -> list[int]:
    """Name the documents below the given paths whose files are gone."""
    roots = [os.path.abspath(os.path.expanduser(path)) for path in paths]
    gone = []
    for stored in library.documents():
        path = stored.document.path
        below = any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
        if below and not os.path.lexists(path):
            gone.append(stored.id)
    return gone


def storable(path: Path) -> str:
    """Return a path as the store can hold it; raises DocumentError if its bytes are not UTF-8."""
    try:
        return str(path).encode("utf-8").decode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise DocumentError("its name is not UTF-8", "rename it", shown) from None


def _digest(path: Path) -> str:
    """Digest a file's bytes; "" for what is no file or cannot be read: reading it will say why."""
    try:
        if not path.is_file():
            return ""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
