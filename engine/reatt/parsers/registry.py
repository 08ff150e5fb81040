"""The table of parsers, and reading a file with them: in a child process, within limits (`pool.py`).

No parser runs in this process, whatever the size of the file, because parsing time and memory can grow with the square
of its length. Only bytes that need no guess are decoded here. The text of a raw format is the decoded file itself; its
child finds title and headings, and sends no text back. The child uses this same table.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from reatt.parsers import checked, encodings, formats
from reatt.parsers.archives import damaged
from reatt.parsers.content import Content, Headings
from reatt.parsers.mail.mailbox import read_mailbox
from reatt.parsers.mail.message import mail
from reatt.parsers.markup.bibtex import bibtex
from reatt.parsers.markup.epub import epub
from reatt.parsers.markup.html import declared_encoding, html
from reatt.parsers.markup.latex import latex
from reatt.parsers.markup.notebook import notebook
from reatt.parsers.ocr.picture import read_picture
from reatt.parsers.office.opendocument import odp, ods, odt
from reatt.parsers.office.rtf import rtf
from reatt.parsers.office.sheets import xlsx
from reatt.parsers.office.slides import pptx
from reatt.parsers.office.tables import csv
from reatt.parsers.office.word import docx
from reatt.parsers.origins import day
from reatt.parsers.packed import read_packed
from reatt.parsers.pdf.reading import read_pdf
from reatt.parsers.pool import POOL, Allowance, Request
from reatt.parsers.records.arrow import read_arrow
from reatt.parsers.records.json_files import read_json
from reatt.parsers.records.jsonl import read_jsonl
from reatt.parsers.sandbox import Crashed, Message, ReadLimits
from reatt.parsers.text import terminal
from reatt.parsers.text.calendar import calendar
from reatt.parsers.text.contacts import contacts
from reatt.parsers.text.roff import man
from reatt.parsers.text.subtitles import subtitles
from reatt_store.errors import (
    ArchiveLimit,
    DocumentError,
    LibraryMissing,
    NotText,
    ParseLimit,
    RecordFormat,
    TooBig,
)

_ERRORS = {
    error.id: error
    for error in (DocumentError, ArchiveLimit, LibraryMissing, NotText, ParseLimit, RecordFormat, TooBig)
}  # the errors that a child may report
_SPLIT = "split or simplify the file"
_LEAST_MEMORY, _MEMORY_A_BYTE = 512 << 20, 1000  # of a parser: for any file, and more for each byte of it
_LARGE, _OUTPUT_A_BYTE = 1_000_000, 3  # bytes of a file whose text may be longer, by this for each further byte
_MOST_HEADINGS = 100_000


@dataclass(frozen=True)
class Parser:
    """How a format is read."""

    read: Callable[[bytes, str | None], Content]  # the file, and the encoding that the user named
    raw: bool = False  # the text is the file itself, decoded


def _text(
    parse: Callable[[str], Content], declared: Callable[[bytes], str | None] = lambda _: None, *, raw: bool = True
) -> Parser:
    """Turn a parser of characters into a parser of bytes."""

    def read(data: bytes, encoding: str | None) -> Content:
        try:
            source = encodings.decode(data, encoding, declared(data))
        except encodings.Undecodable as error:
            raise _no_text(error, encoding) from error
        content = parse(source.text)
        return replace(content, warnings=(*content.warnings, source.warning)) if source.warning else content

    return Parser(read, raw)


def _bytes(parse: Callable[[bytes], Content]) -> Parser:
    return Parser(lambda data, _: parse(data))


_PRINTED = _text(formats.plain, raw=False)
PARSERS = {
    "html": _text(html, declared_encoding, raw=False),
    "epub": _bytes(epub),
    "docx": _bytes(docx),
    "pptx": _bytes(pptx),
    "xlsx": _bytes(xlsx),
    "odt": _bytes(odt),
    "odp": _bytes(odp),
    "ods": _bytes(ods),
    "rtf": _bytes(rtf),
    "mail": _bytes(mail),
    "notebook": _text(notebook, raw=False),
    "terminal": Parser(lambda data, encoding: _PRINTED.read(terminal.stripped(data), encoding)),
    "subtitles": _text(subtitles, raw=False),
    "latex": _text(latex, raw=False),
    "bibtex": _text(bibtex, raw=False),
    "man": _text(man, raw=False),
    "calendar": _text(calendar, raw=False),
    "contacts": _text(contacts, raw=False),
    "csv": _text(csv, raw=False),
    "rst": _text(formats.rst),
    "org": _text(formats.org),
    "asciidoc": _text(formats.asciidoc),
    "markdown": _text(formats.markdown),
    "code": _text(formats.plain),
    "text": _text(formats.plain),
}
_UNPARSED = ("code", "text")  # nothing is to be found in them
STREAMED: dict[str, Callable[..., Iterator[Message]]] = {  # a file, its name, the longest line or message
    "records": read_jsonl,
    "json": read_json,
    "arrow": read_arrow,
    "mbox": read_mailbox,
}  # of files that hold many documents, each a record
OF_FIELDS = ("records", "json", "arrow")  # whose records have fields, which may be named
PACKED = "packed"  # holds other files, which are sent back and read one by one
STREAMS = {**STREAMED, PACKED: read_packed}
PAGED = {"pdf": read_pdf, "picture": read_picture}  # read page by page, by child processes of their own
KINDS = (*PAGED, *PARSERS)


@dataclass(frozen=True)
class Record:
    """One of the documents that a file holds: a line of JSON Lines, a row of a table, a message of a mailbox."""

    external_id: str  # of the line or row its "_id" or "id", or else its number; "": the file is one document
    title: str
    text: str
    digest: str  # hex BLAKE2b of its bytes
    size: int  # the number of these
    warnings: tuple[str, ...] = ()
    kind: str = "record"
    pages: tuple[int, ...] = ()
    headings: Headings = ()
    unread: bool = False  # it is there, and cannot be read
    dated: str = ""


@dataclass(frozen=True)
class Task:
    """A file that a child is to read."""

    kind: str
    request: Request
    data: bytes  # of a raw format, to be decoded here
    source: encodings.Decoded | None  # of a raw format whose encoding needs no guess

    def content(self, said: Message) -> Content:
        """Check an answer; one of a child that a file has taken over may be anything."""
        _raise_error(said)
        if not PARSERS[self.kind].raw:
            return checked.content(said["content"], said["content"]["text"])
        source = self.source or encodings.apply(self.data, encodings.Guess(**said["guess"]))
        return checked.content(said["content"], source.text)


def parse(kind: str, file: BinaryIO, size: int, limits: ReadLimits) -> Content:
    """Read an open file in its format; raises a DocumentError."""
    if kind in PAGED:
        return PAGED[kind](file.fileno(), limits)
    task = prepared(kind, file, size, limits)
    if isinstance(task, Content):
        return task
    with named(kind):
        [said] = POOL.ask([task.request])
        return task.content(said)


def prepared(kind: str, file: BinaryIO, size: int, limits: ReadLimits) -> Task | Content:
    """Return what is to be asked of a child; the content itself where there is nothing to parse."""
    data, source = b"", None
    if PARSERS[kind].raw:
        data = file.read(size)
        try:
            source = encodings.certain(data, limits.encoding)
        except encodings.Undecodable as error:
            raise _no_text(error, limits.encoding) from error
        if source and kind in _UNPARSED:
            return Content("", source.text, warnings=(source.warning,) if source.warning else ())
    body = {"kind": kind, "size": size, "encoding": limits.encoding}
    output = limits.output + _OUTPUT_A_BYTE * max(0, size - _LARGE)
    allowed = Allowance(limits.seconds, _memory(limits, size), output)
    return Task(kind, Request(body, file.fileno(), allowed, limits.on_wait), data, source)


def records(kind: str, file: BinaryIO, name: str, limits: ReadLimits) -> Iterator[Record]:
    """Read an open file of many documents; lines and rows are checked to the end before the first one is yielded."""
    with named(kind):
        for said in POOL.ask([records_request(kind, file, name, limits)]):
            yield from record(said)


@dataclass(frozen=True)
class Member:
    """A block of a file that was packed; `data` is empty at the end of the file, `failed` says why it was not read."""

    name: str
    data: bytes
    whole: bool  # it is all that was packed, so its documents are those of the packed file
    failed: str


def members(file: BinaryIO, name: str, limits: ReadLimits) -> Iterator[Member]:
    """Unpack an open file, block by block."""
    with named(PACKED):
        for said in POOL.ask([records_request(PACKED, file, name, limits)]):
            _raise_error(said)
            if "member" in said:
                data = b64decode(said.get("data", ""), validate=True)
                whole = said.get("whole") is True
                yield Member(checked.sound(said["member"]), data, whole, checked.sound(said.get("failed", "")))


def records_request(kind: str, file: BinaryIO, name: str, limits: ReadLimits) -> Request:
    """Return what is to be asked of a child about a file of many documents."""
    size, output = os.fstat(file.fileno()).st_size, max(limits.output, 2 * limits.max_bytes)
    allowed = Allowance(limits.seconds, _memory(limits, size), output, renews=True)
    more: dict[str, Any] = {"texts": limits.fields, "id_field": limits.id_field} if kind in OF_FIELDS else {}
    more |= {"encoding": limits.encoding} if kind == "json" else {}
    body = {"kind": kind, "name": name, "longest": limits.max_bytes, "more": more}
    return Request(body, file.fileno(), allowed, limits.on_wait)


def record(said: Message) -> Iterator[Record]:
    """Yield the record of a message, if there is one in it; raises the error that is in it."""
    _raise_error(said)
    if "record" in said:
        external_id, title, text, digest, size, warnings = said["record"]
        if not isinstance(size, int):
            raise TypeError("no size")
        words = (checked.sound(external_id), checked.sound(title), checked.sound(text), checked.sound(digest))
        yield Record(
            *words,
            size,
            tuple(map(checked.warning, warnings)),
            checked.sound(said.get("kind", "record")),
            checked.pages(said.get("pages", ()), text),
            checked.headings(said.get("headings", ()), text),
            said.get("unread") is True,
            day(checked.sound(said.get("dated", ""))),
        )


def content_message(kind: str, data: bytes, encoding: str | None) -> Message:
    """Read a file in this process, a child, and say what is in it."""
    parser = PARSERS[kind]
    content = guarded(parser, data, encoding)
    said: Message = {
        "title": content.title,
        "text": "" if parser.raw else content.text,
        "pages": content.pages,
        "headings": content.headings[:_MOST_HEADINGS],
        "warnings": [[getattr(warning, "id", ""), str(warning)] for warning in content.warnings],
        "author": content.author,
        "dated": content.dated,
    }
    if not parser.raw:
        return {"content": said}
    guess = encodings.Guess("utf-8") if encodings.certain(data, encoding) else encodings.guess(data)
    return {"content": said, "guess": {"name": guess.name, "errors": guess.errors}}


def guarded(parser: Parser, data: bytes, encoding: str | None) -> Content:
    """Read a file; exceptions of a parser on a hostile file are reported as damage."""
    try:
        return parser.read(data, encoding)
    except RecursionError as error:
        raise ParseLimit("nested too deeply", _SPLIT) from error
    except (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise damaged(f"{type(error).__name__}: {error}"[:200]) from error


def _no_text(error: encodings.Undecodable, encoding: str | None) -> NotText:
    return NotText(f"not text: {error}", "--encoding NAME" if encoding else "")


def _memory(limits: ReadLimits, size: int) -> int:
    return min(limits.memory, _LEAST_MEMORY + _MEMORY_A_BYTE * size)


@contextmanager
def named(kind: str) -> Iterator[None]:
    """Name the parser that crashed, or say what its answer is if it makes no sense."""
    try:
        yield
    except Crashed as error:
        raise DocumentError(f"the {kind} parser crashed ({error})", _SPLIT) from error
    except (LookupError, TypeError, ValueError) as error:
        raise DocumentError(f"the {kind} parser crashed (it said what is no answer)", _SPLIT) from error
    except ParseLimit as error:
        raise ParseLimit(error.message, error.fix or "--timeout, or " + _SPLIT) from error


def _raise_error(said: Message) -> None:
    match said:
        case {"error": str() as id, "message": str() as message, "fix": str() as fix}:
            raise _ERRORS[id](message, fix)
