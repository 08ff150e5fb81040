"""The macros of mdoc, the language of BSD's man pages: they call each other within a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from reatt.parsers.composing import LINE, PARAGRAPH
from reatt.parsers.text import roff_signs as signs

_ARGUMENT = re.compile(r'"((?:[^"]|"")*+)"?|((?:\\.|[^\s\\])(?:\\.|[^\s\\])*+|\\)')
_COMMENT = re.compile(r'(?<!\\)(?:\\\\)*(\\")')
_BLOCKS = frozenset("Dd Dt Os Sh Ss Nm Nd Bl El It Pp Bd Ed D1 Dl Fo Fc In Fd Rs Re Lp".split())
_REFERENCE = frozenset("%A %T %B %J %D %P %V %N %R %O %I %U %C %Q".split())
_INLINE = (
    signs.PLAIN | signs.ENCLOSED.keys() | signs.OPENED.keys() | signs.CLOSED.keys()
    | {"Fl", "Xr", "Ns", "Ap", "Pf", "Nm", "Fn", "Nd", "Sm", "Bk", "Ek", "Xo", "Xc", "In"}
)  # fmt: skip


class Page(Protocol):
    """What writes the page."""

    def shown(self, text: str) -> str:
        """Return what a text with escapes shows."""

    def text(self, words: str) -> None:
        """Take a line of text."""

    def heading(self, name: str, words: str) -> None:
        """Write a heading."""

    def end_block(self, border: int) -> None:
        """Write the open paragraph."""

    def begin_tag(self) -> None:
        """Begin a paragraph whose first line is a tag."""

    def fill(self, filled: bool) -> None:
        """Begin or end lines that stay as they are."""

    def give_title(self, words: str) -> None:
        """Name the page."""


def arguments(rest: str) -> list[str]:
    r"""Split the arguments of a macro; quotation marks hold one together.

    >>> arguments('"in the" drawer \\" a remark')
    ['in the', 'drawer']
    """
    remark = _COMMENT.search(rest)
    found = _ARGUMENT.finditer(rest[: remark.start(1)] if remark else rest)
    return [each[1].replace('""', '"') if each[1] is not None else each[2] for each in found]


class Mdoc:
    """Carries out the macros of a page."""

    def __init__(self, reader: Page) -> None:
        self._reader = reader
        self._name = ""  # of the page
        self._used = False  # whether the page is written in mdoc
        self._tags: list[bool] = []  # for each open list, whether its items have tags
        self._special: dict[str, Callable[[_Line, list[str]], None]] = {
            "Fl": self._flag, "Xr": self._page, "Nm": self._named, "Pf": self._prefix, "Fn": self._function,
            "Ar": self._argument, "Ns": lambda line, _: line.join(""), "Ap": lambda line, _: line.join("'"),
        }  # fmt: skip

    def macro(self, name: str, rest: str) -> bool:
        """Carry out a macro; return False for one of another language."""
        self._used = self._used or name == "Dd"
        if not self._used or not (name in _BLOCKS or name in _INLINE or name in _REFERENCE):
            return False
        words = arguments(rest)
        if name in _BLOCKS and not (name == "Nm" and self._name):
            self._block(name, words)
        else:
            self._reader.text(self._line([name, *words]))
        return True

    def _block(self, name: str, words: list[str]) -> None:
        reader = self._reader
        if name == "Dt":
            reader.give_title(f"{words[0].lower()}({words[1]})" if len(words) > 1 else " ".join(words))
        elif name in ("Sh", "Ss"):
            reader.heading(name, self._line(words))
        elif name == "Nm":
            self._name = self._line(words)
            reader.text(self._name)
        elif name == "Nd":
            reader.text(f"– {self._line(words)}")
        elif name in ("Pp", "Lp"):
            reader.end_block(PARAGRAPH)
        elif name == "Bl":
            reader.end_block(LINE)
            self._tags.append(any(word in ("-tag", "-hang", "-ohang", "-inset", "-diag") for word in words))
        elif name == "El":
            reader.end_block(PARAGRAPH)
            self._tags = self._tags[:-1]
        elif name == "It":
            self._item(words)
        elif name in ("Bd", "Ed"):
            reader.fill(name == "Ed" or not any(word in ("-literal", "-unfilled") for word in words))
        elif name in ("D1", "Dl"):
            reader.end_block(LINE)
            reader.text(self._line(words))
            reader.end_block(LINE)
        elif name in ("Fo", "In", "Fd"):
            reader.text(self._line(words) if name != "In" else f"#include <{self._line(words)}>")

    def _item(self, words: list[str]) -> None:
        if self._tags and self._tags[-1]:
            self._reader.begin_tag()
            self._reader.text(self._line(words))
        else:
            self._reader.end_block(LINE)
            self._reader.text("- " + self._line(words))

    def _line(self, words: list[str]) -> str:
        """Return what a line of macros and words says."""
        line = _Line()
        pending = list(reversed(words))
        while pending:
            word = pending.pop()
            special = self._special.get(word)
            if special is not None:
                special(line, pending)
            elif word in signs.ENCLOSED:
                line.open(*signs.ENCLOSED[word])
            elif word in signs.OPENED:
                line.add(signs.OPENED[word])
                line.join("")
            elif word in signs.CLOSED:
                line.join("")
                line.add(signs.CLOSED[word])
            elif word in signs.SYSTEMS:
                line.add(signs.SYSTEMS[word])
            elif word not in _INLINE and word not in _REFERENCE:
                line.add(self._shown(word))
        return line.finished()

    def _page(self, line: _Line, pending: list[str]) -> None:
        page = pending.pop() if pending else ""
        section = pending.pop() if pending and pending[-1][:1].isdigit() else ""
        line.add(f"{self._shown(page)}({section})" if section else self._shown(page))

    def _named(self, line: _Line, pending: list[str]) -> None:
        line.add(self._shown(pending.pop()) if pending and self._is_word(pending[-1]) else self._name)

    def _prefix(self, line: _Line, pending: list[str]) -> None:
        line.add(self._shown(pending.pop()) if pending else "")
        line.join("")

    def _function(self, line: _Line, pending: list[str]) -> None:
        name = self._shown(pending.pop()) if pending else ""
        given = []
        while pending and self._is_word(pending[-1]):
            given.append(self._shown(pending.pop()))
        line.add(f"{name}({', '.join(given)})")

    def _argument(self, line: _Line, pending: list[str]) -> None:
        if not pending or not self._is_word(pending[-1]):
            line.add("file ...")

    def _flag(self, line: _Line, pending: list[str]) -> None:
        """Write options, each with its dash."""
        if not pending or not self._is_word(pending[-1]):
            line.add("-")
        while pending and (self._is_word(pending[-1]) or pending[-1] in signs.CLOSING):
            word = pending.pop()
            line.add(word if word in signs.CLOSING else f"-{self._shown(word)}")

    def _is_word(self, word: str) -> bool:
        return word not in _INLINE and word not in signs.CLOSING and word != "|"

    def _shown(self, word: str) -> str:
        return self._reader.shown(word)


class _Line:
    """Joins words; what was opened is closed at the end, before its punctuation."""

    def __init__(self) -> None:
        self._text = ""
        self._joined = True
        self._closing: list[str] = []

    def add(self, word: str) -> None:
        """Add a word, with a blank before it unless it is punctuation."""
        if word:
            joined = self._joined or word in signs.CLOSING
            self._text += word if joined else f" {word}"
            self._joined = word in ("(", "[")

    def join(self, sign: str) -> None:
        """Write the next word without a blank before it."""
        self._text += sign
        self._joined = True

    def open(self, before: str, behind: str) -> None:
        """Enclose the rest of the line."""
        self.add(before)
        self._joined = True
        self._closing.append(behind)

    def finished(self) -> str:
        """Return the line."""
        text, marks = self._text, ""
        if self._closing:
            while text[-1:] in signs.CLOSING and text and text[-1] not in ")]":
                text, marks = text[:-1], text[-1] + marks
        return text.rstrip() + "".join(reversed(self._closing)) + marks
