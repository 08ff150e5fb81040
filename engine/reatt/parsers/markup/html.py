"""HTML -> readable text: scripts, menus and footers dropped, blocks on lines of their own, headings kept.

The text is derived, so offsets refer to it and not to the file. Menus are recognised by their tags and roles, and by
consisting mostly of links. Nothing is dropped if no text would remain: a page that is only a list of links keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reatt.parsers.formats import Content

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_NEVER = "script, style, template, noscript, svg, canvas, iframe, object, button, select, dialog, [hidden], .headerlink"
_BOILERPLATE = (
    "nav, body > footer, [role=navigation], [role=banner], [role=contentinfo], [role=search], [aria-hidden=true]"
)
_PARAGRAPH = frozenset(
    "address article aside blockquote body center details div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5"
    " h6 header hr main nav ol p pre section summary table ul".split()
)
_LINE = frozenset("br caption dd dt li option tr".split())
_CELL = frozenset({"td", "th"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_DECLARED = re.compile(rb"<(?:meta[^>]+charset|\?xml[^>]+encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_ANCHOR = re.compile(r"\s*[§¶#🔗]+$")  # the link to itself that many sites put behind a heading
_ENOUGH = 200  # with this many characters in the main part, the rest of the page is ignored
_MENU_LINKS, _MENU_SHARE, _MENU_WIDTH = (
    5,
    0.9,
    40,
)  # minimum number of links, minimum share of the text, maximum mean length of a link

_NONE, _SPACE, _NEW_LINE, _NEW_PARAGRAPH = range(4)
_BORDERS = ("", " ", "\n", "\n\n")


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding declared in a page."""
    found = _DECLARED.search(data[:4096])
    return found[1].decode("ascii", "ignore") if found else None


def html(source: str) -> Content:
    """Extract the title, headings and readable text of a page."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(source)
    title_node = tree.css_first("title")
    title = " ".join(title_node.text().split()) if title_node else ""
    _drop(tree, _NEVER)
    everything = _main_part(tree)
    _drop(tree, _BOILERPLATE)
    _drop_menus(tree)
    lean = _main_part(tree)
    content = lean if lean.text else everything
    return Content(
        title=title or (content.headings[0][1] if content.headings else ""),
        text=content.text,
        headings=content.headings,
    )


def _drop(tree: LexborHTMLParser, selector: str) -> None:
    for node in tree.css(selector):
        node.decompose()


def _drop_menus(tree: LexborHTMLParser) -> None:
    """Drop lists of short links with almost no other text: menus that are not marked by a tag."""
    for node in tree.css("ul, ol"):
        links = node.css("a")
        if len(links) >= _MENU_LINKS:
            linked = sum(len(link.text(strip=True)) for link in links)
            if linked > _MENU_SHARE * len(node.text(strip=True)) and linked < _MENU_WIDTH * len(links):
                node.decompose()


def _main_part(tree: LexborHTMLParser) -> Content:
    """Write the page's main part, or the whole page if no part is marked or it has too little text."""
    for selector in ("main, [role=main]", "article"):
        parts = tree.css(selector)
        if len(parts) == 1 and len((content := _text_of(parts[0])).text) >= _ENOUGH:
            return content
    return _text_of(tree.body) if tree.body else Content(title="", text="")


def _text_of(root: LexborNode) -> Content:
    writer = _Writer()
    for node, closing in _walk(root):
        if node.is_text_node:
            writer.take(node.text(deep=False))
        else:
            writer.mark(node.tag or "", closing)
    return Content(title="", text="".join(writer.parts), headings=tuple(writer.headings))


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Yield every node below root in order, elements once when they open and once (True) when they close.

    A loop, because pages may be nested more deeply than Python's stack.
    """
    opened: list[LexborNode] = []
    node = root.first_child
    while node is not None or opened:
        if node is None:
            node = opened.pop()
            yield node, True
            node = node.next
            continue
        yield node, False
        child = node.first_child
        if child is not None:
            opened.append(node)
            node = child
        else:
            if not node.is_text_node:
                yield node, True
            node = node.next


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

    def mark(self, tag: str, closing: bool) -> None:
        """Handle the start or end of an element."""
        self._separate(_border_of(tag))
        if tag == "pre":
            self._raw += -1 if closing else 1
        elif tag in _HEADINGS and not closing:
            self._heading = []
        elif tag in _HEADINGS and self._heading:
            heading = _ANCHOR.sub("", " ".join("".join(self._heading).split()))
            if heading:
                self.headings.append((self._heading_start, heading))
            self._heading = None

    def take(self, text: str) -> None:
        """Write the text of one text node."""
        if self._raw:
            words = text.rstrip()
            if words:
                self._write(words)
            self._space += text[len(words) :]
        else:
            if text[:1].isspace():
                self._separate(_SPACE)
            if words := " ".join(text.split()):
                self._write(words)
            if text[-1:].isspace():
                self._separate(_SPACE)

    def _separate(self, border: int) -> None:
        self._border = max(self._border, border)
        self._space = "" if border else self._space

    def _write(self, words: str) -> None:
        border = (self._space or _BORDERS[self._border]) if self.parts else ""
        self._border, self._space = _NONE, ""
        if self._heading is not None:
            if not self._heading:
                self._heading_start = self._length + len(border)
            self._heading += (border, words)
        self.parts += (border, words)
        self._length += len(border) + len(words)


def _border_of(tag: str) -> int:
    if tag in _PARAGRAPH:
        return _NEW_PARAGRAPH
    return _NEW_LINE if tag in _LINE else _SPACE if tag in _CELL else _NONE
