"""Which fields of records without "text" are read: chat exports, logs, tables. They are chosen, or guessed.

A guess takes for text every field that holds words in most lines. What stands beside it (times, levels, names) follows
in a line of its own, and who says something comes before it, so nothing that a reader would look for is lost. Numbers
that only programs use, such as ids, are left out. A path names a field within others: `message.author.name`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from reatt.parsers.records.marked import is_marked, unmarked
from reatt.parsers.records.nested import listed

_WORDS = re.compile(r"[^\W\d_]{2,}[^\S\n]+[^\W\d_]|[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{4}")
_LETTERS = re.compile(r"[^\W\d_]{2}")
SAYING = frozenset("message msg content body text value prompt completion question answer comment full_text".split())
_PIECES = ("parts",)  # of what is said
WHO = (
    "role", "from", "sender", "sender_name", "speaker", "author", "user_profile", "user", "username", "user_name",
    "creator", "by", "nick", "who", "name",
)  # fmt: skip
_NAMES = ("real_name", "display_name", "displayName", "nickname", "login", "screen_name", *WHO)
TITLES = ("title", "subject")
_TITLED = (*TITLES, *(f"{name}.rendered" for name in TITLES))
_ID = re.compile(r"(?:.*[_.-])?(?:[gu]?u?id|ids|id_str|hash|sha\d*|md5|etag|token|nonce|signature)", re.IGNORECASE)
_CODED = re.compile(r"[0-9a-f]{12,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(
    r"(?i:(?:.*[_.-])?(?:ts|time|timestamp|date|created|updated|at)(?:_?(?:[mu]s(?:ec)?|utc))?)"
    r"|.*(?:At|Time|Date|Timestamp|Usec)|date[A-Z]\w*|lastModified"
)
_ADDRESS = re.compile(r"\w+://\S+|www\.\S+")
_SECONDS = re.compile(r"1\d{9}(?:\.\d{1,9})?|1\d{12}|1\d{15}")  # since 1970, with fractions or in smaller parts
_MOST_PATHS = 500  # of a file; further ones stand beside the text
_SHOWN = 6  # fields that are named

Leaf = str | int | float | bool


@dataclass
class Part:
    """One object of a line: its own fields that hold no others, in order."""

    path: str  # "" for the line itself
    leaves: list[tuple[str, Leaf]] = field(default_factory=list)  # name and value
    who: str = ""  # who says what is in it

    def named(self, name: str) -> str:
        """Return the path of one of its fields."""
        return f"{self.path}.{name}" if self.path else name


@dataclass(frozen=True)
class Fields:
    """Which fields are the text of a record."""

    texts: frozenset[str]  # paths
    chosen: bool = False  # by the user; then nothing stands beside them
    own_ids: bool = True  # whether "_id" or "id" tells the records apart
    marked: frozenset[str] = frozenset()  # of the texts, the ones that are HTML

    def read(self, path: str, value: Leaf) -> str:
        """Return a value of one of the texts as a reader sees it."""
        written = str(value)
        return unmarked(written) if path in self.marked else written


@dataclass
class Seen:
    """What the fields of the lines hold."""

    filled: Counter[str] = field(default_factory=Counter)  # lines' strings that are not empty, by path
    worded: Counter[str] = field(default_factory=Counter)  # of these, the ones that are words
    lettered: Counter[str] = field(default_factory=Counter)  # and the ones that hold letters
    marked: Counter[str] = field(default_factory=Counter)  # and the ones that seem to be HTML
    paths: dict[str, None] = field(default_factory=dict)  # in order

    def take(self, record: dict[str, Any]) -> None:
        """Count a line."""
        for part in parts(record):
            for name, value in part.leaves:
                path = part.named(name)
                if path not in self.paths and len(self.paths) >= _MOST_PATHS:
                    continue
                self.paths[path] = None
                if isinstance(value, str):
                    self.filled[path] += 1
                    self.worded[path] += _WORDS.search(value) is not None
                    self.lettered[path] += _LETTERS.search(value) is not None
                    self.marked[path] += is_marked(value)

    def guessed(self) -> Fields | None:
        """Return the fields that hold words, or are named for it; None if none of the lines has any letters."""
        if not any(count for path, count in self.lettered.items() if not _is_id(path)):
            return None
        texts = {path for path, count in self.worded.items() if 2 * count >= self.filled[path] and _may_be_text(path)}
        return self._reading(texts or {path for path in self.paths if _last(path) in SAYING})

    def spoken(self) -> Fields:
        """Return the fields of messages that are read: those that hold words, and those named for what is said."""
        found = self.guessed()
        texts = found.texts if found else frozenset()
        return self._reading(texts | {path for path in self.paths if _last(path) in (*SAYING, *_PIECES)})

    def chosen(self, names: Sequence[str]) -> Fields | None:
        """Return the fields with these paths or names; None if no line has one."""
        found = frozenset(path for path in self.paths if path in names or _last(path) in names)
        return replace(self._reading(found), chosen=True) if found else None

    def _reading(self, texts: Iterable[str]) -> Fields:
        marked = (path for path in texts if self.marked[path] and 2 * self.marked[path] >= self.worded[path])
        return Fields(frozenset(texts), marked=frozenset(marked))

    def said(self, fields: Fields) -> str:
        """Say which fields are read."""
        read = [path for path in self.paths if path in fields.texts]
        rest = [path for path in self.paths if path not in fields.texts]
        if fields.chosen:
            return f"read as chosen: {listed_names(read)}; not read: {listed_names(rest)}"
        left = [path for path in rest if _is_id(path) and not self.worded[path]]
        beside = [path for path in rest if path not in left]
        kinds = (("read as text: ", read), ("beside it: ", beside), ("left out: ", left))
        return "; ".join(f"{what}{listed_names(paths)}" for what, paths in kinds if paths)


def named(seen: Seen, fields: Fields) -> str:
    """Name the fields that are read."""
    return listed_names([path for path in seen.paths if path in fields.texts])


def parts(record: dict[str, Any]) -> Iterator[Part]:
    """Yield the objects of a line in order, each before those within it; a loop, for they may be nested deeply."""
    pending: list[tuple[str, Any, str]] = [("", record, "")]
    while pending:
        path, value, who = pending.pop()
        if isinstance(value, list):
            pending += [(path, item, who) for item in reversed(value) if isinstance(item, dict | list)]
            continue
        part = Part(path, who=_speaker(value) or who)
        within: list[tuple[str, Any, str]] = []
        for name, held in value.items():
            items = listed(name, held)
            part.leaves += [(name, item) for item in ([held] if items is None else items) if _is_leaf(item)]
            if isinstance(held, dict | list):
                inner = held if items is None else items
                within.append((part.named(name), inner, part.who if _speaker(value) else ""))
        yield part
        within.reverse()
        pending += sorted(within, key=lambda each: _last(each[0]) not in WHO)  # who says it is taken last


def others(record: dict[str, Any], known: Container[str]) -> Iterator[tuple[str, Leaf]]:
    """Yield path and value of what stands beside the `known` fields of a line, but for ids."""
    for part in parts(record):
        for name, value in part.leaves:
            path = part.named(name)
            if path not in known and not _is_left_out(path, value):
                yield path, value


def is_address(value: Leaf) -> bool:
    """Return whether a value is the address of a page."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def text_of(record: dict[str, Any], fields: Fields) -> str:
    """Write a line as a text: what is said, by whom, and what stands beside it."""
    paragraphs, told, title = list[str](), set[str](), _written_title(record, fields)
    for part in parts(record):
        paths = ((part.named(name), value) for name, value in part.leaves)
        said = [fields.read(path, value) for path, value in paths if path in fields.texts]
        spoken = "\n\n".join(value.strip("\n") for value in said)
        if spoken:
            paragraphs.append(f"{part.who}: {spoken}" if part.who else spoken)
            told.add(part.who)
        if not fields.chosen and (beside := "; ".join(_beside(part, fields, told, title))):
            paragraphs.append(beside)
    return "\n\n".join(paragraphs)


def title_of(record: dict[str, Any], fields: Fields) -> str:
    """Return the title of a line, if it has one; some web sites keep it within an object."""
    found = _written_title(record, fields)
    return unmarked(found) if is_marked(found) else found


def _written_title(record: dict[str, Any], fields: Fields) -> str:
    held = (record.get(name) for name in TITLES if name not in fields.texts)
    titles = (title.get("rendered") if isinstance(title, dict) else title for title in held)
    return next((title for title in titles if isinstance(title, str) and title.strip()), "")


def held(record: dict[str, Any], path: str) -> Any:
    """Return what the field with this name or path holds; None if there is none.

    >>> held({"message": {"id": 7}, "a.b": "c"}, "message.id"), held({"a.b": "c"}, "a.b"), held({}, "a.b")
    (7, 'c', None)
    """
    if path in record:
        return record[path]
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _beside(part: Part, fields: Fields, told: set[str], title: str) -> Iterator[str]:
    """Yield name and value of the fields that are not the text, but for ids, the title and who has been `told`."""
    for name, value in part.leaves:
        path = part.named(name)
        if path in fields.texts or _is_left_out(path, value) or (name in _NAMES and value in told):
            continue
        if path in _TITLED and value == title:
            continue
        yield f"{name}: {shown(name, value)}"


def _speaker(record: dict[str, Any]) -> str:
    """Return who says what an object holds."""
    for name in WHO:
        value = record.get(name)
        if isinstance(value, dict):
            value = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
        if isinstance(value, str) and value.strip() and len(value) < 100 and "\n" not in value:
            return value.strip()
    return ""


def is_time(name: str) -> bool:
    """Return whether a field of this name holds a time."""
    return _TIME.fullmatch(name) is not None


def shown(name: str, value: Leaf) -> str:
    """Return a value as a reader sees it, a time since 1970 as a date."""
    written = "true" if value is True else "false" if value is False else str(value)
    if _TIME.fullmatch(name) and _SECONDS.fullmatch(written):
        seconds = float(written)
        moment = datetime.fromtimestamp(seconds / (1 if seconds < 1e10 else 1e3 if seconds < 1e13 else 1e6), UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    return " ".join(written.split()) if isinstance(value, str) else written


def _is_leaf(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(value.strip()))


def _may_be_text(path: str) -> bool:
    above, _, last = path.rpartition(".")
    if _last(above) in WHO and last not in SAYING:
        return False  # a name
    return not _is_id(path) and path not in TITLES and last not in WHO and not _TIME.fullmatch(last)


def _is_left_out(path: str, value: Leaf) -> bool:
    """Return whether only programs use a value."""
    if isinstance(value, str) and _WORDS.search(value):
        return False
    return _is_id(path) or (isinstance(value, str) and _CODED.fullmatch(value) is not None)


def _is_id(path: str) -> bool:
    return _ID.fullmatch(_last(path)) is not None


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def listed_names(paths: list[str]) -> str:
    """Name the first few fields, and say how many there are beside them."""
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return (", ".join(paths[:_SHOWN]) or "nothing") + more
