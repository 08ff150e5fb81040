r"""LaTeX -> the text that a reader of the page sees, without its commands: headings, lists, tables, notes, citations.

A citation is written with its key, `[knuth84]`, as is a reference with its label; formulas as a line of text can. New
commands that the file defines are carried out, within limits. Files that it includes are documents of their own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from reatt.parsers.composing import LINE, PARAGRAPH, Composer
from reatt.parsers.formats import Content
from reatt.parsers.list_numbers import numbered
from reatt.parsers.markup import tex_signs as signs

_TOKEN = re.compile(
    r"\\(?P<name>[A-Za-z]+)\*?[ \t]*(?:\n[ \t]*(?!\n))?"
    r"|\\(?P<sign>.|\n)"
    r"|%[^\n]*(?:\n[ \t]*)?"
    r"|(?P<blank>\s*\n[ \t]*\n\s*)|(?P<space>\s+)"
    r"|(?P<other>\$\$?|[{}~&^_`'-])"
    r"|(?P<words>[^\\%\s${}~&^_`'-]+)"
)
_BRACES = re.compile(r"\\.|%[^\n]*|[{}]", re.DOTALL)
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_GIVEN = re.compile(r"\\(?:title|subtitle|author|date|newcommand|renewcommand|providecommand|def)(?![A-Za-z])\*?")
_PARAMETERS = re.compile(r"(?:#\d|\[#\d\])*")
_LINE, _CELL = "\x01", "\x02"  # signs that stay when white space is folded
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"}
_DEEPEST = 40  # arguments within arguments; deeper ones are read as what stands around them
_MOST_EXPANDED, _LONGEST_EXPANDED = 20_000, 2_000_000  # commands that are carried out, and characters of what they say
_LONGEST_OPTION = 1000
_STYLES = ("1", "a", "i", "A")  # of numbers in lists within lists
_CLAIMS = frozenset("theorem lemma corollary proposition definition example remark proof conjecture exercise".split())
_SILENT = frozenset(
    "mathrm mathbf mathit rm bf it em left right"
    " big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits nolimits noindent centering".split()
)
_SPACES = frozenset("quad qquad enspace thinspace space hfill dotfill hrulefill tab".split())
_UNIT = re.compile(r"\\([A-Za-z]+)")
_OPERATOR = re.compile(r"[-+*/=,\s]")
_OVERLAY = re.compile(r"<[\d+.][\d+.,|@:a-z-]{0,40}>")  # of slides: when a part is shown
_DASHES = {1: "-", 2: "–", 3: "—"}


@dataclass
class _Frame:
    """A source that is being read: the file, or what a new command means."""

    text: str
    at: int = 0
    closes: dict[int, int] = field(default_factory=dict)  # where each brace is closed

    def __post_init__(self) -> None:
        """Find the braces that belong together."""
        opened: list[int] = []
        for found in _BRACES.finditer(self.text):
            if found[0] == "{":
                opened.append(found.start())
            elif found[0] == "}" and opened:
                self.closes[opened.pop()] = found.start()


@dataclass
class _Shared:
    """What holds for the whole file."""

    macros: dict[str, tuple[int, str | None, str]] = field(default_factory=dict)  # arguments, default, meaning
    given: dict[str, str] = field(default_factory=dict)  # title, author, date
    thanks: list[str] = field(default_factory=list)  # notes on these
    expanded: int = 0
    characters: int = 0


def latex(source: str) -> Content:
    """Read a file, whole or a part of one that others include."""
    source = source.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)
    begin = _BEGIN.search(source)
    shared = _Shared()
    if begin:
        head = _Reader(source[: begin.start()], shared)
        head.read_head()
    composer = Composer()
    reader = _Reader(source[begin.end() if begin else 0 :], shared, composer)
    reader.read()
    title = shared.given.get("title", "").replace("\n", " ")
    content = composer.content(title)
    return content if title or not content.headings else composer.content(content.headings[0][1])


def plain_text(source: str) -> str:
    """Return what a short piece of LaTeX says, on one line."""
    return " ".join(_Reader(source.translate(_CONTROL), _Shared(), depth=1).inline().split())


class _Reader:
    """Reads one source; writes blocks to the composer, or collects them for what stands around it."""

    def __init__(self, text: str, shared: _Shared, composer: Composer | None = None, depth: int = 0) -> None:
        self._frames = [_Frame(text)]
        self._shared = shared
        self._composer = composer
        self._depth = depth
        self._blocks: list[str] = []  # where there is no composer
        self._words: list[str] = []  # of the open paragraph
        self._notes: list[str] = []  # that follow it
        self._count = 0  # of notes
        self._open: list[str] = []  # environments
        self._items: list[int] = []  # in each open list, the items so far
        self._math = False

    def inline(self) -> str:
        """Read all, and return it as a part of a paragraph."""
        self.read()
        return "\n".join(self._blocks)

    def read(self) -> None:
        """Read to the end."""
        while self._frames:
            frame = self._frames[-1]
            found = _TOKEN.match(frame.text, frame.at)
            if found is None or not found[0]:
                self._frames.pop()
                continue
            frame.at = found.end()
            self._take(found)
        self._end_block(PARAGRAPH)

    def read_head(self) -> None:
        """Read what stands before the text: the title, and new commands."""
        frame = self._frames[0]
        while found := _GIVEN.search(frame.text, frame.at):
            frame.at = found.end()
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
        words = re.sub(rf" *{_LINE}[ {_LINE}]*", "\n", words)
        words = re.sub(rf" *{_CELL} *", "\t", words).strip(" \n")
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

    def _said(self, source: str) -> str:
        """Return what an argument says."""
        if self._depth >= _DEEPEST:
            return " ".join(_BRACES.sub("", source).split())
        reader = _Reader(source, self._shared, depth=self._depth + 1)
        reader._math, reader._count = self._math, self._count
        return reader.inline()

    # Arguments

    def _next(self) -> str:
        """Return the next character."""
        frame = self._frames[-1]
        return frame.text[frame.at : frame.at + 1]

    def _argument(self) -> str:
        """Return the source of the next argument: a group, a command or a character."""
        frame = self._frames[-1]
        while frame.text[frame.at : frame.at + 1].isspace():
            frame.at += 1
        start = frame.at
        if frame.text[start : start + 1] == "{" and start in frame.closes:
            frame.at = frame.closes[start] + 1
            return frame.text[start + 1 : frame.at - 1]
        found = _TOKEN.match(frame.text, start)
        if found is None or found["blank"] or found["other"] in ("{", "}"):
            return ""
        frame.at = found.end() if found["words"] is None else start + 1
        return frame.text[start : frame.at]

    def _option(self) -> str | None:
        """Return the source of an argument in brackets; None if there is none."""
        frame = self._frames[-1]
        if overlay := _OVERLAY.match(frame.text, frame.at):
            frame.at = overlay.end()
        if self._next() != "[":
            return None
        at = frame.at + 1
        while at < min(len(frame.text), frame.at + _LONGEST_OPTION):
            sign = frame.text[at]
            if sign == "]":
                option = frame.text[frame.at + 1 : at]
                frame.at = at + 1
                return option
            at = frame.closes.get(at, at) + 1 if sign == "{" else at + 2 if sign == "\\" else at + 1
        return None

    def _skip(self, signature: str) -> None:
        """Read the arguments of a command and say those that are kept; the last one is read as what follows."""
        for place, kind in enumerate(signature):
            if kind == "o":
                self._option()
            elif kind == "d":
                self._argument()
            elif place < len(signature) - 1:
                self._words.append(self._said(self._argument()))

    # Commands

    def _command(self, name: str) -> None:
        special = _COMMANDS.get(name)
        if name in self._shared.macros:
            self._expand(name)
        elif special is not None:
            special(self, name)
        elif name in signs.HEADINGS:
            self._heading(name)
        elif name in signs.CITED:
            self._cite()
        elif name in signs.REFERRED:
            self._words.append(f"[{self._argument().strip()}]")
        elif name in signs.SIGNS:
            self._words.append(signs.SIGNS[name])
        elif name in signs.ACCENTS and self._accented(name):
            pass
        elif name in signs.ARGUMENTS:
            self._skip(signs.ARGUMENTS[name])
        elif name in _SPACES:
            self._words.append(" ")
        elif self._math and name not in _SILENT:
            self._words.append("" if self._next() == "{" else name)
        else:
            self._option()

    def _sign(self, sign: str) -> None:
        if sign == "\\":
            self._option()
            self._words.append(_LINE)
        elif sign in "()":
            self._math = sign == "("
        elif sign in "[]":
            self._math = sign == "["
            self._words.append(_LINE)
        elif sign in signs.ACCENTS and not self._math:
            self._accented(sign)
        elif sign in ",;: \n>":
            self._words.append(" ")
        elif sign not in "-/!@+<":
            self._words.append(sign)

    def _accented(self, sign: str) -> bool:
        base = self._said(self._argument()).replace("ı", "i")
        if not base:
            return False
        self._words.append(unicodedata.normalize("NFC", base[0] + signs.ACCENTS[sign]) + base[1:])
        return True

    def _other(self, sign: str) -> None:
        frame = self._frames[-1]
        if sign.startswith("$"):
            self._math = not self._math
            self._words.append(_LINE if len(sign) == 2 else "")
        elif sign == "~":
            self._words.append(" ")
        elif sign == "&":
            self._words.append(_CELL if self._in_table() else " ")
        elif sign in "^_":
            self._words.append(sign if not self._math else self._raised(sign))
        elif sign in "`'-":
            count = 1
            while count < (3 if sign == "-" else 2) and frame.text[frame.at : frame.at + 1] == sign:
                frame.at += 1
                count += 1
            self._words.append(self._mark(sign, count))

    def _mark(self, sign: str, count: int) -> str:
        if sign == "-":
            return _DASHES[count] if not self._math else "-" * count
        if self._math:
            return "′" * count
        return ("“" if count == 2 else "‘") if sign == "`" else ("”" if count == 2 else "’")

    def _raised(self, sign: str) -> str:
        said = self._said(self._argument())
        return f"{sign}({said})" if _OPERATOR.search(said.strip("-")) else sign + said

    def _expand(self, name: str) -> None:
        """Read what a new command means in its place."""
        count, default, meaning = self._shared.macros[name]
        values = [] if default is None else [given if (given := self._option()) is not None else default]
        values += [self._argument() for _ in range(count - len(values))]
        for number, value in enumerate(values, 1):
            meaning = meaning.replace(f"#{number}", value)
        self._shared.expanded += 1
        self._shared.characters += len(meaning)
        if self._shared.expanded < _MOST_EXPANDED and self._shared.characters < _LONGEST_EXPANDED:
            self._frames.append(_Frame(meaning))

    def _define(self, name: str) -> None:
        new = self._argument().strip().lstrip("\\")
        if name == "def":
            frame = self._frames[-1]
            given = _PARAMETERS.match(frame.text, frame.at)
            count, default = (given[0].count("#"), None) if given else (0, None)
            frame.at = given.end() if given else frame.at
        else:
            arguments = self._option() or "0"
            count, default = int(arguments) if arguments.isdecimal() and len(arguments) == 1 else 0, self._option()
        meaning = self._argument()
        if new.isalpha() and f"\\{new}" not in meaning and new not in _COMMANDS:
            self._shared.macros[new] = (count, default, meaning)

    def _heading(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        self._option()
        title = " ".join(self._said(self._argument()).split())
        self._write(title, LINE if name.endswith("paragraph") else PARAGRAPH, heading=title)

    def _cite(self) -> None:
        """Write a citation as its keys, with what is said before and behind them."""
        options = [option for _ in range(2) if (option := self._option()) is not None]
        keys = ", ".join(key.strip() for key in self._argument().split(","))
        before, behind = ([""] * (2 - len(options)) + options)[:2]
        before, behind = (self._said(each) if each else "" for each in (before, behind))
        self._words.append(f"[{before + ' ' if before else ''}{keys}{', ' + behind if behind else ''}]")

    def _note(self, name: str) -> None:
        self._option()
        self._count += 1
        note = " ".join(self._said(self._argument()).split())
        self._notes.append(f"[{self._count}] {note}")
        self._words.append(f" [{self._count}]")

    def _give(self, name: str) -> None:
        """Keep the title, the authors or the date."""
        self._option()
        self._shared.given[name] = self._said(self._argument())

    def _thank(self, name: str) -> None:
        self._shared.thanks.append(self._said(self._argument()))

    def _make_title(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        for part in ("title", "subtitle", "author", "date"):
            if words := self._shared.given.get(part, ""):
                self._write(words, PARAGRAPH, heading=words if part == "title" else "")
        for note in self._shared.thanks:
            self._write(note, PARAGRAPH)

    def _caption(self, name: str) -> None:
        self._end_block(PARAGRAPH)
        self._option()
        self._write(" ".join(self._said(self._argument()).split()), PARAGRAPH)

    def _item(self, name: str) -> None:
        self._end_block(LINE)
        term, list_name = self._option(), self._open[-1] if self._open else ""
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
        self._option()
        self._words.append(f"[{self._argument().strip()}] ")

    def _fraction(self, name: str) -> None:
        parts = [self._said(self._argument()) for _ in range(2)]
        self._words.append("/".join(f"({part})" if _OPERATOR.search(part.strip()) else part for part in parts))

    def _root(self, name: str) -> None:
        self._option()
        said = self._said(self._argument())
        self._words.append(f"√({said})" if len(said) > 1 else f"√{said}")

    def _quantity(self, name: str) -> None:
        self._option()
        number = self._said(self._argument()) if name in ("SI", "qty", "num") else ""
        unit = self._argument() if name != "num" else ""
        names = " ".join(_UNIT.sub(lambda found: f" {'/' if found[1] == 'per' else found[1]} ", unit).split())
        self._words.append(f"{number} {names}".strip())

    def _link(self, name: str) -> None:
        address = self._argument().replace("\\", "")
        text = self._said(self._argument()) if name == "href" else ""
        self._words.append(f"{text} ({address})" if text and text != address else address)

    def _verb(self, name: str) -> None:
        frame = self._frames[-1]
        self._option()
        mark = frame.text[frame.at : frame.at + 1]
        end = frame.text.find("}" if mark == "{" else mark, frame.at + 1) if mark else -1
        if 0 <= end < frame.at + _LONGEST_OPTION:
            self._words.append(frame.text[frame.at + 1 : end])
            frame.at = end + 1

    def _paragraph(self, name: str) -> None:
        self._end_block(PARAGRAPH)

    def _new_line(self, name: str) -> None:
        self._words.append(_LINE)

    def _and(self, name: str) -> None:
        while self._words and self._words[-1].isspace():
            self._words.pop()
        self._words.append(", ")

    # Environments

    def _in_table(self) -> bool:
        return bool(self._open) and self._open[-1] in signs.TABLES

    def _begin(self, name: str) -> None:
        name = self._argument().strip()
        plain = name.rstrip("*")
        if plain in signs.NOT_SHOWN:
            self._until_end(name)
            return
        if not self._math and plain not in signs.MATH:
            self._end_block(PARAGRAPH if plain not in signs.LISTS or not self._items else LINE)
        for kind in signs.OPENING.get(name, ""):
            self._option() if kind == "o" else self._argument()
        if plain in signs.AS_WRITTEN:
            self._end_block(PARAGRAPH)
            self._write(self._until_end(name).strip("\n"), PARAGRAPH)
            return
        self._open.append(plain)
        if plain in signs.LISTS:
            self._items.append(0)
        elif plain in signs.MATH:
            self._math = True
            self._words.append(_LINE)
        elif plain == "frame" and self._next() == "{":
            self._heading("frametitle")
        elif plain == "abstract":
            self._write("Abstract", PARAGRAPH, heading="Abstract")
        elif plain in _CLAIMS:
            of = self._option()
            self._words.append(f"{plain.capitalize()}{f' ({self._said(of)})' if of else ''}. ")
        elif name not in signs.OPENING:
            self._option()

    def _end(self, name: str) -> None:
        name = self._argument().strip().rstrip("*")
        if name == "document":
            self._frames.clear()
            return
        if name in signs.MATH:
            self._math = False
            self._words.append(_LINE)
        elif not self._math:
            self._end_block(LINE if name in signs.LISTS and len(self._items) > 1 else PARAGRAPH)
        if name in self._open:
            while self._open.pop() != name:
                pass
        if name in signs.LISTS and self._items:
            self._items.pop()

    def _hidden(self, name: str) -> None:
        self._until("\\fi")

    def _until_end(self, name: str) -> str:
        return self._until(f"\\end{{{name}}}")

    def _until(self, mark: str) -> str:
        """Return the source up to a mark, and read on behind it."""
        frame = self._frames[-1]
        end = frame.text.find(mark, frame.at)
        text = frame.text[frame.at : end if end >= 0 else len(frame.text)]
        frame.at = end + len(mark) if end >= 0 else len(frame.text)
        return text


_COMMANDS = {
    "iffalse": _Reader._hidden,
    "begin": _Reader._begin, "end": _Reader._end, "item": _Reader._item, "bibitem": _Reader._bib_item,
    "footnote": _Reader._note, "thanks": _Reader._thank, "footnotetext": _Reader._note, "endnote": _Reader._note,
    "marginpar": _Reader._note, "sidenote": _Reader._note, "title": _Reader._give, "subtitle": _Reader._give,
    "author": _Reader._give, "date": _Reader._give, "maketitle": _Reader._make_title, "caption": _Reader._caption,
    "frac": _Reader._fraction, "dfrac": _Reader._fraction, "tfrac": _Reader._fraction, "nicefrac": _Reader._fraction,
    "sqrt": _Reader._root, "SI": _Reader._quantity, "qty": _Reader._quantity, "num": _Reader._quantity,
    "si": _Reader._quantity, "unit": _Reader._quantity, "href": _Reader._link, "url": _Reader._link,
    "path": _Reader._link, "nolinkurl": _Reader._link, "verb": _Reader._verb, "lstinline": _Reader._verb,
    "par": _Reader._paragraph, "newline": _Reader._new_line, "linebreak": _Reader._new_line,
    "tabularnewline": _Reader._new_line, "and": _Reader._and, "def": _Reader._define, "newcommand": _Reader._define,
    "renewcommand": _Reader._define, "providecommand": _Reader._define,
}  # fmt: skip
