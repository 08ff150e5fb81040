"""From the rows of a file to records: which fields are title, text and id, and which of two rows with one id counts.

The rows are read twice: first to check every row and find repeated ids, then to yield the records. So a wrong row is
found before anything is stored, a repeated id gives one record (the later row), and memory stays at sixteen bytes per
record for a file of any length.

Rows in BEIR's format all have a "text", may have "_id" and "title", and nothing else that a reader would miss. All
others are chat exports, logs or tables, and their fields are chosen or guessed (`fields.py`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

from reatt.parsers.records.fields import Fields, Seen, held, is_address, listed_names, others, text_of, title_of
from reatt.parsers.sandbox import Message
from reatt_store.errors import RecordFormat

_OFTEN = 1000  # rows after which a check says how far it is
_BEIR = frozenset(("_id", "id", "title", "text"))
_MOST_NAMED = 50  # fields that are noted
_FEW = 100_000  # records whose ids are compared without numpy


class Row(NamedTuple):
    """One row of a file."""

    number: int  # from 1
    fields: dict[str, Any]
    data: bytes  # the row itself, as it is digested


@dataclass(frozen=True)
class Rows:
    """A file whose rows can be read again and again."""

    name: str  # of the file
    each: Callable[[], Iterator[Row]]  # from the first row; raises RecordFormat, TooBig
    one: str  # what a row is called: "line", "row"
    example: str  # what to do about rows that cannot be read
    beside: str = ""  # what of the file is not in the rows, to be said with the fields that are read
    beir: bool = True  # whether a "text" in the first row means BEIR's format

    def wrong(self, number: int, what: str) -> RecordFormat:
        """Return the error about a row."""
        return RecordFormat(f"{self.name}:{number}: {what}", self.example)


def records(rows: Rows, texts: Sequence[str] = (), id_field: str = "") -> Iterator[Message]:
    """Say how far the check is, then yield the records; RecordFormat and TooBig come before the first one.

    `texts` and `id_field`: names or paths of the fields that hold the text, and the id.
    """
    unread: dict[str, None] = {}
    numbers = None if texts or not rows.beir else (yield from _checked(rows, None, unread, id_field))
    if numbers is not None:
        yield from _as_written(rows, _repeated(*numbers), unread, id_field)
        return
    seen = Seen()
    numbers = yield from _checked(rows, seen, unread, id_field)
    later = _repeated(*numbers) if numbers else {}
    if fields := _fields(rows, seen, texts):
        own_ids = bool(id_field) or not later
        yield from _by_fields(rows, replace(fields, own_ids=own_ids), seen.said(fields), later, id_field)
    else:
        yield from records(rows, (), id_field)


def _checked(
    rows: Rows, seen: Seen | None, unread: dict[str, None], id_field: str
) -> Generator[Message, None, tuple[array[int], array[int]] | None]:
    """Check every row, and return their numbers and what their ids hash to.

    Without `seen` the rows must be in BEIR's format: None as soon as one is not. Fields that it leaves out are noted
    in `unread`.
    """
    numbers, hashes = array("Q"), array("Q")
    for row in rows.each():
        if seen:
            seen.take(row.fields)
        elif not _is_beir(row, unread, id_field):
            return None
        own = _identified(rows, row, id_field) if seen else _read(rows, row, id_field)[0]
        numbers.append(row.number)
        hashes.append(int.from_bytes(blake2b(own.encode(), digest_size=8).digest(), "little"))
        if not len(numbers) % _OFTEN:
            yield {"checked": len(numbers)}
    return numbers, hashes


def _is_beir(row: Row, unread: dict[str, None], id_field: str) -> bool:
    """Return whether a row has a text, and nothing else that a reader would miss; note what else is not read."""
    text, title = row.fields.get("text"), row.fields.get("title")
    if not isinstance(text, str) or not isinstance(title, str | None):
        return False
    for path, value in () if row.fields.keys() <= _BEIR else others(row.fields, _BEIR):
        if path != id_field and not is_address(value):
            return False
        if path != id_field and len(unread) < _MOST_NAMED:
            unread[path] = None
    return True


def _as_written(rows: Rows, later: dict[int, int], unread: Iterable[str], id_field: str) -> Iterator[Message]:
    """Yield the records in BEIR's format."""
    earlier = {last: first for first, last in later.items()}
    notices = _left_out(rows, unread)
    for row in rows.each():
        if not row.number % _OFTEN:
            yield {"checked": row.number}
        if row.number not in later:
            record = _read(rows, row, id_field)
            notices += _again(rows, row.number, record[0], earlier, id_field or "_id")
            yield {"record": [*record, notices]}
            notices = []


def _left_out(rows: Rows, unread: Iterable[str]) -> list[Any]:
    """Say which fields are not read beside those of BEIR's format."""
    left = f"not read: {listed_names([*unread])}" if unread else ""
    said = "; ".join(each for each in (left, rows.beside) if each)
    return [["FIELDS", f"read as text: text; {said}; --text-field NAME chooses"]] if said else []


def _by_fields(rows: Rows, fields: Fields, said: str, later: dict[int, int], id_field: str) -> Iterator[Message]:
    """Yield the records of rows that have other fields than BEIR's."""
    beside = f"; {rows.beside}" if rows.beside else ""
    why = 'no "text"; ' if rows.beir and not fields.chosen and "text" not in fields.texts else ""
    notices: list[Any] = [["FIELDS", f"{why}{said}{beside}; --text-field NAME chooses"]]
    read = "\0".join(sorted(fields.texts)).encode("utf-8", "replace")
    earlier = {last: first for first, last in later.items()} if id_field else {}
    for row in rows.each():
        if not row.number % _OFTEN:
            yield {"checked": row.number}
        if id_field and row.number in later:
            continue
        own = _identified(rows, row, id_field) if fields.own_ids else str(row.number)
        digest = blake2b(read + b"\0" + row.data, digest_size=16).hexdigest()  # another when other fields are read
        title, text = whole(title_of(row.fields, fields)), whole(text_of(row.fields, fields))
        notices += _again(rows, row.number, own, earlier, id_field)
        yield {"record": [own, title, text, digest, len(row.data), notices]}
        notices = []


def _has_text(rows: Rows) -> bool:
    """Return whether the first row has a text, or there is none."""
    first = next(rows.each(), None)
    return first is None or (rows.beir and "text" in first.fields)


def _fields(rows: Rows, seen: Seen, texts: Sequence[str]) -> Fields | None:
    """Return the fields to read, None for BEIR's; raises RecordFormat if the rows have none to read."""
    if texts and (found := seen.chosen(texts)):
        return found
    if texts and _has_text(rows):
        return None
    if texts:
        fix = f"--text-field NAME; the {rows.one}s have {', '.join(seen.paths) or 'no fields'}"
        raise RecordFormat(f"{rows.name}: no {rows.one} has the field {' or '.join(map(repr, texts))}", fix)
    if not (found := seen.guessed()) and _has_text(rows):
        return Fields(frozenset({"text"}))
    if not found:
        raise RecordFormat(f'{rows.name}: no "text", and no field with words', rows.example)
    return found


def _repeated(numbers: array[int], hashes: array[int]) -> dict[int, int]:
    """Return which rows are replaced by which later ones."""
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
    order = np.argsort(keys, kind="stable")  # equal ids stay in the order of their rows
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    return {numbers[order[place]]: numbers[order[place + 1]] for place in same.tolist()}


def _again(rows: Rows, number: int, own: str, earlier: dict[int, int], field: str) -> list[str]:
    """Warn of a row that replaces an earlier one."""
    if number not in earlier:
        return []
    return [f"{rows.name}:{number}: {field} {own!r} again; it replaces {rows.one} {earlier[number]}"]


def _read(rows: Rows, row: Row, id_field: str) -> tuple[str, str, str, str, int]:
    """Return id, title, text, digest and bytes of a row in BEIR's format."""
    text, title = row.fields.get("text"), row.fields.get("title") or ""
    if not isinstance(text, str):
        raise rows.wrong(row.number, 'no "text"' if text is None else '"text" is not a string')
    if not isinstance(title, str):
        raise rows.wrong(row.number, '"title" is not a string')
    own = _identified(rows, row, id_field or next((name for name in ("_id", "id") if name in row.fields), ""))
    return own, whole(title), whole(text), blake2b(row.data, digest_size=16).hexdigest(), len(row.data)


def _identified(rows: Rows, row: Row, id_field: str) -> str:
    """Return the id of a row: the field that must hold it, if one is named; else its own if it has one, or its number.

    Raises RecordFormat where the named field holds none.
    """
    own = held(row.fields, id_field) if id_field else row.fields.get("_id", row.fields.get("id"))
    if isinstance(own, str | int) and not isinstance(own, bool) and own != "":
        return whole(str(own))
    if id_field:
        what = f'no "{id_field}"' if own is None else f'"{id_field}" is neither a string nor a whole number'
        raise rows.wrong(row.number, what)
    return str(row.number)


def whole(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but no encoding can store."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
