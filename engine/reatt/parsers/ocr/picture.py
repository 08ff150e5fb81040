"""PNG, JPEG and TIFF -> text, by OCR. Each picture of a TIFF file is a page."""

from __future__ import annotations

from reatt.parsers.content import Content
from reatt.parsers.ocr.reading import INSTALL, Scanned, available, scan
from reatt.parsers.pages import BETWEEN, starts
from reatt.parsers.pdf.lines import join_cut_words, said_once
from reatt.parsers.sandbox import ReadLimits
from reatt_store.errors import DocumentError, NotText, PictureNoText


def read_picture(file: int, limits: ReadLimits) -> Content:
    """Read an open picture; raises NotText if no engine is installed, PictureNoText or DocumentError."""
    if not available():
        raise NotText("a picture", f"to read its text: {INSTALL}")
    found = scan("picture", file, limits)
    if found.error:
        raise PictureNoText(f"a picture that cannot be read: {found.error}", "open it and save it anew")
    if not found.confidences:
        raise _without_text(found)
    pages = said_once(join_cut_words([found.pages[n].text if n in found.pages else "" for n in _numbers(found)]))
    return Content(
        title="",
        text=BETWEEN.join(pages),
        pages=starts(pages),
        warnings=tuple(found.warnings()),
        ocr=found.confidences,
    )


def _numbers(found: Scanned) -> range:
    return range(1, found.count + 1)


def _without_text(found: Scanned) -> DocumentError:
    if found.failed:
        return DocumentError("; ".join(found.warnings()), "make the picture smaller, or --timeout")
    return PictureNoText("a picture in which OCR finds no text", "")
