"""JSON Lines in BEIR's format: one document per line, `{"_id": ..., "title": ..., "text": ...}`, plain, gzip or xz.

The file is read twice, line by line: first to check every line and find repeated ids, then to yield the records. So a
wrong line is found before anything is stored, a repeated id gives one record (the later line), and memory stays at
eight bytes per record for a file of any length. A compressed file is first unpacked to count its bytes: one that
unpacks to many times its size is refused before a line of it is read.

Lines whose first one has no "text" are chat exports or logs, and fields are chosen or guessed (`record_fields.py`).
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any, BinaryIO

from reatt.parsers.archives import check_ratio
from reatt.parsers.compressed import DAMAGED, is_compressed, plain
from reatt.parsers.record_fields import Fields, Seen, text_of, title_of
from reatt.parsers.sandbox import Message
from reatt_store.errors import RecordFormat, TooBig

_EXAMPLE = 'a line looks like {"_id": "d1", "title": "Leave", "text": "Parental leave is 49 weeks."}'
_OFTEN = 1000  # lines, and blocks, after which a check says how far it is
_BLOCK = 1 << 16
_FEW = 100_000  # records whose ids are compared without numpy


def read_records(file: BinaryIO, name: str, longest: int, chosen: tuple[str, ...] = ()) -> Iterator[Message]:
    """Say how far the check is, then yield the records; RecordFormat, TooBig (`longest` bytes per line) come first.

    `chosen`: names or paths of the fields that hold the text.
    """
    if is_compressed(file):
        yield from _unpacked(file, name, longest)
    seen = None if _has_text(file, name, longest) and not chosen else Seen()
    numbers, hashes = array("Q"), array("Q")
    for number, line in _lines(file, name, longest):
        record = _object(line, number, name)
        external_id = _identified(record, number) if seen else _read(record, line, number, name)[0]
        if seen:
            seen.take(record)
        numbers.append(number)
        hashes.append(int.from_bytes(blake2b(str(external_id).encode(), digest_size=8).digest(), "little"))
        if not len(numbers) % _OFTEN:
            yield {"checked": len(numbers)}
    later = _repeated(numbers, hashes)
    if not seen:
        yield from _as_written(file, name, longest, later)
    elif fields := _fields(file, seen, chosen, name, longest):
        yield from _by_fields(file, name, longest, replace(fields, own_ids=not later), seen.said(fields))
    else:
        yield from read_records(file, name, longest)


def _as_written(file: BinaryIO, name: str, longest: int, later: dict[int, int]) -> Iterator[Message]:
    """Yield the records in BEIR's format."""
    earlier = {last: first for first, last in later.items()}
    for number, line in _lines(file, name, longest):
        if not number % _OFTEN:
            yield {"checked": number}
        if number in later:
            continue
        record = _read(_object(line, number, name), line, number, name)
        again = f"{name}:{number}: _id {record[0]!r} again; it replaces line {earlier.get(number)}"
        yield {"record": [*record, [again] if number in earlier else []]}


def _by_fields(file: BinaryIO, name: str, longest: int, fields: Fields, said: str) -> Iterator[Message]:
    """Yield the records of lines that have other fields than BEIR's."""
    notices, read = [["FIELDS", f"{said}; --text-field NAME chooses"]], "\0".join(sorted(fields.texts)).encode()
    for number, line in _lines(file, name, longest):
        if not number % _OFTEN:
            yield {"checked": number}
        record = _object(line, number, name)
        own = _identified(record, number) if fields.own_ids else str(number)
        digest = blake2b(read + b"\0" + line, digest_size=16).hexdigest()  # another when other fields are read
        title, text = _whole(title_of(record, fields)), _whole(text_of(record, fields))
        yield {"record": [own, title, text, digest, len(line), notices]}
        notices = []


def _has_text(file: BinaryIO, name: str, longest: int) -> bool:
    """Return whether the first line is in BEIR's format."""
    first = next(_lines(file, name, longest), None)
    return first is None or "text" in _object(first[1], first[0], name)


def _fields(file: BinaryIO, seen: Seen, chosen: tuple[str, ...], name: str, longest: int) -> Fields | None:
    """Return the fields to read, None for BEIR's; raises RecordFormat if the lines have none to read."""
    if chosen and (found := seen.chosen(chosen)):
        return found
    if _has_text(file, name, longest):
        return None
    if chosen:
        fix = f"--text-field NAME; the lines have {', '.join(seen.paths) or 'no fields'}"
        raise RecordFormat(f"{name}: no line has the field {' or '.join(map(repr, chosen))}", fix)
    if not (found := seen.guessed()):
        raise RecordFormat(f'{name}: no "text", and no field with words', _EXAMPLE)
    return found


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


def _repeated(numbers: array[int], hashes: array[int]) -> dict[int, int]:
    """Return which lines are replaced by which later ones."""
    if len(numbers) < _FEW:
        last: dict[int, int] = {}
        replaced: dict[int, int] = {}
        for number, digest in zip(numbers, hashes, strict=True):
            if digest in last:
                replaced[last[digest]] = number
            last[digest] = number
        return replaced
    import numpy as np

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
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordFormat(f"{name}:{number}: not JSON ({error})", _EXAMPLE) from error
    if not isinstance(fields, dict):
        raise RecordFormat(f"{name}:{number}: not a JSON object", _EXAMPLE)
    return fields


def _read(fields: dict[str, Any], line: bytes, number: int, name: str) -> tuple[str, str, str, str, int]:
    """Return id, title, text, digest and bytes of a line in BEIR's format."""

    def wrong(what: str) -> RecordFormat:
        return RecordFormat(f"{name}:{number}: {what}", _EXAMPLE)

    text, title = fields.get("text"), fields.get("title") or ""
    external_id = fields.get("_id", fields.get("id", number))
    if not isinstance(text, str):
        raise wrong('no "text"' if text is None else '"text" is not a string')
    if not isinstance(title, str):
        raise wrong('"title" is not a string')
    if not isinstance(external_id, str | int) or isinstance(external_id, bool) or external_id == "":
        raise wrong('"_id" is neither a string nor a whole number')
    digest = blake2b(line, digest_size=16).hexdigest()
    return (_whole(str(external_id)), _whole(title), _whole(text), digest, len(line))


def _identified(fields: dict[str, Any], number: int) -> str:
    """Return the id of a line in another format: its number unless it names itself."""
    own = fields.get("_id", fields.get("id"))
    named = isinstance(own, str | int) and not isinstance(own, bool) and own != ""
    return _whole(str(own)) if named else str(number)


def _whole(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but no encoding can store."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
