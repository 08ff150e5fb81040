"""JSON Lines: one record per line, `{"_id": ..., "title": ..., "text": ...}` or another object, plain, gzip or xz.

A compressed file is first unpacked to count its bytes: one that unpacks to many times its size is refused before a
line of it is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from reatt.parsers.archives import check_ratio
from reatt.parsers.compressed import DAMAGED, is_compressed, plain
from reatt.parsers.records.json_values import in_one
from reatt.parsers.records.rows import Row, Rows, records
from reatt.parsers.sandbox import Message
from reatt_store.errors import RecordFormat, TooBig

_EXAMPLE = 'a line looks like {"_id": "d1", "title": "Leave", "text": "Parental leave is 49 weeks."}'
_BLOCK = 1 << 16
_OFTEN = 1000  # blocks after which a check says that it goes on


def read_jsonl(
    file: BinaryIO, name: str, longest: int, texts: Sequence[str] = (), id_field: str = ""
) -> Iterator[Message]:
    """Say how far the check is, then yield the records; RecordFormat, TooBig (`longest` bytes per line) come first."""
    if is_compressed(file):
        yield from _unpacked(file, name, longest)
    yield from records(Rows(name, lambda: _rows(file, name, longest), "line", _EXAMPLE), texts, id_field)


def _rows(file: BinaryIO, name: str, longest: int) -> Iterator[Row]:
    for number, line in _lines(file, name, longest):
        yield Row(number, _object(line, number, name), line)


def _unpacked(file: BinaryIO, name: str, longest: int) -> Iterator[Message]:
    """Unpack a file once; raises TooBig or ArchiveLimit as soon as a line or the whole is too much."""
    stream, size = plain(file), os.fstat(file.fileno()).st_size
    total, lines, begun = 0, 1, 0  # bytes, the number of the last line, and where it begins
    try:
        while block := stream.read(_BLOCK):
            last = block.rfind(b"\n")
            lines += block.count(b"\n")
            begun = total + last + 1 if last >= 0 else begun
            total += len(block)
            if total - begun > longest:
                raise _too_long(name, lines, longest)
            check_ratio(total, size)
            if not total // _BLOCK % _OFTEN:
                yield {"checked": 0}
    except DAMAGED as error:
        raise RecordFormat(f"{name}:{lines}: the compressed file is cut off or damaged ({error})") from error


def _lines(file: BinaryIO, name: str, longest: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, with their numbers."""
    stream, number = plain(file), 0
    try:
        while line := stream.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise _too_long(name, number, longest)
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.isspace():
                yield number, line.strip()
    except DAMAGED as error:
        raise RecordFormat(f"{name}:{number + 1}: the compressed file is cut off or damaged ({error})") from error


def _too_long(name: str, number: int, longest: int) -> TooBig:
    return TooBig(f"{name}:{number}: the line is longer than {longest:,} bytes", "--max-file-size")


def _object(line: bytes, number: int, name: str) -> dict[str, Any]:
    """Return the fields of a line."""
    try:
        fields = json.loads(line, object_hook=in_one)
    except (ValueError, RecursionError) as error:
        raise RecordFormat(f"{name}:{number}: not JSON ({error})", _EXAMPLE) from error
    if not isinstance(fields, dict):
        raise RecordFormat(f"{name}:{number}: not a JSON object", _EXAMPLE)
    return fields
