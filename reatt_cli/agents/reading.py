"""Lines or a page of a stored document, cut at the border of a passage where they are too long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reatt_cli.agents.budget import room

if TYPE_CHECKING:
    from reatt_store.records import StoredChunk

LONGEST_NUMBER = 9  # digits of a line's number


@dataclass(frozen=True)
class Stretch:
    """A stretch of a document: its text, its lines, and where what was left out begins."""

    text: str
    first: int
    last: int
    of: int  # lines of the document
    skip: int | None  # characters of what was asked for that come before the rest; None if there is no rest


def stretch(chunks: Sequence[StoredChunk], lines: str | None, page: int | None, skip: int, tokens: int) -> Stretch:
    """Return what was asked for of a document, from `skip` characters on, as far as it fits."""
    whole = "".join(stored.chunk.text for stored in chunks)
    breaks = _breaks(whole)
    asked_from, asked_to = _page(chunks, page) if page is not None else _lines(whole, breaks, lines)
    start = min(asked_from + max(0, skip), asked_to)
    end = _fitting(whole, [stored.chunk.char_end for stored in chunks], start, asked_to, room(tokens))
    last = _line_of(breaks, max(start, end - 1))
    rest = end - asked_from if end < asked_to else None
    return Stretch(whole[start:end], _line_of(breaks, start), last, len(breaks), rest)


def span(text: str, first: int) -> str:
    """Name the lines of a passage whose first character that is no space stands in line `first`."""
    body = text.strip()
    ends = body.count("\n") or body.count("\r")
    return f"{first}-{first + ends}" if ends else str(first)


def _breaks(text: str) -> list[int]:
    """Return where each line begins; lines end as the store counts them."""
    mark = "\n" if "\n" in text else "\r"
    starts = [0, *(found.end() for found in re.finditer(mark, text))]
    return starts[:-1] if len(starts) > 1 and starts[-1] == len(text) else starts


def _line_of(breaks: Sequence[int], place: int) -> int:
    from bisect import bisect_right

    return bisect_right(breaks, place)


def _lines(whole: str, breaks: Sequence[int], lines: str | None) -> tuple[int, int]:
    """Read "10-40", "10-" or "10": the characters from the first of these lines to the end of the last one."""
    from reatt_store.errors import UsageError

    if lines is None:
        return 0, len(whole)
    digits = rf"\d{{1,{LONGEST_NUMBER}}}"
    found = re.fullmatch(rf"\s*({digits})\s*(?:(-)\s*({digits})?)?\s*", lines, re.ASCII)
    if found is None:
        raise UsageError(f"lines {lines[:40]!r}: expected two numbers from 1 on", 'lines="10-40"')
    first = int(found[1])
    last = int(found[3]) if found[3] else len(breaks) if found[2] else first
    if not 1 <= first <= min(last, len(breaks)):
        raise UsageError(f"lines {lines}: the document has the lines 1-{len(breaks)}", f'lines="1-{len(breaks)}"')
    return breaks[first - 1], breaks[last] if last < len(breaks) else len(whole)


def _page(chunks: Sequence[StoredChunk], page: int) -> tuple[int, int]:
    """Return the characters of a page."""
    from reatt_store.errors import UsageError

    found = [stored.chunk for stored in chunks if stored.chunk.page == page]
    if not found:
        pages = sorted({stored.chunk.page for stored in chunks if stored.chunk.page is not None})
        there = f"text is on the pages {pages[0]} to {pages[-1]}" if pages else "the document has no pages"
        raise UsageError(f"page {page}: {there}", f"page={pages[0]}" if pages else 'lines="1-100"')
    return found[0].char_start, found[-1].char_end


def _fitting(whole: str, borders: Sequence[int], start: int, end: int, bytes_left: int) -> int:
    """Return the last border of a passage up to which the text fits; inside a passage only if none fits whole."""
    if len(whole[start:end].encode("utf-8", "replace")) <= bytes_left:
        return end
    reached = start
    for border in (border for border in borders if start < border < end):
        if len(whole[start:border].encode("utf-8", "replace")) > bytes_left:
            break
        reached = border
    return reached if reached > start else start + max(1, bytes_left // 4)
