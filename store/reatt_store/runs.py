"""Training runs as rows: settings and results. Figures only, never text of a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reatt_store.connection import Connection
from reatt_store.errors import StoreDamaged
from reatt_store.opening import small_json
from reatt_store.records import Outcome, Run, sound

_COLUMNS = """id, started_at, ended_at, mode, settings, parent_sha256,
              before, after, accepted, reason, model_sha256"""
_KINDS = "ntTttTttNtT"


def begin(connection: Connection, mode: str, settings: Mapping[str, Any], now: str) -> int:
    """Insert a run that has started, inside the caller's transaction; its parent is the current model."""
    sql = """INSERT INTO runs (started_at, mode, settings, before, after, reason, parent_sha256)
             VALUES (?, ?, ?, '{}', '{}', '', (SELECT model_sha256 FROM current_generation
             JOIN generations ON generations.id = generation))"""
    return int(connection.execute(sql, [now, mode, _json(settings)]).lastrowid or 0)


def end(connection: Connection, run: int, outcome: Outcome, now: str) -> bool:
    """Record how a run ended, inside the caller's transaction; return False if that was already recorded."""
    sql = """UPDATE runs SET ended_at = ?, before = ?, after = ?, accepted = ?, reason = ?, model_sha256 = ?
             WHERE id = ? AND ended_at IS NULL"""
    values = (_json(outcome.before), _json(outcome.after), outcome.accepted, outcome.reason, outcome.model_sha256)
    return connection.execute(sql, [now, *values, run]).rowcount == 1


def every(connection: Connection) -> list[Run]:
    """Return all runs, oldest first."""
    if connection.value("PRAGMA user_version") < 2:  # not written to since an upgrade
        return []
    return [_run(*row) for row in connection.rows(f"SELECT {_COLUMNS} FROM runs ORDER BY id")]  # noqa: S608


def _run(*row: Any) -> Run:
    id, started, ended, mode, settings, parent, before, after, accepted, reason, sha256 = sound("runs", _KINDS, row)
    figures = [_object(each, int | float) for each in (before, after)]
    ended_as = Outcome(figures[0], figures[1], bool(accepted), reason, sha256) if ended else None
    return Run(id, started, ended, mode, _object(settings, object), parent, ended_as)


def _object(text: str, kind: Any) -> dict[str, Any]:
    """Read a column of JSON; raises StoreDamaged if it is not an object of such values."""
    try:
        read = small_json(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or not all(isinstance(value, kind) for value in read.values()):
        raise StoreDamaged("a row of runs is damaged", "reatt check --repair")
    return read


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), allow_nan=False, sort_keys=True)
