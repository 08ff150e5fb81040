"""The room that one result may take, and cutting at the border of a passage what does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

TOKENS = 25_000  # where clients cut a result
BYTES_PER_TOKEN = 2  # few: no common tokenizer makes more tokens of a text, and 25,000 tokens stay below 50,000 bytes
ENVELOPE = 600  # bytes kept free for the keys around the parts
_Part = TypeVar("_Part", bound=BaseModel)


def encoded(result: BaseModel) -> str:
    """Encode a result as JSON without spaces and without keys that have no value."""
    return json.dumps(plain(result), ensure_ascii=False, separators=(",", ":"))


def plain(result: BaseModel) -> dict[str, Any]:
    """Return a result as JSON has it, without keys that have no value."""
    return result.model_dump(mode="json", exclude_none=True)


def room(tokens: int) -> int:
    """Return how many bytes the parts of a result may take together."""
    return max(ENVELOPE, tokens * BYTES_PER_TOKEN - ENVELOPE)


def fitting(parts: Iterable[_Part], tokens: int) -> tuple[list[_Part], bool]:
    """Take parts from the front while they fit, one at least; say whether some were left."""
    taken, left = list[_Part](), room(tokens)
    for part in parts:
        left -= len(encoded(part).encode()) + 1
        if taken and left < 0:
            return taken, True
        taken.append(part)
    return taken, False
