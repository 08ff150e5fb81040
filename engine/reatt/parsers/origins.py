"""Who wrote a document, and when, as it says itself; names that programs fill in say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

_NOBODY = re.compile(
    r"\(?(?:anonymous|unknown|root|user|admin\w*|owner|author|n/?a|python-docx|openpyxl|xlsxwriter|pandoc|calibre.*"
    r"|apache poi|microsoft office user|windows user|benutzer|utilisateur|usuario)\)?",
    re.IGNORECASE,
)
_DAY = re.compile(r"\s*(?:D:)?(\d{4})(-?)(\d\d)\2(\d\d)")


def authors(names: Iterable[str]) -> str:
    """Join the names of authors.

    >>> authors(["Ada  Pell", "", "Bo Quist"]), authors(["Microsoft Office User"])
    ('Ada Pell, Bo Quist', '')
    """
    told = (" ".join(name.split()) for name in names)
    return ", ".join(dict.fromkeys(name for name in told if name and not _NOBODY.fullmatch(name)))


def day(written: str) -> str:
    """Read the day of a date; a year alone is no day.

    >>> day("D:20240305103000+01'00'"), day("2024-03-05T10:30:00Z"), day("2024"), day("yesterday")
    ('2024-03-05', '2024-03-05', '', '')
    """
    found = _DAY.match(written)
    try:
        return date(*(int(found[part]) for part in (1, 3, 4))).isoformat() if found else ""
    except ValueError:
        return ""
