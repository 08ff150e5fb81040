"""What every parser returns: the text of a file, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass

Headings = tuple[tuple[int, str], ...]  # (character position where the heading's line starts, heading)


@dataclass(frozen=True)
class Content:
    """What a parser finds in one file."""

    title: str  # "" if the file has none
    text: str
    pages: tuple[int, ...] = ()  # character where each page starts
    headings: Headings = ()
    warnings: tuple[str, ...] = ()
    author: str = ""
    dated: str = ""  # the date that it gives itself, ISO 8601
    ocr: tuple[float, ...] = ()  # of each page that was read by OCR: how sure it was, 0 to 1
