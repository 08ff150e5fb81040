"""Files, folders, globs and standard input -> text with pages, headings and exact character offsets.

`find` names the files, `read` turns one into text. Any problem with a file raises a DocumentError; the caller records
it and continues. Binary files raise NotText; whether the user is told depends on `FoundFile.explicit`.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from reatt.documents.find import FoundFile, find
from reatt.documents.wordless import made_for_tools, without_data
from reatt.parsers import formats, registry
from reatt.parsers.content import Content, Headings
from reatt.parsers.sandbox import ReadLimits
from reatt_store.errors import DocumentError, EmptyDocument, NotText, TooBig

__all__ = ["KINDS", "FoundFile", "ReadLimits", "Text", "find", "read", "read_stdin"]

STDIN = "-"
_SHOWN = 5  # files of an archive that are named in a warning
KINDS = (*registry.KINDS, "records")


@dataclass(frozen=True)
class Text:
    """The text of one document, and its metadata."""

    path: str  # absolute, or "-"
    external_id: str | None  # of one of the documents of a file: `_id` of a BEIR record, the id of a message
    title: str  # the document's own, or its file name made readable
    kind: str  # one of KINDS, but "record" for one of the records
    text: str  # offsets refer to it; for markdown, rst, csv, code and text it is the file's own text
    pages: tuple[int, ...]  # character where each page starts; () if there are no pages
    headings: Headings
    digest: str  # hex BLAKE2b of the file's bytes, or of the record's line
    size: int  # bytes of the same
    warnings: tuple[str, ...] = ()
    author: str = ""
    dated: str = ""  # the date that it gives itself, ISO 8601


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
    yield of_content(registry.parse(kind, file, size, limits), path, kind, digest, size)


def _unpacked(file: BinaryIO, path: str, limits: ReadLimits) -> Iterator[Text]:
    """Yield the documents of the files in an archive, or those of one compressed file, which are its own.

    What cannot be read of an archive is said with its last document; raises EmptyDocument if there is none.
    """
    failed: list[str] = []
    last: Text | None = None
    whole = False
    with tempfile.TemporaryFile() as member:
        for block in registry.members(file, os.path.basename(path), limits):
            whole = block.whole
            if not block.failed and block.data:
                member.write(block.data)
                continue
            try:
                if block.failed:
                    raise DocumentError(block.failed)
                member.flush()
                member.seek(0)
                for text in _of_member(member, block.name, limits):
                    if last is not None:
                        yield last
                    last = replace(text, path=path) if whole else _within(text, path, block.name)
            except DocumentError as error:
                if whole:
                    raise
                failed.append(f"{block.name} ({error.message})")
            member.seek(0)
            member.truncate()
    if last is None:
        raise EmptyDocument(f"no document in the archive{_listed(failed)}")
    if whole and last.external_id is None:
        size, digest = measured(file, limits)
        last = replace(last, digest=digest, size=size)
    said = (f"not read of the archive: {_listed(failed).removeprefix(': ')}",) if failed else ()
    yield replace(last, warnings=(*last.warnings, *said))


def _of_member(member: BinaryIO, name: str, limits: ReadLimits) -> Iterator[Text]:
    kind = kind_of(member, name)
    member.seek(0)
    if kind == registry.PACKED:
        raise NotText("an archive in an archive", "unpack it")
    yield from _documents(member, name, limits, kind)


def _within(text: Text, path: str, name: str) -> Text:
    """Make a document of an archive's member one of the archive."""
    return replace(text, path=path, external_id=f"{name}/{text.external_id}" if text.external_id else name)


def _listed(failed: list[str]) -> str:
    more = f" and {len(failed) - _SHOWN:,} more" if len(failed) > _SHOWN else ""
    return f": {', '.join(failed[:_SHOWN])}{more}" if failed else ""


def measured(file: BinaryIO, limits: ReadLimits) -> tuple[int, str]:
    """Return size and digest of an open file that is one document; raises EmptyDocument and TooBig."""
    size = os.fstat(file.fileno()).st_size
    if not size:
        raise EmptyDocument("empty file")
    if size > limits.max_bytes:
        raise TooBig(f"{size:,} bytes; the limit is {limits.max_bytes:,}", "--max-file-size")
    return size, _digest(file, size)


def of_content(content: Content, path: str, kind: str, digest: str, size: int) -> Text:
    """Make a document of what a parser found; raises EmptyDocument."""
    words = without_data(content)
    if not words.text.strip():
        raise EmptyDocument("no text in the file" if words is content else "nothing but data without words")
    content = words
    title = content.title or name_as_title(path, kind)
    rest = (content.text, content.pages, content.headings, digest, size, content.warnings)
    return Text(path, None, title, kind, *rest, content.author, content.dated)


def of_record(record: registry.Record, path: str) -> Text:
    """Make a document of one of the documents that a file holds."""
    found = Content(record.title, record.text, record.pages, record.headings, record.warnings)
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
