"""What a page shows by other means than its text: fields of forms, superscripts, formulas, signs of fonts, quotes.

All is written into the page as text, before it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reatt.parsers.formulas import Formula
from reatt.parsers.office.symbols import in_font
from reatt.parsers.superscripts import raised

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_NOTE = re.compile(r"(?:^|[\s_-])(?:note|noteref|footnote|fnref|fn|reference|ref|cite|citation)", re.IGNORECASE)
_TYPED = frozenset("text email number date time datetime-local month tel url search submit button".split())
_LIKE_SUP = (
    "a[epub\\:type~=noteref], a[role=doc-noteref], a.noteref, span.sup, span.super, span.superscript,"
    ' span[style*="vertical-align:super"], span[style*="vertical-align: super"]'
)
_BESIDE_BOXES = frozenset("li label td p".split())  # where a box is checked for the words beside it
_IN_SIGNS = '[style*="ingdings"], [style*="ymbol"], font[face*="ingdings"], font[face*="ymbol"]'
_FONT = re.compile(r"font-family\s*:\s*[\"']?\s*(wingdings(?: [23])?|symbol)\b", re.IGNORECASE)
_DRAWN = re.compile(r"icon|symbol|glyph|katex|mathjax|(?:^|\s)fa[bsr]?(?:$|[\s-])|emoji", re.IGNORECASE)
_NEAREST = 3  # elements around one that are looked at
_AROUND = 1000  # characters beside words for the eye that may repeat them


def write_signs(tree: LexborHTMLParser) -> None:
    """Write them all."""
    _write_forms(tree)
    _remove_repeated(tree)
    _write_fonts(tree)
    _write_superscripts(tree)
    _write_ruby(tree)
    for node in tree.css("math"):
        node.replace_with(_formula(node))
    for node in tree.css("q"):
        node.insert_before("“")
        node.insert_after("”")


def walk(root: LexborNode, left_out: frozenset[int]) -> Iterator[tuple[LexborNode, bool]]:
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
        if node.mem_id in left_out:
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


def _write_forms(tree: LexborHTMLParser) -> None:
    """Write what the fields of a form hold: what was typed, which boxes are checked, what is chosen of a list."""
    for node in tree.css("input[value]"):
        if (node.attributes.get("type") or "text").lower() in _TYPED:
            node.replace_with(f" {node.attributes.get('value')} ")
    for node in tree.css("input[type=checkbox], input[type=radio]"):
        if node.parent is not None and node.parent.tag in _BESIDE_BOXES and node.parent.text(strip=True):
            node.replace_with(" [x] " if "checked" in node.attributes else " [ ] ")
    for node in tree.css("select"):
        options = node.css("option")
        chosen = node.css("option[selected]") or (options if "multiple" in node.attributes else options[:1])
        node.replace_with(f" {' '.join(option.text(strip=True) for option in chosen)} ")


def _remove_repeated(tree: LexborHTMLParser) -> None:
    """Remove what is there for the eye alone: drawings made of letters, and words that are also written for the ear."""
    said: dict[int, str] = {}  # by whatever is around
    for node in tree.css("span[aria-hidden=true]"):
        outer, own = node.parent, node.text()
        if outer is not None and outer.mem_id not in said:
            said[outer.mem_id] = outer.text()[: _AROUND + 1]
        around = "" if outer is None else said[outer.mem_id]
        drawn = _DRAWN.search(f"{node.attributes.get('class')}") is not None
        words = _signs(own)
        if drawn or not words or len(around) > _AROUND or words in _signs(around.replace(own, "", 1)):
            node.decompose()
        else:
            node.insert_after(" ")


def _signs(words: str) -> str:
    return "".join(sign for sign in words if sign.isalnum())


def _write_fonts(tree: LexborHTMLParser) -> None:
    """Write the letters of fonts that have signs in their place, as those signs."""
    for node in tree.css(_IN_SIGNS):
        found = _FONT.search(node.attributes.get("style") or "")
        font = found[1] if found else node.attributes.get("face") or ""
        for child in list(node.iter(include_text=True)):
            if child.is_text_node and (text := child.text(deep=False)) != (signs := in_font(font, text)):
                child.replace_with(signs)


def _write_superscripts(tree: LexborHTMLParser) -> None:
    within = {node.mem_id for node in tree.css("sup sup, sup a, sup span")}
    every = tree.css(f"sup, {_LIKE_SUP}")
    around_one = {outer.mem_id for node in every for outer in _outer(node)}
    for node in every:
        if node.mem_id in within or (node.tag != "sup" and node.mem_id in around_one):
            continue  # a part of the outer one's text, or around one
        links = node.css("a")
        around = f"{node.attributes.get('class')} {node.attributes.get('id')} {node.attributes.get('role')}"
        linked = (
            node.tag == "a"
            or bool(links)
            or (node.parent is not None and node.parent.tag == "a")
            or bool(_NOTE.search(around))
        )
        before = node.parent.prev if node.prev is None and node.parent is not None else node.prev
        node.replace_with(raised(_beside(before), node.text(), _beside(node.next), linked=linked))


def _outer(node: LexborNode) -> Iterator[LexborNode]:
    """Yield the nearest elements around one."""
    outer = node.parent
    for _ in range(_NEAREST):
        if outer is not None:
            yield outer
            outer = outer.parent


def _beside(node: LexborNode | None) -> str:
    return "" if node is None else node.text()


def _write_ruby(tree: LexborHTMLParser) -> None:
    """Write how signs are read aloud behind them."""
    for node in reversed(tree.css("ruby")):  # the inner ones first
        aloud = node.css("rt")
        base = walk(node, frozenset(part.mem_id for part in node.css("rt, rp, rtc")))
        signs = "".join(each.text(deep=False).strip() for each, _ in base if each.is_text_node)
        reading = "".join(part.text(strip=True) for part in aloud)
        node.replace_with(f"{signs}({reading})" if reading else signs)


def _formula(node: LexborNode) -> str:
    formula = Formula()
    formula.start("math", {})
    for each, closing in walk(node, frozenset()):
        if each.is_text_node:
            formula.text(each.text(deep=False))
        elif closing:
            formula.end()
        else:
            formula.start(each.tag or "", {name: value or "" for name, value in each.attributes.items()})
    return formula.end() or ""
