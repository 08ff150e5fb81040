"""Judged questions in BEIR's form: a queries file, and a file of judgements.

Every wrong line is named with its file, number and field.
"""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from reatt_store.errors import QueriesFormat

SHOWN = 5  # wrong lines named in an error
Judgements = Mapping[str, Mapping[str, int]]  # question id -> document id -> grade; above 0 is relevant
_EXAMPLE = 'a line looks like {"_id": "q1", "text": "How long is parental leave?", "answers": ["49 weeks"]}'
_JUDGED_EXAMPLE = "a line looks like: q1 <tab> d1 <tab> 1"
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Question:
    """One line of a queries file."""

    id: str
    text: str
    answers: tuple[str, ...]  # accepted answers; () if none is known


def read_queries(path: Path) -> list[Question]:
    """Read questions from JSON Lines (.gz, .xz); raises QueriesFormat with the file, line and field of an error."""
    wrong: list[str] = []
    questions: dict[str, Question] = {}
    for number, line in _lines(path):
        problem = _problem(line, questions)
        if problem:
            wrong.append(f"{path}:{number}: {problem}")
        else:
            record = json.loads(line)
            id = str(record["_id"])
            questions[id] = Question(id, record["text"], tuple(record.get("answers") or ()))
    if wrong or not questions:
        raise _bad(path, wrong or [f"{path}: no question in it"], _EXAMPLE)
    return list(questions.values())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements from tab-separated `query-id corpus-id score` lines, with or without BEIR's header."""
    wrong: list[str] = []
    judged: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        fields = line.rstrip("\r\n").split("\t")
        if number == 1 and fields[-1].strip().lower() == "score":
            continue
        if len(fields) != 3:
            wrong.append(f"{path}:{number}: {len(fields)} tab-separated fields, not 3")
        elif not fields[2].strip().lstrip("-").isdecimal():
            wrong.append(f"{path}:{number}: score: {fields[2]!r} is not a whole number")
        else:
            judged.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    if wrong or not judged:
        raise _bad(path, wrong or [f"{path}: no judgement in it"], _JUDGED_EXAMPLE)
    return judged


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the non-empty lines with their numbers."""
    opener = _OPENERS.get(path.suffix, open)
    try:
        with cast(IO[str], opener(path, "rt", encoding="utf-8-sig")) as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueriesFormat(
            f"{path} cannot be read: {reason}", "pass JSON Lines or .tsv, plain, .gz or .xz", str(path)
        ) from error


def _problem(line: str, known: Mapping[str, Question]) -> str | None:
    """Say what is wrong with a line of a queries file."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(record, dict):
        return "not a JSON object"
    for field, kinds in (("_id", str | int), ("text", str)):
        if field not in record:
            return f"{field}: missing"
        if not isinstance(record[field], kinds) or not str(record[field]).strip():
            return f"{field}: {record[field]!r:.40} is not a text"
    answers = record.get("answers") or []
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        return "answers: not a list of strings"
    return f"_id: {record['_id']!r} again" if str(record["_id"]) in known else None


def _bad(path: Path, wrong: Sequence[str], example: str) -> QueriesFormat:
    more = f"\n… and {len(wrong) - SHOWN:,} more wrong lines" if len(wrong) > SHOWN else ""
    return QueriesFormat("\n".join(wrong[:SHOWN]) + more, example, str(path))
