"""What of an HTML page leads elsewhere and is no content: menus, bars of links, buttons that are repeated.

In doubt a part is kept. A list of links is a menu where it stands before the content or outside the page's main part,
where its name says so (`menu` says it only before the content), or where all of it leads to places of the same page. A
footer, header or sidebar is left out if it is little but links. Telephone numbers and addresses are content although
they are links.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_NAVIGATION = "nav, [role=navigation], [role=search], [role=menu], [role=menubar]"
_BARS = "header, footer, aside, [role=banner], [role=contentinfo], [role=complementary]"
_MAIN = "main, article, [role=main]"
_BEGINS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p"})  # the content has begun
_NAMED = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|breadcrumbs?|toc|toctree|pagination|pager|sitemap|social|share)(?:$|[\s_-])",
    re.IGNORECASE,
)
_LIKELY = re.compile(r"(?:^|[\s_-])(?:menu|submenu|sidebar|contents)(?:$|[\s_-])", re.IGNORECASE)  # or of a restaurant
_LINKS, _SHARE, _WIDTH = 5, 0.9, 40  # of a menu: least links, least share of its text, greatest mean length of a link
_WORDS = 40  # characters beside the links that make a bar of links content
_REPEATED = 3  # times that the words of a button stand on a page that are a tool, not content


def navigation(tree: LexborHTMLParser) -> frozenset[int]:
    """Return the memory addresses (`mem_id`) of the nodes that are the navigation of a page."""
    found = [node for node in tree.css(_NAVIGATION) if _is_navigation(node)]
    found += [node for node in tree.css(_BARS) if _is_bar_of_links(node)]
    found += _menus(tree)
    found += _repeated_buttons(tree)
    return frozenset(node.mem_id for node in found)


def _is_navigation(node: LexborNode) -> bool:
    linked, whole = _linked(node)
    return whole - linked < _WORDS or linked > whole / 2


def _is_bar_of_links(node: LexborNode) -> bool:
    linked, whole = _linked(node)
    return linked > _SHARE * whole and not node.css_first("h1, h2, h3, h4, h5, h6")


def _linked(node: LexborNode) -> tuple[int, int]:
    """Count the characters of what leads elsewhere, and of all."""
    links = [link for link in node.css("a, button") if _leads_elsewhere(link)]
    return sum(len(link.text(strip=True)) for link in links), len(node.text(strip=True))


def _leads_elsewhere(link: LexborNode) -> bool:
    return not (link.attributes.get("href") or "").startswith(("tel:", "mailto:", "geo:"))


def _menus(tree: LexborHTMLParser) -> list[LexborNode]:
    """Find the lists of short links that are no content."""
    main = tree.css_first(_MAIN) is not None
    found: list[LexborNode] = []
    begun = False
    for node in tree.css("h1, h2, h3, h4, h5, h6, p, ul, ol"):
        if node.tag in _BEGINS:
            begun = begun or bool(node.text(strip=True))
        elif _is_list_of_links(node) and _is_menu(node, begun, main):
            found.append(node)
    return found


def _is_list_of_links(node: LexborNode) -> bool:
    links = [link for link in node.css("a") if _leads_elsewhere(link)]
    if len(links) < _LINKS:
        return False
    linked = sum(len(link.text(strip=True)) for link in links)
    return linked > _SHARE * len(node.text(strip=True)) and linked < _WIDTH * len(links)


def _is_menu(node: LexborNode, begun: bool, main: bool) -> bool:
    if all((link.attributes.get("href") or "").startswith("#") for link in node.css("a")):
        return True
    inside = named = False
    around: LexborNode | None = node
    while around is not None and around.tag not in ("body", "html"):
        has = around.attributes
        called = f"{has.get('class')} {has.get('id')}"
        if around.tag in ("header", "footer", "aside") or _NAMED.search(called):
            return True
        named = named or _LIKELY.search(called) is not None
        if around.tag in ("main", "article") or has.get("role") == "main":
            inside = True
            break
        around = around.parent
    if named:
        return not (inside and begun)
    return not inside if main else not begun


def _repeated_buttons(tree: LexborHTMLParser) -> list[LexborNode]:
    buttons = [(node, node.text(strip=True)) for node in tree.css("button")]
    often = Counter(words for _, words in buttons)
    return [node for node, words in buttons if often[words] >= _REPEATED]
