r"""What a program wrote for a terminal, as a reader of the terminal saw it.

Old printers made a letter bold by printing it twice (`N\bN`) and underlined it by printing a line first (`_\bN`). Logs
hold sequences that set colours, and lines that were written over by later ones.
"""

from __future__ import annotations

import re

from reatt.parsers.encodings import looks_binary

_LETTER = rb"(?:[\xc0-\xff][\x80-\xbf]{1,3}|[^\x00-\x08\x0a-\x1f\x80-\xff])"
_UNDERLINED = re.compile(rb"(" + _LETTER + rb")\x08(?=_(?!\x08))_")
_OVERSTRUCK = re.compile(rb"(?:" + _LETTER + rb"\x08)+(?=" + _LETTER + rb")")
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\)|[@-Z\\^_=>()][0-9A-B]?)")
_WRITTEN_OVER = re.compile(rb"^(?:[^\r\n]*+\r++(?=[^\r\n]))+", re.MULTILINE)
_MARKED = re.compile(rb"[^\x00-\x08\x0a-\x1f]\x08[^\x00-\x08\x0a-\x1f]|\x1b\[[0-?]*[ -/]*[@-~]")


def is_printed(head: bytes) -> bool:
    """Return whether the first bytes of a file are text with such signs."""
    return _MARKED.search(head) is not None and not looks_binary(stripped(head).replace(b"\0", b""))


def stripped(data: bytes) -> bytes:
    r"""Leave what is seen in the end.

    >>> stripped(b"N\bNA\bA_\bM\x1b[1mE\x1b[0m 10%\r20%")
    b'20%'
    >>> stripped(b"N\bNA\bA_\bM\x1b[1mE\x1b[0m")
    b'NAME'
    """
    seen = _OVERSTRUCK.sub(b"", _UNDERLINED.sub(rb"\1", data)) if b"\b" in data else data
    seen = _SEQUENCE.sub(b"", seen) if b"\x1b" in seen else seen
    return _WRITTEN_OVER.sub(b"", seen) if b"\r" in seen else seen
