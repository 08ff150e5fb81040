"""Question files for training, in JSON Lines; errors name the line and the field.

`--qa`: `{"question": "...", "answers": ["..."], "document": "..."}`, or the queries file of `reatt eval`, which has
`text` instead of `question`. `--judged`: `{"question": "...", "document": "...", "relevance": 1}`. A document is
named by its `_id` in a file of records, or by its path or file name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reatt.lessons.lines import numbered_lines, wrong_lines
from reatt_store.errors import QueriesFormat

_QA_EXAMPLE = 'a line looks like {"question": "How long is parental leave?", "answers": ["49 weeks"]}'
_JUDGED_EXAMPLE = (
    'a line looks like {"question": "How long is parental leave?", "document": "leave.md", "relevance": 1}'
)
_CLOSE_EXAMPLE = 'a line looks like {"question": "How long is parental leave?", "documents": ["leave.md", "d7"]}'

Parsed = TypeVar("Parsed")
Fields = Mapping[str, Any]


class WrongField(Exception):
    """A field of a line is missing or has the wrong type."""


@dataclass(frozen=True)
class Answered:
    """A line of a `--qa` file."""

    question: str
    answers: tuple[str, ...]  # not empty
    document: str | None
    id: str | None


@dataclass(frozen=True)
class Judged:
    """A line of a `--judged` file."""

    question: str
    document: str
    relevance: int  # 0: judged irrelevant


@dataclass(frozen=True)
class CloseLine:
    """A line of a `--close-from` file: the results of another retriever, best first."""

    key: str  # the question, or its `_id`
    chunks: tuple[int, ...]  # store chunk ids
    documents: tuple[str, ...]


def read_answered(path: Path) -> list[Answered]:
    """Read questions with answers; lines whose answers are empty (unanswerable) are left out."""
    rows = _read(path, _answered, _QA_EXAMPLE)
    found = [row for row in rows if row.answers]
    if not found:
        raise QueriesFormat(f"{path}: no question has an answer", _QA_EXAMPLE, str(path))
    return found


def read_judged(path: Path) -> list[Judged]:
    """Read judgements; at least one must be above 0."""
    rows = _read(path, _judged, _JUDGED_EXAMPLE)
    if not any(row.relevance > 0 for row in rows):
        raise QueriesFormat(f"{path}: no document is relevant", _JUDGED_EXAMPLE, str(path))
    return rows


def read_close(path: Path) -> dict[str, CloseLine]:
    """Read the results of another retriever, by question or `_id`."""
    return {row.key: row for row in _read(path, _close, _CLOSE_EXAMPLE)}


def _answered(fields: Fields) -> Answered:
    answers = fields.get("answers", [])
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise WrongField(f"answers: {answers!r:.40} is not a list of texts")
    if "answers" not in fields:
        raise WrongField("answers: missing")
    document = _optional(fields, "document", "doc_id")
    accepted = tuple(dict.fromkeys(answer.strip() for answer in answers if answer.strip()))
    return Answered(_text(fields, "question", "text"), accepted, document, _optional(fields, "_id"))


def _judged(fields: Fields) -> Judged:
    relevance = fields.get("relevance", 1)
    if not isinstance(relevance, int) or relevance < 0:
        raise WrongField(f"relevance: {relevance!r:.40} is not a whole number of 0 or more")
    return Judged(_text(fields, "question", "text"), _text(fields, "document", "doc_id"), int(relevance))


def _close(fields: Fields) -> CloseLine:
    chunks, documents = fields.get("chunks", []), fields.get("documents", [])
    if not isinstance(chunks, list) or not isinstance(documents, list) or not (chunks or documents):
        raise WrongField("neither chunks, a list such as C-12, nor documents, a list of names")
    key = _optional(fields, "_id") or _text(fields, "question", "text")
    return CloseLine(key, tuple(_chunk_id(chunk) for chunk in chunks), tuple(str(name) for name in documents))


def _chunk_id(chunk: object) -> int:
    number = str(chunk).removeprefix("C-")
    if not number.isdecimal():
        raise WrongField(f"chunks: {chunk!r:.40} is not a chunk id such as C-12")
    return int(number)


def _text(fields: Fields, *names: str) -> str:
    for name in names:
        if name in fields:
            value = fields[name]
            if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
                raise WrongField(f"{name}: {value!r:.40} is not a text")
            return str(value).strip()
    raise WrongField(f"{names[0]}: missing")


def _optional(fields: Fields, *names: str) -> str | None:
    return _text(fields, *names) if any(fields.get(name) is not None for name in names) else None


def _read(path: Path, parse: Callable[[Fields], Parsed], example: str) -> list[Parsed]:
    wrong: list[str] = []
    rows: list[Parsed] = []
    for number, line in numbered_lines(path, example):
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise WrongField("not a JSON object")
            rows.append(parse(fields))
        except WrongField as error:
            wrong.append(f"{path}:{number}: {error}")
        except (ValueError, RecursionError) as error:
            wrong.append(f"{path}:{number}: not JSON: {error}")
    if wrong or not rows:
        raise wrong_lines(path, wrong or [f"{path} is empty"], example)
    return rows
