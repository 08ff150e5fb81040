"""E-mail -> text: the heads of a message, then what a mail program shows of it; attachments are named, not read.

Of alternatives the plain text is read, unless the HTML says far more: many programs write there only that they cannot
show the message. Every part that is shown in its place is read, invitations and reports of delivery too, and forwarded
messages with their heads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime

from reatt.parsers import encodings
from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.markup.html import declared_encoding, html
from reatt.parsers.text.calendar import calendar
from reatt.parsers.text.contacts import contacts

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_LONGEST_HEADER = 2000  # characters; a list of ten thousand recipients is useless
_WORD = re.compile(r"\w+")
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_FORWARDED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers"})
_REPORTS = frozenset({"message/delivery-status", "message/disposition-notification"})
_UNSEEN = frozenset({"text/x-amp-html", "text/css"})
_READ_AS = {"text/calendar": calendar, "text/vcard": contacts, "text/x-vcard": contacts, "text/directory": contacts}
_BOUNDARY = re.compile(rb"^--([^\s\"][^\"\r\n]{0,100}?)[ \t]*\r?$", re.MULTILINE)
_PARTS, _PLAIN = b'Content-Type: multipart/mixed; boundary="%b"\n\n', b"Content-Type: text/plain\n\n"
_APPLE = re.compile(rb"\s*(\d{1,10})\s*\n")  # Apple Mail's files begin with the length of the message


def mail(data: bytes) -> Content:
    """Read a message."""
    if apple := _APPLE.match(data):
        data = data[apple.end() : apple.end() + int(apple[1])]
    message = message_from_bytes(data)
    composer = Composer()
    subject = _write(composer, message)
    return replace(composer.content(subject), dated=_day(message))


def _day(message: Message) -> str:
    try:
        return parsedate_to_datetime(str(message.get("Date", ""))).date().isoformat()
    except (TypeError, ValueError, OverflowError):
        return ""


def _write(composer: Composer, message: Message) -> str:
    """Write a message, what was forwarded in it included; return its subject."""
    pending: list[Message] = [message]
    subject = None
    while pending:  # a loop, because forwarded messages may be nested more deeply than Python's stack
        current = pending.pop(0)
        headers = _headers(current)
        composer.separate(PARAGRAPH)
        for name in _SHOWN:
            if value := headers.get(name.lower(), ""):
                composer.add(f"{name}: {value}", LINE)
        composer.separate(PARAGRAPH)
        subject = headers.get("subject", "") if subject is None else subject
        attached: list[str] = []
        for part in _parts(current):
            if part.get_content_type() in _FORWARDED:
                pending += _forwarded(part)
            elif name := _file_name(part):
                attached.append(name)
            else:
                _write_part(composer, part)
        for name in attached:
            composer.add(f"Attachment: {name}", LINE)
    return subject or ""


def _parts(message: Message) -> Iterator[Message]:
    """Yield the parts that a mail program shows or names, in order; of alternatives the one to read."""
    pending = [message]
    while pending:
        part = pending.pop()
        kind = part.get_content_type()
        if not part.is_multipart() and kind.startswith("multipart/"):
            pending.append(_mended(part))
        elif not part.is_multipart() or kind in _FORWARDED | _REPORTS:
            yield part
        elif kind == "multipart/alternative":
            pending += reversed(_chosen(_inner(part)))
        else:
            pending += reversed(_inner(part))


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _mended(part: Message) -> Message:
    """Find the parts of a message that says wrongly what stands between them; without any it is plain text."""
    words = _payload(part)
    found = _BOUNDARY.search(words)
    if found and (message := message_from_bytes(_PARTS % found[1] + words)).is_multipart():
        return message
    return message_from_bytes(_PLAIN + words)


def _forwarded(part: Message) -> list[Message]:
    """Return the messages that are in a part."""
    if not part.is_multipart():
        return [message_from_bytes(_payload(part))]
    return [_unwrapped(each, part.get("Content-Transfer-Encoding", "")) for each in _inner(part)]


def _unwrapped(message: Message, encoding: str) -> Message:
    """Decode a whole message that a program has encoded, although that is not allowed."""
    if message.keys() or not encoding:
        return message
    message["Content-Transfer-Encoding"] = encoding
    return message_from_bytes(_payload(message))


def _chosen(alternatives: list[Message]) -> list[Message]:
    """Choose among alternatives; what is neither plain text nor HTML stays.

    The plain text is read where it has most of the words of the HTML. Else the HTML is read, and the plain text before
    it only if that says much else.
    """
    plain = [part for part in alternatives if part.get_content_type() == "text/plain" and not _file_name(part)]
    rich = [part for part in alternatives if any(_is_html(leaf) for leaf in part.walk())]
    others = [part for part in alternatives if part not in plain and part not in rich]
    if not plain or not rich:
        return plain + rich[-1:] + others
    said, shown = _words(plain), _words([leaf for leaf in rich[-1].walk() if _is_html(leaf)])
    if 2 * (said & shown).total() >= shown.total():
        return plain + _attached(rich[-1]) + others
    keeps = said.total() > shown.total() and 2 * (said & shown).total() < said.total()
    return (plain if keeps else []) + rich[-1:] + others


def _words(parts: list[Message]) -> Counter[str]:
    texts = (html(_text(part)).text if _is_html(part) else _text(part) for part in parts)
    return Counter(word.lower() for text in texts for word in _WORD.findall(text))


def _attached(part: Message) -> list[Message]:
    """Return what is named in a part that is not read, for instance the files beside its HTML."""
    return [leaf for leaf in part.walk() if not leaf.is_multipart() and _file_name(leaf)]


def _is_html(part: Message) -> bool:
    return part.get_content_type() in _HTML and not _file_name(part)


def _write_part(composer: Composer, part: Message) -> None:
    """Write a part that is shown in its place; what is neither HTML nor text is not."""
    if part.get_content_type() in _HTML:
        page = html(_text(part), part.get_content_type() != "text/html")
        composer.add_content(page.text, page.headings)
    elif part.get_content_type() in _REPORTS:
        for block in _inner(part):
            for field, value in _headers(block).items():
                composer.add(f"{field.title()}: {value}", LINE)
            composer.separate(PARAGRAPH)
    elif part.get_content_type() in _READ_AS:
        entries = _READ_AS[part.get_content_type()](_text(part))
        composer.add_content(entries.text, entries.headings)
    elif part.get_content_maintype() == "text" and part.get_content_type() not in _UNSEEN:
        if name := part.get_filename():
            composer.add(_decoded(name), LINE)
        composer.add(_unfolded(_text(part), part).strip("\r\n"), PARAGRAPH)


def _unfolded(text: str, part: Message) -> str:
    """Join the lines that a program broke only to send them (RFC 3676, format=flowed)."""
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    spare = str(part.get_param("delsp", "")).lower() == "yes"
    lines: list[str] = []
    broken = False  # the line before goes on
    depth = 0
    for line in text.splitlines():
        words = line.lstrip(">")
        quoted, words = len(line) - len(words), words.removeprefix(" ")
        if broken and quoted == depth:
            lines[-1] += words
        else:
            lines.append(f"{'>' * quoted}{' ' if quoted else ''}{words}")
        depth, broken = quoted, words.endswith(" ") and words != "-- "
        if broken and spare:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _headers(message: Message) -> dict[str, str]:
    """Return the headers of a message, decoded, the first of each name."""
    found: dict[str, str] = {}
    declared: str | None = None
    for name, raw in message.raw_items():
        if name.lower() not in found:
            data = str(raw).encode("utf-8", "surrogateescape")
            declared = declared or (None if data.isascii() else _encoding(message))
            found[name.lower()] = _decoded(str(raw), declared)
    return found


def _encoding(message: Message) -> str:
    """Return the encoding of headers that are written as they are: that of the text below, which is longer."""
    texts = (part for part in message.walk() if part.get_content_maintype() == "text")
    body = next(texts, message)
    data = b"" if body.is_multipart() else _payload(body)
    heads = "\n".join(str(raw) for _, raw in message.raw_items()).encode("utf-8", "surrogateescape")
    return encodings.known(body.get_content_charset()) or encodings.guess(heads + data).name


def _decoded(header: str, declared: str | None = None) -> str:
    """Decode a header: words in an encoding of their own, or raw bytes in any."""
    data = header.encode("utf-8", "surrogateescape").translate(None, encodings.CONTROL)
    text = encodings.decode(data, declared=declared).text
    with suppress(MessageError, LookupError, ValueError):  # else shown unchanged
        text = str(make_header(decode_header(text)))
    return " ".join(text.split())[:_LONGEST_HEADER]


def _file_name(part: Message) -> str:
    """Return the name of an attachment; "" for a part of the message, as a text is that is shown in its place."""
    disposition, name = part.get_content_disposition(), part.get_filename()
    if name and not (part.get_content_maintype() == "text" and disposition != "attachment"):
        return _decoded(name)
    if disposition != "attachment":
        return ""
    return _decoded(name) if name else "without a name"


def _text(part: Message) -> str:
    data = _payload(part)
    charset = part.get_content_charset() or (declared_encoding(data) if _is_html(part) else None)
    try:
        return encodings.decode(data, encodings.known(charset)).text
    except encodings.Undecodable:  # not in the encoding it declares: detect it
        return encodings.decode(data.translate(None, encodings.CONTROL)).text


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
