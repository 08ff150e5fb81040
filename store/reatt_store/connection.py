"""Opening SQLite, and translating its errors and those of the file system."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reatt_store.errors import (
    DiskFull,
    NoStore,
    ReadOnly,
    StoreDamaged,
    StoreError,
    StoreLocked,
    StoreNewer,
    UsageError,
)
from reatt_store.migrations import APPLICATION, FORMAT, migrate
from reatt_store.opening import private

DATABASE = "reatt.db"
FOLDERS = ("segments", "tmp", "cache", "models")
PATIENCE = 60.0  # seconds that readers wait for a commit, and a commit for readers

# A pattern matches a whole path, or its end from any folder on: `*.md`, `reports/*.pdf`. As in SQLite, * matches /.
MATCHES_PATH = "(documents.path GLOB ? OR documents.path GLOB '*/' || ?)"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class Connection(sqlite3.Connection):
    """A connection that reads all rows at once: an open cursor would hold a lock that blocks the writer's commit."""

    file: Path

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query."""
        with translated(self.file):
            return self.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction, which is on disk when the block ends."""
        with translated(self.file):
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self.rollback()
                raise


def open_reader(folder: Path) -> Connection:
    """Open a store to read.

    The file is opened for writing, but queries may only read. A reader that comes after a killed writer can then roll
    back its journal, which `mode=ro` cannot. On read-only media SQLite opens the same file for reading.
    """
    database = folder / DATABASE
    refuse_links(folder)
    if not database.is_file():
        raise NoStore(f"no store in {folder}", "reatt ingest PATH", str(folder))
    try:
        connection = connect(database, "mode=rw")
        version = _version(connection, database)
    except StoreError:
        if os.access(folder, os.W_OK) or _journal(database).exists():
            raise
        connection = connect(database, "immutable=1")  # media that do not support locks
        version = _version(connection, database)
    if version == 0:
        raise NoStore(f"the store in {folder} was never completed", "reatt ingest PATH", str(folder))
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_writer(folder: Path) -> Connection:
    """Open a store to write, with the schema brought up to date."""
    refuse_links(folder)
    with translated(folder):
        _make(folder)
        connection = connect(folder / DATABASE, "mode=rw")
        _version(connection, folder / DATABASE)
        connection.execute("PRAGMA journal_mode = DELETE")  # WAL loses commits in SQLite before 3.51.3
        connection.execute(
            "PRAGMA synchronous = EXTRA"
        )  # with FULL, a power cut can restore a journal and undo a commit
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
    return connection


def connect(database: Path, how: str) -> Connection:
    """Open one database file; `how` is the query part of an SQLite URI."""
    uri = f"file:{quote(os.fsencode(database))}?{how}"
    with translated(database):
        connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, factory=Connection)
        connection.file = database
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -65536")  # KiB
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate errors of SQLite and of the file system to StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _from_sqlite(error, path) from error
    except OSError as error:
        raise _from_system(error, path) from error
    except UnicodeEncodeError as error:  # a command line argument that is not valid text
        raise UsageError(f"not UTF-8: {error.object[:80]!r}", "use UTF-8 for patterns and paths", str(path)) from error


def refuse_links(folder: Path) -> None:
    """Raise StoreDamaged if a stranger's store would make us write, truncate or delete somewhere else."""
    with suppress(FileNotFoundError, NotADirectoryError), translated(folder), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                fix = "replace it by its target; to keep the whole store elsewhere, use --store"
                raise StoreDamaged(f"{entry.path} is a link, but a store contains no links", fix, entry.path)


def replace_text(file: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    part = file.with_name(file.name + ".part")
    with translated(file):
        with open(part, "w", encoding="utf-8", opener=private) as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renames and removals in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    try:
        for each in (folder, *(folder / name for name in FOLDERS)):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:  # below a file, or in /proc
        message = f"cannot create a store in {folder}: {error.strerror}"
        raise ReadOnly(message, "name another folder with --store", str(folder)) from error
    # SQLite would create a file that all can read; its journals inherit the mode of the file.
    os.close(os.open(folder / DATABASE, os.O_RDWR | os.O_CREAT, 0o600))


def _version(connection: Connection, database: Path) -> int:
    """Return the format of the file, 0 for an empty one."""
    version = int(connection.value("PRAGMA user_version"))
    application = int(connection.value("PRAGMA application_id"))
    if (version or application) and application != APPLICATION:
        raise StoreDamaged(f"{database} is not a reatt store", "choose another folder with --store", str(database))
    if version > FORMAT:
        message = f"{database} has format {version}; this version of reatt reads up to {FORMAT}"
        raise StoreNewer(message, "upgrade reatt", str(database))
    return version


def _journal(database: Path) -> Path:
    return database.with_name(database.name + "-journal")


def _from_sqlite(error: sqlite3.Error, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python itself
        undecodable = isinstance(error, sqlite3.OperationalError)
        return _damaged(error, path) if undecodable else error
    code &= 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"no space left for {path}", "free some space and run the command again", str(path))
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return ReadOnly(f"{path} cannot be written to", "check its permissions", str(path))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(f"{path} is still locked by another process", "try again later", str(path))
    if code in _DAMAGED:
        return _damaged(error, path)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        fix = "check the disk, its quota and the permissions"
        return StoreDamaged(f"{path} cannot be read or written: {error}", fix, str(path))
    return error


def _damaged(error: sqlite3.Error, path: Path) -> StoreDamaged:
    return StoreDamaged(f"{path} is damaged: {error}", "reatt check --repair", str(path))


def _from_system(error: OSError, path: Path) -> Exception:
    if error.errno in _FULL:
        return DiskFull(f"no space left for {path}", "free some space and run the command again", str(path))
    if error.errno in _CLOSED:
        return ReadOnly(f"{path} cannot be written to: {error.strerror}", "check its permissions", str(path))
    if error.errno == errno.EIO:
        return StoreDamaged(f"{path}: {error.strerror}", "check the disk and the permissions", str(path))
    return error
