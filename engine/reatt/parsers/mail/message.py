"""E-mail (.eml) -> text: sender, date and subject, then the body; attachments are named, not read."""

from __future__ import annotations

from contextlib import suppress
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message

from reatt.parsers import encodings
from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.formats import Content
from reatt.parsers.markup.html import html

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_LONGEST_HEADER = 2000  # characters; a list of ten thousand recipients is useless


def mail(data: bytes) -> Content:
    """Read a message: its plain text if it has one, else its HTML."""
    message = message_from_bytes(data)
    headers = _headers(message)
    composer = Composer()
    for name in _SHOWN:
        if value := headers.get(name.lower(), ""):
            composer.add(f"{name}: {value}", LINE)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    attached = [name for part in leaves if (name := _file_name(part))]
    words = [part for part in leaves if not _file_name(part)]
    plain = [part for part in words if part.get_content_type() == "text/plain"]
    composer.separate(PARAGRAPH)
    for part in plain or [part for part in words if part.get_content_type() == "text/html"]:
        text = _text(part)
        if plain:
            composer.add(text.strip("\r\n"), PARAGRAPH)
        else:
            page = html(text)
            composer.add_content(page.text, page.headings)
    for name in attached:
        composer.add(f"Attachment: {name}", LINE)
    return composer.content(headers.get("subject", ""))


def _headers(message: Message) -> dict[str, str]:
    """Return the headers of a message, decoded, the first of each name."""
    found: dict[str, str] = {}
    for name, raw in message.raw_items():
        if name.lower() not in found:
            found[name.lower()] = _decoded(str(raw))
    return found


def _decoded(header: str) -> str:
    """Decode a header: words in an encoding of their own, or raw bytes in any."""
    text = encodings.decode(header.encode("utf-8", "surrogateescape").translate(None, b"\0")).text
    with suppress(MessageError, LookupError, ValueError):  # else shown unchanged
        text = str(make_header(decode_header(text)))
    return " ".join(text.split())[:_LONGEST_HEADER]


def _file_name(part: Message) -> str:
    """Return the name of an attachment; "" for a part of the message itself."""
    name = part.get_filename()
    if name:
        return _decoded(name)
    return "without a name" if part.get_content_disposition() == "attachment" else ""


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return encodings.decode(data, part.get_content_charset()).text
    except encodings.Undecodable:  # not in the encoding it declares: detect it
        return encodings.decode(data.translate(None, b"\0")).text
