"""Formulas of Office files (OMML) and of pages (MathML), written on a line: (a+b)/2, √x, ∑_(i=1)^n.

An element is written when it ends, from what its parts have said, so no depth of nesting is too much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ROOTS = frozenset({"oMath", "math"})
_WORDS = frozenset("t mi mn mo ms mtext".split())  # the elements that hold characters
_PROPERTIES = frozenset("chr begChr endChr sepChr degHide".split())
_ASIDE = frozenset({"annotation", "annotation-xml"})  # the same formula in another language
_OPERATOR = re.compile(r"(?<=.)[\s+\-−±∓·×*/=≤≥<>,;]")
_INVISIBLE = str.maketrans({"\u2061": " ", "\u2062": "", "\u2063": ",", "\u2064": "+"})
_ON = ("", "1", "on", "true")


@dataclass
class _Element:
    name: str
    has: dict[str, str]
    parts: list[tuple[str, str]] = field(default_factory=list)  # names of parts, and what they say

    def part(self, name: str) -> str:
        return next((words for called, words in self.parts if called == name), "")

    def said(self, at: int) -> str:
        return self.parts[at][1] if at < len(self.parts) else ""


class Formula:
    """Takes the events of one formula."""

    def __init__(self) -> None:
        self._open: list[_Element] = []

    def start(self, name: str, has: dict[str, str]) -> None:
        """Begin an element."""
        if name in _PROPERTIES and len(self._open) > 1:
            self._open[-2].has.setdefault(name, has.get("val", ""))
        self._open.append(_Element(name, dict(has)))

    def text(self, words: str) -> None:
        """Take characters."""
        if self._open and self._open[-1].name in _WORDS:
            written = words if self._open[-1].name == "t" else " ".join(words.split())
            self._open[-1].parts.append(("", written.translate(_INVISIBLE)))

    def end(self) -> str | None:
        """End the innermost element; return the formula if it was the outermost one."""
        element = self._open.pop()
        words = _written(element)
        if not self._open:
            return words
        self._open[-1].parts.append((element.name, words))
        return None


def _written(element: _Element) -> str:
    """Write one element as a line can."""
    part, said = element.part, element.said
    match element.name:
        case "f":
            return f"{_grouped(part('num'))}/{_grouped(part('den'))}"
        case "mfrac":
            return f"{_grouped(said(0))}/{_grouped(said(1))}"
        case "sSup" | "sSub" | "sSubSup" | "sPre":
            return part("e") + _below(part("sub")) + _above(part("sup"))
        case "msub" | "munder":
            return said(0) + _below(said(1))
        case "msup" | "mover":
            return said(0) + _above(said(1))
        case "msubsup" | "munderover":
            return said(0) + _below(said(1)) + _above(said(2))
        case "limLow" | "limUpp":
            below = element.name == "limLow"
            return part("e") + (_below if below else _above)(part("lim"))
        case "rad":
            hidden = element.has.get("degHide", "0") in _ON
            return _root(part("e"), "" if hidden else part("deg"))
        case "mroot":
            return _root(said(0), said(1))
        case "msqrt":
            return _root(_joined(element, ""), "")
        case "nary":
            sign = element.has.get("chr", "∫")
            return f"{sign}{_below(part('sub'))}{_above(part('sup'))} {part('e')}"
        case "func":
            return f"{part('fName')} {part('e')}"
        case _:
            return _group(element)


def _group(element: _Element) -> str:
    """Write an element whose parts follow one another."""
    has = element.has
    match element.name:
        case "d":
            inner = has.get("sepChr", "|").join(words for name, words in element.parts if name == "e")
            return f"{has.get('begChr', '(')}{inner}{has.get('endChr', ')')}"
        case "mfenced":
            inner = (has.get("separators", ",").strip()[:1]).join(words for _, words in element.parts)
            return f"{has.get('open', '(')}{inner}{has.get('close', ')')}"
        case "mr" | "mtr":
            return _joined(element, " ")
        case "m" | "mtable" | "eqArr":
            return _joined(element, "; ")
        case name if name in _ASIDE:
            return ""
        case _:
            return _joined(element, "")


def _joined(element: _Element, gap: str) -> str:
    return gap.join(words for _, words in element.parts if words)


def _grouped(words: str) -> str:
    words = words.strip()
    return f"({words})" if _OPERATOR.search(words) and not _is_bracket(words) else words


def _is_bracket(words: str) -> bool:
    return words[:1] == "(" and words.find(")") == len(words) - 1


def _below(words: str) -> str:
    words = _grouped(words)
    return words if len(words) < 2 or words.isalnum() else f"_{words}"


def _above(words: str) -> str:
    """Write an exponent; accents, such as a bar above, are left out."""
    words = _grouped(words)
    return f"^{words}" if any(sign.isalnum() or sign in "∞*+-−′" for sign in words) else ""


def _root(words: str, degree: str) -> str:
    return f"{degree}√({words})" if len(words) > 1 and not _is_bracket(words) else f"{degree}√{words}"
