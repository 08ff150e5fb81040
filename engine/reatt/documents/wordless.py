"""What of a text is data, not words: pictures in data URIs, base64, long tokens; and files that tools made for tools.

A stretch of data becomes one sign, …, so that it fills no passages; its line ends stay, so numbers of lines hold.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

from reatt.parsers.content import Content
from reatt_store.errors import Notice

SIGN = "…"
_LETTERS = "A-Za-z0-9+/=_-"
_DATA = re.compile(
    r"(?<![\w:])data:[\w.+-]{1,80}/[\w.+-]{1,80}(?:;[\w.=+-]{1,80}){0,8}+,(?P<uri>[^\s\"'<>()\\]{64,}+)"
    rf"|(?<![{_LETTERS}])[{_LETTERS}]{{200,}}+"  # a long token
    # Lines of base64. The last one, which may be short, need not be there: else each line would look for it.
    r"|^[ \t>]*+[A-Za-z0-9+/]{60,}+\r?\n(?:[ \t>]*+[A-Za-z0-9+/]{60,}+\r?\n){2,}+"
    r"(?:[ \t>]*+[A-Za-z0-9+/]*+={0,2}(?![^\r\n]))?",
    re.MULTILINE,
)
_WORD = re.compile(r"[^\W_]")
_WINDOW = 1 << 22  # characters that are searched at a time
# A place that no data reaches across: between two lines with blanks between their words.
_BETWEEN = re.compile(r"\n[^\s>]\S*+[ \t]++\S[^\n]*+\n(?=[^\s>]\S*+[ \t]++\S)")
# Files that programs write for themselves and that say nothing to a reader.
_LOCKS = frozenset(
    "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock poetry.lock pdm.lock uv.lock pipfile.lock"
    " cargo.lock gemfile.lock composer.lock flake.lock podfile.lock go.sum mix.lock pubspec.lock".split()
)
_INDEXES = frozenset("searchindex.js search-index.js search_index.json searchindex.json lunr.json tags".split())
_MINIFIED = re.compile(r".*\.min\.(?:js|css|mjs)|.*\.(?:js|css|mjs)\.map", re.IGNORECASE)
_SCRIPTS = frozenset({".js", ".mjs", ".cjs", ".css"})
_LONG_LINE, _FEW_BLANKS = 4000, 50  # bytes of a line of minified code, and bytes for each of its blanks


@dataclass(frozen=True)
class _Cut:
    """Where a text was shortened."""

    end: int  # of the data, in the text as it was
    less: int  # characters that are missing before this place


def without_data(content: Content, on_wait: Callable[[], None] = lambda: None) -> Content:
    """Return a document without its data, and with a warning if there was any; its pages and headings move along.

    `on_wait` is called some times a second, and may raise to stop.
    """
    cuts: list[_Cut] = []
    parts: list[str] = []
    at = less = 0
    for match in _data(content.text, on_wait):
        start = match.start("uri") if match["uri"] else match.start()
        sign = SIGN + "\n" * match[0].count("\n")
        parts += (content.text[at:start], sign)
        at = match.end()
        less += at - start - len(sign)
        cuts.append(_Cut(at, less))
    if not cuts:
        return content
    text = "".join((*parts, content.text[at:]))
    ends = [cut.end for cut in cuts]

    def moved(place: int) -> int:
        before = bisect_right(ends, place)
        return place - cuts[before - 1].less if before else place

    said = Notice("LEFT_OUT", f"{less + len(cuts):,} characters of data without words were left out")
    return replace(
        content,
        text=text if _WORD.search(text) else "",
        pages=tuple(map(moved, content.pages)),
        headings=tuple((moved(place), heading) for place, heading in content.headings),
        warnings=(*content.warnings, said),
    )


def _data(text: str, on_wait: Callable[[], None]) -> Iterator[re.Match[str]]:
    """Yield the stretches of data."""
    at = 0
    while at < len(text):
        border = _BETWEEN.search(text, at + _WINDOW)
        end = border.end() if border else len(text)
        yield from _DATA.finditer(text, at, end)
        on_wait()
        at = end


def made_for_tools(path: PurePath, head: bytes) -> str:
    """Say what a file is that a tool made for tools; "" if it is none.

    >>> made_for_tools(PurePath("web/yarn.lock"), b""), made_for_tools(PurePath("notes.md"), b"Words.")
    ('a lock file', '')
    """
    name = path.name.lower()
    if name in _LOCKS:
        return "a lock file"
    if name in _INDEXES:
        return "an index for a search"
    longest = max(map(len, head.split(b"\n")))
    if _MINIFIED.fullmatch(name) or (
        path.suffix.lower() in _SCRIPTS and longest > _LONG_LINE and head.count(b" ") * _FEW_BLANKS < len(head)
    ):
        return "minified code"
    return ""
