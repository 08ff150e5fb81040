"""Judged questions in BEIR's form: a queries file, and a file of judgements.

Every wrong line is named with its file, number and field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reatt.lessons.lines import numbered_lines, wrong_lines

Judgements = Mapping[str, Mapping[str, int]]  # question id -> document id -> grade; above 0 is relevant
_EXAMPLE = 'a line looks like {"_id": "q1", "text": "How long is parental leave?", "answers": ["49 weeks"]}'
_QRELS_EXAMPLE = "a line looks like: q1 <tab> d1 <tab> 1"
_READABLE = "pass JSON Lines or .tsv, plain, .gz or .xz"


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
    for number, line in numbered_lines(path, _READABLE):
        problem = _problem(line, questions)
        if problem:
            wrong.append(f"{path}:{number}: {problem}")
        else:
            record = json.loads(line)
            id = str(record["_id"])
            questions[id] = Question(id, record["text"], tuple(record.get("answers") or ()))
    if wrong or not questions:
        raise wrong_lines(path, wrong or [f"{path}: no question in it"], _EXAMPLE)
    return list(questions.values())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements from tab-separated `query-id corpus-id score` lines, with or without BEIR's header."""
    wrong: list[str] = []
    judged: dict[str, dict[str, int]] = {}
    for number, line in numbered_lines(path, _READABLE):
        fields = line.rstrip("\r\n").split("\t")
        if number == 1 and fields[-1].strip().lower() == "score":
            continue
        if len(fields) != 3:
            wrong.append(f"{path}:{number}: {len(fields)} tab-separated fields, not 3")
        elif not re.fullmatch(r"-?[0-9]{1,9}", fields[2].strip()):
            wrong.append(f"{path}:{number}: score: {fields[2]!r:.40} is not a whole number")
        else:
            judged.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    if wrong or not judged:
        raise wrong_lines(path, wrong or [f"{path}: no judgement in it"], _QRELS_EXAMPLE)
    return judged


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
