"""The values of a file of JSON, one after the other: the items of an array, or the objects that follow one another.

An array may be of any length, because its items are read and forgotten one by one.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from reatt.parsers.composing import whole
from reatt_store.errors import TooBig

_BLOCK = 1 << 16
_BLANK = re.compile(r"[ \t\r\n]*+")
_ASSIGNED = re.compile(r"\s*+window\.[\w.]{1,100}\s*=\s*")  # before an array that a web page loads
_END = re.compile(r"[ \t\r\n;]*+\Z")
_LATIN = re.compile(r"[\x80-\xff]")
_BEYOND = re.compile(r"[\u0100-\U0010ffff]")


def values(file: BinaryIO, longest: int) -> Iterator[tuple[Any, str]]:
    """Yield each value and how it is written; raises ValueError if it is no JSON, and TooBig."""
    source = _Source(file, longest)
    array = source.after_start()
    while not source.at_end(array):
        yield source.value()
        source.after_value(array)


def is_array(file: BinaryIO) -> bool:
    """Return whether a file is an array."""
    return _Source(file, _BLOCK).after_start()


class _Source:
    """A file of JSON that is read block by block."""

    def __init__(self, file: BinaryIO, longest: int) -> None:
        file.seek(0)
        head = file.read(4)
        file.seek(0)
        self._decode = codecs.getincrementaldecoder(json.detect_encoding(head))()
        self._file, self._longest = file, longest
        self._text, self._at, self._all = "", 0, False
        self._decoder = json.JSONDecoder(object_hook=joined)

    def after_start(self) -> bool:
        """Go to the first value; return whether it is in an array."""
        self._more()
        assigned = _ASSIGNED.match(self._text)
        self._at = assigned.end() if assigned else 0
        array = self._next() == "["
        self._at += array
        return array

    def at_end(self, array: bool) -> bool:
        """Return whether there are no more values; raises ValueError if something else follows."""
        sign = self._next()
        if array and sign == "]":
            self._at += 1
            while not self._all:
                self._more()
            if not _END.match(self._text, self._at):
                raise ValueError("something follows the array")
            return True
        return not array and not sign

    def value(self) -> tuple[Any, str]:
        """Read a value."""
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text) or self._all:
                    break
            except ValueError:
                if self._all:
                    raise
            self._more()
        written = self._text[self._at : end]
        self._at = end
        return found, written

    def after_value(self, array: bool) -> None:
        """Go behind the comma that parts the items of an array."""
        sign = self._next()
        if array and sign == ",":
            self._at += 1
            if self._next() == "]":
                raise ValueError("an item is missing")
        elif array and sign != "]":
            raise ValueError("no comma between two items")

    def _next(self) -> str:
        """Return the next sign that is no blank, "" at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text) or self._all:
                return self._text[self._at : self._at + 1]
            self._more()

    def _more(self) -> None:
        """Read on, as much as there is of this value already."""
        kept = self._text[self._at :]
        if len(kept) > self._longest:
            raise TooBig(f"a value is longer than {self._longest:,} bytes", "--max-file-size")
        data = self._file.read(max(_BLOCK, len(kept)))
        self._all = not data
        self._text, self._at = kept + self._decode.decode(data, not data), 0


def joined(found: dict[str, Any]) -> dict[str, Any]:
    """Mend an object: texts in pieces are joined, and letters that were written as bytes are letters again.

    >>> joined({"text": ["See ", {"type": "link", "text": "the map"}, "."], "by": "Zo\\u00c3\\u00ab"})
    {'text': 'See the map.', 'by': 'Zoë'}
    """
    for name, value in found.items():
        if isinstance(value, str):
            found[name] = _mended(value)
    return in_one(found)


def in_one(found: dict[str, Any]) -> dict[str, Any]:
    """Join the texts of an object that are in pieces, in their order."""
    for name, value in found.items():
        if isinstance(value, list) and value:
            found[name] = _in_one(value)
    return found


def _in_one(items: list[Any]) -> Any:
    """Join a list of strings and of objects with a text, which mark links and the like within it."""
    pieces = [item.get("text") if isinstance(item, dict) else item for item in items]
    strings = [_mended(piece) for piece in pieces if isinstance(piece, str)]
    if len(strings) == len(items) and {type(item) for item in items} == {str, dict}:
        return "".join(strings)
    return [_mended(item) if isinstance(item, str) else item for item in items]


def _mended(text: str) -> str:
    """Read UTF-8 whose bytes were written as letters, as some exports have it; make a text storable."""
    if text.isascii():
        return text
    if _LATIN.search(text) and not _BEYOND.search(text):
        try:
            return text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return text
    return whole(text)
