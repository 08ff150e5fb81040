"""The words of a paragraph of LaTeX: signs, accents, formulas, citations, and commands that the text defines."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from reatt.parsers.markup import tex_signs as signs
from reatt.parsers.markup.tex_source import BRACES, TexSource
from reatt.parsers.superscripts import raised

_PARAMETERS = re.compile(r"(?:#\d|\[#\d\])*")
_DEEPEST = 40  # arguments within arguments; deeper ones are read as what stands around them
_MOST_EXPANDED, _LONGEST_EXPANDED = 20_000, 2_000_000  # commands that are carried out, and characters of what they say
_VERB = re.compile(r"(?:([^\w\s{])|\{)([^\n]{0,1000}?)(?(1)\1|\})")  # between two equal signs, or braces
_UNIT = re.compile(r"\\([A-Za-z]+)")
_OPERATOR = re.compile(r"[-+*/=,\s]")
_DASHES = {1: "-", 2: "–", 3: "—"}
LINE_END, CELL_END = "\x01", "\x02"  # signs that stay when white space is folded


@dataclass
class Shared:
    """What holds for the whole file."""

    macros: dict[str, tuple[int, str | None, str]] = field(default_factory=dict)  # arguments, default, meaning
    given: dict[str, str] = field(default_factory=dict)  # title, author, date
    thanks: list[str] = field(default_factory=list)  # notes on these
    expanded: int = 0
    characters: int = 0


class TexWords(ABC):
    """Reads a source and collects the words of the open paragraph."""

    def __init__(self, text: str, shared: Shared, depth: int = 0) -> None:
        self._source = TexSource(text)
        self._shared = shared
        self._depth = depth
        self._words: list[str] = []
        self._open: list[str] = []  # environments
        self._math = False

    @abstractmethod
    def inline(self) -> str:
        """Read all, and return it as a part of a paragraph."""

    def _in_table(self) -> bool:
        return bool(self._open) and self._open[-1] in signs.TABLES

    def _said(self, source: str) -> str:
        """Return what an argument says."""
        if self._depth >= _DEEPEST:
            return " ".join(BRACES.sub("", source).split())
        reader = type(self)(source, self._shared, depth=self._depth + 1)
        reader._math = self._math
        return reader.inline()

    def _skip(self, signature: str) -> None:
        """Read the arguments of a command and say those that are kept; the last one is read as what follows."""
        for place, kind in enumerate(signature):
            if kind == "o":
                self._source.option()
            elif kind == "d":
                self._source.argument()
            elif place < len(signature) - 1:
                self._words.append(self._said(self._source.argument()))

    def _sign(self, sign: str) -> None:
        if sign == "\\":
            self._source.option()
            self._words.append(LINE_END)
        elif sign in "()":
            self._math = sign == "("
        elif sign in "[]":
            self._math = sign == "["
            self._words.append(LINE_END)
        elif sign in signs.ACCENTS and not self._math:
            self._accented(sign)
        elif sign in ",;: \n>":
            self._words.append(" ")
        elif sign not in "-/!@+<":
            self._words.append(sign)

    def _accented(self, sign: str) -> bool:
        base = self._said(self._source.argument()).replace("ı", "i")
        if not base:
            return False
        self._words.append(unicodedata.normalize("NFC", base[0] + signs.ACCENTS[sign]) + base[1:])
        return True

    def _other(self, sign: str) -> None:
        if sign.startswith("$"):
            self._math = not self._math
            self._words.append(LINE_END if len(sign) == 2 else "")
        elif sign == "~":
            self._words.append(" ")
        elif sign == "&":
            self._words.append(CELL_END if self._in_table() else " ")
        elif sign in "^_":
            self._words.append(sign if not self._math else self._raised(sign))
        elif sign[0] in "`'-":
            self._words.append(self._mark(sign[0], len(sign)))

    def _mark(self, sign: str, count: int) -> str:
        if sign == "-":
            return _DASHES[count] if not self._math else "-" * count
        if self._math:
            return "′" * count
        return ("“" if count == 2 else "‘") if sign == "`" else ("”" if count == 2 else "’")

    def _raised(self, sign: str) -> str:
        said = self._said(self._source.argument())
        return f"{sign}({said})" if _OPERATOR.search(said.strip("-")) else sign + said

    def _expand(self, name: str) -> None:
        """Read what a new command means in its place."""
        count, default, meaning = self._shared.macros[name]
        values = [] if default is None else [given if (given := self._source.option()) is not None else default]
        values += [self._source.argument() for _ in range(count - len(values))]
        for number, value in enumerate(values, 1):
            meaning = meaning.replace(f"#{number}", value)
        self._shared.expanded += 1
        self._shared.characters += len(meaning)
        if self._shared.expanded < _MOST_EXPANDED and self._shared.characters < _LONGEST_EXPANDED:
            self._source.push(meaning)

    def _define(self, name: str) -> None:
        new = self._source.argument().strip().lstrip("\\")
        if name == "def":
            given = self._source.match(_PARAMETERS)
            count, default = given[0].count("#") if given else 0, None
        else:
            arguments = self._source.option() or "0"
            count, default = (
                int(arguments) if arguments.isdecimal() and len(arguments) == 1 else 0,
                self._source.option(),
            )
        meaning = self._source.argument()
        if new.isalpha() and f"\\{new}" not in meaning:
            self._shared.macros[new] = (count, default, meaning)

    def _cite(self) -> None:
        """Write a citation as its keys, with what is said before and behind them."""
        options = [option for _ in range(2) if (option := self._source.option()) is not None]
        keys = ", ".join(key.strip() for key in self._source.argument().split(","))
        before, behind = ([""] * (2 - len(options)) + options)[:2]
        before, behind = (self._said(each) if each else "" for each in (before, behind))
        self._words.append(f"[{before + ' ' if before else ''}{keys}{', ' + behind if behind else ''}]")

    def _fraction(self, name: str) -> None:
        parts = [self._said(self._source.argument()) for _ in range(2)]
        self._words.append("/".join(f"({part})" if _OPERATOR.search(part.strip()) else part for part in parts))

    def _root(self, name: str) -> None:
        self._source.option()
        said = self._said(self._source.argument())
        self._words.append(f"√({said})" if len(said) > 1 else f"√{said}")

    def _superscript(self, name: str) -> None:
        self._words.append(raised("".join(self._words[-3:]), self._said(self._source.argument())))

    def _quantity(self, name: str) -> None:
        self._source.option()
        number = self._said(self._source.argument()) if name in ("SI", "qty", "num") else ""
        unit = self._source.argument() if name != "num" else ""
        names = " ".join(_UNIT.sub(lambda found: f" {'/' if found[1] == 'per' else found[1]} ", unit).split())
        self._words.append(f"{number} {names}".strip())

    def _link(self, name: str) -> None:
        address = self._source.argument().replace("\\", "")
        text = self._said(self._source.argument()) if name == "href" else ""
        self._words.append(f"{text} ({address})" if text and text != address else address)

    def _verb(self, name: str) -> None:
        self._source.option()
        if found := self._source.match(_VERB):
            self._words.append(found[2])

    def _new_line(self, name: str) -> None:
        self._words.append(LINE_END)

    def _and(self, name: str) -> None:
        while self._words and self._words[-1].isspace():
            self._words.pop()
        self._words.append(", ")
