"""Files to findable chunks: read, cut, encode, publish; batch after batch, so that memory is flat and a kill costs one.

A batch is sealed as one segment and becomes visible in one transaction. Vectors are known by the digest of their text:
what is already encoded, by an earlier run or in another document, is never encoded again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reatt.documents.chunking import stream
from reatt.documents.files import as_text, digest, found_in, not_followed, steady, storable, vanished
from reatt.documents.languages import language, notices
from reatt.documents.reader import FoundFile, ReadLimits, Text, read_stdin
from reatt.model.backbone import ChunkText, Encoder
from reatt.model.tokens import HEAD_TOKENS
from reatt.progress import OnProgress, Progress
from reatt.search.encode import encode
from reatt.weights.folder import ModelFolder
from reatt.weights.models import drop_unused, keep_in_store
from reatt_store.errors import DocumentError, EmptyDocument, ModelMismatch, Notice, NotText, ParseLimit, PdfNoText
from reatt_store.library import Chunk, Document, Generation, Library, Writer
from reatt_store.records import Problem

BATCH_CHUNKS = 512  # chunks sealed together: some seconds of encoding, which is what a kill can cost
SHOWN_WARNINGS = 20
FINAL = (PdfNoText.id, ParseLimit.id)  # dear to find out, and no other on the next attempt at the same bytes


@dataclass(frozen=True)
class IngestOptions:
    """What to read, and what to do beside reading it."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prune: bool = False
    reencode: bool = False
    retry: bool = False  # read again what took too long, or was only pictures, at an earlier attempt
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
    duplicates: int = 0  # contents of added files that more than one file has: one set of vectors serves them
    chunks: int = 0
    tokens: int = 0  # newly encoded
    bytes: int = 0  # of the store
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def preflight(paths: Sequence[str], options: IngestOptions) -> None:
    """Raise what is wrong with the paths (NoSuchPath, NothingFound) before a store is made for them."""
    for _ in found_in(paths, options.include, options.exclude):
        return


def foresee(library: Library | None, paths: Sequence[str], options: IngestOptions) -> IngestReport:
    """Count the files that an ingest would read, and their bytes; no model is needed, nothing parsed or written.

    A file of JSON Lines that is known counts as changed: only reading it tells which of its records are.
    """
    report, links = IngestReport(0), list[Path]()
    for found in found_in(paths, options.include, options.exclude, links.append):
        known = library.digests(storable(found.path)) if library else {}
        same = bool(known) and known.get(None) == digest(found.path)
        report.seen += 1
        report.added += not known
        report.unchanged += same
        report.changed += bool(known) and not same
        report.bytes += found.path.stat().st_size if found.path.is_file() else 0
    report.warnings += not_followed(links)
    return report


def ingest(
    library: Library,
    backbone: Encoder,
    model: ModelFolder,
    paths: Sequence[str],
    options: IngestOptions,
    on_progress: OnProgress,
) -> IngestReport:
    """Read files into the store; unchanged ones are skipped, changed ones replaced, bad ones noted.

    Raises `StoreLocked` at once if another process writes, and `ModelMismatch` if the store was encoded by another
    model and `options.reencode` does not ask to move over.
    """
    started, fingerprint = time.monotonic(), backbone.fingerprint()
    with library.writing() as writer:
        current = library.generation()
        now = (fingerprint, backbone.method)
        if current and (current.fingerprint, current.method) != now and not options.reencode:
            raise _mismatch(current, model, backbone)
        keep_in_store(model, library.folder)
        generation = writer.begin_generation(fingerprint, model.name, model.sha256, backbone.method)
        run = _Run(library, writer, backbone, IngestReport(generation), on_progress)
        if current is None or current.id != generation:
            run.reencode()  # also what a run that was killed before the first switch has left
            writer.switch(generation)
        links: list[Path] = []
        run.read_all(list(found_in(paths, options.include, options.exclude, links.append)), options)
        _drop_others(library, writer, generation, options)
        run.look_back(paths, options, links)
        run.report.warnings[:0] = notices(run.languages, model.name, model.settings)
        if run.report.changed or run.report.removed or library.live(generation) is not None:
            writer.compact()  # what was replaced is to leave the disk, too
    status = library.status()
    run.report.bytes = status.bytes.sqlite + status.bytes.vectors
    run.report.seconds = time.monotonic() - started
    del run.report.warnings[SHOWN_WARNINGS:]
    return run.report


def complete(library: Library, writer: Writer, backbone: Encoder, generation: int, on_progress: OnProgress) -> int:
    """Encode what a generation lacks of the store, so that it can come into force; return how many tokens were."""
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
        backbone: Encoder,
        report: IngestReport,
        tell: OnProgress,
    ) -> None:
        self.library, self.writer, self.backbone, self.report, self.tell = library, writer, backbone, report, tell
        self.documents: list[tuple[Document, list[Chunk]]] = []
        self.waiting: dict[bytes, ChunkText] = {}
        self.encoded = 0  # chunks
        self.languages: Counter[str | None] = Counter()  # of the documents read; None where it cannot be told
        self.new: set[str] = set()  # digests of the files that were not there before
        self.at = Progress("read", 0, None)

    def read_all(self, files: Sequence[FoundFile], options: IngestOptions) -> None:
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

    def _read_file(self, found: FoundFile, options: IngestOptions) -> None:
        path = storable(found.path)
        known = self.library.digests(path)
        if None in known and known[None] == digest(found.path):
            self.report.unchanged += 1
            return
        problem = None if options.retry else self.library.problem(path)
        if problem and problem.id in FINAL and problem.digest == digest(found.path):
            self._note(problem)
            return
        kept: set[str | None] = set()
        texts = read_stdin(sys.stdin.buffer) if path == "-" else steady(found, options.limits)
        for text in texts:
            self.report.warnings += [_about(path, warning) for warning in text.warnings]
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

    def look_back(self, paths: Sequence[str], options: IngestOptions, links: Sequence[Path]) -> None:
        """Remove the documents whose files are gone, or say how many there are; tell what else came up."""
        gone = vanished(self.library.paths(), paths)
        if options.prune:
            self.report.removed += sum(self.writer.forget_path(path) for path in gone)
        elif gone:
            message = f"{len(gone):,} {'file is' if len(gone) == 1 else 'files are'} gone, but not from the store"
            self.report.warnings.append(Notice("VANISHED", f"{message}: --prune removes what is gone"))
        self.report.duplicates = len(self.new & self.library.repeated()) if self.new else 0
        self.report.warnings += not_followed(links)

    def _take(self, text: Text, known: bool) -> None:
        self.languages[language(text.text)] += 1
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
            self.new |= {text.digest} if text.external_id is None else set()

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
        self.report.tokens += segment.tokens if segment else 0
        self.writer.publish(self.documents, segment, self.report.generation)
        self.documents, self.waiting = [], {}

    def _encoded(self, chunks: int) -> None:
        """Show a sign of life, and let whoever listens stop the run, some times a second."""
        self.encoded += chunks
        self.tell(replace(self.at, note=f"{self.at.note}  {self.encoded:,} passages".strip()))

    def _pass_over(self, found: FoundFile, error: DocumentError) -> None:
        if found.explicit and isinstance(error, NotText):
            self._fail(found, error)
        else:
            self.report.skipped += 1
            self.report.removed += self.writer.forget_path(storable(found.path))  # of when it still held text

    def _fail(self, found: FoundFile, error: DocumentError) -> None:
        path, message = storable(found.path), as_text(error.message)
        problem = Problem(path, error.id, message, as_text(error.fix), digest(found.path))
        if self.library.problem(path) != problem:
            self.writer.record_problem(problem)
        self._note(problem)

    def _note(self, problem: Problem) -> None:
        self.report.problems.append(problem)
        self.report.failed += 1


def _mismatch(current: Generation, model: ModelFolder, backbone: Encoder) -> ModelMismatch:
    """Say what the store was encoded by, and how to move it over."""
    if current.method != backbone.method:
        wanted = {"reatt-states": "--keep-states"}.get(backbone.method, f"--method {backbone.method}")
        fix = f"leave out {wanted}, or move the store over: reatt ingest --reencode {wanted}"
        return ModelMismatch(f"the store was encoded for {current.method}, not for {backbone.method}", fix)
    fix = "leave out --model, or move the store over: reatt ingest --reencode"
    return ModelMismatch(f"the store was encoded by {current.model_name}, not by {model.name}", fix)


def _about(path: str, warning: str) -> str:
    """Say which file a warning is about; one that has an id keeps it."""
    message = f"{path}: {as_text(warning)}"
    return Notice(warning.id, message) if isinstance(warning, Notice) else message


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
