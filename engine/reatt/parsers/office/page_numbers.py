"""The numbers of pages that stand above and below a text: "Page 3 of 9" says nothing about it."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"[^\W\d]")
_DATE = 8  # digits
_COUNTING = frozenset(
    """
    page pages pg p of seite seiten s von sur página páginas pág de pagina pagine pag di van blz bladzijde strona str z
    sida sidan av side sider stránka strana sivu oldal страница стр из лист сторінка sayfa 第 页 頁 共 ページ
    """.split()
)


def only_counts(words: str) -> bool:
    """Return whether a text that holds the number of a page says nothing else.

    >>> only_counts("Page 3 of 9"), only_counts("Seite von"), only_counts("Harbour office 3")
    (True, True, False)
    """
    return all(word.lower() in _COUNTING for word in _WORD.findall(words))


def says_nothing(words: str) -> bool:
    """Return whether a text at the edge of a page is no more than a number or a date; a longer number may be called.

    >>> says_nothing("7"), says_nothing("- 12 -"), says_nothing("3/5/2024"), says_nothing("+49 40 123456")
    (True, True, True, False)
    """
    return not _LETTER.search(words) and sum(sign.isdigit() for sign in words) <= _DATE
