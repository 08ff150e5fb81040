"""Fields of records that hold HTML, as posts of web sites do: it is read as the text that a page shows."""

from __future__ import annotations

import re
from html import unescape

_TAG = re.compile(
    r"</?(?:p|br|div|span|a|ul|ol|li|b|i|u|em|strong|blockquote|pre|code|h[1-6]|table|tr|td|th|img|figure|section)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(
    r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|amp|quot|lt|gt|nbsp|apos|[lr][sd]quo|[mn]dash|hellip);", re.IGNORECASE
)


def is_marked(value: str) -> bool:
    """Return whether a text seems to be HTML.

    >>> is_marked("<p>Dry it <b>well</b>.</p>"), is_marked("It&#39;s dry."), is_marked("if a < b and c > d")
    (True, True, False)
    """
    return _TAG.search(value) is not None or _ENTITY.search(value) is not None


def unmarked(value: str) -> str:
    """Return HTML as the text that a page shows.

    >>> unmarked("<p>Dry it.</p><p>It&#39;s wet.</p>"), unmarked("It&#39;s\\nwet.")
    ("Dry it.\\n\\nIt's wet.", "It's\\nwet.")
    """
    if not _TAG.search(value):
        return unescape(value)
    from reatt.parsers.markup.html import html

    return html(value).text
