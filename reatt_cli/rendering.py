"""Make text of unknown origin safe for a terminal: visible escapes, snippets, highlights, columns.

Documents, file names and model answers are other people's text: an escape sequence in them could retitle the window,
fill the clipboard or hide a word. So everything shown passes `visible`, piped or not. Highlights are bold *and*
bracketed, so nothing depends on colour alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.text import Text

Span = tuple[int, int]  # [start, end) in characters


class Weight(NamedTuple):
    """What text[start:end] counts in a score."""

    start: int
    end: int
    weight: float


# C0 but \n and \t, DEL, C1, bidi marks and controls, zero-width, line separators, BOM, surrogates, tag characters
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SPACE = re.compile(r"\s+")


@cache
def _word() -> re.Pattern[str]:
    """A word with spaces around it; in other scripts a mark is not extended."""
    from reatt_store.lexical.characters import UNSPACED

    letter = rf"[^\W{UNSPACED}]"
    return re.compile(rf"{letter}+(?:['’.-]{letter}+)*")


def visible(text: str) -> str:
    r"""Show every character that could steer a terminal as an escape.

    >>> visible("a\x1b[31mb\u202ec")
    'a\\x1b[31mb\\u202ec'
    """
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def one_line(text: str) -> str:
    """Make a text safe and fold its white space, so that it stays on one line."""
    return visible(_SPACE.sub(" ", text).strip())


def json_safe(encoded: str) -> str:
    r"""Escape in encoded JSON what `visible` would, without changing what it means; lone surrogates become U+FFFD."""
    return _UNSAFE.sub(lambda found: _json_escape(found[0]), encoded)


def json_ascii(encoded: str) -> str:
    r"""Escape in encoded JSON all that is not ASCII.

    >>> json_ascii('"é 😀"')
    '"\\u00e9 \\ud83d\\ude00"'
    """
    return re.sub("[^\x00-\x7f]", lambda found: _json_escape(found[0]), encoded)


def highlighted(text: str, spans: Iterable[Span]) -> Text:
    """Mark spans in bold and brackets; all text is made safe and folded to one line."""
    from rich.text import Text

    out, position = Text(), 0
    for start, end in merged(spans, text):
        out.append(_folded(text[position:start]))
        out.append(f"[{_folded(text[start:end])}]", style="bold")
        position = end
    out.append(_folded(text[position:]))
    return out


def snippet(
    text: str, weights: Sequence[Weight], width: int, answer: Span | None = None, *, marked: bool = True
) -> Text:
    """Cut the stretch of about `width` characters that holds the most weight, and highlight what weighs most there.

    `weights` are of stretches of `text`; `answer` is always in sight and marked. What is cut off is shown as "…".
    Unless it is to be `marked`, nothing but the answer is highlighted.
    """
    from rich.text import Text

    heavy = [Weight(*answer, 1 + sum(abs(each.weight) for each in weights))] if answer else []
    start, end = _best_window(text, [*weights, *heavy], width)
    spans = [*(heaviest(weights) if marked else []), *([answer] if answer else [])]
    inside = [(a - start, b - start) for a, b in spans if start <= a and b <= end]
    body = highlighted(text[start:end].rstrip(), inside)
    return Text.assemble("…" if text[:start].strip() else "", body, "…" if text[end:].strip() else "")


def heaviest(weights: Sequence[Weight], share: float = 0.6, most: int = 8) -> list[Span]:
    """Pick the heaviest spans that together carry `share` of the positive weight, at most `most` of them."""
    summed: dict[Span, float] = {}
    for start, end, weight in weights:
        if end > start and weight > 0:
            summed[start, end] = summed.get((start, end), 0.0) + weight
    ranked = sorted(summed, key=lambda span: -summed[span])
    total, carried, picked = sum(summed.values()), 0.0, list[Span]()
    for span in ranked[:most]:
        if carried >= share * total:
            break
        picked.append(span)
        carried += summed[span]
    return sorted(picked)


def stop_words(text: str) -> list[Span]:
    """Return where in a text words stand that say nothing alone, such as "the".

    >>> stop_words("The leave of Ada")
    [(0, 3), (10, 12)]
    """
    from reatt_store.lexical.stopwords import STOP_WORDS

    return [found.span() for found in _word().finditer(text) if found[0].lower() in STOP_WORDS]


def merged(spans: Iterable[Span], text: str) -> list[Span]:
    """Grow spans to whole words and join those that touch or have only white space between them."""
    words = [found.span() for found in _word().finditer(text)]
    grown = []
    for start, end in spans:
        touched = [(a, b) for a, b in words if a < end and start < b]
        grown.append((min([start, *(a for a, _ in touched)]), max([end, *(b for _, b in touched)])))
    joined: list[Span] = []
    for start, end in sorted(grown):
        if joined and (start <= joined[-1][1] or not text[joined[-1][1] : start].strip()):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def columns(rows: Sequence[Sequence[str | Text]], limit: int | None) -> list[Text]:
    """Align cells; with a `limit` (a terminal's width) the widest column is cut with "…" until a row fits."""
    from rich.text import Text

    cells = [[cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    while limit is not None and widths and sum(widths) + 2 * (len(widths) - 1) > limit and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in cells:
        line = Text("  ").join([_fitted(cell, width) for cell, width in zip(row, widths, strict=True)])
        line.rstrip()
        lines.append(line)
    return lines


def tail(text: str, limit: int | None) -> str:
    """Shorten a path at its start: the file name matters more than the root.

    >>> tail("/a/very/long/path/leave.pdf", 12)
    '…h/leave.pdf'
    """
    return text if limit is None or len(text) <= limit else "…" + text[len(text) - limit + 1 :]


def human_bytes(size: float) -> str:
    """Write a size for people.

    >>> human_bytes(460_000_000)
    '460 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def human_count(count: int) -> str:
    """Write a count for people: exact with separators up to a million, then rounded.

    >>> human_count(18204), human_count(3_100_000)
    ('18,204', '3.1M')
    """
    return f"{count:,}" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def human_seconds(seconds: float) -> str:
    """Write a duration for people.

    >>> human_seconds(0.31), human_seconds(72)
    ('0.3s', '1m12s')
    """
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{human_count(count)} {noun}" if count == 1 else f"{human_count(count)} {noun}s"


def _escape(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _folded(text: str) -> str:
    return visible(_SPACE.sub(" ", text))


def _fitted(cell: Text, width: int) -> Text:
    cell = cell.copy()
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell


def _best_window(text: str, weights: Sequence[Weight], width: int) -> Span:
    """Find the window over whole words that holds the most positive weight; the earliest if several do."""
    if len(text) <= width:
        return 0, len(text)
    candidates = [max(0, start - width // 4) for start, end, weight in weights if weight > 0 and end > start] or [0]

    def held(begin: int) -> float:
        return sum(w for a, b, w in weights if w > 0 and begin <= a and b <= begin + width)

    begin = max(sorted(set(candidates)), key=held)
    begin = min(begin, len(text) - width)
    if begin > 0 and (gap := re.search(r"\s", text[begin : begin + 20])):
        begin += gap.end()
    end = begin + width
    if end < len(text) and (gap := re.search(r"\s\S*$", text[max(begin, end - 20) : end])):
        end = max(begin, end - 20) + gap.start()
    return begin, min(end, len(text))


def where(page: int | None, line: int) -> str:
    """Name a place in a file: its page if there are pages, else its line."""
    return f" p.{page}" if page is not None else f":{line}"
