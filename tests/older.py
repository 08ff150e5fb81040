"""Stores as earlier versions made them."""

import sqlite3
from pathlib import Path

from reatt_store import migrations

SINCE_FOURTH = ("DROP TABLE scans",)
SINCE_THIRD = ("DROP TABLE words", "DROP TABLE origins")
SINCE_SECOND = ("DROP TABLE runs", "DROP TABLE models")


def take_back(folder: Path, format: int) -> Path:
    """Take a store back to an earlier format, with the word index that it had."""
    old_words = next(statement for statement in migrations.FIRST if "words USING" in statement)
    steps = list(SINCE_FOURTH)
    steps += [*SINCE_THIRD, old_words, "INSERT INTO words (words) VALUES ('rebuild')"] if format < 3 else ()
    steps += SINCE_SECOND if format < 2 else ()
    with sqlite3.connect(folder / "reatt.db", isolation_level=None) as connection:
        for step in [*steps, f"PRAGMA user_version = {format}"]:
            connection.execute(step)
        for later in range(format + 1, migrations.FORMAT + 1):
            connection.execute(f"DELETE FROM _sqlite_migrations WHERE name LIKE 'm{later:03}%'")
    return folder
