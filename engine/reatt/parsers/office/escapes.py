"""Characters that XML cannot hold, as Office writes them: _x000D_ for the end of a line, _x005F_ for a line below."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LOWEST = 0x20


def unescaped(text: str) -> str:
    r"""Return a text with these characters; line ends stay, other control characters become blanks.

    >>> unescaped("one_x000D_\ntwo_x0009_three"), unescaped("_x005F_x0041_")
    ('one\ntwo three', '_x0041_')
    """
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    if code == ord("\r"):
        return ""
    if code in (ord("\n"), ord("\v")):
        return "\n"
    return " " if code < _LOWEST or 0xD800 <= code < 0xE000 else chr(code)
