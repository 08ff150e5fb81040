r"""Sources of man pages (roff with the macros man or mdoc) -> the text that `man` shows, filled, under its headings.

A tag and what it means share a line, with a tab between them. Fonts, sizes and places are left out; what a page defines
for itself is not carried out, but for strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.text.mdoc import Mdoc, arguments
from reatt.parsers.text.roff_signs import SIGNS, STRINGS

_CONTROL = re.compile(r"[.'][ \t]*([^\s\"\\]{1,40})?[ \t]*(.*)", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:"
    r'(?P<comment>["#].*)'
    r"|f(?:\[[^\]]*\]|\(..|.)|s(?:[+-]?(?:\[[^\]]*\]|\(..|'[^']*')|[+-]?\d{1,2}|)"
    r"|[mMFgkO](?:\[[^\]]*\]|\(..|.)|n[+-]?(?:\[[^\]]*\]|\(..|.)"
    r"|[bDhHlLoRSvwxXYZ](?P<quote>'(?:[^']*)')"
    r"|\*(?P<string>\[[^\]]*\]|\(..|.)"
    r"|(?:\((?P<two>..)|\[(?P<named>[^\]]*)\])"
    r"|C'(?P<called>[^']*)'|N'(?P<number>\d{1,3})'"
    r"|(?P<one>.)|\Z)",
    re.DOTALL,
)
_ONE = {
    "-": "-", "e": "\\", "\\": "\\", " ": " ", "~": " ", "0": " ", "'": "´", "`": "`", "t": "\t", ".": ".", "_": "_",
    "(": "(",
}  # fmt: skip
_UNICODE = re.compile(r"u([0-9A-F]{4,6})(?:_[0-9A-F]{4,6})*")
_FONTS = frozenset("B I R SM SB CW C V".split())
_MIXED = frozenset("BI BR IB IR RB RI".split())
_PARAGRAPHS = frozenset("PP P LP sp HP Sp Pp".split())
_AS_IS, _FILLED = frozenset("nf EX Vb DS".split()), frozenset("fi EE Ve DE".split())
_DEFINING = frozenset("de de1 dei ig am am1".split())
_LEVELS = {"SH": PARAGRAPH, "SS": PARAGRAPH}
_MOST_TABLE = 100_000  # lines of a table


def man(source: str) -> Content:
    """Read a page."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _Reader().read(iter(lines))


class _Reader:
    """Fills lines to paragraphs."""

    def __init__(self) -> None:
        self._composer = Composer()
        self._words: list[str] = []  # of the open paragraph, line by line
        self._strings = dict(STRINGS)
        self._as_is = False
        self._tag = ""  # "next": the next line is one; "open": it waits for its text
        self._heading = ""  # a macro whose words stand on the next line
        self._title = ""
        self._skipping = 0  # open braces of conditions that do not hold
        self._branches: list[bool] = []  # whether the branches of .ie were taken
        self._link = ""
        self._mdoc = Mdoc(self)

    def read(self, lines: Iterator[str]) -> Content:
        """Read all lines."""
        for line in lines:
            while line.endswith("\\") and not line.endswith("\\\\"):
                line = line[:-1] + next(lines, "")
            if self._skipping:
                self._skipping = max(0, self._skipping + line.count("\\{") - line.count("\\}"))
            else:
                self._line(line, lines)
        self.end_block(PARAGRAPH)
        return self._composer.content(self._title)

    def _line(self, line: str, lines: Iterator[str]) -> None:
        control = _CONTROL.fullmatch(line) if line[:1] in (".", "'") and line else None
        if control is None:
            self.text(self.shown(line.removeprefix("\\&")) if line.strip() else "", blank=not line.strip())
        elif control[1]:
            self._macro(control[1], control[2], lines)

    # What is written

    def text(self, words: str, *, blank: bool = False) -> None:
        """Take a line of text."""
        if self._heading:
            name, self._heading = self._heading, ""
            self.heading(name, words)
        elif blank:
            if self._as_is:
                self._words.append("")
            else:
                self.end_block(PARAGRAPH)
        elif self._as_is:
            self._words.append(words.rstrip())
        else:
            if words[:1] in (" ", "\t") and not self._tag:
                self.end_block(LINE)
            if words := " ".join(words.split(" ")).strip():
                self._words.append(words)
            if self._tag == "next":
                self.end_tag()

    def end_tag(self) -> None:
        """Put a tab behind a tag: what it means follows."""
        self._words = [" ".join(self._words), "\t"] if self._words else []
        self._tag = ""

    def end_block(self, border: int) -> None:
        """Write the open paragraph."""
        text = "\n".join(self._words) if self._as_is else _filled(self._words)
        self._words.clear()
        self._tag = ""
        if text.strip():
            self._composer.add(text.strip("\n").rstrip() if self._as_is else text.strip(), border)
        else:
            self._composer.separate(border if border == PARAGRAPH else LINE)

    def heading(self, name: str, words: str) -> None:
        """Write a heading."""
        self.end_block(PARAGRAPH)
        self._as_is = False
        words = " ".join(words.split())
        self._composer.add(words, LINE, heading=words)

    def begin_tag(self) -> None:
        """Begin a paragraph whose first line is a tag."""
        self.end_block(LINE)
        self._tag = "next"

    def fill(self, filled: bool) -> None:
        """Begin or end lines that stay as they are."""
        if self._as_is == filled:
            self.end_block(LINE)
            self._as_is = not filled

    def give_title(self, words: str) -> None:
        """Name the page."""
        self._title = self._title or " ".join(words.split())

    # Macros

    def _macro(self, name: str, rest: str, lines: Iterator[str]) -> None:
        if name in ("if", "ie", "el", "while"):
            self._condition(name, rest, lines)
        elif name in _DEFINING:
            named = arguments(rest)[0 if name == "ig" else 1 :]
            end = f".{named[0] if named else '.'}"
            while (line := next(lines, None)) is not None and not line.replace(" ", "").startswith(end):
                pass
        elif name in ("ds", "as"):
            key, _, value = rest.partition(" ")
            shown = self.shown(value.lstrip(" ").removeprefix('"'))[:1000]
            self._strings[key.strip()] = shown.replace("Ω-", "–")  # a dash, as Perl's pages make it
        elif name == "TS":
            self._table(lines)
        elif name in ("EQ", "PS"):
            while (line := next(lines, None)) is not None and not line.startswith((".EN", ".PE")):
                pass
        elif not self._mdoc.macro(name, rest):
            self._man(name, [self.shown(argument) for argument in arguments(rest)])

    def _man(self, name: str, words: list[str]) -> None:
        if name == "TH":
            self.give_title(f"{words[0]}({words[1]})" if len(words) > 1 else " ".join(words))
        elif name in _LEVELS:
            if words:
                self.heading(name, " ".join(words))
            else:
                self._heading = name
        elif name in _PARAGRAPHS:
            self.end_block(PARAGRAPH)
        elif name in ("TP", "TQ"):
            self.begin_tag()
        elif name == "IP":
            self.begin_tag()
            self.text(words[0] if words else "")
        elif name in ("br", "RS", "RE", "in", "ti", "ce"):
            self.end_block(LINE)
        elif name in _AS_IS or name in _FILLED:
            self.fill(name in _FILLED)
        elif name in _FONTS:
            self.text(" ".join(words)) if words else None
        elif name in _MIXED:
            self.text("".join(words))
        elif name in ("UR", "MT"):
            self._link = words[0] if words else ""
        elif name in ("UE", "ME"):
            self.text(f"<{self._link}>{words[0] if words else ''}")
        elif name in ("OP", "SY", "MR"):
            self._groff(name, words)

    def _groff(self, name: str, words: list[str]) -> None:
        if name == "OP":
            self.text(f"[{' '.join(words)}]")
        elif name == "MR" and len(words) > 1:
            self.text(f"{words[0]}({words[1]}){''.join(words[2:])}")
        else:
            self.end_block(LINE)
            self.text(" ".join(words))

    def _condition(self, name: str, rest: str, lines: Iterator[str]) -> None:
        """Carry out what holds for a page on a terminal: n is true, t and anything else is not."""
        if name == "el":
            holds = not self._branches.pop() if self._branches else False
        else:
            test, _, rest = rest.partition(" ")
            holds = test in ("n", "!t")
            if name == "ie":
                self._branches.append(holds)
        rest = rest.strip()
        opened = rest.startswith("\\{")
        if holds:
            rest = rest.removeprefix("\\{").removesuffix("\\}")
            if rest.strip():
                self._line(rest.lstrip(), lines)
        elif opened:
            self._skipping = max(0, rest.count("\\{") - rest.count("\\}"))

    def _table(self, lines: Iterator[str]) -> None:
        """Write a table of tbl: its rows with tabs, blocks of text (T{ … T}) as cells."""
        self.end_block(PARAGRAPH)
        rows, mark, described = list[str](), "\t", False
        for _, line in zip(range(_MOST_TABLE), lines, strict=False):
            if line.startswith(".TE"):
                break
            if not described:
                if found := re.search(r"tab ?\((.)\)", line):
                    mark = found[1]
                described = line.rstrip().endswith(".")
            elif line.startswith(".T&"):
                described = False
            elif line[:1] not in (".", "'") and line.strip(" _="):
                joined = rows and rows[-1].count("T{") > rows[-1].count("T}")
                if joined:
                    rows[-1] += f" {line}"
                else:
                    rows.append(line)
        for row in rows:
            cells = [self.shown(cell).replace("T{", "").replace("T}", "").split() for cell in row.split(mark)]
            self._composer.add("\t".join(" ".join(cell) for cell in cells).rstrip(), LINE)
        self._composer.separate(PARAGRAPH)

    # Escapes

    def shown(self, text: str) -> str:
        """Return what a text with escapes shows."""
        return _ESCAPE.sub(self._escaped, text) if "\\" in text else text

    def _escaped(self, found: re.Match[str]) -> str:
        if found["string"] is not None:
            key = found["string"]
            return self._strings.get(key.strip("[]") if key.startswith("[") else key.removeprefix("("), "")
        name = found["two"] or found["named"] or found["called"]
        if name:
            coded = _UNICODE.fullmatch(name)
            return chr(int(coded[1], 16)) if coded and int(coded[1], 16) < 0x110000 else SIGNS.get(name, "")
        if found["number"]:
            return chr(int(found["number"]))
        return _ONE.get(found["one"], "") if found["one"] else ""


def _filled(words: list[str]) -> str:
    """Join lines with blanks, but for a tab behind a tag."""
    return re.sub(r" ?\t ?", "\t", " ".join(words))
