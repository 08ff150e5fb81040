"""EPUB -> text: the chapters in reading order, each parsed by the rules of XHTML unless it is declared as HTML."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import unquote

from reatt.parsers import encodings
from reatt.parsers.archives import Archive, Event, damaged, inside
from reatt.parsers.composing import Composer
from reatt.parsers.content import Content
from reatt.parsers.markup.html import declared_encoding, html
from reatt.parsers.origins import authors, day
from reatt_store.errors import ArchiveLimit, DocumentError

_CONTAINER = "META-INF/container.xml"
_LOCKS = "META-INF/encryption.xml"
_HTML = "text/html"
_PAGES = frozenset(
    {"application/xhtml+xml", _HTML, "text/x-oeb1-document", "application/xml", "text/xml", "image/svg+xml", ""}
)
_CONTENTS = "application/x-dtbncx+xml"
_TOLD = frozenset({"title", "creator", "date"})


class _Chapter(NamedTuple):
    """A part of the archive that is read."""

    name: str
    xml: bool  # by XML's rules


@dataclass
class _Book:
    """What the package of a book says."""

    title: str = ""
    authors: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    chapters: list[_Chapter] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)  # the parts that hold tables of contents


def epub(data: bytes) -> Content:
    """Read a book; raises DocumentError if it is protected by DRM."""
    archive = Archive(data)
    package = _package(archive)
    book = _book(archive, package)
    chapters = book.chapters
    locked, labels = set(_locked(archive)), _labels(archive, book)
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
        heading = labels.get(chapter.name, "")
        composer.add_content(page.text, page.headings or (((0, heading),) if heading else ()))
    if broken and broken + missing == len(chapters):
        raise damaged("none of its chapters can be read")
    said = [(count, what) for count, what in ((missing, "missing"), (broken, "damaged")) if count]
    content = composer.content(book.title, tuple(f"{n} of {len(chapters)} chapters are {what}" for n, what in said))
    return replace(content, author=authors(book.authors), dated=next(filter(None, map(day, book.dates)), ""))


def _package(archive: Archive) -> str:
    for event in archive.events(_CONTAINER):
        if event.kind == "start" and event.name == "rootfile":
            return inside("", event.attributes.get("full-path", ""))
    raise damaged("it does not say where its chapters are")


def _book(archive: Archive, package: str) -> _Book:
    """Read what a book says of itself, and its chapters in reading order; all pages if it names no order."""
    folder = posixpath.dirname(package)
    names = {_plainly(name): name for name in archive.names()}
    book = _Book()
    pages: dict[str, _Chapter] = {}
    order: list[str] = []
    told = dict[str, list[str]]()
    inside_it = ""
    for kind, name, has in archive.events(package):
        if kind == "text":
            told.setdefault(inside_it, []).append(name)
        elif name in _TOLD:
            inside_it = name if kind == "start" else ""
        elif kind == "start" and name == "item":
            media, part = has.get("media-type", "").lower(), inside(folder, has.get("href", ""))
            part = part if part in archive else names.get(_plainly(part), part)
            if media in _PAGES:
                pages[has.get("id", "")] = _Chapter(part, xml=media != _HTML)
            if media == _CONTENTS or "nav" in has.get("properties", "").split():
                book.contents.append(part)
        elif kind == "start" and name == "itemref":
            order.append(has.get("idref", ""))
    book.title = next(iter(told.get("title", [])), "")
    book.authors, book.dates = told.get("creator", []), told.get("date", [])
    chosen = [pages[id] for id in order if id in pages]
    book.chapters = list(dict.fromkeys(chosen or pages.values()))
    return book


def _plainly(name: str) -> str:
    """Return a name as it is compared where it differs in capitals, or in how its signs are written."""
    return unquote(name).casefold()


def _locked(archive: Archive) -> Iterator[str]:
    if _LOCKS in archive:
        for event in archive.events(_LOCKS):
            if event.kind == "start" and event.name == "CipherReference":
                yield inside("", event.attributes.get("URI", ""))


def _labels(archive: Archive, book: _Book) -> dict[str, str]:
    """Return what the tables of contents call each part of the archive: its first name in them."""
    found: dict[str, str] = {}
    for part in book.contents:
        target, words = "", list[str]()
        for kind, name, has in _readable(archive, part):
            if kind == "text":
                words.append(name)
            elif kind == "start" and name in ("navPoint", "a"):
                words, target = [], inside(posixpath.dirname(part), has.get("href", "")) if "href" in has else ""
            elif kind == "start" and name == "content":
                found.setdefault(inside(posixpath.dirname(part), has.get("src", "")), _line(words))
            elif kind == "end" and name == "a" and target:
                found.setdefault(target, _line(words))
    return found


def _readable(archive: Archive, part: str) -> Iterator[Event]:
    """Yield the events of a part until it is broken; nothing if it is not there."""
    with suppress(DocumentError):
        if part in archive:
            yield from archive.events(part)


def _line(words: list[str]) -> str:
    return " ".join("".join(words).split())
