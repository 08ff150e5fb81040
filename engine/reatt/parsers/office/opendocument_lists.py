"""The numbers of lists and headings in OpenDocument: a file says how they are made; a program counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from reatt.parsers.list_numbers import numbered

_DEEPEST = 10  # levels
OUTLINE = "outline"  # stands for the style of the numbers of headings


class Level(NamedTuple):
    """How one level of a list is numbered."""

    before: str = ""
    format: str = ""  # "" for no number
    behind: str = ""
    first: int = 1
    shown: int = 1  # levels that are written, this one as the last


@dataclass
class _Open:
    """A list that is being read."""

    style: str
    id: str = ""
    before: str = ""  # the id of the list that it goes on with
    count: int | None = None  # of its items; None before the first
    item: dict[str, str] | None = None  # the open one, until it is counted


@dataclass
class Lists:
    """Counts the items of all lists of a document, and its headings."""

    levels: dict[tuple[str, int], Level] = field(default_factory=dict)  # by style and level
    _open: list[_Open] = field(default_factory=list)
    _ended: dict[tuple[str, int], int] = field(default_factory=dict)  # the last counts, by style or id, and level
    _headings: dict[int, int] = field(default_factory=dict)

    def begin(self, has: dict[str, str]) -> None:
        """Begin a list; it may go on with the numbers of another."""
        outer = self._open[-1].style if self._open else ""
        found = _Open(has.get("style-name", outer), has.get("id", ""), has.get("continue-list", ""))
        level = len(self._open) + 1
        if found.before:
            found.count = self._ended.get((found.before, level))
        elif has.get("continue-numbering") == "true":
            found.count = self._ended.get((found.style, level))
        self._open.append(found)

    def end(self) -> bool:
        """End a list; return whether it was the outermost one."""
        if self._open:
            ended = self._open.pop()
            for name in (ended.style, ended.id, ended.before):
                if name and ended.count is not None:
                    self._ended[name, len(self._open) + 1] = ended.count
        return not self._open

    def item(self, has: dict[str, str]) -> None:
        """Begin an item of the innermost list; it counts when its first paragraph ends."""
        if self._open:
            self._open[-1].item = has

    def number(self) -> str:
        """Count the item whose first paragraph ends; return its number with the blank behind it."""
        if not self._open or (has := self._open[-1].item) is None:
            return ""
        inner = self._open[-1]
        inner.item = None
        form = self.levels.get((inner.style, len(self._open)), Level())
        given = has.get("start-value", "")
        before = form.first - 1 if inner.count is None else inner.count
        inner.count = int(given) if given.isdecimal() else before + 1
        if not form.format:
            return ""
        return self._written(inner.style, {at: each.count for at, each in enumerate(self._open, 1)})

    def heading(self, has: dict[str, str]) -> str:
        """Return the number of the next heading, with the blank behind it."""
        written = has.get("outline-level", "1")
        level = int(written) if written.isdecimal() else 1
        form = self.levels.get((OUTLINE, level), Level())
        if self._open or not form.format or has.get("is-list-header") == "true" or level > _DEEPEST:
            return ""
        self._headings = {at: count for at, count in self._headings.items() if at <= level}
        self._headings[level] = self._headings.get(level, form.first - 1) + 1
        return self._written(OUTLINE, dict(self._headings))

    def _written(self, style: str, counts: dict[int, int | None]) -> str:
        form = self.levels[style, max(counts)]
        numbers = []
        for level in range(max(1, max(counts) - form.shown + 1), max(counts) + 1):
            upper = self.levels.get((style, level), Level())
            if upper.format:
                numbers.append(numbered(counts.get(level) or upper.first, upper.format.partition(",")[0]))
        return f"{form.before}{'.'.join(numbers)}{form.behind} "
