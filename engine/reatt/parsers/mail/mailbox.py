"""A file of many messages (mbox) -> one document for each, read one after another, so memory does not grow.

A message begins with a line "From ADDRESS DATE" after an empty line. Its id is its Message-ID, so a message keeps its
place in the store when others are added or deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from hashlib import blake2b
from typing import BinaryIO

from reatt.parsers.content import Content
from reatt.parsers.mail.message import mail
from reatt.parsers.sandbox import Message
from reatt_store.errors import DocumentError, TooBig

BEGINS = re.compile(rb"From \S+.*\d\d:\d\d.*\d{4}")  # the line before a message
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)  # such a line within a message
_HEAD = re.compile(rb"\A.*?(?:\r?\n\r?\n|\Z)", re.DOTALL)
_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def read_mailbox(file: BinaryIO, name: str, longest: int) -> Iterator[Message]:
    """Yield the messages as records; raises TooBig for one of more than `longest` bytes."""
    seen: dict[str, int] = {}
    for number, data in enumerate(_messages(file, name, longest), 1):
        yield {"checked": number}
        own = _id(data) or str(number)
        seen[own] = seen.get(own, 0) + 1
        external_id = own if seen[own] == 1 else f"{own} ({seen[own]})"
        content, warnings, unread = _content(data, f"{name}: message {number}")
        digest = blake2b(data, digest_size=16).hexdigest()
        headings = [[at, heading] for at, heading in content.headings]
        record = [external_id, content.title, content.text, digest, len(data), warnings]
        yield {"record": record, "kind": "mail", "headings": headings, "unread": unread, "dated": content.dated}


def _content(data: bytes, which: str) -> tuple[Content, list[str], bool]:
    """Read a message, and return whether that failed; it is then said, and there is no text."""
    try:
        content = mail(data)
    except (DocumentError, *_ERRORS) as error:
        return Content("", ""), [f"{which} cannot be read ({type(error).__name__})"], True
    return content, list(content.warnings), False


def _messages(file: BinaryIO, name: str, longest: int) -> Iterator[bytes]:
    lines: list[bytes] = []
    size, empty = 0, True
    while line := file.readline(longest + 1):
        if empty and BEGINS.match(line):
            if lines:
                yield _QUOTED.sub(rb"\1", b"".join(lines))
            lines, size = [], 0
        else:
            lines.append(line)
            size += len(line)
        if size > longest:
            raise TooBig(f"{name}: a message is longer than {longest:,} bytes", "--max-file-size")
        empty = not line.strip()
    if lines:
        yield _QUOTED.sub(rb"\1", b"".join(lines))


def _id(data: bytes) -> str:
    head = _HEAD.match(data)
    found = message_from_bytes(head[0] if head else b"").get("Message-ID", "")
    return " ".join(str(found).encode("utf-8", "replace").decode().split()).strip("<>")
