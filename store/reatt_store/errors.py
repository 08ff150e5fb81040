"""Every error a user can cause or meet, as one tree.

Each class is one row of the error catalogue: a stable `id`, the process's exit code, a message that says what was
found, and `fix`: what to type next. Only the command line prints an error; nothing below it does.

    ReattError
    ├── UsageError            2   BadQuestion, NothingFound, NoSuchPath, NoSuchId, QueriesFormat, TooFewSpans
    ├── DocumentError         3   one file could not be read; the run continues
    ├── StoreError            10-15, 22
    ├── ModelError            13, 14
    ├── DeviceError           20, 21
    └── InternalError         70
"""

from __future__ import annotations

from typing import ClassVar


class ReattError(Exception):
    """An error that the user can act on."""

    id: ClassVar[str] = "FAILED"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False  # whether the same call may succeed a little later, with nothing changed

    def __init__(self, message: str, fix: str = "", path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.path = path


class InternalError(ReattError):
    """A bug in reatt, not a mistake of the user."""

    id = "INTERNAL"
    exit_code = 70


class UsageError(ReattError):
    """The command was used wrongly."""

    id = "USAGE"
    exit_code = 2


class BadQuestion(UsageError):
    """The question is empty."""

    id = "BAD_QUESTION"


class NothingFound(UsageError):
    """No file matches the paths to ingest."""

    id = "NOTHING_FOUND"


class NoSuchPath(UsageError):
    """A path named on the command line does not exist."""

    id = "NO_SUCH_PATH"


class NoSuchId(UsageError):
    """No document or chunk has this id."""

    id = "NO_SUCH_ID"


class QueriesFormat(UsageError):
    """A file of questions or judgements has a line that cannot be read."""

    id = "QA_FORMAT"


class TooFewSpans(UsageError):
    """The corpus is too small to learn from, or to measure whether it helped."""

    id = "TOO_FEW_SPANS"


class DocumentError(ReattError):
    """One document cannot be read; the run continues."""

    id = "UNREADABLE"
    exit_code = 3


class PdfPassword(DocumentError):
    """A PDF is encrypted and no password opens it."""

    id = "PDF_PASSWORD"


class PdfNoText(DocumentError):
    """A PDF has no text layer: its pages are pictures."""

    id = "PDF_NO_TEXT"


class PdfDamaged(DocumentError):
    """A PDF is broken or cut off."""

    id = "PDF_DAMAGED"


class NotText(DocumentError):
    """A file is binary and of no known format."""

    id = "NOT_TEXT"


class PictureNoText(NotText):
    """A picture from which OCR can read no text."""

    id = "PICTURE_NO_TEXT"


class EmptyDocument(DocumentError):
    """A file holds no text."""

    id = "EMPTY"


class LibraryMissing(DocumentError):
    """A file's format is read by a library that is not installed."""

    id = "LIBRARY_MISSING"


class RecordFormat(DocumentError):
    """A file of records has a line or row that is not a document."""

    id = "RECORD_FORMAT"


class TooBig(DocumentError):
    """A file is larger than the limit."""

    id = "TOO_BIG"


class ParseLimit(DocumentError):
    """A parser exceeded its limit on time or memory."""

    id = "PARSE_LIMIT"


class ChangedDuringRead(DocumentError):
    """A file was being written to while it was read."""

    id = "CHANGED_DURING_READ"
    retryable = True


class ArchiveLimit(DocumentError):
    """A zip archive exceeds a limit: it is an attack, or not a document."""

    id = "ARCHIVE_LIMIT"


class StoreError(ReattError):
    """The store cannot do what was asked."""


class NoStore(StoreError):
    """There is no store in this place."""

    id = "NO_STORE"
    exit_code = 10


class NoCluster(StoreError):
    """No shards are served at this address."""

    id = "NO_CLUSTER"
    exit_code = 10


class ShardsLost(NoCluster):
    """No shard of a cluster answers now."""

    id = "SHARDS_LOST"
    retryable = True


class StoreLocked(StoreError):
    """Another process is writing to the store."""

    id = "LOCKED"
    exit_code = 11
    retryable = True


class StoreDamaged(StoreError):
    """A file of the store is damaged."""

    id = "STORE_CHECKSUM"
    exit_code = 12


class StoreUntrusted(StoreError):
    """A store was found, not named, and another user could have made or changed it."""

    id = "STORE_UNTRUSTED"
    exit_code = 12


class StoreNewer(StoreError):
    """The store was written by a newer version."""

    id = "STORE_NEWER"
    exit_code = 15


class ReadOnly(StoreError):
    """The store cannot be written to."""

    id = "READ_ONLY"
    exit_code = 22


class DiskFull(StoreError):
    """The disk is full."""

    id = "DISK_FULL"
    exit_code = 22


class NoLocks(StoreError):
    """The file system of the store cannot lock files, so nothing could keep two writers apart."""

    id = "NO_LOCKS"
    exit_code = 22


class SystemRefused(ReattError):
    """The operating system refuses access to a named file or folder."""

    id = "SYSTEM"


class WorkerDied(ReattError):
    """A process of a cluster died again and again over the same work."""

    id = "WORKER_DIED"
    retryable = True


class ModelError(ReattError):
    """The model cannot be used."""

    id = "MODEL_MISSING"
    exit_code = 14


class ModelMismatch(ModelError):
    """The store's vectors were made by another model."""

    id = "MODEL_MISMATCH"
    exit_code = 13


class ModelUnsafe(ModelError):
    """A model file would have to be unpickled."""

    id = "MODEL_UNSAFE"


class DeviceError(ReattError):
    """The requested device does not exist."""

    id = "DEVICE"
    exit_code = 20


class OutOfMemory(DeviceError):
    """Even the smallest batch does not fit into memory."""

    id = "OUT_OF_MEMORY"
    exit_code = 21


class GpuMemory(OutOfMemory):
    """Even the smallest batch does not fit into the memory of the GPU."""

    id = "GPU_MEMORY"
    retryable = True


def rebuilt(id: str, message: str, fix: str, path: str | None) -> ReattError:
    """Make the error that another process of ours met; an unknown kind is a bug."""
    kinds, left = dict[str, type[ReattError]](), [ReattError]
    while left:
        kind = left.pop()
        kinds.setdefault(kind.id, kind)
        left += kind.__subclasses__()
    return kinds.get(id, InternalError)(message, fix, path)


class Notice(str):
    """A warning with the id of its row: something the user should know, although nothing failed."""

    id: str

    def __new__(cls, id: str, text: str) -> Notice:
        """Make a text that knows its row."""
        notice = super().__new__(cls, text)
        notice.id = id
        return notice

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Return what makes it anew, in another process."""
        return self.id, str(self)
