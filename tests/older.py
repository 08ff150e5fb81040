"""Stores as earlier versions made them."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from reatt_store import migrations
from reatt_store.vectors.segments import Draft, open_segment, write

SINCE_FOURTH = ("DROP TABLE scans",)
SINCE_THIRD = ("DROP TABLE words", "DROP TABLE origins")
SINCE_SECOND = ("DROP TABLE runs", "DROP TABLE models")


def take_back(folder: Path, format: int) -> Path:
    """Take a store back to an earlier format, with the word index that it had."""
    old_words = next(statement for statement in migrations.FIRST if "words USING" in statement)
    steps = list(SINCE_FOURTH) if format < 4 else []
    steps += [*SINCE_THIRD, old_words, "INSERT INTO words (words) VALUES ('rebuild')"] if format < 3 else ()
    steps += SINCE_SECOND if format < 2 else ()
    with sqlite3.connect(folder / "reatt.db", isolation_level=None) as connection:
        for step in [*steps, f"PRAGMA user_version = {format}"]:
            connection.execute(step)
        for later in range(format + 1, migrations.FORMAT + 1):
            connection.execute(f"DELETE FROM _sqlite_migrations WHERE name LIKE 'm{later:03}%'")
    return folder


def with_float16(folder: Path, keys: dict[bytes, np.ndarray]) -> Path:
    """Give the segments of a store keys in float16, by the digests of texts, as those of the fourth format have."""
    with closing(sqlite3.connect(folder / "reatt.db", isolation_level=None)) as connection:
        for id, name, size in connection.execute("SELECT id, name, bytes FROM segments").fetchall():
            path = folder / "segments" / name
            now = open_segment(path, id, size)
            digests = [digest.tobytes() for digest in now.digests]
            half = np.concatenate([keys[digest] for digest in digests]).astype(np.float16)
            old = Draft(digests, now.offsets, now.codes, now.scales, memory=now.memory)
            path.unlink()
            written = (*write(path, replace(old, half=half)), id)
            connection.execute("UPDATE segments SET bytes = ?, blake2b = ? WHERE id = ?", written)
    return take_back(folder, 4)
