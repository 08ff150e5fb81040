"""HTML and XHTML -> text as a reader sees it: blocks on lines of their own, headings, numbers of lists, superscripts.

The text is derived, so offsets refer to it and not to the file. Navigation is left out (`navigation.py`), unless no
text would remain: a page that is only a list of links keeps it. What is folded until somebody clicks is kept. Between
the cells of a table stand tabs, one for each column, so empty cells keep theirs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reatt.parsers.content import Content
from reatt.parsers.list_numbers import numbered
from reatt.parsers.markup.html_signs import walk, write_signs
from reatt.parsers.markup.html_tables import Columns, head_of, holds_data
from reatt.parsers.markup.navigation import navigation
from reatt.parsers.markup.xhtml import as_html, is_xhtml
from reatt.parsers.origins import authors, day
from reatt.parsers.superscripts import with_marks

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# The last ones are signs beside words; parts that are hidden until somebody clicks are content.
_NEVER = (
    "script, style, template, noscript, canvas, iframe, object, annotation, annotation-xml, svg title,"
    " svg desc, [epub\\:type~=pagebreak], [role=doc-pagebreak], .headerlink, i[aria-hidden=true],"
    " a[aria-hidden=true]"
)
_WHOLE = re.compile(r"\s*-?[0-9]{1,9}\s*")
_PARAGRAPH = frozenset(
    "address article aside blockquote body center details dialog dir div dl fieldset figcaption figure footer form h1"
    " h2 h3 h4 h5 h6 header hgroup hr listing main menu nav ol p plaintext pre search section summary svg table ul"
    " xmp".split()
)
_LINE = frozenset("br caption dd dt legend li marquee option text tr".split())
_CELL = frozenset("button label meter output progress td th".split())
_SIBLINGS = frozenset("a abbr b bdi em i small span strong time".split())
_SHORTEST = 2  # letters of a part of a word that is shown apart
_SHADOW = re.compile(r"<template\b[^>]*\bshadowroot(?:mode)?\s*=[^>]*>", re.IGNORECASE)  # shown, unlike other templates
_AROUND_TITLE = ("head", "body", "html")  # drawings have titles, too
_CODE = frozenset("code kbd samp tt var".split())
_ROLES = {"row": "tr", "cell": "td", "gridcell": "td", "columnheader": "td", "rowheader": "td"}  # of other elements
_BOXES = frozenset({"div", "span"})
_DEEPEST_TABLE = 8
_OF_TABLES = frozenset({"table", "tr", "td", "th"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_DECLARED = re.compile(rb"<(?:meta[^>]+charset|\?xml[^>]+encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_DATES = tuple("article:published_time date dc.date dcterms.created article:modified_time dcterms.modified".split())
_ANCHOR = re.compile(r"\s*[§¶#🔗]+$")  # the link to itself that many sites put behind a heading

_NONE, _SPACE, _NEW_LINE, _NEW_PARAGRAPH = range(4)
_BORDERS = ("", " ", "\n", "\n\n")


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding declared in a page."""
    found = _DECLARED.search(data[:4096])
    return found[1].decode("ascii", "ignore") if found else None


def html(source: str, xml: bool = False) -> Content:
    """Extract the title, headings and readable text of a page; `xml`: it is known to follow XML's rules."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(as_html(source) if xml or is_xhtml(source) else _SHADOW.sub("<div>", source))
    title_node = _title_of(tree)
    title = " ".join(title_node.text().split()) if title_node else ""
    told = _told(tree)
    for node in tree.css("iframe[srcdoc]"):
        node.replace_with(f" {html(node.attributes.get('srcdoc') or '').text} ")
    for node in tree.css(_NEVER):
        node.decompose()
    write_signs(tree)
    content = _text_of(tree.body, navigation(tree))
    if not content.text:
        content = _text_of(tree.body, frozenset())
    return Content(
        title=title or (content.headings[0][1] if content.headings else ""),
        text=content.text,
        headings=content.headings,
        author=authors([told.get("author") or told.get("dc.creator", "")]),
        dated=next((on for name in _DATES if (on := day(told.get(name, "")))), ""),
    )


def _title_of(tree: LexborHTMLParser) -> LexborNode | None:
    """Return the title of a page, or of a file that is one drawing; others within drawings are no titles."""
    first = tree.body.first_child if tree.body else None
    drawn = first is not None and first.tag == "svg"
    around = (*_AROUND_TITLE, "svg") if drawn else _AROUND_TITLE
    return next((node for node in tree.css("title") if node.parent is not None and node.parent.tag in around), None)


def _told(tree: LexborHTMLParser) -> dict[str, str]:
    """Return what a page says about itself, by its names; the first of a name counts."""
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        has = node.attributes
        found.setdefault((has.get("name") or has.get("property") or "").lower(), has.get("content") or "")
    return found


def _text_of(root: LexborNode | None, left_out: frozenset[int]) -> Content:
    if root is None:
        return Content(title="", text="")
    writer = _Writer()
    for node, closing in walk(root, left_out):
        if node.is_text_node:
            writer.take(node.text(deep=False))
        else:
            writer.mark(node, closing)
    return Content(title="", text="".join(writer.parts), headings=tuple(writer.headings))


class _Numbers:
    """Counts the items of one ordered list."""

    def __init__(self, node: LexborNode) -> None:
        has = node.attributes
        self._style = has.get("type") or "1"
        self._step = -1 if "reversed" in has else 1
        first = sum(child.tag == "li" for child in node.iter()) if "reversed" in has else 1
        self._next = _whole(has.get("start"), first)

    def take(self, item: LexborNode) -> str:
        """Return the number of the next item, as it is shown."""
        number = _whole(item.attributes.get("value"), self._next)
        self._next = number + self._step
        return f"{numbered(number, self._style)}. "


def _whole(written: str | None, otherwise: int) -> int:
    return int(written) if written and _WHOLE.fullmatch(written) else otherwise


class _Writer:
    """Collects text as a browser shows it: white space folded, blocks separated, `pre` unchanged."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self._length = 0
        self._border = _NONE  # separator before the next word
        self._space = ""  # the same inside `pre`: the original white space
        self._raw = 0  # number of open elements that keep their white space
        self._heading: list[str] | None = None  # the words of the open heading
        self._heading_start = 0
        self._lists: list[_Numbers | None] = []  # the open lists; None for one without numbers
        self._mark = ""  # the number of the item whose first word has not come yet
        self._table: Columns | None = None  # the open table of data
        self._in_cell = False  # of this table
        self._depth = 0  # tables within tables
        self._tabs = 0  # before the next word
        self._sibling = ""  # the element that has just begun behind another of its kind

    def mark(self, node: LexborNode, closing: bool) -> None:
        """Handle the start or end of an element."""
        tag = node.tag or ""
        if tag in _OF_TABLES:
            self._mark_table(node, tag, closing)
        role = _ROLES.get(node.attributes.get("role") or "") if tag in _BOXES else None
        self._separate(_border_of(role or tag))
        if tag == "tspan" and not {"x", "y", "dy"}.isdisjoint(node.attributes):
            self._separate(_SPACE)
        if tag in _SIBLINGS and not closing and node.prev is not None and node.prev.tag == tag:
            self._sibling = tag if node.parent is None or node.parent.tag not in _CODE else ""
        self._tabs += closing and role == "td"
        if tag == "pre":
            self._raw += -1 if closing else 1
        elif tag == "ol":
            self._end_list(closing, node)
        elif tag == "ul":
            self._end_list(closing, None)
        elif tag == "li":
            self._mark = "" if closing else self._mark + self._number(node)
        elif tag in _HEADINGS and not closing:
            self._heading = []
        elif tag in _HEADINGS and self._heading:
            heading = _ANCHOR.sub("", " ".join("".join(self._heading).split()))
            if heading:
                self.headings.append((self._heading_start, heading))
            self._heading = None

    def _mark_table(self, node: LexborNode, tag: str, closing: bool) -> None:
        """Count the columns of a table of data; within its cells nothing begins a line."""
        if tag == "table":
            self._depth += -1 if closing else 1
            data = not closing and self._depth <= _DEEPEST_TABLE and holds_data(node)
            self._table = Columns(head_of(node)) if data else None
        elif self._table is not None and tag == "tr":
            self._separate(_NEW_LINE)
            if not closing:
                self._table.begin_row()
        elif self._table is not None and tag in ("td", "th"):
            self._tabs += self._table.end_cell(node) if closing else self._table.begin_cell()
            self._mark = "" if closing else self._table.name()
        self._in_cell = self._table is not None and tag in ("td", "th") and not closing

    def _end_list(self, closing: bool, node: LexborNode | None) -> None:
        if not closing:
            self._lists.append(None if node is None else _Numbers(node))
        elif self._lists:
            self._lists.pop()

    def _number(self, item: LexborNode) -> str:
        """Return the number of an item of an ordered list; it is written with the item's first words."""
        numbers = self._lists[-1] if self._lists else None
        return numbers.take(item) if numbers else ""

    def take(self, text: str) -> None:
        """Write the text of one text node."""
        if self._raw and not self._in_cell:
            words = text.rstrip()
            if words:
                self._write(words)
            self._space += text[len(words) :]
        else:
            if text[:1].isspace():
                self._separate(_SPACE)
            if words := with_marks(" ".join(text.split())):
                if self._sibling and self.parts and parted(self._sibling, self.parts[-1], words):
                    self._separate(_SPACE)
                self._write(words)
            if text[-1:].isspace():
                self._separate(_SPACE)

    def _separate(self, border: int) -> None:
        border = min(border, _SPACE) if self._in_cell else border
        self._tabs = 0 if border > _SPACE else self._tabs
        self._border = max(self._border, border)
        self._space = "" if border else self._space

    def _write(self, words: str) -> None:
        border = (self._space or _BORDERS[self._border]) if self.parts else ""
        if self._tabs:
            border = border.rstrip(" ") + "\t" * self._tabs
        self._border, self._space, self._tabs, self._sibling = _NONE, "", 0, ""
        if self._heading is not None:
            if not self._heading:
                self._heading_start = self._length + len(border)
            self._heading += (border, words)
        else:
            words = self._mark + words
        self._mark = ""
        self.parts += (border, words)
        self._length += len(border) + len(words)


def _border_of(tag: str) -> int:
    if tag in _PARAGRAPH:
        return _NEW_PARAGRAPH
    return _NEW_LINE if tag in _LINE else _SPACE if tag in _CELL or "-" in tag else _NONE


def parted(tag: str, before: str, after: str) -> bool:
    """Return whether a page shows two elements of a kind apart although nothing stands between them.

    >>> parted("a", "home", "news"), parted("span", "1.2", "Scope"), parted("span", "Tel", "555")
    (True, True, True)
    >>> parted("span", "w", "Ord"), parted("span", "un", "likely"), parted("span", "CO", "2")
    (False, False, False)
    """
    if tag == "a":
        return before[-1].isalnum() and after[0].isalnum()
    if len(before) < _SHORTEST or len(after) < _SHORTEST:
        return False
    return (before[-1].islower() or before[-1].isdigit()) and (
        after[0].isupper() or (after[0].isdigit() and before[-1].islower())
    )
