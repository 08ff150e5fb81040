"""Reads pages by OCR in a child process (`child.py`), and checks what it says.

A page that takes too long or ends the child is named; the child is started again for those that follow, a few times.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from reatt.parsers.ocr.placing import PageRead
from reatt.parsers.pages import clean, named
from reatt.parsers.sandbox import Child, Crashed, Message, ReadLimits
from reatt_store.errors import DocumentError, Notice, ParseLimit

INSTALL = 'pip install "reatt[ocr]"'
SCRIPT = Path(__file__).with_name("child.py")
MOST_PAGES = 2000  # of one file
_MOST_COUNT = 100_000  # pages that are named as not read
_MOST_TEXT = 1_000_000  # characters of a page
_MOST_WHY = 1000  # characters of a reason
UNSURE = 0.92  # pages below this confidence are named
_MEMORY = 3 << 30  # bytes of address space: half for the engine, the rest for a large picture
_LONGER = 3  # times the limit on other files, for each page: a page takes seconds of the processor
_FAILURES = 3  # after which the other pages of a file are given up
_NEEDED = ("rapidocr", "onnxruntime")


@dataclass
class Scanned:
    """What OCR made of the pages of a file, by their numbers from 1."""

    pages: dict[int, PageRead] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)  # and why
    count: int = 0  # pages of the file
    error: str = ""  # why no page could be read

    @property
    def confidences(self) -> tuple[float, ...]:
        """The confidence of each page that has text."""
        return tuple(page.confidence for page in self.pages.values() if page.text)

    def warnings(self) -> Iterable[str]:
        """Name the pages that were read badly, or not at all."""
        unsure = [number for number, page in self.pages.items() if page.text and page.confidence < UNSURE]
        if unsure:
            mean = fmean(self.pages[number].confidence for number in unsure)
            yield Notice("OCR_UNSURE", f"OCR is not sure of the text: {named(unsure)}, confidence {mean:.2f}")
        for why in dict.fromkeys(self.failed.values()):
            numbers = [number for number, other in self.failed.items() if other == why]
            yield Notice("OCR_UNREAD", f"OCR cannot read {named(numbers)}: {why}")


def available() -> bool:
    """Return whether the engine is installed."""
    return all(find_spec(name) is not None for name in _NEEDED)


def scan(kind: str, file: int, limits: ReadLimits, numbers: Sequence[int] = ()) -> Scanned:
    """Read pages of an open "pdf" or "picture", all if none are named. Each page may take three times `limits.seconds`.

    `limits.on_page` is called some times a second. Raises DocumentError if the engine does not start.
    """
    found, left = Scanned(), list(numbers[:MOST_PAGES])
    for _ in range(_FAILURES):
        try:
            _run(kind, file, limits, left, found, len(numbers))
            break
        except (Crashed, ParseLimit) as error:
            why = f"the engine crashed ({error})" if isinstance(error, Crashed) else error.message
            left = left or list(range(1, min(found.count, MOST_PAGES) + 1))
            left = [number for number in left if number not in found.pages and number not in found.failed]
            if not left:
                found.error = why
                break
            found.failed[left.pop(0)] = why
            if not left:
                break
    found.failed |= dict.fromkeys(_not_tried(numbers, found), found.error or "too many pages, or too many that failed")
    return found


def _not_tried(numbers: Sequence[int], found: Scanned) -> list[int]:
    wanted = numbers or range(1, found.count + 1)
    return [number for number in wanted if number not in found.pages and number not in found.failed]


def _run(kind: str, file: int, limits: ReadLimits, numbers: Sequence[int], found: Scanned, total: int) -> None:
    request = {
        "file": file, "kind": kind, "passwords": ["", *limits.passwords], "pages": list(numbers), "most": MOST_PAGES,
        "memory": _MEMORY,
    }  # fmt: skip

    def tell() -> None:
        limits.on_page(len(found.pages) + len(found.failed), total or min(found.count, MOST_PAGES))

    seconds = _LONGER * limits.seconds
    with Child(SCRIPT, request, (file,), seconds=seconds, output=limits.output, on_wait=tell) as child:
        for message in child.messages():
            child.renew()
            _hear(message, found, numbers or range(1, min(found.count, MOST_PAGES) + 1))
            tell()


def _hear(message: Message, found: Scanned, asked: Container[int]) -> None:
    """Take in what the child says; a picture may have taken it over, so it may be anything.

    Raises Crashed for what is no answer to the pages that were asked for.
    """
    match message:
        case {"error": "engine", "detail": str(detail)}:
            raise DocumentError(f"OCR does not start: {clean(detail[:_MOST_WHY])}", INSTALL)
        case {"error": "damaged", "detail": str(detail)}:
            found.error = clean(detail[:_MOST_WHY])
        case {"count": int(count)} if count >= 0 and not isinstance(count, bool):
            found.count = min(count, _MOST_COUNT)
        case {"page": int(number), **said} if number in asked and not isinstance(number, bool):
            if isinstance(said.get("failed"), str):
                found.failed[number] = clean(said["failed"][:_MOST_WHY])
            else:
                found.pages[number] = _page(said)
        case _:
            raise Crashed("it said what is no answer")


def _page(said: dict[str, Any]) -> PageRead:
    match said:
        case {"text": str(text), "confidence": float(sure), "characters": int(characters)} if (
            len(text) <= _MOST_TEXT and math.isfinite(sure) and 0 <= characters <= _MOST_TEXT
        ):
            return PageRead(clean(text), min(max(sure, 0.0), 1.0), int(characters))
        case _:
            raise Crashed("it said what is no answer")
