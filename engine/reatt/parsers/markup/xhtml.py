"""XHTML -> HTML: what XML's rules say, written so that a parser of HTML understands it.

By the rules of HTML `<title/>` opens a title that swallows the page. By XML's it is empty. XHTML is often not well
formed, so it is not parsed as XML here: only what the two rules read differently is rewritten.
"""

from __future__ import annotations

import re
from html import escape

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_SPACE = r"""["']http://www\.w3\.org/1999/xhtml["']"""
_XHTML = re.compile(rf"\A\s*<\?xml\b|<!DOCTYPE[^>]*\bXHTML\b|<[^>]*\bxmlns(?::[\w.-]+)?\s*=\s*{_SPACE}", re.IGNORECASE)
_PREFIX = re.compile(rf"\bxmlns:([\w.-]+)\s*=\s*{_SPACE}", re.IGNORECASE)
_HEAD = 4096  # characters in which a page says what it is
_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<raw>.*?)(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
    r"|<(?P<end>/?)(?P<name>[A-Za-z_][\w.:-]*)(?P<rest>(?:[^<>\"']++|\"[^\"]*\"|'[^']*')*+)>",
    re.DOTALL,
)

_SUBSET = re.compile(r"<!DOCTYPE[^>\[]*\[(?P<inside>[^\]]*)\]\s*>", re.IGNORECASE)
_ENTITY = re.compile(r"""<!ENTITY\s+([\w.:-]+)\s+(?:"([^"&%]{0,200})"|'([^'&%]{0,200})')\s*>""")


def is_xhtml(source: str) -> bool:
    """Return whether a page says that it follows XML's rules."""
    return _XHTML.search(source[:_HEAD]) is not None


def as_html(source: str) -> str:
    """Rewrite a page so that the rules of HTML read it as XML's do.

    >>> as_html("<title/><p>a<br/>b<![CDATA[<c>]]></p>")
    '<title></title><p>a<br/>b&lt;c&gt;</p>'
    """
    if subset := _SUBSET.search(source, 0, _HEAD):
        named_here = {name: double or single for name, double, single in _ENTITY.findall(subset["inside"])}
        source = source[: subset.start()] + source[subset.end() :]
        if named_here:
            names = "|".join(map(re.escape, named_here))
            source = re.sub(rf"&({names});", lambda found: named_here[found[1]], source)
    prefix = _PREFIX.search(source[:_HEAD])
    named = f"{prefix[1]}:" if prefix else None

    def rewritten(token: re.Match[str]) -> str:
        if token["raw"] is not None:
            return escape(token["raw"], quote=False)
        if not token["name"]:
            return "" if token[0].startswith("<?") else token[0]
        name = token["name"].removeprefix(named) if named else token["name"]
        if name.lower() in _VOID:
            return "" if token["end"] else f"<{name}{token['rest']}>"
        if token["end"] or not token["rest"].endswith("/"):
            return f"<{token['end']}{name}{token['rest']}>"
        return f"<{name}{token['rest'][:-1]}></{name}>"

    return _TOKEN.sub(rewritten, source)
