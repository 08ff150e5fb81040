"""PDF -> text with pages. A child process (`child.py`) does the parsing; this module checks its output.

A PDF has no text, only glyphs at positions. The parser's text is stored page by page, and offsets refer to it. Line
ends become \\n, words cut at a line's end are joined, and heads that run over many pages are said once (`lines.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reatt.parsers.content import Content, Headings
from reatt.parsers.ocr import reading as ocr
from reatt.parsers.origins import authors, day
from reatt.parsers.pages import BETWEEN, clean, named, ranges, starts
from reatt.parsers.pdf.lines import broken, join_cut_words, said_once
from reatt.parsers.sandbox import Child, Crashed, Message, ReadLimits
from reatt_store.errors import Notice, ParseLimit, PdfDamaged, PdfNoText, PdfPassword

SCRIPT = Path(__file__).with_name("child.py")
SECONDS_A_PAGE = 0.25  # pdfium and pypdf need 0.05; a long book is not an attack
MOSTLY_PICTURES = 0.8
OCR = "ocrmypdf IN.pdf OUT.pdf"
WITHOUT_OCR = f"{ocr.INSTALL}, or {OCR}"

_NO_TITLE = re.compile(
    r"^(?:\(?untitled.*|\(?anonymous\)?|unspecified|unknown|none|microsoft (?:word|powerpoint).*"
    r"|.*\.(?:docx?|pptx?|xlsx?|tex|dvi|indd|pdf))$",
    re.I,
)


@dataclass
class _Seen:
    """Everything that the child reported about one file."""

    pages: dict[int, str] = field(default_factory=dict)  # number from 1 -> text
    pictures: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    outline: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0
    title: str = ""
    author: str = ""
    made: str = ""  # as PDF writes dates: D:20240305...
    found: bool = False  # the page tree is lost
    scanned: ocr.Scanned = field(default_factory=ocr.Scanned)


def read_pdf(file: int, limits: ReadLimits) -> Content:
    """Read an open PDF file; raises PdfPassword, PdfNoText, PdfDamaged, ParseLimit or EmptyDocument.

    The empty password is tried first, because many files restrict printing, not reading. `limits.seconds` is for the
    whole file; it grows by a quarter of a second per page, at most tenfold.
    """
    request = {"file": file, "passwords": ["", *limits.passwords], "memory": limits.memory}
    seen = _Seen()
    try:
        with Child(
            SCRIPT, request, (file,), seconds=limits.seconds, output=limits.output,
            on_wait=lambda: limits.on_page(len(seen.pages), seen.count),
        ) as child:  # fmt: skip
            for message in child.messages():
                _hear(seen, message)
                if "pages" in message:
                    child.allow(SECONDS_A_PAGE * seen.count)
    except Crashed as error:
        raise PdfDamaged(f"the PDF parser crashed ({error})", "open it and print it to a new PDF") from error
    except ParseLimit as error:
        done = f"; {len(seen.pages)} of {seen.count} pages were read" if seen.count else ""
        raise ParseLimit(error.message + done, error.fix or "--timeout, or split the file") from error
    if ocr.available():
        _scan(seen, file, limits)
    return _judge(seen)


def _scan(seen: _Seen, file: int, limits: ReadLimits) -> None:
    """Read the pages that are pictures by OCR; all pages if none has text."""
    wanted = seen.pictures if any(page.strip() for page in seen.pages.values()) else sorted(seen.pages)
    if not wanted:
        return
    seen.scanned = ocr.scan("pdf", file, limits, wanted)
    read = {number: page.text for number, page in seen.scanned.pages.items() if page.text and number in seen.pages}
    seen.pages |= read
    seen.pictures = [number for number in seen.pictures if number not in read]


def _hear(seen: _Seen, message: Message) -> None:
    match message:
        case {"error": "password"}:
            raise PdfPassword("needs a password", "--password-file FILE")
        case {"error": "memory"}:
            raise ParseLimit("parsing needs more memory than allowed", "split the file")
        case {"error": _, "detail": detail}:
            raise PdfDamaged(f"is damaged: {detail}", "open it and print it to a new PDF")
        case {"pages": count, "title": title, "author": author, "made": made, "found": found}:
            seen.count, seen.title, seen.author, seen.made, seen.found = count, title, author, made, found
        case {"page": number, "text": text, "image": image}:
            seen.pages[number] = clean(text)
            if image:
                seen.pictures.append(number)
        case {"page": number}:
            seen.broken.append(number)
        case {"outline": outline}:
            seen.outline = [(page, _one_line(heading)) for page, heading in outline]


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _judge(seen: _Seen) -> Content:
    if not seen.pages:
        which = f"none of its {seen.count} pages" if seen.count else "no page of it"
        raise PdfDamaged(f"{which} can be read", "open it and print it to a new PDF")
    if len(seen.pictures) > MOSTLY_PICTURES * len(seen.pages) and not ocr.available():
        raise _no_text(seen, f"no text layer ({len(seen.pictures)} of {seen.count} pages are pictures)")
    if not any(page.strip() for page in seen.pages.values()):
        raise _no_text(seen, f"no text on its {seen.count} pages")
    joined = said_once(join_cut_words([seen.pages.get(number, "") for number in range(1, seen.count + 1)]))
    places = starts(joined)
    return Content(
        title="" if _NO_TITLE.match(title := _one_line(seen.title)) else title,
        text=BETWEEN.join(joined),
        pages=places,
        headings=_place(seen.outline, joined, places),
        warnings=tuple(_warnings(seen, joined)),
        author=authors([clean(seen.author)]),
        dated=day(seen.made),
        ocr=seen.scanned.confidences,
    )


def _no_text(seen: _Seen, what: str) -> PdfNoText:
    """Say that a PDF has no text, and what can be done."""
    if not ocr.available():
        return PdfNoText(what, WITHOUT_OCR)
    why = seen.scanned.error or "; ".join(seen.scanned.warnings()) or "OCR finds none"
    return PdfNoText(f"{what}; {why}", OCR)


def _warnings(seen: _Seen, pages: Sequence[str]) -> Iterable[str]:
    if seen.found:
        yield f"cut off or damaged: {len(seen.pages)} pages were found, their order may be wrong"
    if seen.broken:
        yield f"{len(seen.pages)} of {seen.count} pages read; damaged: {ranges(seen.broken)}"
    if seen.pictures:
        yield _pictures(seen)
    yield from seen.scanned.warnings()
    if unclear := [number for number in broken(pages) if number not in seen.scanned.pages]:
        yield Notice("PDF_UNCLEAR", f"text that looks broken: {named(unclear)}")


def _pictures(seen: _Seen) -> str:
    """Name the pages without text."""
    told = f"pages without a text layer: {ranges(seen.pictures)}"
    if not ocr.available():
        return Notice("PDF_PICTURES", told)
    return f"{told}; {seen.scanned.error or 'OCR finds no text on them'}"


def _place(outline: Sequence[tuple[int, str]], pages: Sequence[str], starts: Sequence[int]) -> Headings:
    """Find the text of each bookmark on its page; if it is not found, use the start of the page."""
    placed = []
    for page, heading in outline:
        if heading and 1 <= page <= len(pages):
            words = r"\s+".join(map(re.escape, heading.split()))
            match = re.search(words, pages[page - 1], re.IGNORECASE)
            line = pages[page - 1].rfind("\n", 0, match.start()) + 1 if match else 0
            placed.append((starts[page - 1] + line, heading))
    return tuple(sorted(placed, key=lambda place: place[0]))
