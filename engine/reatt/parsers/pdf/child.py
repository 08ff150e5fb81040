"""Reads a PDF in its own process. Run as a script by `sandbox.Child`; imports nothing of ours but what a child needs.

pdfium reads the pages. pypdf reads files that pdfium cannot open, and pages that it cannot read.

Prints one JSON object per line:
    {"pages": 41, "title": "...", "author": "...", "made": "D:2024...", "found": false}
                                                       found: the page tree was lost, the pages were searched for
    {"page": 1, "text": "...", "image": true}          or {"page": 1, "broken": "why"}
    {"outline": [[page, "heading"], ...]}
    {"error": "password" | "damaged" | "memory", "detail": "..."}
"""

from __future__ import annotations

import importlib
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any, BinaryIO

from reatt.parsers.confined import die_with, limit

Message = dict[str, Any]
FEW_LETTERS = 20  # a page with fewer characters may be a picture
_PDFIUM_IMAGE = 3  # FPDF_PAGEOBJ_IMAGE
_ABOUT = {"title": "Title", "author": "Author", "made": "CreationDate"}


class Locked(Exception):
    """No password opens the file."""


def with_pypdf(file: BinaryIO, passwords: Sequence[str]) -> Iterator[Message]:
    """Read with pypdf: tolerant of broken files, but it may glue words together."""
    reader = _pypdf_open(file, passwords)
    pages = guarded(lambda: list(reader.pages), [])
    found = not pages
    if found:
        pages = list(_pypdf_search(reader))
    said = {name: guarded(partial(_pypdf_about, reader, key), "") for name, key in _ABOUT.items()}
    yield {"pages": len(pages), "found": found, **said}
    for number, page in enumerate(pages, 1):
        yield read_page(number, partial(_pypdf_text, page), partial(_pypdf_has_image, page))
    yield {"outline": guarded(lambda: list(_pypdf_outline(reader)), [])}


def _pypdf_open(file: BinaryIO, passwords: Sequence[str]) -> Any:
    import pypdf

    try:
        reader = pypdf.PdfReader(file, strict=False)
    except (pypdf.errors.PyPdfError, ValueError):
        reader = pypdf.PdfReader(_with_end(file), strict=False)
    if reader.is_encrypted and not any(reader.decrypt(password) for password in passwords):
        raise Locked
    return reader


def _with_end(file: BinaryIO) -> BinaryIO:
    """Add an end to a truncated file, so that pypdf searches it for objects instead of giving up."""
    file.seek(0)
    data = file.read()
    last = max((int(number) for number in re.findall(rb"(?<!\d)(\d{1,7}) \d{1,5} obj", data)), default=0)
    return io.BytesIO(data + b"\nendobj\ntrailer\n<< /Size %d >>\nstartxref\n0\n%%%%EOF\n" % (last + 1))


def _pypdf_about(reader: Any, key: str) -> str:
    return str(reader.metadata[f"/{key}"])


def _pypdf_text(page: Any) -> str:
    """Read a page's text, and then the values of its form fields with their names."""
    fields = guarded(lambda: list(_pypdf_fields(page)), [])
    return "\n".join([page.extract_text(), *fields])


def _pypdf_fields(page: Any) -> Iterator[str]:
    for reference in page.get("/Annots") or ():
        field = reference.get_object()
        if field.get("/Subtype") == "/Widget":
            above = field.get("/Parent", field).get_object()
            name, value = field.get("/T", above.get("/T")), field.get("/V", above.get("/V"))
            if isinstance(value, str) and value:
                yield f"{name}: {value}" if name else value


def _pypdf_search(reader: Any) -> Iterator[Any]:
    """Find the remaining page objects of a file whose page tree is lost, in the order of their numbers."""
    from pypdf import PageObject
    from pypdf.generic import DictionaryObject, IndirectObject

    known = {number for table in reader.xref.values() for number in table} | set(reader.xref_objStm)
    for number in sorted(known):
        item = guarded(IndirectObject(number, 0, reader).get_object, None)
        if isinstance(item, DictionaryObject) and item.get("/Type") == "/Page":
            page = PageObject(reader)
            page.update(item)
            guarded(partial(_replace_lost_fonts, page), None)
            yield page


def _replace_lost_fonts(page: Any) -> None:
    """Replace missing fonts; most fonts number the letters as ASCII does."""
    from pypdf.generic import DictionaryObject, NameObject

    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    fonts = page["/Resources"].get_object()["/Font"].get_object()
    for name in fonts:
        if not isinstance(guarded(fonts.raw_get(name).get_object, None), DictionaryObject):
            fonts[name] = DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()})


def _pypdf_has_image(page: Any) -> bool:
    things = page["/Resources"]["/XObject"].get_object()
    return any(things[name].get_object().get("/Subtype") == "/Image" for name in things)


def _pypdf_outline(reader: Any) -> Iterator[tuple[int, str]]:
    stack = [iter(reader.outline)]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
        elif isinstance(item, list):
            stack.append(iter(item))
        elif (page := guarded(partial(reader.get_destination_page_number, item), None)) is not None:
            yield page + 1, str(item.title)


def with_pdfium(file: BinaryIO, passwords: Sequence[str]) -> Iterator[Message]:
    """Read with pdfium: words by their places, values of forms, remarks."""
    pdfium = importlib.import_module("pypdfium2")
    document = _pdfium_open(pdfium, file, passwords)
    guarded(document.init_forms, None)
    about = partial(guarded, otherwise="")
    said = {name: about(partial(document.get_metadata_value, key)) for name, key in _ABOUT.items()}
    yield {"pages": len(document), "found": False, **said}
    other = cache(partial(_pypdf_pages, file, passwords))
    for index in range(len(document)):
        found = read_page(
            index + 1, partial(_pdfium_text, document, index), partial(_pdfium_has_image, document, index)
        )
        yield found if _is_read(found) else _better(found, other, index)
    yield {"outline": guarded(lambda: list(_pdfium_outline(document)), [])}


def _is_read(found: Message) -> bool:
    return bool(found.get("image") or found.get("text", "").strip())


def _better(found: Message, other: Callable[[], Sequence[Any]], index: int) -> Message:
    """Read a page without text again with pypdf, because pdfium passes over what is damaged in silence."""
    pages = guarded(other, ())
    if index >= len(pages):
        return found
    again = read_page(index + 1, partial(_pypdf_text, pages[index]), partial(_pypdf_has_image, pages[index]))
    return again if _is_read(again) or "broken" in again else found


def _pypdf_pages(file: BinaryIO, passwords: Sequence[str]) -> Sequence[Any]:
    return list(_pypdf_open(file, passwords).pages)


def _pdfium_open(pdfium: Any, file: BinaryIO, passwords: Sequence[str]) -> Any:
    for password in passwords:
        try:
            return pdfium.PdfDocument(file, password=password or None)
        except pdfium.PdfiumError as error:
            if "password" not in str(error).lower():
                raise
    raise Locked


def _pdfium_text(document: Any, index: int) -> str:
    """Put a page's words in order; what stands at its sides or across it, and remarks, come last."""
    from reatt.parsers.pdf.glyphs import page_of
    from reatt.parsers.pdf.layout import PARAGRAPH, text_of

    page = page_of(document, index)
    upright = map(text_of, (page.words, *page.sideways))
    return PARAGRAPH.join(filter(None, [*upright, " ".join(page.turned), *page.remarks]))


def _pdfium_has_image(document: Any, index: int) -> bool:
    return any(True for _ in document[index].get_objects(filter=[_PDFIUM_IMAGE], max_depth=3))


def _pdfium_outline(document: Any) -> Iterator[tuple[int, str]]:
    for item in document.get_toc(max_depth=8):
        target = item.get_dest()
        if target is not None and target.get_index() is not None:
            yield target.get_index() + 1, item.get_title()


def read_page(number: int, text_of: Callable[[], str], has_image: Callable[[], bool]) -> Message:
    """Read one page; an exception on a hostile page does not affect the others."""
    try:
        text = text_of()
    except MemoryError:
        raise
    except Exception as error:
        return {"page": number, "broken": f"{type(error).__name__}: {error}"[:200]}
    if garbled(text):
        return {"page": number, "broken": "its characters have no meaning"}
    few = sum(map(str.isalpha, text)) < FEW_LETTERS
    return {"page": number, "text": text, "image": few and guarded(has_image, False)}


def garbled(text: str) -> bool:
    """Return whether most characters are undefined, because their fonts are missing."""
    seen = [character for character in text if not character.isspace()]
    return sum(character == "\ufffd" or not character.isprintable() for character in seen) > len(seen) / 2


def guarded(get: Callable[[], Any], otherwise: Any) -> Any:
    """Return the parser's result for a part that may be missing or broken."""
    try:
        return get()
    except MemoryError:
        raise
    except Exception:
        return otherwise


def read(file: BinaryIO, passwords: Sequence[str]) -> Iterator[Message]:
    """Read with pdfium; pypdf can repair some files that pdfium cannot open."""
    messages = with_pdfium(file, passwords)
    first = guarded(lambda: next(messages), None)
    if first is not None and first["pages"]:
        yield first
        yield from messages
        return
    file.seek(0)
    yield from with_pypdf(file, passwords)


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    logging.disable()
    say = sys.stdout.write
    die_with(request["parent"])
    try:
        limit(request["memory"], request["cpu_seconds"])
        with open(request["file"], "rb", closefd=False) as file:
            for message in read(file, request["passwords"]):
                say(json.dumps(message) + "\n")
                sys.stdout.flush()
    except Locked:
        say(json.dumps({"error": "password", "detail": ""}) + "\n")
    except MemoryError:
        say(json.dumps({"error": "memory", "detail": ""}) + "\n")
    except Exception as error:
        say(json.dumps({"error": "damaged", "detail": f"{type(error).__name__}: {error}"[:200]}) + "\n")


if __name__ == "__main__":
    main()
