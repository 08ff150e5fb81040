"""Objects of JSON that are lists: their fields are ids, or the nodes of a conversation that name what follows them."""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"[\w-]*\d[\w-]*")
_NODES = "mapping"  # where exports of chats keep the messages, whatever their ids are


def listed(name: str, value: Any) -> list[Any] | None:
    """Return the items of a field that is a list, or is used as one; None if it is neither.

    >>> listed("posts", {"p7": {"a": 1}, "p9": {"a": 2}}), listed("sizes", {"small": {"a": 1}, "large": {"a": 2}})
    ([{'a': 1}, {'a': 2}], None)
    """
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not value or not all(isinstance(item, dict) for item in value.values()):
        return None
    if name == _NODES:
        return _in_order(value)
    return list(value.values()) if len(value) > 1 and all(map(_KEY.fullmatch, value)) else None


def _in_order(nodes: dict[str, dict[str, Any]]) -> list[Any]:
    """Return the nodes of a tree, each before the ones that follow it; those that hang nowhere come last."""
    followed = {
        id: [each for each in _list(node.get("children")) if isinstance(each, str)] for id, node in nodes.items()
    }
    below = {each for ids in followed.values() for each in ids}
    pending = [id for id in reversed(nodes) if id not in below]
    found: dict[str, Any] = {}
    while pending:
        id = pending.pop()
        if id in nodes and id not in found:
            found[id] = nodes[id]
            pending += reversed(followed[id])
    return [*found.values(), *(node for id, node in nodes.items() if id not in found)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
