r"""RTF -> text: paragraphs, tables, notes, what stands above and below the pages; headings by their style.

Bytes are read by the code page of their font.
RTF consists of braces and control words. A group inherits the state of the group around it, which is restored at its
end. Many groups are not text (pictures, fonts, field codes); a group that starts with `\*` may be skipped.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace

from reatt.parsers.composing import CELL, LINE, PARAGRAPH, SPACE, Composer
from reatt.parsers.content import Content
from reatt.parsers.office.page_numbers import only_counts, says_nothing
from reatt.parsers.office.symbols import in_font
from reatt.parsers.origins import authors, day
from reatt.parsers.superscripts import raised

# \'hh is a byte, \word and \word-12 with the one space that ends them, \~ and its like, a brace, else bytes of text.
_TOKEN = re.compile(
    rb"\\'([0-9A-Fa-f]{2})|\\([A-Za-z]{1,32})(-?\d{1,9})? ?|\\([^A-Za-z'])|([{}])|([^\\{}\r\n]+)|[\\\r\n]", re.DOTALL
)
# The purpose of a group's characters.
TEXT, NOTES, TITLE, AUTHOR, SAVED, FONTS, STYLES, CODE, ABOVE, BELOW, NOTHING = range(11)
_TOLD = {"title": TITLE, "author": AUTHOR, "revtim": SAVED}  # groups of what the file says of itself
_FOR = {
    "fonttbl": FONTS, "stylesheet": STYLES, "footnote": NOTES, "annotation": NOTES, "shptxt": TEXT,
    "nesttableprops": TEXT, "fldinst": CODE,
}  # fmt: skip
_FOR |= dict.fromkeys("header headerl headerr headerf".split(), ABOVE)
_FOR |= dict.fromkeys("footer footerl footerr footerf".split(), BELOW)
_FOR |= dict.fromkeys(
    "colortbl pict ftnsep ftnsepc ftncn aftnsep"
    " aftnsepc aftncn nonshppict themedata datastore listtable listoverridetable rsidtbl generator filetbl"
    " revtbl xmlnstbl tc xe txe rxe info".split(),
    NOTHING,
)
_SIGNS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "emdash": "\u2014", "endash": "\u2013", "bullet": "\u2022",
    "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "emspace": " ",
    "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "\u2011", b"\\": "\\", b"{": "{", b"}": "}"}  # \- marks an optional hyphen
_ENDS = {
    "par": PARAGRAPH, "sect": PARAGRAPH, "page": PARAGRAPH, "column": PARAGRAPH,
    "cell": CELL, "nestcell": CELL, "row": LINE,
    "nestrow": LINE, "\r": PARAGRAPH, "\n": PARAGRAPH,
}  # fmt: skip
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    255: "cp437",
}  # fmt: skip
_OF_SIGNS = 2  # the character set of fonts that hold signs, not letters
_PAGES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_PAGE = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b")
_TEXTS = (TEXT, NOTES, ABOVE, BELOW)
_BODY = 9  # the outline level of body text; lower levels are headings
_HEADING_NAME = re.compile(r"(?:heading \d|title);", re.IGNORECASE)


@dataclass(frozen=True)
class _Group:
    """The state within one pair of braces."""

    use: int = TEXT
    hidden: bool = False
    up: bool = False  # raised
    spare: int = 1  # characters after a Unicode character that replace it in programs without Unicode
    font: int = -1
    style: int = 0  # of the paragraph
    level: int = _BODY
    in_cell: bool = False
    large: bool = False  # a large first letter: the next paragraph goes on


def rtf(data: bytes) -> Content:
    """Read an RTF file; a truncated file gives the text that is there."""
    return _RtfReader(data).read()


@dataclass
class _RtfReader:
    """Reads one file; `_group` is the innermost one, `_outer` are those around it."""

    data: bytes
    composer: Composer = field(default_factory=Composer)
    title: str = ""
    author: str = ""
    _saved: dict[str, int] = field(default_factory=dict)  # the year, the month, the day
    _group: _Group = field(default_factory=_Group)
    _outer: list[_Group] = field(default_factory=list)
    _headings: set[int] = field(default_factory=set)  # styles
    _fonts: dict[int, str] = field(default_factory=dict)
    _signs: dict[int, str] = field(default_factory=dict)  # names of fonts of signs
    _page: str = "cp1252"
    _bytes: bytearray = field(
        default_factory=bytearray
    )  # not decoded yet, because a character may be split over two tokens
    _parts: list[str] = field(default_factory=list)  # of the paragraph, or the cell, that is being read
    _notes: list[str] = field(default_factory=list)
    _up: list[str] = field(default_factory=list)  # raised text that has not been written yet
    _up_in: list[str] = field(default_factory=list)  # where it is to be written
    _count: int = 0  # of the footnotes
    _code: str = ""  # of the last field
    _edge: list[str] = field(default_factory=list)  # of what stands above or below the pages
    _has_page: bool = False  # a page's number stands there
    _edges: dict[str, int] = field(default_factory=dict)  # each of its texts, and where it stands
    _pass_over: int = 0  # characters

    def read(self) -> Content:
        """Read the file up to the brace that closes the first one."""
        at, closed = 0, False
        while not closed and (token := _TOKEN.match(self.data, at)):
            at = token.end()
            byte, word, number, symbol, brace, text = token.groups()
            if byte or text:
                self._characters(bytes.fromhex(byte.decode()) if byte else text)
            elif brace:
                closed = self._brace(brace)
            elif word == b"bin":
                at += max(0, int(number or 0))
            elif word or symbol in (b"\r", b"\n"):
                self._word((word or b"par").decode(), int(number) if number else None)
            elif symbol:
                self._symbol(symbol)
        self._end(PARAGRAPH)
        for note in "".join(self._notes).split("\n"):
            self.composer.add(re.sub(" +", " ", note.strip()), PARAGRAPH)
        for below in (text for text, place in self._edges.items() if place == BELOW):
            self.composer.add(below, PARAGRAPH)
        warnings = () if closed else ("the file is cut off: what there was has been read",)
        saved = "".join(f"{self._saved.get(part, 0):02}" for part in ("yr", "mo", "dy"))
        return replace(self.composer.content(self.title, warnings), author=authors([self.author]), dated=day(saved))

    def _characters(self, text: bytes) -> None:
        passed = min(self._pass_over, len(text))
        self._pass_over -= passed
        self._bytes += text[passed:]

    def _brace(self, brace: bytes) -> bool:
        """Begin or end a group; return True at the end of the outermost one."""
        self._flush()
        self._pass_over = 0
        if brace == b"{":
            self._outer.append(self._group)
        elif self._outer:
            closed, self._group = self._group, self._outer.pop()
            if closed.use in (ABOVE, BELOW) and self._group.use != closed.use:
                self._end_edge(closed.use)
        return not self._outer

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*" and self._group.use in _TEXTS:
            self._group = replace(self._group, use=NOTHING)
        elif symbol in _SYMBOLS:
            self._say(_SYMBOLS[symbol])

    def _word(self, word: str, number: int | None) -> None:
        if word == "u" and number is not None:
            self._say(chr(number & 0xFFFF))
            self._pass_over = self._group.spare
        elif self._pass_over:
            self._pass_over -= 1  # a control word counts as one character
        elif word in _SIGNS:
            self._say(_SIGNS[word])
        elif word in _ENDS:
            self._end(_ENDS[word])
        else:
            self._flush()
            self._group = self._changed(word, number)

    def _changed(self, word: str, number: int | None) -> _Group:
        """Apply a control word to the group; record what it says about the whole file."""
        group, given = self._group, 0 if number is None else number
        match word:
            case "footnote" if group.use == TEXT:
                self._end_up("")
                self._count += 1
                self._parts.append(f" [{self._count}]")
                self._notes.append(f"\n[{self._count}] ")
            case "annotation":
                self._notes.append("\nComment: ")
            case "fldinst":
                self._code = ""
            case "fldrslt" if _PAGE.match(self._code):
                self._has_page = group.use in (ABOVE, BELOW)
                return replace(group, use=NOTHING)
            case "chpgn":
                self._has_page = group.use in (ABOVE, BELOW)
            case "title" | "author" | "revtim" if group.use == NOTHING:
                return replace(group, use=_TOLD[word])
            case "yr" | "mo" | "dy" if group.use == SAVED:
                self._saved[word] = given
            case "fcharset" if group.use == FONTS:
                self._fonts[group.font] = "latin-1" if given == _OF_SIGNS else _CHARSETS.get(given, "")
                self._signs |= {group.font: ""} if given == _OF_SIGNS else {}
            case "mac" | "pc" | "pca" | "ansicpg":
                self._page = _PAGES.get(word) or _known(f"cp{given}") or self._page
        return _styled(replace(group, use=_FOR.get(word, group.use)), word, number)

    def _say(self, text: str) -> None:
        self._flush()
        self._put(text)

    def _flush(self) -> None:
        """Decode the collected bytes with the code page of their font."""
        if self._bytes:
            self._put(self._bytes.decode(self._fonts.get(self._group.font) or self._page, "replace"))
            self._bytes.clear()

    def _put(self, text: str) -> None:
        group = self._group
        if group.use == STYLES and (group.level < _BODY or _HEADING_NAME.match(text)):
            self._headings.add(group.style)
        elif group.use == FONTS and not self._signs.get(group.font, "x"):
            self._signs[group.font] = text.partition(";")[0].strip()
        elif group.use == TITLE:
            self.title += text
        elif group.use == AUTHOR:
            self.author += text
        elif group.use == CODE:
            self._code += text
        elif group.use in _TEXTS and not group.hidden:
            parts = self._parts if group.use == TEXT else self._notes if group.use == NOTES else self._edge
            text = in_font(self._signs.get(group.font, ""), text)
            if group.up and text.strip():
                self._up.append(text)
                self._up_in = parts
            else:
                self._end_up(text)
                parts.append(text)

    def _end_up(self, after: str) -> None:
        """Write raised text; in several runs it is one."""
        if self._up:
            self._up_in.append(raised("".join(self._up_in[-3:]), "".join(self._up), after))
            self._up.clear()

    def _end(self, border: int) -> None:
        """End a paragraph, a cell or a row."""
        self._flush()
        self._end_up("")
        group = self._group
        if border == PARAGRAPH and group.use == TEXT and group.large:
            return
        if group.use == NOTES:
            self._notes.append("\n")
        elif group.use in (ABOVE, BELOW):
            self._end_edge(group.use)
        elif group.use == TEXT:
            text = "".join(self._parts).strip()
            text = " ".join(text.split()) if group.in_cell else text
            border = SPACE if group.in_cell and border == PARAGRAPH else border
            heads = border == PARAGRAPH and (group.level < _BODY or group.style in self._headings)
            self.composer.add(text, border, heading=text if heads else "")
            self._parts.clear()

    def _end_edge(self, place: int) -> None:
        """End a text above or below the pages; each is written once, without the numbers of pages."""
        self._end_up("")
        text, numbered = " ".join("".join(self._edge).split()), self._has_page
        self._edge.clear()
        self._has_page = False
        if says_nothing(text) or text in self._edges or (numbered and only_counts(text)):
            return
        self._edges[text] = place
        if place == ABOVE:
            self.composer.add(text, PARAGRAPH)


def _known(page: str) -> str:
    """Return the name of a code page if Python knows it as a text encoding."""
    try:
        "".encode(page)
        return codecs.lookup(page).name
    except LookupError:
        return ""


def _styled(group: _Group, word: str, number: int | None) -> _Group:
    """Apply a control word that says how text and paragraphs look."""
    given = 0 if number is None else number
    match word:
        case "super" | "up" | "sub" | "dn" | "nosupersub":
            return replace(group, up=word in ("super", "up") and number != 0)
        case "pard":
            return replace(group, style=0, level=_BODY, in_cell=False, large=False)
        case "intbl" | "dropcapli":
            return replace(group, in_cell=group.in_cell or word == "intbl", large=group.large or word != "intbl")
        case "s":
            return replace(group, style=given)
        case "outlinelevel":
            return replace(group, level=given)
        case "v" | "deleted":
            return replace(group, hidden=number != 0)
        case "plain":
            return replace(group, hidden=False, up=False, font=-1)
        case "uc":
            return replace(group, spare=max(0, given))
        case "f":
            return replace(group, font=given)
    return group
