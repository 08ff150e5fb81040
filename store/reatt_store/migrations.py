"""The schema as numbered steps. All pending steps run in one transaction: a kill leaves the old schema or the new."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reatt_store.lexical import index

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION = 0x52654174  # PRAGMA application_id, "ReAt"

FIRST = (
    """CREATE TABLE documents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL,
        external_id TEXT,
        title TEXT NOT NULL,
        kind TEXT NOT NULL,
        digest TEXT NOT NULL,
        size INTEGER NOT NULL,
        pages INTEGER NOT NULL,
        chunks INTEGER NOT NULL,
        seal BLOB NOT NULL,
        added_at TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX documents_records ON documents (path, external_id)",
    "CREATE UNIQUE INDEX documents_files ON documents (path) WHERE external_id IS NULL",  # NULLs differ in an index
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        document_id INTEGER NOT NULL REFERENCES documents (id),
        ordinal INTEGER NOT NULL,
        char_start INTEGER NOT NULL,
        char_end INTEGER NOT NULL,
        line INTEGER NOT NULL,
        page INTEGER,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        digest BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX chunks_of_document ON chunks (document_id, ordinal)",
    "CREATE INDEX chunks_by_digest ON chunks (digest)",
    """CREATE VIRTUAL TABLE words USING fts5 (
        title, text, content='chunks', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')""",
    """CREATE TABLE generations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL,
        model_name TEXT NOT NULL,
        model_sha256 TEXT NOT NULL,
        method TEXT NOT NULL,
        created_at TEXT NOT NULL,
        UNIQUE (fingerprint, method))""",
    """CREATE TABLE current_generation (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL REFERENCES generations (id))""",
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        generation INTEGER NOT NULL REFERENCES generations (id),
        name TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL,
        blake2b BLOB NOT NULL,
        chunks INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        width INTEGER NOT NULL)""",
    "CREATE INDEX segments_of_generation ON segments (generation)",
    """CREATE TABLE encodings (
        generation INTEGER NOT NULL REFERENCES generations (id),
        digest BLOB NOT NULL,
        segment INTEGER NOT NULL REFERENCES segments (id),
        position INTEGER NOT NULL,
        PRIMARY KEY (generation, digest)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX encodings_by_place ON encodings (segment, position)",
    # Digests that are encoded but that no chunk has. Every transaction updates them, so "is everything alive?" is free.
    "CREATE TABLE dead (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE caches (
        name TEXT PRIMARY KEY,
        generation INTEGER NOT NULL REFERENCES generations (id),
        bytes INTEGER NOT NULL,
        blake2b BLOB NOT NULL)""",
    """CREATE TABLE problems (
        path TEXT PRIMARY KEY,
        id TEXT NOT NULL,
        detail TEXT NOT NULL,
        fix TEXT NOT NULL,
        digest TEXT NOT NULL)""",
    f"PRAGMA application_id = {APPLICATION}",
)

# Training runs, and every model that was ever current. A generation names the model that reads its vectors now;
# models that differ only in their reader share one.
SECOND = (
    """CREATE TABLE models (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        generation INTEGER NOT NULL REFERENCES generations (id),
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        added_at TEXT NOT NULL,
        UNIQUE (generation, sha256))""",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        mode TEXT NOT NULL,
        settings TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        accepted INTEGER,
        reason TEXT NOT NULL,
        parent_sha256 TEXT,
        model_sha256 TEXT)""",
    """INSERT INTO models (generation, name, sha256, added_at)
       SELECT generations.id, model_name, model_sha256, created_at
       FROM current_generation JOIN generations ON generations.id = generation""",
)
# The word index has words of its own making, and names beside texts; what documents say of themselves. The old index
# is made anew in the same transaction.
THIRD = (
    "DROP TABLE words",
    index.WORDS,
    """CREATE TABLE origins (
        document_id INTEGER PRIMARY KEY REFERENCES documents (id),
        author TEXT NOT NULL,
        dated TEXT NOT NULL,
        modified TEXT NOT NULL)""",
)
# Documents with pages that were read by OCR: how many, and how sure it was on average, in thousandths.
FOURTH = (
    """CREATE TABLE scans (
        document_id INTEGER PRIMARY KEY REFERENCES documents (id),
        pages INTEGER NOT NULL,
        confidence INTEGER NOT NULL)""",
)
# No table is another. From here on segments may lack keys in float16, which earlier versions cannot read.
FIFTH: tuple[str, ...] = ()
# By the names under which sqlite-utils remembers them. A step that was published stays as it is, to the letter.
STEPS = {
    "m001_first": FIRST,
    "m002_runs_and_models": SECOND,
    "m003_words_and_origins": THIRD,
    "m004_scans": FOURTH,
    "m005_keys_in_8_bits": FIFTH,
}
FORMAT = len(STEPS)  # PRAGMA user_version; a store with a higher one was written by a newer version
ORIGINS_SINCE = 3  # format
SCANS_SINCE = 4
_DOCUMENT = """documents.id, documents.path, external_id, documents.title, kind, documents.digest, size,
               documents.pages, chunks, added_at"""
# What later formats know of documents: columns, and where they are.
_ORIGIN = "coalesce(author, ''), coalesce(dated, ''), coalesce(modified, '')"
_ORIGINS = "LEFT JOIN origins ON origins.document_id = documents.id"
_SCAN, _SCANS = (
    "coalesce(scans.pages, 0), coalesce(confidence, 0)",
    "LEFT JOIN scans ON scans.document_id = documents.id",
)
_OLD_WORDS = next(statement for statement in FIRST if "words USING" in statement)

# Tables that SQLite, FTS5 and sqlite-utils make for themselves.
_SHADOWS = frozenset(
    (
        "CREATE TABLE 'words_content'(id INTEGER PRIMARY KEY, c0, c1, c2, c3)",
        "CREATE TABLE 'words_data'(id INTEGER PRIMARY KEY, block BLOB)",
        "CREATE TABLE 'words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
        "CREATE TABLE 'words_docsize'(id INTEGER PRIMARY KEY, sz BLOB)",
        "CREATE TABLE 'words_config'(k PRIMARY KEY, v) WITHOUT ROWID",
        "CREATE TABLE sqlite_sequence(name,seq)",
    )
)
# What a query planner's statistics and other versions of sqlite-utils look like: plain columns, nothing to run.
_NAME = r'["\[]?\w+["\]]?'
_NAMES = rf"{_NAME}(, {_NAME})*"
_COLUMN = rf"\s+{_NAME} (TEXT|INTEGER)( PRIMARY KEY)?"
_MIGRATIONS = r'["\[]?_sqlite_migrations["\]]?'
_BESIDE = re.compile(
    r"CREATE TABLE sqlite_stat[14]\([a-z,]+\)"
    rf"|CREATE TABLE {_MIGRATIONS} \({_COLUMN}(,{_COLUMN})*(,\s+PRIMARY KEY \({_NAMES}\))?\s+\)"
    rf"|CREATE UNIQUE INDEX {_NAME}\s+ON {_MIGRATIONS} \({_NAMES}\)",
    re.ASCII,
)


def schema(format: int) -> set[str]:
    """Return the statements that created a store of a format, verbatim as SQLite keeps them."""
    steps = list(STEPS.values())[:format]
    made = {statement for step in steps for statement in step if statement.startswith("CREATE")}
    return made - {_OLD_WORDS} if THIRD in steps else made


def documents(format: int) -> str:
    """Return the query for the documents of a store, with what stands for what its format does not know."""
    origin, origins = (_ORIGIN, _ORIGINS) if format >= ORIGINS_SINCE else ("'', '', ''", "")
    scan, scans = (_SCAN, _SCANS) if format >= SCANS_SINCE else ("0, 0", "")
    return f"SELECT {_DOCUMENT}, {origin}, {scan} FROM documents {origins} {scans}"  # noqa: S608


def foreign(connection: sqlite3.Connection, format: int) -> str | None:
    """Say what in a schema is not ours; None if all is.

    SQLite keeps each statement verbatim. A foreign one may be a trap: a trigger, an endless view, a table with checks.
    """
    rows = connection.execute("SELECT type, sql FROM sqlite_schema WHERE sql NOT NULL").fetchall()
    made = {sql for _, sql in rows}
    ours = schema(format)
    odd = any(kind not in ("table", "index") for kind, _ in rows)
    if odd or len(made) < len(rows) or not ours <= made or not all(map(_beside, made - ours)):
        return "its schema is not that of this version"
    return None


def tables(connection: sqlite3.Connection) -> set[str]:
    """Name the tables that are as we make them, in a store whose schema may be a stranger's."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
    ours = schema(FORMAT) | _SHADOWS
    return {name for name, sql in rows if sql in ours and sql.replace("'", "").startswith(f"CREATE TABLE {name}")}


def _beside(statement: object) -> bool:
    return isinstance(statement, str) and (statement in _SHADOWS or _BESIDE.fullmatch(statement) is not None)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date. sqlite-utils takes 0.2 s to import, so it is imported only if something is to do."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT:
        return
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("reatt")

    for name, statements in STEPS.items():
        migrations(name=name)(_step(statements))

    with connection:  # commits, or rolls everything back
        connection.execute("BEGIN IMMEDIATE")  # waits for another process that is creating the same store
        migrations.apply(Database(connection, recursive_triggers=False))
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def _step(statements: Sequence[str]) -> Callable[[Database], None]:
    """Return what takes a step; a word index that is made anew is filled, too."""

    def take(database: Database) -> None:
        for statement in statements:
            database.execute(statement)
        if index.WORDS in statements:
            index.fill(database.conn)

    return take
