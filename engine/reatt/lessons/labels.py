"""The files of questions that people bring to training: JSON Lines, every wrong line named with its field.

`--qa`: `{"question": "...", "answers": ["..."], "document": "..."}`, or the queries file of `reatt eval`, which says
`text` for `question`. `--judged`: `{"question": "...", "document": "...", "relevance": 1}`. A document is
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
    """A line's field is missing or of the wrong kind."""


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
    relevance: int  # 0: looked at and found irrelevant


@dataclass(frozen=True)
class CloseLine:
    """A line of a `--close-from` file: what another retriever found, best first."""

    key: str  # the question, or its `_id`
    chunks: tuple[int, ...]  # store chunk ids
    documents: tuple[str, ...]


def read_answered(path: Path) -> list[Answered]:
    """Read questions with answers; lines whose answers are empty (unanswerable) are left out."""
    rows = _read(path, _answered, _QA_EXAMPLE)
    found = [row for row in rows if row.answers]
    if not found:
        raise QueriesFormat(f"{path}: no question in it has an answer", _QA_EXAMPLE, str(path))
    return found


def read_judged(path: Path) -> list[Judged]:
    """Read judgements; one at least has to be above 0."""
    rows = _read(path, _judged, _JUDGED_EXAMPLE)
    if not any(row.relevance > 0 for row in rows):
        raise QueriesFormat(f"{path}: no document in it is relevant", _JUDGED_EXAMPLE, str(path))
    return rows


def read_close(path: Path) -> dict[str, CloseLine]:
    """Read what another retriever found, by question or `_id`."""
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
        raise WrongField(f"relevance: {relevance!r:.40} is not a whole number from 0 on")
    return Judged(_text(fields, "question", "text"), _text(fields, "document", "doc_id"), int(relevance))


def _close(fields: Fields) -> CloseLine:
    chunks, documents = fields.get("chunks", []), fields.get("documents", [])
    if not isinstance(chunks, list) or not isinstance(documents, list) or not (chunks or documents):
        raise WrongField("chunks: neither a list of chunks (C-12) nor documents, a list of names")
    key = _optional(fields, "_id") or _text(fields, "question", "text")
    return CloseLine(key, tuple(_chunk_id(chunk) for chunk in chunks), tuple(str(name) for name in documents))


def _chunk_id(chunk: object) -> int:
    number = str(chunk).removeprefix("C-")
    if not number.isdecimal():
        raise WrongField(f"chunks: {chunk!r:.40} is no chunk, such as C-12")
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
