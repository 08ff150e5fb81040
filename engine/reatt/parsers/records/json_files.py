"""Files of JSON -> records. What a file is, is decided by what its objects hold:

- An array of objects, or an object around one: each object is a record, by the rules of JSON Lines.
- Conversations, as services export them (`talks.py`): each is a record, and a file of one is one document.
- An object with a text of its own, such as a note: one document.
- Anything else, settings for instance: the file as it is written, with the signs in its strings unescaped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any, BinaryIO

from reatt.parsers import encodings
from reatt.parsers.composing import whole
from reatt.parsers.records.fields import SAYING, named, text_of, title_of
from reatt.parsers.records.json_values import is_array, joined, values
from reatt.parsers.records.nested import listed
from reatt.parsers.records.rows import Row, Rows, records
from reatt.parsers.records.talks import are_messages, have_times, seen_in, talk_in, text_of_talk, title_of_talk
from reatt.parsers.sandbox import Message
from reatt_store.errors import Notice, NotText, TooBig

_EXAMPLE = "name the fields: --text-field NAME"
_LARGEST = 64_000_000  # bytes of a file that is one object: larger ones are read as they are written
_SAMPLE = 50  # objects that tell what a file is
_DEEPEST = 4  # objects around the one list of a file
_MOSTLY = 0.6  # of the letters of a file are in that list
_NOTE = (*SAYING, "textContent", "note", "notes", "html", "abstract")
_BOXES = "listContent"  # the lines of a note that is a list
_OWN = ("_id", "id", "uuid", "conversation_id", "guid")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')


Object = dict[str, Any]


@dataclass(frozen=True)
class _List:
    """The objects of a file, each time from the first one, and what stands around them."""

    each: Callable[[], Iterator[Row]]
    around: Object

    def objects(self) -> Iterator[Object]:
        """Yield the objects alone."""
        return (row.fields for row in self.each())


def read_json(
    file: BinaryIO,
    name: str,
    longest: int,
    texts: Sequence[str] = (),
    id_field: str = "",
    encoding: str | None = None,
) -> Iterator[Message]:
    """Yield the records; a file that is one document is a record without an id."""
    size = os.fstat(file.fileno()).st_size
    top: Any = None
    told: Iterator[Message] | None = None
    try:
        array = is_array(file)
        top = None if array else _only(file, longest)
        if top is not None:
            told = _of_object(top, file, name, texts, id_field)
        elif all(isinstance(value, dict) for value, _ in values(file, longest)):
            told = _of_list(_List(lambda: _rows(file, longest), {}), file, name, texts, id_field)
        valid = True
    except (ValueError, RecursionError):
        valid = False
    if told is None:
        if size > longest:
            raise TooBig(f"{size:,} bytes; the limit is {longest:,}", f"--max-file-size {size // 10**6 + 1}M")
        told = iter([_as_written(file, valid, encoding)])
    yield from told


def _rows(file: BinaryIO, longest: int) -> Iterator[Row]:
    for number, (value, written) in enumerate(values(file, longest), 1):
        yield Row(number, value, written.encode("utf-8", "replace"))


def _only(file: BinaryIO, longest: int) -> Object | None:
    """Return the object that a file is, None if several follow one another; raises ValueError if it is too large."""
    each = values(file, min(longest, _LARGEST))
    try:
        first, _ = next(each, (None, ""))
    except TooBig as error:
        raise ValueError("too large an object to be held") from error
    if not isinstance(first, dict):
        raise ValueError("no object")
    return None if next(each, None) is not None else first


def _of_object(top: Object, file: BinaryIO, name: str, texts: Sequence[str], id_field: str) -> Iterator[Message] | None:
    """Return the records of a file that is one object; None if it is read as it is written."""
    if not texts and (talk := talk_in(top)):
        return _talk(file, talk[0], lambda: iter(talk[1]))
    if found := (None if texts else _all_conversations(top)) or _listed(top):
        return _of_list(found, file, name, texts, id_field)
    said = sum(len(top[name]) for name in _NOTE if isinstance(top.get(name), str))
    if texts or not (isinstance(top.get(_BOXES), list) or (said and 2 * said >= _letters(top))):
        return None
    fields = seen_in([top]).spoken()
    return iter([_document(file, title_of(top, fields), text_of(top, fields))])


def _listed(top: Object) -> _List | None:
    """Return the list that most letters of an object are in; None if there is none."""
    path = max(_lists(top), key=lambda each: _letters(_at(top, each)), default=None)
    items = _at(top, path) if path else []
    if len(items) < 2 or _letters(items) < _MOSTLY * _letters(top) or not all(isinstance(each, dict) for each in items):
        return None
    rows = [Row(number, item, json.dumps(item).encode()) for number, item in enumerate(items, 1)]
    return _List(lambda: iter(rows), _without(top, path or ()))


def _all_conversations(top: Object) -> _List | None:
    """Return the conversations of an object as one list, where it has several lists of them."""
    paths = [path for path in _lists(top) if _are_conversations(_at(top, path)[:_SAMPLE])]
    if len(paths) < 2:
        return None
    items = [item for path in paths for item in _at(top, path) if isinstance(item, dict)]
    rows = [Row(number, item, json.dumps(item).encode()) for number, item in enumerate(items, 1)]
    around = top
    for path in paths:
        around = _without(around, path)
    return _List(lambda: iter(rows), around)


def _are_conversations(items: list[Any]) -> bool:
    return 2 * sum(isinstance(each, dict) and talk_in(each) is not None for each in items) > len(items)


def _lists(top: Object) -> Iterator[tuple[str, ...]]:
    """Yield where an object has lists that are in no other one."""
    pending: list[tuple[tuple[str, ...], Object]] = [((), top)]
    while pending:
        path, value = pending.pop()
        for name, held in value.items():
            if listed(name, held) is not None:
                yield (*path, name)
            elif isinstance(held, dict) and len(path) < _DEEPEST:
                pending.append(((*path, name), held))


def _at(top: Object, path: Sequence[str]) -> list[Any]:
    value: Any = top
    for name in path:
        value = value[name]
    return listed(path[-1], value) or []


def _without(value: Object, path: Sequence[str]) -> Object:
    rest = {name: held for name, held in value.items() if name != path[0]}
    return {**rest, path[0]: _without(value[path[0]], path[1:])} if len(path) > 1 else rest


def _letters(value: Any) -> int:
    """Count the letters of all strings in a value."""
    count, pending = 0, [value]
    while pending:
        held = pending.pop()
        if isinstance(held, str):
            count += len(held)
        elif isinstance(held, dict | list):
            pending += held.values() if isinstance(held, dict) else held
    return count


def _of_list(found: _List, file: BinaryIO, name: str, texts: Sequence[str], id_field: str) -> Iterator[Message] | None:
    """Return the records of a list; None if it holds no words. Raises ValueError if it is broken further on."""
    if not texts:
        first = list(islice(found.objects(), _SAMPLE))
        if are_messages(first) and have_times(first):
            return _talk(file, found.around, found.objects)
        if _are_conversations(first):
            return _conversations(found, name)
    seen = seen_in(found.objects())
    if not seen.guessed() and not texts:
        return None
    rows = found if not _has_words(found.around) else replace(found, each=lambda: _with_rest(found))
    return records(Rows(name, rows.each, "object", _EXAMPLE, beir=False), texts, id_field)


def _with_rest(found: _List) -> Iterator[Row]:
    """Yield first what stands around a list."""
    yield Row(0, found.around, json.dumps(found.around).encode())
    yield from found.each()


def _has_words(around: Object) -> bool:
    seen = seen_in([around])
    return any(seen.worded.values())


def _talk(file: BinaryIO, around: Object, messages: Callable[[], Iterator[Any]]) -> Iterator[Message]:
    """Return the one document of a file that is a conversation."""
    seen = seen_in(messages())
    fields = seen.spoken()
    said = Notice("FIELDS", f"read as a conversation: {named(seen, fields)}; --text-field NAME chooses")
    return iter([_document(file, title_of_talk(around), text_of_talk(around, messages(), fields), said)])


def _conversations(found: _List, name: str) -> Iterator[Message]:
    """Return each conversation as a record in BEIR's format."""
    seen = seen_in(message for each in found.objects() for message in (talk_in(each) or ({}, []))[1])
    fields = seen.spoken()

    about = seen_in([found.around]).guessed()

    def rows() -> Iterator[Row]:
        if about:
            told = text_of(found.around, about)
            yield Row(0, {"_id": "about", "title": title_of(found.around, about), "text": told}, told.encode())
        for row in found.each():
            around, messages = talk_in(row.fields) or (row.fields, [])
            own = next((around[key] for key in _OWN if isinstance(around.get(key), str | int)), row.number)
            text = text_of_talk(around, messages, fields)
            yield Row(row.number, {"_id": str(own), "title": title_of_talk(around), "text": text}, row.data)

    said = f"read as conversations: {named(seen, fields)}; --text-field NAME chooses"
    return _noticed(records(Rows(name, rows, "conversation", _EXAMPLE)), said)


def _noticed(said: Iterator[Message], notice: str) -> Iterator[Message]:
    """Say with the first record which fields are read."""
    notices: list[Any] = [["FIELDS", notice]]
    for message in said:
        if "record" in message:
            message["record"][-1] = [*notices, *message["record"][-1]]
            notices = []
        yield message


def _as_written(file: BinaryIO, valid: bool, encoding: str | None) -> Message:
    """Return a file as it is written; the strings of one that is valid are unescaped."""
    file.seek(0)
    try:
        source = encodings.decode(file.read(), encoding)
    except encodings.Undecodable as error:
        raise NotText(f"not text: {error}", "--encoding NAME" if encoding else "") from error
    text = _STRING.sub(_unescaped, source.text) if valid else source.text
    return _document(file, "", text, source.warning, "code" if text == source.text else "record")


def _unescaped(match: re.Match[str]) -> str:
    """Return a string with what its escapes mean."""
    if "\\" not in match[0]:
        return match[0]
    try:
        return f'"{whole(joined({"": json.loads(match[0])})[""])}"'
    except ValueError:
        return match[0]


def _document(file: BinaryIO, title: str, text: str, warning: str = "", kind: str = "record") -> Message:
    """Return a record without an id: the file is one document."""
    file.seek(0)
    digest = blake2b(digest_size=16)
    while block := file.read(1 << 20):
        digest.update(block)
    said: list[Any] = [[getattr(warning, "id", ""), str(warning)]] if warning else []
    record = ["", whole(title), whole(text) if kind != "code" else text, digest.hexdigest(), file.tell(), said]
    return {"record": record, "kind": kind}
