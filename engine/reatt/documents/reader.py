"""Files, folders, globs and standard input -> text with pages, headings and exact character offsets.

`find` names the files, `read` turns one into text. Any problem with a file raises a DocumentError; the caller records
it and continues. Binary files raise NotText; whether the user is told depends on `FoundFile.explicit`.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from reatt.documents.find import FoundFile, find
from reatt.documents.wordless import made_for_tools, without_data
from reatt.parsers import archives, formats, registry
from reatt.parsers.content import Content, Headings
from reatt.parsers.sandbox import ReadLimits
from reatt_store.errors import ArchiveLimit, DocumentError, EmptyDocument, NotText, TooBig

__all__ = ["KINDS", "FoundFile", "ReadLimits", "Text", "find", "read", "read_stdin"]

STDIN = "-"
_UNPACKED = 2 * archives.UNPACKED  # bytes of an archive and of the archives in it
_SHOWN = 5  # files of an archive that are named in a warning
KINDS = (*registry.KINDS, "records")


@dataclass(frozen=True)
class Text:
    """The text of one document, and its metadata."""

    path: str  # absolute, or "-"
    external_id: str | None  # of one of the documents of a file: `_id` of a BEIR record, the id of a message
    title: str  # the document's own, or its file name made readable
    kind: str  # one of KINDS, but "record" for one of the records
    text: str  # offsets refer to it; for markdown, rst, org, code and text it is the file's own text
    pages: tuple[int, ...]  # character where each page starts; () if there are no pages
    headings: Headings
    digest: str  # hex BLAKE2b of the file's bytes, or of the record's line
    size: int  # bytes of the same
    warnings: tuple[str, ...] = ()
    author: str = ""
    dated: str = ""  # the date that it gives itself, ISO 8601
    ocr: tuple[float, ...] = ()  # of each page that was read by OCR: how sure it was, 0 to 1
    unread: tuple[str, ...] = ()  # external ids, or what they begin with, of what is in the file and cannot be read


def read(found: FoundFile, limits: ReadLimits | None = None) -> Iterator[Text]:
    """Yield the one document of a file, or those of a file of many (an empty record has the text "").

    Raises a DocumentError that names the path. A file is read completely or not at all: JSON Lines are checked to the
    end before the first record is yielded.
    """
    path = str(found.path)
    try:
        with _open(found.path) as file:
            require_for_people(found, file)
            yield from _documents(file, path, limits or ReadLimits(), kind=None)
    except DocumentError as error:
        error.path = path
        raise
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror or error}", path=path) from error


def require_for_people(found: FoundFile, file: BinaryIO) -> None:
    """Raise NotText for a file that a tool made for tools, unless it was named."""
    if not found.explicit and (what := made_for_tools(found.path, file.read(formats.HEAD))):
        raise NotText(f"made by a tool: {what}", "name the file to read it")
    file.seek(0)


def read_stdin(stream: BinaryIO, kind: str | None = None, limits: ReadLimits | None = None) -> Iterator[Text]:
    """Read standard input as one of KINDS, or detect its format.

    It is first copied to an unnamed temporary file, because parsers seek.
    """
    limits = limits or ReadLimits()
    with tempfile.TemporaryFile() as file:
        copied = 0
        while block := stream.read(1 << 20):
            copied += len(block)
            if copied > limits.max_bytes and kind not in registry.STREAMED:
                raise TooBig(f"longer than {limits.max_bytes:,} bytes", "--max-file-size", STDIN)
            file.write(block)
        file.flush()
        file.seek(0)
        try:
            yield from _documents(file, STDIN, limits, kind)
        except DocumentError as error:
            error.path = STDIN
            raise


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, or raise NotText or OSError."""
    return _open(path)


def _open(path: Path) -> BinaryIO:
    """Open a regular file; never block on a pipe of that name."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise NotText("not a regular file")
    return file


def kind_of(file: BinaryIO, path: str) -> str:
    """Return the format of an open file; raises NotText if it is binary."""
    head = file.read(formats.HEAD)
    kind = formats.kind_of(path, head)
    if kind == "binary":
        what, fix = formats.known_binary(head) or ("binary data", "")
        raise NotText(what, fix)
    return kind


def _documents(file: BinaryIO, path: str, limits: ReadLimits, kind: str | None) -> Iterator[Text]:
    kind = kind or kind_of(file, path)
    if kind in registry.STREAMED:
        name = os.path.basename(path)
        yield from (of_record(record, path) for record in registry.records(kind, file, name, limits))
        return
    if kind == registry.PACKED:
        yield from _unpacked(file, path, limits)
        return
    size, digest = measured(file, limits)
    yield of_content(registry.parse(kind, file, size, limits), path, kind, digest, size, limits)


@dataclass
class _Opened:
    """The archive that lies on the disk: what has been unpacked of it and of the archives in it."""

    left: int  # bytes that may still be unpacked

    def take(self, size: int) -> None:
        """Count what has been unpacked; raises ArchiveLimit where it is too much."""
        self.left -= size
        if self.left < 0:
            raise ArchiveLimit(f"the archives in it hold more than {_UNPACKED:,} bytes", "unpack and check it")


def _unpacked(file: BinaryIO, path: str, limits: ReadLimits, within: _Opened | None = None) -> Iterator[Text]:
    """Yield the documents of the files in an archive, or those of one compressed file, which are its own.

    What cannot be read of an archive is said with its last document; raises EmptyDocument if nothing in it has text,
    and ArchiveLimit where the archives in it hold too much.
    """
    opened = within or _Opened(_UNPACKED)
    failed, unread = list[str](), list[str]()
    last: Text | None = None
    whole = False
    with tempfile.TemporaryFile() as member:
        for block in registry.members(file, os.path.basename(path), limits):
            whole = block.whole
            if not block.failed and block.data:
                opened.take(len(block.data))
                member.write(block.data)
                continue
            try:
                if block.failed:
                    raise DocumentError(block.failed)
                member.flush()
                member.seek(0)
                for text in _of_member(member, block.name, limits, opened if within is None else None):
                    if last is not None:
                        yield last
                    last = replace(text, path=path) if whole else _within(text, path, block.name)
            except DocumentError as error:
                if whole or opened.left < 0:
                    raise
                failed.append(f"{block.name} ({error.message})")
                unread += [] if isinstance(error, NotText | EmptyDocument) else [block.name]
            member.seek(0)
            member.truncate()
    if last is None:
        raise (DocumentError if unread else EmptyDocument)(f"no document in the archive{_listed(failed)}")
    if whole and last.external_id is None:
        size, digest = measured(file, limits)
        last = replace(last, digest=digest, size=size)
    yield _with_failed(last, failed, unread)


def _with_failed(text: Text, failed: Sequence[str], unread: Sequence[str]) -> Text:
    """Say with the last document of an archive what could not be read of it."""
    said = (f"not read of the archive: {_listed(failed).removeprefix(': ')}",) if failed else ()
    return replace(text, warnings=(*text.warnings, *said), unread=(*text.unread, *unread))


def _of_member(member: BinaryIO, name: str, limits: ReadLimits, opened: _Opened | None) -> Iterator[Text]:
    """Read a file in an archive; if that lies in an archive itself, nothing is `opened` and none in it is."""
    kind = kind_of(member, name)
    member.seek(0)
    if kind != registry.PACKED:
        yield from _documents(member, name, limits, kind)
    elif opened is not None:
        yield from _unpacked(member, name, limits, opened)
    else:
        raise NotText("an archive in an archive in an archive", "unpack it")


def _within(text: Text, path: str, name: str) -> Text:
    """Make a document of an archive's member one of the archive."""
    unread = tuple(f"{name}/{each}" for each in text.unread)
    return replace(
        text, path=path, external_id=f"{name}/{text.external_id}" if text.external_id else name, unread=unread
    )


def _listed(failed: Sequence[str]) -> str:
    more = f" and {len(failed) - _SHOWN:,} more" if len(failed) > _SHOWN else ""
    return f": {', '.join(failed[:_SHOWN])}{more}" if failed else ""


def measured(file: BinaryIO, limits: ReadLimits) -> tuple[int, str]:
    """Return size and digest of an open file that is one document; raises EmptyDocument and TooBig."""
    size = os.fstat(file.fileno()).st_size
    if not size:
        raise EmptyDocument("empty file")
    if size > limits.max_bytes:
        raise TooBig(f"{size:,} bytes; the limit is {limits.max_bytes:,}", f"--max-file-size {size // 10**6 + 1}M")
    return size, _digest(file, size)


def of_content(content: Content, path: str, kind: str, digest: str, size: int, limits: ReadLimits) -> Text:
    """Make a document of what a parser found; raises EmptyDocument."""
    words = without_data(content, limits.on_wait)
    if blank(words.text):
        raise EmptyDocument("no text in the file" if words is content else "nothing but data without words")
    content = words
    title = content.title or name_as_title(path, kind)
    rest = (content.text, content.pages, content.headings, digest, size, content.warnings)
    return Text(path, None, title, kind, *rest, content.author, content.dated, content.ocr)


def blank(text: str) -> bool:
    """Return whether a text has nothing but white space; to strip it would copy it, and it may be large."""
    return not text or text.isspace()


def of_record(record: registry.Record, path: str) -> Text:
    """Make a document of one of the documents that a file holds; raises EmptyDocument if it is the only one."""
    found = Content(record.title, record.text, record.pages, record.headings, record.warnings)
    if not record.external_id:
        return of_content(found, path, record.kind, record.digest, record.size, ReadLimits())
    words = without_data(found)
    return Text(
        path=path,
        external_id=record.external_id,
        title=words.title,
        kind=record.kind,
        text=words.text,
        pages=words.pages,
        headings=words.headings,
        digest=record.digest,
        size=record.size,
        warnings=words.warnings,
        unread=(record.external_id,) if record.unread else (),
        dated=record.dated,
    )


def _digest(file: BinaryIO, size: int) -> str:
    """Digest the bytes that a file had when it was measured; it may grow meanwhile."""
    digest = blake2b(digest_size=16)
    file.seek(0)
    while size > 0 and (block := file.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    file.seek(0)
    return digest.hexdigest()


def name_as_title(path: str, kind: str) -> str:
    """Make a title from a file name: words for prose, the name itself for code.

    >>> name_as_title("/docs/parental-leave_2024.md", "markdown")
    'parental leave 2024'
    """
    name = Path(path).name if path != STDIN else ""
    return name if kind == "code" else re.sub(r"[-_\s]+", " ", Path(name).stem).strip()
