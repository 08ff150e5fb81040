"""The numbers of the lists in a DOCX: 1., 2.1, (c), IV. A file says how they are made; a program counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reatt.parsers.archives import Event
from reatt.parsers.list_numbers import numbered
from reatt.parsers.office.runs import Paragraph

_STYLES = {
    "lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I", "decimalZero": "01", "ordinal": "1st",
    "decimalEnclosedCircle": "①", "decimalEnclosedCircleChinese": "①",
} | dict.fromkeys(
    "chineseCounting chineseCountingThousand taiwaneseCounting taiwaneseCountingThousand japaneseCounting"
    " ideographDigital".split(),
    "一",
)  # fmt: skip
_UNSEEN = frozenset({"bullet", "none"})
_PLACE = re.compile(r"%([1-9])")
_LEVELS = 9


@dataclass
class _Level:
    start: int = 1
    style: str = "decimal"
    text: str = ""  # %1 stands for the number of the first level


@dataclass
class _List:
    """One of the lists that paragraphs name; several may be counted together."""

    counted: str = ""  # which are
    starts: dict[int, int] = field(default_factory=dict)  # levels that begin again
    begun: bool = False


@dataclass
class Numbering:
    """Counts the items of all lists of a document."""

    levels: dict[str, dict[int, _Level]] = field(default_factory=dict)
    lists: dict[str, _List] = field(default_factory=dict)
    styles: dict[str, tuple[str, int]] = field(default_factory=dict)  # list and level of a style
    linked: dict[str, str] = field(default_factory=dict)  # what is counted together -> the style that says how
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def number(self, paragraph: Paragraph) -> str:
        """Return the number of a paragraph with the blank behind it; "" if it has none."""
        name, level = paragraph.list_id, paragraph.level
        if name is None:
            name, level = self.styles.get(paragraph.style, ("", 0))
        found = self.lists.get(name)
        if found is None or level >= _LEVELS:
            return ""
        style = self.styles.get(self.linked.get(found.counted, ""))
        counted = self.lists[style[0]].counted if style and style[0] in self.lists else found.counted
        levels = self.levels.get(counted, {})
        counts = self._counts.setdefault(counted, {})
        if not found.begun:
            found.begun = True
            for at, start in found.starts.items():
                counts[at] = start - 1
        counts[level] = counts.get(level, levels.get(level, _Level()).start - 1) + 1
        for deeper in [at for at in counts if at > level]:
            del counts[deeper]
        shown = levels.get(level, _Level())
        if shown.style in _UNSEEN or not shown.text.strip():
            return ""
        return _PLACE.sub(lambda place: self._at(int(place[1]) - 1, counts, levels), shown.text).strip() + " "

    def _at(self, level: int, counts: dict[int, int], levels: dict[int, _Level]) -> str:
        found = levels.get(level, _Level())
        return numbered(counts.get(level, found.start), _STYLES.get(found.style, "1"))


def read_numbering(events: Iterator[Event]) -> Numbering:
    """Read how the lists of a document are numbered."""
    found = Numbering()
    counted, at = "", 0
    current = _List()
    for kind, name, has in events:
        if kind != "start":
            continue
        value = has.get("val", "")
        number = int(value) if value.isdecimal() else 0
        match name:
            case "abstractNum":
                counted = has.get("abstractNumId", "")
                found.levels[counted] = {}
            case "num":
                current = found.lists[has.get("numId", "")] = _List()
                counted = ""
            case "numStyleLink":
                found.linked[counted] = value
            case "abstractNumId":
                current.counted = value
            case "lvl" | "lvlOverride":
                at = int(has["ilvl"]) if has.get("ilvl", "").isdecimal() else 0
                if counted:
                    found.levels[counted][at] = _Level()
            case "startOverride":
                current.starts[at] = number
            case "start" | "numFmt" | "lvlText" if counted and at in found.levels[counted]:
                level = found.levels[counted][at]
                level.start = number if name == "start" else level.start
                level.style = value if name == "numFmt" else level.style
                level.text = value if name == "lvlText" else level.text
    return found
