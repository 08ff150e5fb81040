"""EPUB -> text: the chapters in reading order, each parsed by the rules of XHTML unless it is declared as HTML."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from reatt.parsers import encodings
from reatt.parsers.archives import Archive, damaged, inside
from reatt.parsers.composing import Composer
from reatt.parsers.content import Content
from reatt.parsers.markup.html import declared_encoding, html
from reatt_store.errors import ArchiveLimit, DocumentError

_CONTAINER = "META-INF/container.xml"
_LOCKS = "META-INF/encryption.xml"
_HTML = "text/html"
_PAGES = frozenset({"application/xhtml+xml", _HTML, "text/x-oeb1-document", "application/xml", "text/xml", ""})


class _Chapter(NamedTuple):
    """A part of the archive that is read."""

    name: str
    xml: bool  # by XML's rules


def epub(data: bytes) -> Content:
    """Read a book; raises DocumentError if it is protected by DRM."""
    archive = Archive(data)
    package = _package(archive)
    title, chapters = _spine(archive, package)
    locked = set(_locked(archive))
    composer, missing, broken = Composer(), 0, 0
    for chapter in chapters:
        if chapter.name in locked:
            raise DocumentError("is protected by DRM", "ask for an unlocked copy")
        if chapter.name not in archive:
            missing += 1
            continue
        try:
            source = archive.read(chapter.name)
            page = html(encodings.decode(source, declared=declared_encoding(source)).text, chapter.xml)
        except ArchiveLimit:
            raise
        except (DocumentError, encodings.Undecodable):
            broken += 1
            continue
        composer.add_content(page.text, page.headings)
    if broken and broken + missing == len(chapters):
        raise damaged("none of its chapters can be read")
    said = [(count, what) for count, what in ((missing, "missing"), (broken, "damaged")) if count]
    return composer.content(title, tuple(f"{count} of {len(chapters)} chapters are {what}" for count, what in said))


def _package(archive: Archive) -> str:
    for event in archive.events(_CONTAINER):
        if event.kind == "start" and event.name == "rootfile":
            return inside("", event.attributes.get("full-path", ""))
    raise damaged("it does not say where its chapters are")


def _spine(archive: Archive, package: str) -> tuple[str, list[_Chapter]]:
    """Return the book's title and its chapters in reading order; all pages if it names no order."""
    folder = posixpath.dirname(package)
    pages: dict[str, _Chapter] = {}
    order: list[str] = []
    titles: list[str] = []
    in_title = False
    for kind, name, has in archive.events(package):
        if kind == "text":
            titles += [name] if in_title else []
        elif name == "title":
            in_title = kind == "start" and not titles
        elif kind == "start" and name == "item" and has.get("media-type", "").lower() in _PAGES:
            name = inside(folder, has.get("href", ""))
            pages[has.get("id", "")] = _Chapter(name, xml=has.get("media-type", "").lower() != _HTML)
        elif kind == "start" and name == "itemref":
            order.append(has.get("idref", ""))
    return "".join(titles), list(dict.fromkeys(pages[id] for id in order or pages if id in pages))


def _locked(archive: Archive) -> Iterator[str]:
    if _LOCKS in archive:
        for event in archive.events(_LOCKS):
            if event.kind == "start" and event.name == "CipherReference":
                yield inside("", event.attributes.get("URI", ""))
