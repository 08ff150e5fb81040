"""The gate: what the folder of a store must be before SQLite opens it, for it may come from a stranger.

SQLite trusts the files beside a database. A journal that ends with the name of a super-journal makes it delete the
file of that name, and a write-ahead log is played into any database that it lies beside. reatt attaches no database
and keeps no such log, so neither is ever of its making.
"""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
import stat
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from reatt_store.errors import StoreDamaged, StoreNewer, SystemRefused
from reatt_store.migrations import APPLICATION, FORMAT
from reatt_store.opening import open_regular, unfit

DATABASE = "reatt.db"
DEEPEST = 16  # folders below a store
_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_NAMES = ("user_version", "application_id")
_GROWS = 16  # a rolled back journal makes a database at most so many times as large as both are, or a gigabyte


def inspect(folder: Path, doubted: bool = False) -> None:
    """Raise StoreDamaged, StoreNewer or SystemRefused for what must not be opened; a repair sees to pipes itself."""
    for path in odd(folder):
        if not doubted:
            raise SystemRefused(f"cannot use {path}: it is not a regular file", "reatt check --repair", path)
    database = folder / DATABASE
    if os.path.lexists(f"{database}-wal"):
        raise logged(database)
    with suppress(FileNotFoundError):
        _is_whole(database)
        if _journal_is_ours(folder):
            only_name(database)  # SQLite is about to write to it
        else:
            _header_is_ours(database)


def only_name(path: Path) -> None:
    """Raise StoreDamaged for a file that has another name: an archive can link a stranger's store to a file of ours."""
    with suppress(FileNotFoundError):
        found = path.lstat()
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):  # a folder has another name for each in it
            here, copy = shlex.quote(str(path)), shlex.quote(f"{path}.copy")
            message = f"{path} has another name, a hard link, whose file would be changed as well"
            raise StoreDamaged(message, f"cp {here} {copy} && mv {copy} {here}", str(path))


def known(database: Path, application: int, version: int) -> None:
    """Raise unless a database is a store that this version reads; a new one is empty."""
    if (version or application) and application != APPLICATION:
        raise StoreDamaged(f"{database} is not a reatt store", "choose another folder with --store", str(database))
    if version > FORMAT:
        message = f"{database} has format {version}; this version of reatt reads up to {FORMAT}"
        raise StoreNewer(message, "upgrade reatt", str(database))


def journal(folder: Path) -> Path:
    """Name the file by which SQLite takes an unfinished change back."""
    return folder / f"{DATABASE}-journal"


def odd(folder: Path) -> Iterator[str]:
    """Yield what is neither file nor folder; refuse links, which would make us read, write or delete elsewhere."""
    left = [(os.fspath(folder), 0)]
    while left:
        place, depth = left.pop()
        try:
            entries = os.scandir(place)
        except (FileNotFoundError, PermissionError):  # just removed; what cannot be listed is not used either
            if depth:
                continue
            raise
        with entries:
            for entry in entries:
                if entry.is_symlink():
                    fix = "replace it by its target; to keep the whole store elsewhere, use --store"
                    raise StoreDamaged(f"{entry.path} is a link, but a store contains no links", fix, entry.path)
                if entry.is_dir(follow_symlinks=False):
                    left.append((entry.path, depth + 1))
                elif not entry.is_file(follow_symlinks=False) and os.path.lexists(entry.path):
                    yield entry.path
        if depth > DEEPEST:
            raise StoreDamaged(f"{place} lies too deep for a store", "remove it", place)


def _journal_is_ours(folder: Path) -> bool:
    """Return whether there is a journal; raise if SQLite must not play it back."""
    path = journal(folder)
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(28)
            file.seek(max(0, size - 8))
            tail = file.read(8)
            whole = os.stat(folder / DATABASE).st_size + size
    except FileNotFoundError:
        return False
    if size >= 16 and tail == _JOURNAL:
        fix = "get the store again from where it came from"
        raise StoreDamaged(f"{path} names another file for SQLite to delete; reatt does not make such", fix, str(path))
    if len(head) == 28 and head[:8] == _JOURNAL:
        pages, _, page = struct.unpack(">III", head[16:])
        if pages * page > _GROWS * whole + 2**30:
            raise StoreDamaged(f"{path} is not of this database", "get the store again", str(path))
    return True


def _is_whole(database: Path) -> None:
    """Refuse a database that is no file, or nearly all holes; it is not opened, see below."""
    what = unfit(database.lstat())
    if what is not None:
        raise OSError(errno.EINVAL, what, os.fspath(database))


def _header_is_ours(database: Path) -> None:
    """Read what a database says that it is, and nothing else of it.

    SQLite reads it, immutable, without journal and locks. To open and close the file ourselves would release the locks
    that other connections of this process hold on it. A writer may be at work: what cannot be read is left to the
    connection that waits for it.
    """
    uri = f"file:{quote(os.fsencode(database))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as reader:
            version, application = (reader.execute(f"PRAGMA {name}").fetchone()[0] for name in _NAMES)
    except sqlite3.Error:
        return
    known(database, application, version)


def logged(database: Path) -> StoreDamaged:
    """Refuse a database with a write-ahead log, its own or another's."""
    fix = f"if a program of yours did that: sqlite3 {shlex.quote(str(database))} 'PRAGMA journal_mode = DELETE'"
    return StoreDamaged(f"{database} has a write-ahead log, and reatt keeps none", fix, str(database))
