"""Opening SQLite, and translating its errors and those of the file system."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from reatt_store import gate
from reatt_store.errors import DiskFull, NoLocks, NoStore, ReadOnly, StoreDamaged, StoreError, StoreLocked, UsageError
from reatt_store.gate import DATABASE
from reatt_store.migrations import foreign, migrate
from reatt_store.opening import fresh, private_folder, replace_bytes

FOLDERS = ("segments", "tmp", "cache", "models")
PATIENCE = 60.0  # seconds that readers wait for a commit, and a commit for readers
NAP = 0.2  # seconds that SQLite waits at a time, and hears no signal
STEPS = 50_000  # of SQLite's machine between two looks for a signal: about a millisecond

CACHE = "PRAGMA cache_size = -65536"  # KiB

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LOCKLESS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
# The schema is ours when a statement runs, so one that fails (SQLITE_ERROR and the last two) met rows that are not.
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG,
}  # fmt: skip
_UNLOCKED = {
    sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
}  # fmt: skip
_T = TypeVar("_T")


class Connection(sqlite3.Connection):
    """A connection that reads all rows at once: an open cursor would hold a lock that blocks the writer's commit.

    Ctrl-C and SIGTERM are heard in the middle of a query, and while another process holds a lock.
    """

    file: Path
    _raised: BaseException | None = None  # by a signal, in the middle of a query

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query."""
        with self.translated():
            return self._patiently(lambda: self.execute(sql, parameters).fetchall())

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction, which is on disk when the block ends."""
        with self.translated():
            self._patiently(lambda: self.execute("BEGIN IMMEDIATE"))
            try:
                yield
                self._patiently(lambda: self.execute("COMMIT"))
            except BaseException:
                self.rollback()
                raise

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Translate errors of SQLite; raise what a signal raised while SQLite worked."""
        with translated(self.file):
            try:
                yield
            except sqlite3.OperationalError:
                raised, self._raised = self._raised, None
                if raised is not None:
                    raise raised from None
                raise

    def listen(self) -> None:
        """Look for signals all along: SQLite itself runs a statement to its end, however long that takes.

        Python handles a signal as a frame begins or resumes, and SQLite drops what a callback raises. A generator
        resumes inside its `try`, so it can keep what was raised.
        """

        def ears() -> Iterator[int]:
            go_on = 0
            while True:
                try:
                    yield go_on
                    go_on = 0
                except GeneratorExit:
                    return
                except BaseException as raised:
                    self._raised, go_on = raised, 1

        listening = ears()
        next(listening)
        self.set_progress_handler(listening.__next__, STEPS)

    def _patiently(self, step: Callable[[], _T]) -> _T:
        """Take a step that another process may delay by its lock; in between, signals are heard."""
        until: float | None = None
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or (until is not None and time.monotonic() > until):
                    raise
                if until is None:
                    _require_locks(self.file)  # without them SQLite says so for ever
                    until = time.monotonic() + PATIENCE
                time.sleep(0.01)


def open_reader(folder: Path, doubted: bool = False) -> Connection:
    """Open a store to read; `doubted`, for a check, also one whose schema is not ours.

    The file is opened for writing, but queries may only read. A reader that comes after a killed writer can then roll
    back its journal, which `mode=ro` cannot. On read-only media SQLite opens the same file for reading.
    """
    database = folder / DATABASE
    pass_gate(folder, doubted)
    if not database.is_file():
        raise NoStore(f"no store in {folder}", "reatt ingest PATH", str(folder))
    try:
        connection = connect(database, "mode=rw")
        version = _version(connection, doubted)
    except StoreError:
        if os.access(folder, os.W_OK) or gate.journal(folder).exists():
            raise
        connection = connect(database, "immutable=1")  # media that do not support locks
        version = _version(connection, doubted)
    if version == 0:
        raise NoStore(f"the store in {folder} was never completed", "reatt ingest PATH", str(folder))
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_writer(folder: Path, doubted: bool = False) -> Connection:
    """Open a store to write, with the schema brought up to date; `doubted`, for a repair, whatever its schema is."""
    pass_gate(folder, doubted)
    with translated(folder):
        _make(folder)
        connection = connect(folder / DATABASE, "mode=rw")
        _version(connection, doubted)
        connection.execute("PRAGMA journal_mode = DELETE")  # WAL loses commits in SQLite before 3.51.3
        connection.execute(
            "PRAGMA synchronous = EXTRA"
        )  # with FULL, a power cut can restore a journal and undo a commit
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        if not doubted:
            migrate(connection)
    return connection


def connect(database: Path, how: str) -> Connection:
    """Open one database file; `how` is the query part of an SQLite URI."""
    uri = f"file:{quote(os.fsencode(database))}?{how}"
    with translated(database):
        connection = sqlite3.connect(uri, uri=True, timeout=NAP, isolation_level=None, factory=Connection)
        connection.file = database
        connection.listen()
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # a store is one file
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
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


def pass_gate(folder: Path, doubted: bool = False) -> None:
    """Raise if a folder is not fit to be opened as a store; one that does not exist is."""
    with suppress(FileNotFoundError, NotADirectoryError), translated(folder):
        gate.inspect(folder, doubted)


def replace_text(file: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    with translated(file):
        replace_bytes(file, text.encode())


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
            private_folder(each)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:  # below a file, or in /proc
        message = f"cannot create a store in {folder}: {error.strerror}"
        raise ReadOnly(message, "name another folder with --store", str(folder)) from error
    # SQLite would create a file that all can read; its journals inherit the mode of the file.
    os.close(os.open(folder / DATABASE, os.O_RDWR | os.O_CREAT, 0o600))


def _version(connection: Connection, doubted: bool) -> int:
    """Return the format of the file, 0 for an empty one; close it and raise if it is not as reatt makes one."""
    try:
        return _known_version(connection, doubted)
    except BaseException:
        connection.close()
        raise


def _known_version(connection: Connection, doubted: bool) -> int:
    connection.rows(CACHE)  # this reads the schema, so it may have to wait
    version, application = (int(connection.value(f"PRAGMA {name}")) for name in ("user_version", "application_id"))
    gate.known(connection.file, application, version)
    if connection.value("PRAGMA journal_mode") == "wal":
        raise gate.logged(connection.file)
    with connection.translated():
        strange = None if doubted else connection._patiently(lambda: foreign(connection, version))
    if strange is not None:
        message = f"{connection.file} is damaged: {strange}"
        raise StoreDamaged(message, "reatt check --repair", str(connection.file))
    return version


def _from_sqlite(error: sqlite3.Error, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python itself
        undecodable = isinstance(error, sqlite3.OperationalError)
        return _damaged(error, path) if undecodable else error
    if code in _UNLOCKED:
        return _lockless(path)
    code &= 0xFF
    if code == sqlite3.SQLITE_ERROR and "pattern too complex" in str(error):
        return UsageError("a pattern is too long", "use a shorter one")
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return ReadOnly(f"{path} cannot be written to", "check its permissions", str(path))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(f"{path} is still locked by another process", "try again later", str(path))
    if code in _DAMAGED:
        return _damaged(error, path)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        if isinstance(_refusal(path), DiskFull):  # a quota, or a disk without inodes, of which SQLite says only this
            return _full(path)
        fix = "check the disk, its quota and the permissions"
        return StoreDamaged(f"{path} cannot be read or written: {error}", fix, str(path))
    return error


def _damaged(error: sqlite3.Error, path: Path) -> StoreDamaged:
    return StoreDamaged(f"{path} is damaged: {error}", "reatt check --repair", str(path))


def _require_locks(database: Path) -> None:
    """Raise NoLocks where the file system has none; SQLite takes that for a lock of another process."""
    refused = _refusal(database)
    if isinstance(refused, NoLocks):
        raise refused


def _refusal(database: Path) -> Exception | None:
    """Try to make, lock and write a file beside a database; return what the system refuses, or None."""
    try:
        with fresh(database.parent) as (path, file):
            path.unlink()
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(file.fileno(), b"reatt")
    except OSError as error:
        return _from_system(error, database)
    return None


def _full(path: Path) -> DiskFull:
    return DiskFull(f"no space left for {path}", "free some space and run the command again", str(path))


def _lockless(path: Path) -> NoLocks:
    fix = "keep the store on a local disk (--store DIR), or mount that file system with locks"
    return NoLocks(f"{path} cannot be locked: its file system has no locks", fix, str(path))


def _from_system(error: OSError, path: Path) -> Exception:
    if error.errno in _FULL:
        return _full(path)
    if error.errno in _LOCKLESS:
        return _lockless(path)
    if error.errno in _CLOSED:
        return ReadOnly(f"{path} cannot be written to: {error.strerror}", "check its permissions", str(path))
    if error.errno == errno.EIO:
        return StoreDamaged(f"{path}: {error.strerror}", "check the disk and the permissions", str(path))
    return error
