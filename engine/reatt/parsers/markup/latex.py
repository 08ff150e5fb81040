r"""LaTeX -> the text that a reader of the page sees, without its commands: headings, lists, tables, notes, citations.

A citation is written with its key, `[knuth84]`, as is a reference with its label; formulas as a line of text can. New
commands that the file defines are carried out, within limits. Files that it includes are documents of their own.
"""

from __future__ import annotations

import re

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.content import Content
from reatt.parsers.list_numbers import numbered
from reatt.parsers.markup import tex_signs as signs
from reatt.parsers.markup.tex_words import CELL_END, LINE_END, Shared, TexWords

_BEGIN = re.compile(r"\\begin\s*\{document\}")
_GIVEN = re.compile(r"\\(?:title|subtitle|author|date|newcommand|renewcommand|providecommand|def)(?![A-Za-z])\*?")
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"}
_STYLES = ("1", "a", "i", "A")  # of numbers in lists within lists
_CLAIMS = frozenset("theorem lemma corollary proposition definition example remark proof conjecture exercise".split())
_SILENT = frozenset(
    "mathrm mathbf mathit rm bf it em left right"
    " big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits nolimits noindent centering".split()
)
_SPACES = frozenset("quad qquad enspace thinspace space hfill dotfill hrulefill tab".split())


def latex(source: str) -> Content:
    """Read a file, whole or a part of one that others include."""
    source = source.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)
    begin = _BEGIN.search(source)
    shared = Shared()
    if begin:
        head = _Reader(source[: begin.start()], shared)
        head.read_head()
    composer = Composer()
    reader = _Reader(source[begin.end() if begin else 0 :], shared, composer=composer)
    reader.read()
    title = shared.given.get("title", "").replace("\n", " ")
    content = composer.content(title)
    return content if title or not content.headings else composer.content(content.headings[0][1])


def plain_text(source: str) -> str:
    """Return what a short piece of LaTeX says, on one line."""
    return " ".join(_Reader(source.translate(_CONTROL), Shared(), depth=1).inline().split())


class _Reader(TexWords):
    """Reads one source; writes blocks to the composer, or collects them for what stands around it."""

    def __init__(self, text: str, shared: Shared, depth: int = 0, composer: Composer | None = None) -> None:
        super().__init__(text, shared, depth)
        self._composer = composer
        self._blocks: list[str] = []  # where there is no composer
        self._notes: list[str] = []  # that follow it
        self._count = 0  # of notes
        self._items: list[int] = []  # in each open list, the items so far

    def inline(self) -> str:
        """Read all, and return it as a part of a paragraph."""
        self.read()
        return "\n".join(self._blocks)

    def read(self) -> None:
        """Read to the end."""
        while (found := self._source.token()) is not None:
            self._take(found)
        self._end_block(PARAGRAPH)

    def read_head(self) -> None:
        """Read what stands before the text: the title, and new commands."""
        while found := self._source.find(_GIVEN):
            self._command(found[0].strip("\\*"))

    def _take(self, found: re.Match[str]) -> None:
        if found["name"]:
            self._command(found["name"])
            if self._math and found[0][-1].isspace():
                self._words.append(" ")
        elif found["sign"]:
            self._sign(found["sign"])
        elif found["blank"]:
            if not self._in_table():
                self._end_block(PARAGRAPH)
        elif found["space"]:
            self._words.append(" ")
        elif found["other"]:
            self._other(found["other"])
        elif found["words"]:
            self._words.append(found["words"])

    # What is written

    def _end_block(self, border: int, heading: str = "") -> None:
        words = "".join(self._words)
        self._words.clear()
        words = re.sub(r"\s+", " ", words)
        words = re.sub(rf" *{LINE_END}[ {LINE_END}]*", "\n", words)
        words = re.sub(rf" *{CELL_END} *", "\t", words).strip(" \n")
        words = "\n".join(line.rstrip() for line in words.split("\n"))
        self._write(words, border, heading)
        for note in self._notes if border == PARAGRAPH else []:
            self._write(note, PARAGRAPH)
        self._notes = [] if border == PARAGRAPH else self._notes

    def _write(self, text: str, border: int, heading: str = "") -> None:
        if self._composer is not None:
            self._composer.add(text, border, heading=heading)
        elif text:
            self._blocks.append(text)

    # Commands

    def _command(self, name: str) -> None:
        special = _COMMANDS.get(name)
        if name in self._shared.macros and name not in _KEPT:
            self._expand(name)
        elif special is not None:
            special(self, name)
        elif name in signs.HEADINGS:
            self._heading(name)
        elif name in signs.CITED:
            self._cite()
        elif name in signs.REFERRED:
            self._words.append(f"[{self._source.argument().strip()}]")
        elif name in signs.SIGNS:
            self._words.append(signs.SIGNS[name])
        elif name in signs.ACCENTS and self._accented(name):
            pass
        elif name in signs.ARGUMENTS:
            self._skip(signs.ARGUMENTS[name])
        elif name in _SPACES:
            self._words.append(" ")
        elif self._math and name not in _SILENT:
            self._words.append("" if self._source.next() == "{" else name)
        else:
            self._source.option()

    def _heading(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        self._source.option()
        title = " ".join(self._said(self._source.argument()).split())
        self._write(title, LINE if name.endswith("paragraph") else PARAGRAPH, heading=title)

    def _note(self, name: str) -> None:
        self._source.option()
        self._count += 1
        note = " ".join(self._said(self._source.argument()).split())
        self._notes.append(f"[{self._count}] {note}")
        self._words.append(f" [{self._count}]")

    def _give(self, name: str) -> None:
        """Keep the title, the authors or the date."""
        self._source.option()
        self._shared.given[name] = self._said(self._source.argument())

    def _thank(self, name: str) -> None:
        self._shared.thanks.append(self._said(self._source.argument()))

    def _make_title(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        for part in ("title", "subtitle", "author", "date"):
            if words := self._shared.given.get(part, ""):
                self._write(words, PARAGRAPH, heading=words if part == "title" else "")
        for note in self._shared.thanks:
            self._write(note, PARAGRAPH)

    def _caption(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        self._source.option()
        self._write(" ".join(self._said(self._source.argument()).split()), PARAGRAPH)

    def _item(self, name: str) -> None:
        self._end_block(LINE)
        term, list_name = self._source.option(), self._open[-1] if self._open else ""
        if self._items:
            self._items[-1] += 1
        if term is not None:
            self._words.append(f"{self._said(term).rstrip(':')}: ")
        elif list_name == "enumerate" and self._items:
            level = self._open.count("enumerate") - 1
            self._words.append(f"{numbered(self._items[-1], _STYLES[min(level, 3)])}. ")
        else:
            self._words.append("- ")

    def _bib_item(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        self._source.option()
        self._words.append(f"[{self._source.argument().strip()}] ")

    def _paragraph(self, name: str) -> None:
        self._end_block(PARAGRAPH)

    # Environments

    def _begin(self, name: str) -> None:
        name = self._source.argument().strip()
        plain = name.rstrip("*")
        if plain in signs.NOT_SHOWN:
            self._until_end(name)
            return
        if not self._math and plain not in signs.MATH:
            self._end_block(PARAGRAPH if plain not in signs.LISTS or not self._items else LINE)
        for kind in signs.OPENING.get(name, ""):
            self._source.option() if kind == "o" else self._source.argument()
        if plain in signs.AS_WRITTEN:
            self._end_block(PARAGRAPH)
            self._write(self._until_end(name).strip("\n"), PARAGRAPH)
            return
        self._open.append(plain)
        if plain in signs.LISTS:
            self._items.append(0)
        elif plain in signs.MATH:
            self._math = True
            self._words.append(LINE_END)
        elif plain == "frame" and self._source.next() == "{":
            self._heading("frametitle")
        elif plain == "abstract":
            self._write("Abstract", PARAGRAPH, heading="Abstract")
        elif plain in _CLAIMS:
            of = self._source.option()
            self._words.append(f"{plain.capitalize()}{f' ({self._said(of)})' if of else ''}. ")
        elif name not in signs.OPENING:
            self._source.option()

    def _end(self, name: str) -> None:
        name = self._source.argument().strip().rstrip("*")
        if name == "document":
            self._source.end()
            return
        if name in signs.MATH:
            self._math = False
            self._words.append(LINE_END)
        elif not self._math:
            self._end_block(LINE if name in signs.LISTS and len(self._items) > 1 else PARAGRAPH)
        if name in self._open:
            while self._open.pop() != name:
                pass
        if name in signs.LISTS and self._items:
            self._items.pop()

    def _hidden(self, name: str) -> None:
        self._source.until("\\fi")

    def _until_end(self, name: str) -> str:
        return self._source.until(f"\\end{{{name}}}")


_KEPT = frozenset({"begin", "end", "def", "newcommand"})  # that no new command takes the place of
_COMMANDS = {
    "iffalse": _Reader._hidden,
    "begin": _Reader._begin, "end": _Reader._end, "item": _Reader._item, "bibitem": _Reader._bib_item,
    "footnote": _Reader._note, "thanks": _Reader._thank, "footnotetext": _Reader._note, "endnote": _Reader._note,
    "marginpar": _Reader._note, "sidenote": _Reader._note, "title": _Reader._give, "subtitle": _Reader._give,
    "author": _Reader._give, "date": _Reader._give, "maketitle": _Reader._make_title, "caption": _Reader._caption,
    "frac": _Reader._fraction, "dfrac": _Reader._fraction, "tfrac": _Reader._fraction, "nicefrac": _Reader._fraction,
    "sqrt": _Reader._root, "textsuperscript": _Reader._superscript, "SI": _Reader._quantity,
    "qty": _Reader._quantity, "num": _Reader._quantity,
    "si": _Reader._quantity, "unit": _Reader._quantity, "href": _Reader._link, "url": _Reader._link,
    "path": _Reader._link, "nolinkurl": _Reader._link, "verb": _Reader._verb, "lstinline": _Reader._verb,
    "par": _Reader._paragraph, "newline": _Reader._new_line, "linebreak": _Reader._new_line,
    "tabularnewline": _Reader._new_line, "and": _Reader._and, "def": _Reader._define, "newcommand": _Reader._define,
    "renewcommand": _Reader._define, "providecommand": _Reader._define,
}  # fmt: skip
