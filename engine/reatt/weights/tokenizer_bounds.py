"""What a `tokenizer.json` may make of a text: its growth is bounded before the library reads the file.

It may come from a stranger. Forty rules that double a letter, or one that puts a megabyte in the place of each, would
take all memory for the first question.
"""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reatt.weights.files import AGAIN, opened
from reatt_store.errors import ModelError
from reatt_store.opening import small_json

LARGEST = 40_000_000  # bytes; those of the largest vocabularies have 35 million
LONGEST = 2000  # characters of a token or a pattern
GROWTH = 4096  # times that a text may become longer, by all steps together
STEP = 2  # times that any step may make it longer: small letters, signs for spaces
COMPOSED = 18  # characters that Unicode makes of one at most
MARKS = 64  # around a text
LONGEST_WORD = 500  # characters that word pieces are looked for in: their number grows with the square
_BOUND = "max_input_chars_per_word"
_STEPS = (("normalizer", "pre_tokenizer"), ("decoder",))


def check(file: Path) -> None:
    """Raise ModelError if a tokenizer could make very much of a short text, or is none."""
    with opened(file) as stream:
        content = stream.read(LARGEST + 1)
    try:
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        why = _wrong(small_json(content))
    except (ValueError, RecursionError) as error:
        why = str(error)
    if why is not None:
        raise ModelError(f"cannot read {file}: {why:.200}", AGAIN, str(file))


def _wrong(said: Any) -> str | None:
    """Say what is out of bounds in a tokenizer; None if nothing is."""
    if not isinstance(said, dict):
        return "it holds no JSON object"
    for key, value in said.items():
        if key != "normalizer" and any(len(text) > LONGEST for text in _texts(value)):
            return f"{key} holds a text of more than {LONGEST:,} characters"
    for parts in _STEPS:
        growth = math.prod(factor for part in parts for factor in _factors(said.get(part)))
        if growth > GROWTH:
            return f"its {' and '.join(parts)} could make a text more than {GROWTH:,} times as long"
    if any(len(each) > MARKS for each in _lists(said.get("post_processor"))):
        return f"it puts more than {MARKS} marks around a text"
    model = said.get("model")
    longest = model.get(_BOUND, 0) if isinstance(model, dict) else 0
    if not (type(longest) is int and longest <= LONGEST_WORD):
        return f"{_BOUND} is {longest!r:.40}; expected a number up to {LONGEST_WORD}"
    return None


def _factors(part: Any) -> Iterator[float]:
    """Yield how many times as long each step may make a text."""
    if isinstance(part, dict):
        if part.get("type", "Sequence") != "Sequence":
            yield max(STEP, _factor(part))
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _factors(each)


def _factor(step: dict[str, Any]) -> float:
    match step:
        case {"type": "Replace", "content": str() as content, "pattern": {"String": str() as found}} if found:
            return len(content) / len(found)
        case {"type": "Replace", "content": str() as content} | {"type": "Prepend", "prepend": str() as content}:
            return len(content) + 1  # a pattern may match everywhere
        case {"type": "Precompiled", "precompiled_charsmap": str() as packed}:
            return _longest(packed)
        case {"type": "NFKC" | "NFKD" | "NFC" | "NFD" | "Nmt" | "BertNormalizer"}:
            return COMPOSED
    return 1


def _longest(packed: str) -> int:
    """Return the bytes of the longest text that SentencePiece's table has for a character."""
    try:
        table = b64decode(packed, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its table of characters is damaged ({error})") from None
    tree = int.from_bytes(table[:4], "little")
    return max(map(len, table[4 + tree :].split(b"\0")))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a part of JSON, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _lists(value: Any) -> Iterator[list[Any]]:
    """Yield the lists in a part of JSON."""
    if isinstance(value, dict):
        value = list(value.values())
    elif isinstance(value, list):
        yield value
    for each in value if isinstance(value, list) else ():
        yield from _lists(each)
