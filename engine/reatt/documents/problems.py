"""What is kept of files that could not be read, or not all of them, and which of them another attempt may read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from statistics import fmean

from reatt.documents.files import as_text, digest
from reatt.documents.reader import FoundFile, Text
from reatt.parsers.ocr.reading import INSTALL, available
from reatt.parsers.pdf.reading import WITHOUT_OCR
from reatt_store.errors import DocumentError, EmptyDocument, Notice, NotText, ParseLimit, PdfNoText, PictureNoText
from reatt_store.records import Problem

INTERRUPTED = "INTERRUPTED"  # the id of a file whose reading has begun and not ended
PASSED_OVER = (NotText.id, PictureNoText.id, EmptyDocument.id)
# Notices about documents of which some pages were read badly or not at all, and what to do.
UNCLEAR = {
    "PDF_PICTURES": WITHOUT_OCR,
    "PDF_UNCLEAR": "ocrmypdf --force-ocr IN.pdf OUT.pdf",
    "OCR_UNSURE": "scan it again, straight and with 300 dots per inch",
    "OCR_UNREAD": "ingest it again with --retry and a longer --timeout",
}
# Expensive to find out, and the same at the next attempt with the same bytes.
FINAL = (PdfNoText.id, PictureNoText.id, ParseLimit.id)


def failure(path: str, found: FoundFile, error: DocumentError) -> Problem:
    """Return why a file was not read; with its digest if that is why it need not be tried again."""
    seen = digest(found.path) if error.id in FINAL else ""  # a file that is too big may be of any size
    return Problem(path, error.id, as_text(error.message), as_text(error.fix), seen)


def is_passed_over(id: str, found: FoundFile) -> bool:
    """Return whether a file that was not read is no failure: it is empty, or no text and was not named."""
    return id == EmptyDocument.id or (id in PASSED_OVER and not found.explicit)


def still_there(unread: Collection[str], known: Iterable[str | None]) -> set[str | None]:
    """Return the known documents of a file that stand in it and cannot be read now: they are not gone."""
    if not unread:
        return set()
    inside = tuple(f"{name}/" for name in unread)
    return {id for id in known if id in unread or (id is not None and id.startswith(inside))}


def in_part(text: Text) -> list[Problem]:
    """Return what is wrong with a document that was read, as one problem."""
    said = [each for each in text.warnings if isinstance(each, Notice) and each.id in UNCLEAR]
    told = as_text("; ".join(said))
    return [Problem(text.path, said[0].id, told, UNCLEAR[said[0].id], text.digest)] if said else []


def is_final(problem: Problem) -> bool:
    """Return whether another attempt with the same bytes would end in the same way."""
    return problem.id in FINAL and not _could_be_read(problem)


def is_worth_reading_again(problem: Problem | None, retry: bool) -> bool:
    """Return whether more may be read now of a file that was read in part."""
    return problem is not None and problem.id in UNCLEAR and (retry or _could_be_read(problem))


def _could_be_read(problem: Problem) -> bool:
    """Return whether OCR was missing and is there now."""
    return INSTALL in problem.fix and available()


def thousandths(confidences: tuple[float, ...]) -> int:
    """Return the mean confidence of pages as the store keeps it.

    >>> thousandths((0.98, 0.9)), thousandths(())
    (940, 0)
    """
    return round(1000 * fmean(confidences)) if confidences else 0
