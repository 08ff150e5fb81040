"""The table of parsers: which function reads each format, and in which process.

Binary formats are read by a child process within limits (`sandbox.py`). So are large files of tree formats, because
parsing time can grow with the square of the length of a deeply nested file. The child uses this same table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from reatt.parsers import encodings, formats
from reatt.parsers.archives import damaged
from reatt.parsers.epub import epub
from reatt.parsers.formats import Content
from reatt.parsers.html import declared_encoding, html
from reatt.parsers.mail import mail
from reatt.parsers.notebook import notebook
from reatt.parsers.office import docx, pptx
from reatt.parsers.pdf import read_pdf
from reatt.parsers.rtf import rtf
from reatt.parsers.sandbox import Child, Crashed, Message, ReadLimits
from reatt.parsers.tables import csv, xlsx
from reatt_store.errors import ArchiveLimit, DocumentError, Notice, NotText, ParseLimit

_SCRIPT = Path(__file__).with_name("child.py")
_LARGE = 1 << 16  # bytes
_ERRORS = {
    error.id: error for error in (DocumentError, ArchiveLimit, NotText, ParseLimit)
}  # the errors that a child may report
_SPLIT = "split or simplify the file"


@dataclass(frozen=True)
class Parser:
    """How a format is read."""

    read: Callable[[bytes, str | None], Content]  # the file, and the encoding that the user named
    apart: Literal["never", "large", "always"] = "never"  # in a child process


def _text(parse: Callable[[str], Content], declared: Callable[[bytes], str | None] = lambda _: None) -> Parser:
    """Turn a parser of characters into a parser of bytes."""

    def read(data: bytes, encoding: str | None) -> Content:
        try:
            source = encodings.decode(data, encoding, declared(data))
        except encodings.Undecodable as error:
            raise NotText(f"not text: {error}", "--encoding NAME" if encoding else "") from error
        content = parse(source.text)
        return replace(content, warnings=(*content.warnings, source.warning)) if source.warning else content

    return Parser(read)


def _bytes(parse: Callable[[bytes], Content], apart: Literal["large", "always"] = "always") -> Parser:
    return Parser(lambda data, _: parse(data), apart)


PARSERS = {
    "html": replace(_text(html, declared_encoding), apart="large"),
    "epub": _bytes(epub),
    "docx": _bytes(docx),
    "pptx": _bytes(pptx),
    "xlsx": _bytes(xlsx),
    "rtf": _bytes(rtf, apart="large"),
    "mail": _bytes(mail, apart="large"),
    "notebook": replace(_text(notebook), apart="large"),
    "csv": _text(csv),
    "rst": _text(formats.rst),
    "org": _text(formats.org),
    "markdown": _text(formats.markdown),
    "code": _text(formats.plain),
    "text": _text(formats.plain),
}
KINDS = ("pdf", *PARSERS)  # a PDF is read page by page, by its own child process


def parse(kind: str, file: BinaryIO, size: int, limits: ReadLimits) -> Content:
    """Read an open file in its format; raises a DocumentError."""
    if kind == "pdf":
        return read_pdf(file.fileno(), limits)
    parser = PARSERS[kind]
    if parser.apart == "always" or (parser.apart == "large" and size > _LARGE):
        return _apart(kind, file, limits)
    return guarded(parser, file.read(), limits.encoding)


def guarded(parser: Parser, data: bytes, encoding: str | None) -> Content:
    """Read a file; exceptions of a parser on a hostile file are reported as damage."""
    try:
        return parser.read(data, encoding)
    except RecursionError as error:
        raise ParseLimit("nested too deeply", _SPLIT) from error
    except (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        raise damaged(f"{type(error).__name__}: {error}"[:200]) from error


def _apart(kind: str, file: BinaryIO, limits: ReadLimits) -> Content:
    request = {"kind": kind, "memory": limits.memory, "encoding": limits.encoding}
    try:
        with Child(_SCRIPT, file.fileno(), request, seconds=limits.seconds, output=limits.output) as child:
            said = list(child.messages())
        return _content(said[0])
    except Crashed as error:
        raise DocumentError(f"the {kind} parser crashed ({error})", _SPLIT) from error
    except ParseLimit as error:
        raise ParseLimit(error.message, error.fix or "--timeout, or " + _SPLIT) from error


def _content(said: Message) -> Content:
    match said:
        case {"error": id, "message": message, "fix": fix}:
            raise _ERRORS[id](message, fix)
    return Content(
        title=said["title"],
        text=said["text"],
        pages=tuple(said["pages"]),
        headings=tuple((at, heading) for at, heading in said["headings"]),
        warnings=tuple(Notice(id, text) if id else text for id, text in said["warnings"]),
    )
