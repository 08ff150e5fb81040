"""Conversations in JSON: messages in an object, or in a list -> one text, each message with who says it, and when.

Exports of chats have many fields beside the words of a message, which only programs use. Read are the words, the time,
who says them, and the names of files and addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from reatt.parsers.records.fields import SAYING, TITLES, WHO, Fields, Leaf, Part, Seen, is_time, parts, shown, title_of
from reatt.parsers.records.nested import listed

_SPEAKING = frozenset(WHO) - {"name"}
_SAID = (*SAYING, "parts")
_SAMPLE = 200  # messages that are looked at
_DEEPEST = 2  # objects around the messages
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::.*)?")
_PLACE = re.compile(r"\w+://\S+|[^\s/][^\n]{0,200}\.[A-Za-z]\w{1,4}")  # an address, or the name of a file
_DOING = "actor"  # who did what a message reports
# What people see of a message beside its words: who joined, whose number it is, who was called, what was voted for.
_TOLD = frozenset(
    "action members title performer first_name last_name phone_number address forwarded_from saved_from voters".split()
)
_NAMED = ("name", "topic", "channel", "chat", "conversation", "thread")


def are_messages(items: Sequence[Any]) -> bool:
    """Return whether most objects of a list are messages: they have words, and whoever says them, and no title."""
    sample = list(islice((item for item in items if isinstance(item, dict)), _SAMPLE))
    return bool(sample) and 2 * sum(map(_is_message, sample)) >= len(sample)


def have_times(items: Sequence[Any]) -> bool:
    """Return whether most messages say when they were written."""
    sample = list(islice((item for item in items if isinstance(item, dict)), _SAMPLE))
    return 2 * sum(any(is_time(name) for part in parts(item) for name, _ in part.leaves) for item in sample) > len(
        sample
    )


def talk_in(value: Mapping[str, Any], deeper: int = _DEEPEST) -> tuple[dict[str, Any], list[Any]] | None:
    """Return the messages of an object, and the object without them; None if it is no conversation."""
    for name, held in value.items():
        items = listed(name, held)
        if items is not None and are_messages(items):
            return {key: other for key, other in value.items() if key != name}, items
        if items is None and isinstance(held, dict) and deeper > 1 and (found := talk_in(held, deeper - 1)):
            return {**value, name: found[0]}, found[1]
    return None


def seen_in(messages: Iterable[Any]) -> Seen:
    """Note what the fields of messages hold."""
    seen = Seen()
    for message in messages:
        if isinstance(message, dict):
            seen.take(message)
    return seen


def title_of_talk(around: dict[str, Any]) -> str:
    """Return the title or name of a conversation."""
    titles: list[Any] = [title_of(around, Fields(frozenset()))]
    for name in _NAMED:
        held = around.get(name)
        titles += [held.get(key) for key in (*TITLES, "name")] if isinstance(held, dict) else [held]
    return next((" ".join(title.split()) for title in titles if isinstance(title, str) and title.strip()), "")


def text_of_talk(around: dict[str, Any], messages: Iterable[Any], fields: Fields) -> str:
    """Write a conversation: what is said about it, then each message as a paragraph."""
    told = title_of_talk(around)
    paragraphs = [line for line in _about(around) if line != told]
    for message in messages:
        if isinstance(message, dict) and (words := _message(message, fields)):
            paragraphs.append(words)
    return "\n\n".join(paragraphs)


def _is_message(item: dict[str, Any]) -> bool:
    if any(isinstance(item.get(title), str) and item[title].strip() for title in TITLES):
        return False
    inner = (held for held in item.values() if isinstance(held, dict))
    return any(not _SPEAKING.isdisjoint(each) and any(name in each for name in _SAID) for each in (item, *inner))


def _about(around: dict[str, Any]) -> Iterator[str]:
    """Yield what an object says about its messages: the fields that hold words."""
    seen = Seen()
    seen.take(around)
    found = seen.guessed()
    for part in parts(around) if found else ():
        for name, value in part.leaves:
            if found and part.named(name) in found.texts and seen.worded[part.named(name)]:
                yield f"{name}: {found.read(part.named(name), value)}"


def _message(message: dict[str, Any], fields: Fields) -> str:
    said, when, who = list[str](), "", ""
    places = list[str]()
    for part in parts(message):
        who = who or part.who
        words, told = list[str](), dict[str, list[str]]()
        for name, value in part.leaves:
            read = part.named(name) in fields.texts
            if name in _TOLD and not (read and name in TITLES):
                told.setdefault(name, []).append(shown(name, value))
            elif name == _DOING:
                who = who or shown(name, value)
            elif read:
                label = f"{part.who}: " if name == "value" and part.who != who else ""  # of a pair of name and value
                _add(words, label + fields.read(part.named(name), value).strip("\n"))
            elif is_time(name):
                when = when or _moment(shown(name, value))
            elif _is_place(part, name, value):
                places.append(f"{name}: {value}")
        for one in _told(words, told):
            _add(said, one)
    words = [*said, *(place for place in places if not any(place.partition(": ")[2] in one for one in said))]
    return " ".join(each for each in (when, f"{who}:" if who else "", "\n\n".join(words)) if each) if words else ""


def _told(words: list[str], told: dict[str, list[str]]) -> Iterator[str]:
    """Yield what an object says, with what else people see of it behind its last words."""
    beside = "; ".join(f"{name}: {', '.join(values)}" for name, values in told.items())
    *first, last = words or [""]
    yield from first
    yield f"{last} ({beside})" if last and beside else last or beside


def _add(said: list[str], words: str) -> None:
    """Add what is said; many exports keep it twice, as a whole and in pieces."""
    if words.strip() and not any(words.strip() in one for one in said):
        said[:] = [one for one in said if one.strip() not in words]
        said.append(words)


def _is_place(part: Part, name: str, value: Leaf) -> bool:
    return isinstance(value, str) and name not in WHO and _PLACE.fullmatch(value) is not None


def _moment(written: str) -> str:
    """Return a time without its seconds.

    >>> _moment("2024-05-01T12:00:07.125Z"), _moment("Friday at noon")
    ('2024-05-01 12:00', 'Friday at noon')
    """
    found = _MOMENT.fullmatch(written)
    return f"{found[1]} {found[2]}" if found else written
