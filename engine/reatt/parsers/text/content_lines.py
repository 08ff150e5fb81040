r"""The lines of iCalendar and vCard: `NAME;PARAMETER=value:value`, folded, escaped, and in old files quoted-printable.

A folded line goes on where the next one begins with a blank (RFC 5545, 6350). vCard 2.1 ends such a line with "=".
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from reatt.parsers.encodings import known

_FOLD = re.compile(r"\r\n?|\n")
_NAME = re.compile(r"(?:[\w-]{1,80}\.)?([A-Za-z0-9-]{1,80})(?=[;:])")
_PARAMETER = re.compile(r';([A-Za-z0-9-]{1,80})(?:=((?:"[^"]*"|[^";:,]*+)(?:,(?:"[^"]*"|[^";:,]*+))*+))?')
_VALUE = re.compile(r'"[^"]*"|[^",]+')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = re.compile(r";(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE)
_BARE = {"HOME", "WORK", "CELL", "FAX", "VOICE", "PREF", "INTERNET", "PAGER", "POSTAL", "PARCEL", "DOM", "INTL", "MSG"}


@dataclass(frozen=True)
class Line:
    """One property."""

    name: str  # in capitals, without its group
    value: str  # as written
    group: str = ""
    parameters: dict[str, list[str]] = field(default_factory=dict)  # by names in capitals

    @property
    def text(self) -> str:
        """The value as a reader sees it."""
        return unescaped(self.value)

    def first(self, parameter: str) -> str:
        """Return the first value of a parameter, "" if it has none."""
        return next(iter(self.parameters.get(parameter, [])), "")

    def fields(self, separator: str = ";") -> list[str]:
        """Return the parts of a value that has several."""
        return [unescaped(part).strip() for part in re.split(rf"(?<!\\){separator}", self.value)]


def content_lines(source: str) -> Iterator[Line]:
    """Yield the properties of a file; what is no property is left out."""
    for written in _unfolded(_FOLD.split(source)):
        if line := _parsed(written):
            yield line


def unescaped(value: str) -> str:
    r"""Undo the escapes of a value.

    >>> unescaped(r"Harbour Road 9\, Lower Wick\nNorway")
    'Harbour Road 9, Lower Wick\nNorway'
    """
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def _unfolded(lines: list[str]) -> Iterator[str]:
    parts: list[str] = []
    soft = False  # the line before ends with "=" and goes on
    for line in lines:
        if parts and soft:
            parts[-1] = parts[-1][:-1]
            parts.append(line)
        elif parts and line[:1] in (" ", "\t"):
            parts.append(line[1:])
        else:
            if parts:
                yield "".join(parts)
            parts = [line]
        quoted = soft or _QUOTED.search(parts[0]) is not None
        soft = quoted and line.endswith("=")
    if parts:
        yield "".join(parts)


def _parsed(written: str) -> Line | None:
    name = _NAME.match(written)
    if not name:
        return None
    at, parameters = name.end(), dict[str, list[str]]()
    while found := _PARAMETER.match(written, at):
        key, values = found[1].upper(), found[2]
        if values is None:  # as vCard 2.1 writes them
            key, values = ("TYPE" if key in _BARE else "ENCODING"), found[1]
        parameters.setdefault(key, []).extend(each.strip('"') for each in _VALUE.findall(values))
        at = found.end()
    if written[at : at + 1] != ":":
        return None
    group = written[: name.start(1)].rstrip(".")
    value = written[at + 1 :]
    if parameters.get("ENCODING", [""])[0].upper() == "QUOTED-PRINTABLE":
        value = _unquoted(value, parameters.get("CHARSET", [""])[0])
    return Line(name[1].upper(), value, group, parameters)


def _unquoted(value: str, charset: str) -> str:
    """Decode quoted-printable; line ends that it holds are escaped as elsewhere."""
    data = quopri.decodestring(value.encode("utf-8"))
    text = data.decode("cp1252", "replace")
    for name in (known(charset), "utf-8"):
        with suppress(LookupError, UnicodeError):
            text = data.decode(name or "utf-8")
            break
    return text.replace("\r\n", "\\n").replace("\n", "\\n")
