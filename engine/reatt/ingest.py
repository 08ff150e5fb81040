"""From files to searchable chunks: read, cut, encode and publish, in batches.

Memory stays constant, and a kill loses at most one batch. A batch is sealed as one segment and becomes visible in one
transaction. Vectors are stored by the digest of their text, so a text that was encoded by an earlier run or for
another document is not encoded again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reatt.documents import problems
from reatt.documents.ahead import LOOK, Ahead
from reatt.documents.chunking import stream
from reatt.documents.files import Part, about, digest, found_in, modified, not_followed, storable, vanished
from reatt.documents.languages import language, long_enough, notices
from reatt.documents.problems import INTERRUPTED, PASSED_OVER
from reatt.documents.reader import FoundFile, ReadLimits, Text, blank, read_stdin
from reatt.model.backbone import KEEPING, ChunkText, Encoder
from reatt.model.tokens import HEAD_TOKENS
from reatt.progress import OnProgress, Pace, Progress
from reatt.search.encode import EncodeGroups, alone, batch_after, encode
from reatt.search.workers import encoding
from reatt.weights.folder import ModelFolder
from reatt.weights.models import drop_unused, keep_in_store
from reatt_store import vouching
from reatt_store.errors import DocumentError, ModelMismatch, Notice
from reatt_store.library import Chunk, Document, Generation, Library, Writer
from reatt_store.records import Problem

BATCH_CHUNKS = 512  # chunks sealed together, which a kill can lose: fewer where they would take long to encode
_FIRST_BATCH = 64
_LONG = 4  # batches of a document whose rows take long to write
SHOWN_WARNINGS = 20


@dataclass(frozen=True)
class IngestOptions:
    """What to read, and what else to do."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prune: bool = False
    reencode: bool = False
    retry: bool = False  # read files again that took too long or had no text
    workers: int = 1  # processes that encode; 1: this one
    limits: ReadLimits = field(default_factory=ReadLimits)
    part: Part | None = None  # read only these of the files; None: all


@dataclass
class IngestReport:
    """The result of a run. Counts are documents; `skipped` counts files without text."""

    generation: int
    seen: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: int = 0
    failed: int = 0
    ocr: list[tuple[float, ...]] = field(default_factory=list)  # of each document: how sure OCR was of its pages
    duplicates: int = 0  # contents of added files that several files share; they share one set of vectors
    chunks: int = 0
    tokens: int = 0  # newly encoded
    bytes: int = 0  # of the store
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    passed_over: list[Problem] = field(default_factory=list)  # files without text, and why
    warnings: list[str] = field(default_factory=list)


def preflight(paths: Sequence[str], options: IngestOptions) -> None:
    """Check the paths (raises NoSuchPath, NothingFound) before a store is created for them."""
    next(found_in(paths, options.include, options.exclude), None)


def foresee(library: Library | None, paths: Sequence[str], options: IngestOptions) -> IngestReport:
    """Count the files that an ingest would read, and their bytes; no model is needed, nothing parsed or written.

    A known file of JSON Lines counts as changed, because only reading it shows which records changed.
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
    """Read files into the store; unchanged ones are skipped, changed ones replaced, bad ones recorded.

    Raises `StoreLocked` at once if another process writes, and `ModelMismatch` if the store was encoded by another
    model and `options.reencode` is not set.
    """
    started, fingerprint = time.monotonic(), backbone.fingerprint()
    with library.writing() as writer, encoding(model, backbone, options.workers) as each:
        current = library.generation()
        if current and not options.reencode and (current.fingerprint, current.method) != (fingerprint, backbone.method):
            raise _mismatch(current, model, backbone)
        keep_in_store(model, library.folder)
        generation = writer.begin_generation(fingerprint, model.name, model.sha256, backbone.method)
        run = _Run(library, writer, backbone, IngestReport(generation), on_progress, each)
        if current is None or current.id != generation:
            run.reencode()  # includes what a run left that was killed before the first switch
            writer.switch(generation)
        links: list[Path] = []
        run.read_all(list(found_in(paths, options.include, options.exclude, links.append, options.part)), options)
        _drop_others(library, writer, generation, options)
        vouching.remember(library.folder, run.paths)
        run.look_back(paths, options, links)
        run.report.warnings[:0] = notices(run.languages, model.name, model.settings)
        if run.report.changed or run.report.removed or library.live(generation) is not None:
            # Delete replaced texts from the disk as well; what waits for its document stays.
            writer.compact(unfinished=any(problem.id == INTERRUPTED for problem in library.problems()))
    status = library.status()
    run.report.bytes = status.bytes.sqlite + status.bytes.vectors
    run.report.seconds = time.monotonic() - started
    del run.report.warnings[SHOWN_WARNINGS:]
    return run.report


def complete(library: Library, writer: Writer, backbone: Encoder, generation: int, on_progress: OnProgress) -> int:
    """Encode the texts that a generation lacks, so that it can become current; return the number of tokens."""
    assert backbone.fingerprint() in {made.fingerprint for made in library.generations() if made.id == generation}
    run = _Run(library, writer, backbone, IngestReport(generation), on_progress, alone(backbone))
    run.reencode()
    return run.report.tokens


class _Run:
    """One ingest: the current batch, and what has been done."""

    def __init__(
        self,
        library: Library,
        writer: Writer,
        backbone: Encoder,
        report: IngestReport,
        tell: OnProgress,
        each: EncodeGroups,
    ) -> None:
        self.library, self.writer, self.backbone, self.each = library, writer, backbone, each
        self.report, self.pace = report, Pace(tell)
        self.documents: list[tuple[Document, list[Chunk]]] = []
        self.waiting: dict[bytes, ChunkText] = {}
        self.batch = min(_FIRST_BATCH, BATCH_CHUNKS)  # chunks
        self.languages: Counter[str | None] = Counter()  # of the documents read; None if unknown
        self.new: set[str] = set()  # digests of the new files
        self.paths: set[str] = set()  # of the documents that were added or changed
        self.unclear: list[Problem] = []  # of documents that are not stored yet
        self.reading = ""  # the path of the document whose chunks are being cut

    def read_all(self, files: Sequence[FoundFile], options: IngestOptions) -> None:
        """Read every file; continue after one that cannot be read."""
        ahead = Ahead(replace(options.limits, on_page=self.pace.page), self._is_new)
        for number, found in enumerate(files):
            self.pace.at(Progress("read", number, len(files), found.path.name))
            self.report.seen += 1
            try:
                self._read_file(found, options, ahead.texts(found, files[number + 1 : number + 1 + LOOK]))
            except DocumentError as error:
                self._not_read(found, error)
        self._publish()
        self.pace.at(Progress("read", len(files), len(files)))

    def reencode(self) -> None:
        """Encode the contents of the store again, for a generation of another model."""
        total = self.library.status().chunks
        for number, stored in enumerate(self.library.unencoded(self.report.generation)):
            self.pace.now_at(Progress("encode", number, total))
            self.pace.goes_on()
            self._wait_for(stored.chunk)
        self._publish()

    def _is_new(self, found: FoundFile) -> bool:
        """Return whether a file will be read: nothing is known of it, not even that it cannot be."""
        path = storable(found.path)
        return path != "-" and not self.library.digests(path) and self.library.problem(path) is None

    def _read_file(self, found: FoundFile, options: IngestOptions, texts: Iterable[Text]) -> None:
        path = storable(found.path)
        known = self.library.digests(path)
        before = self.library.problem(path)
        again = problems.is_worth_reading_again(before, options.retry)
        if None in known and known[None] == digest(found.path) and not again:
            self.report.unchanged += 1
            return
        if before and not options.retry and problems.is_final(before) and before.digest == digest(found.path):
            self._tell(found, before)
            return
        kept: set[str | None] = set()
        unread: set[str] = set()
        empty = 0
        for text in read_stdin(sys.stdin.buffer, limits=options.limits) if path == "-" else texts:
            self.pace.goes_on()
            self.report.warnings += [about(path, warning) for warning in text.warnings]
            unread.update(text.unread)
            if blank(text.text):
                self.report.skipped += 1
                empty += 1
                continue
            kept.add(text.external_id)
            if known.get(text.external_id) == text.digest and not again:
                self.report.unchanged += 1
            else:
                self._take(text, known=text.external_id in known)
        if empty:
            self.report.warnings.append(f"{path}: {empty:,} of its documents {'has' if empty == 1 else 'have'} no text")
        kept |= problems.still_there(unread, known)  # once for a file: it may hold 100,000 documents
        if known.keys() - kept:
            self._publish()
            self.report.removed += self.writer.forget_path(path, keep=kept)
        self.writer.clear_problem(path)

    def look_back(self, paths: Sequence[str], options: IngestOptions, links: Sequence[Path]) -> None:
        """Remove the documents whose files are gone, or report their number; add other warnings."""
        gone = vanished(self.library.paths(), paths)
        if options.prune:
            self.report.removed += sum(self.writer.forget_path(path) for path in gone)
        elif gone:
            message = f"{len(gone):,} {'file is' if len(gone) == 1 else 'files are'} gone but still in the store"
            self.report.warnings.append(Notice("VANISHED", f"{message}; --prune removes them"))
        over = (*PASSED_OVER, INTERRUPTED)
        passed = [problem.path for problem in self.library.problems() if problem.id in over]
        for path in vanished(passed, paths):
            self.writer.clear_problem(path)
        self.report.duplicates = len(self.new & self.library.repeated()) if self.new else 0
        self.report.warnings += not_followed(links)

    def _take(self, text: Text, known: bool) -> None:
        self.languages[language(text.text) if long_enough(text.text) else None] += 1
        chunks: list[Chunk] = []
        self.reading = text.path
        for chunk in stream(text, self.backbone.count_tokens, self.backbone.max_chunk_tokens - HEAD_TOKENS):
            chunks.append(chunk)
            self.pace.goes_on(chunk.char_end / len(text.text))
            self._wait_for(chunk)
        document = Document(
            text.path, text.external_id, text.title, text.kind, text.digest, text.size, max(1, len(text.pages)),
            text.author, text.dated, modified(text.path), len(text.ocr), problems.thousandths(text.ocr),
        )  # fmt: skip
        self.documents.append((document, chunks))
        self.unclear += problems.in_part(text)
        self.report.ocr += [text.ocr] if text.ocr else []
        self.reading = ""
        self.paths.add(text.path)
        self.report.chunks += len(chunks)
        if known:
            self.report.changed += 1
        else:
            self.report.added += 1
            self.new |= {text.digest} if text.external_id is None else set()

    def _wait_for(self, chunk: Chunk) -> None:
        self.waiting[chunk.digest] = ChunkText(chunk.title, chunk.text)
        if len(self.waiting) >= self.batch:
            self._publish()

    def _publish(self) -> None:
        """Encode the waiting chunks; make them and all complete documents visible in one transaction."""
        if not self.waiting and not self.documents:
            return
        before = self.library.problem(self.reading) if self.reading else None
        if self.reading and (before is None or before.id != INTERRUPTED):
            told = "reading it was interrupted; what was encoded is kept"
            self.writer.record_problem(Problem(self.reading, INTERRUPTED, told, "ingest it again", ""))
        missing = self.library.missing(self.report.generation, self.waiting)
        passages = {digest: passage for digest, passage in self.waiting.items() if digest in missing}
        started = time.monotonic()
        segment = encode(self.each, passages, self.pace.encoded) if passages else None
        if passages:
            self.batch = batch_after(len(passages), time.monotonic() - started, BATCH_CHUNKS)
        self.report.tokens += segment.tokens if segment else 0
        if sum(len(chunks) for _, chunks in self.documents) > _LONG * BATCH_CHUNKS:
            self.writer.publish((), segment, self.report.generation)  # so that a stop in what follows loses no vectors
            self.writer.publish(self.documents, None, self.report.generation, self.pace.goes_on)
        else:
            self.writer.publish(self.documents, segment, self.report.generation)
        for problem in self.unclear:
            self.writer.record_problem(problem)
        self.documents, self.waiting, self.unclear = [], {}, []

    def _not_read(self, found: FoundFile, error: DocumentError) -> None:
        path = storable(found.path)
        if problems.is_passed_over(error.id, found) and self.library.digests(path):  # from when it still had text
            self.report.removed += self.writer.forget_path(path)
        self._tell(found, self._record(found, error))

    def _tell(self, found: FoundFile, problem: Problem) -> None:
        """Report why a file is not read."""
        if problems.is_passed_over(problem.id, found):
            self.report.skipped += 1
            self.report.passed_over.append(problem)
        else:
            self.report.failed += 1
            self.report.problems.append(problem)

    def _record(self, found: FoundFile, error: DocumentError) -> Problem:
        """Keep in the store why a file was not read."""
        problem = problems.failure(storable(found.path), found, error)
        if self.library.problem(problem.path) != problem:
            self.writer.record_problem(problem)
        return problem


def _mismatch(current: Generation, model: ModelFolder, backbone: Encoder) -> ModelMismatch:
    """Raise ModelMismatch with what encoded the store, and how to convert it."""
    if current.method != backbone.method:
        wanted = {KEEPING: "--keep-states"}.get(backbone.method, f"--method {backbone.method}")
        fix = f"leave out {wanted}, or convert the store: reatt ingest --reencode {wanted}"
        return ModelMismatch(f"the store was encoded for {current.method}, not for {backbone.method}", fix)
    fix = "leave out --model, or convert the store: reatt ingest --reencode"
    return ModelMismatch(f"the store was encoded by {current.model_name}, not by {model.name}", fix)


def _drop_others(library: Library, writer: Writer, generation: int, options: IngestOptions) -> None:
    """Drop the generations that are left behind.

    Those of earlier models are kept for a rollback, and later ones because an interrupted move may continue.
    """
    others = [made.id for made in library.generations() if made.id != generation]
    kept = {model.generation for model in library.models()}
    for id in others:
        if options.reencode or (id < generation and id not in kept):
            writer.drop_generation(id)
    if others:
        drop_unused(library)
