"""JSON Lines in BEIR's format: one document per line, `{"_id": ..., "title": ..., "text": ...}`, plain, gzip or xz.

The file is read twice, line by line: first to check every line and find repeated ids, then to yield the records. So a
wrong line is found before anything is stored, a repeated id gives one record (the later line), and memory stays at
eight bytes per record for a file of any length.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import BinaryIO

from reatt.documents.compressed import DAMAGED, plain
from reatt_store.errors import RecordFormat, TooBig

_EXAMPLE = 'a line looks like {"_id": "d1", "title": "Leave", "text": "Parental leave is 49 weeks."}'


@dataclass(frozen=True)
class Record:
    """One line of the file."""

    external_id: str  # "_id" or "id", or else the line number
    title: str
    text: str
    digest: str  # hex BLAKE2b of the line's bytes
    size: int  # bytes of the line
    warnings: tuple[str, ...] = ()


def read_records(file: BinaryIO, name: str, longest: int) -> Iterator[Record]:
    """Yield the records of an open file; RecordFormat and TooBig (`longest` bytes per line) are raised first."""
    later = _repeated(file, name, longest)
    earlier = {last: first for first, last in later.items()}
    for number, line in _lines(file, name, longest):
        if number in later:
            continue
        record = _parse(line, number, name)
        if number in earlier:
            warning = f"{name}:{number}: _id {record.external_id!r} again; it replaces line {earlier[number]}"
            record = replace(record, warnings=(warning,))
        yield record


def _repeated(file: BinaryIO, name: str, longest: int) -> dict[int, int]:
    """Check all lines; return which lines are replaced by which later ones."""
    import numpy as np

    numbers, hashes = array("Q"), array("Q")
    for number, line in _lines(file, name, longest):
        external_id = _parse(line, number, name).external_id
        numbers.append(number)
        hashes.append(int.from_bytes(blake2b(external_id.encode(), digest_size=8).digest(), "little"))
    keys = np.frombuffer(hashes, dtype=np.uint64)
    order = np.argsort(keys, kind="stable")  # equal ids stay in the order of their lines
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    return {numbers[order[place]]: numbers[order[place + 1]] for place in same.tolist()}


def _lines(file: BinaryIO, name: str, longest: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, with their numbers."""
    stream, number = plain(file), 0
    try:
        while line := stream.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise TooBig(f"{name}:{number}: the line is longer than {longest:,} bytes", "--max-file-size")
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.isspace():
                yield number, line.strip()
    except DAMAGED as error:
        raise RecordFormat(f"{name}:{number + 1}: the compressed file is cut off or damaged ({error})") from error


def _parse(line: bytes, number: int, name: str) -> Record:
    def wrong(what: str) -> RecordFormat:
        return RecordFormat(f"{name}:{number}: {what}", _EXAMPLE)

    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise wrong(f"not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise wrong("not a JSON object")
    text, title = fields.get("text"), fields.get("title") or ""
    external_id = fields.get("_id", fields.get("id", number))
    if not isinstance(text, str):
        raise wrong('no "text"' if text is None else '"text" is not a string')
    if not isinstance(title, str):
        raise wrong('"title" is not a string')
    if not isinstance(external_id, str | int) or isinstance(external_id, bool) or external_id == "":
        raise wrong('"_id" is neither a string nor a whole number')
    digest = blake2b(line, digest_size=16).hexdigest()
    return Record(_whole(str(external_id)), _whole(title), _whole(text), digest, len(line))


def _whole(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but no encoding can store."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
