"""DOCX -> text: what stands above the pages, the body, notes and comments, what stands below the pages.

A DOCX has no pages until a program lays it out; its headings locate a passage instead.
"""

from __future__ import annotations

from reatt.parsers.archives import Archive, Event
from reatt.parsers.composing import PARAGRAPH, whole
from reatt.parsers.content import Content
from reatt.parsers.office.numbering import Numbering, read_numbering
from reatt.parsers.office.paragraphs import Reader
from reatt.parsers.office.properties import properties, told
from reatt.parsers.office.word_styles import Styles, read_styles

_DEEPEST = 3  # documents in documents
_NOTES = ("footnotes", "endnotes", "comments")


class _Marks:
    """Numbers the notes in the order of their references."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def of(self, kind: str, id: str) -> str:
        """Return the mark at a reference."""
        count = sum(known == kind for known, _ in self._numbers)
        return f" [{self._numbers.setdefault((kind, id), count + 1)}]"

    def before(self, event: Event) -> str:
        """Return what stands before a note, or before a comment."""
        if event.name == "comment":
            author = event.attributes.get("author", "")
            return f"Comment by {author}: " if author else "Comment: "
        number = self._numbers.get((event.name, event.attributes.get("id", "")))
        return f"[{number}] " if number else ""


def docx(data: bytes, deeper: int = _DEEPEST) -> Content:
    """Read a Word document; those that were put into it as a whole may be nested a few times."""
    archive = Archive(data)
    main = archive.main_part()
    related = [relation for relation in archive.relations(main) if relation.target in archive]
    parts = {relation.type: relation.target for relation in related}
    styles = read_styles(archive.events(parts["styles"])) if "styles" in parts else Styles()
    numbering = read_numbering(archive.events(parts["numbering"])) if "numbering" in parts else Numbering()
    numbering.styles = styles.lists
    marks = _Marks()
    reader = Reader(
        archive, PARAGRAPH, styles, numbering.number, marks.of, lambda part: _inserted(archive, part, deeper)
    )
    for relation in related:
        if relation.type == "header":
            reader.read(relation.target, once=True)
    reader.read(main)
    for relation in related:
        if relation.type in _NOTES:
            reader.read(relation.target, before=marks.before)
    for relation in related:
        if relation.type == "footer":
            reader.read(relation.target, once=True)
    return told(reader.composer.content(), properties(archive))


def _inserted(archive: Archive, part: str, deeper: int) -> Content:
    """Read a part that is a file of another format."""
    from reatt.parsers import encodings, formats
    from reatt.parsers.mail.message import mail
    from reatt.parsers.markup.html import declared_encoding, html
    from reatt.parsers.office.rtf import rtf

    data = archive.read(part)
    kind = formats.kind_of(part, data[: formats.HEAD])
    if kind == "docx":
        return docx(data, deeper - 1) if deeper else Content("", "")
    if kind in ("rtf", "mail"):
        return rtf(data) if kind == "rtf" else mail(data)
    text = encodings.decode(data, None, declared_encoding(data)).text
    return html(text) if kind == "html" else Content("", whole(text))
