"""What can be wrong with the folder of a store: bits, rows, schema, sizes, side files, links, pipes."""

import json
import os
import shutil
import socket
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

DEEP = 100_000
LARGE = 10_000_000  # bytes; a larger file is one that was made hollow
TEXTS = [
    "", "\0", "a" * 70_000, "../../mine/a.txt", "/etc/passwd", "/dev/zero", "\x1b]0;x\x07", "R-1", "[" * 5000, "nan",
    "1e999", "9" * 5000, "{}", "null", "[[]]", '{"a": {"b": []}}', "%s", "~nouser", "true", "caf\u00e9\u202e", "x.md",
]  # fmt: skip
NUMBERS = [-1, 0, 1, 2, 3, 7, 255, 65_536, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63), 0.5, -0.0, 1e308, float("inf")]
BLOBS = [b"", b"\0" * 32, b"\xff\xfe", b"\xed\xa0\x80", b"x" * 100_000, b"\0" * 16]
JSONS = [
    "", "{", "[]", "null", "1e999", "NaN", "[" * DEEP, '{"a":' * DEEP, "9" * 5000, '"\\ud800"',
    '{"schema": "reatt.ask/1"}', '{"schema": "reatt.ask/1", "evidence": [null]}', "\ufeff{}", '{"a": 1, "a": 2}',
    "{}" * 1000,
]  # fmt: skip
SCHEMAS = [
    "CREATE VIEW {t} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
    "CREATE TRIGGER t_{t} AFTER INSERT ON {t} BEGIN DELETE FROM documents; END",
    "CREATE TRIGGER d_{t} BEFORE DELETE ON {t} BEGIN SELECT RAISE(ABORT, 'no'); END",
    "CREATE TABLE other (a INTEGER PRIMARY KEY, b CHECK (length(randomblob(1000000000)) > 0))",
    "CREATE INDEX i_{t} ON {t} (abs(rowid))",
    "CREATE VIRTUAL TABLE v_{t} USING fts5 (a, content='documents')",
    "CREATE TEMP TABLE {t} (a)",
    "DROP TABLE {t}",
    "ALTER TABLE {t} ADD COLUMN extra DEFAULT (zeroblob(1000))",
    "ALTER TABLE {t} RENAME TO renamed",
    "PRAGMA user_version = 9",
    "PRAGMA user_version = 1",
    "PRAGMA user_version = -1",
    "PRAGMA application_id = 0",
    "PRAGMA journal_mode = WAL",
    "PRAGMA auto_vacuum = FULL; VACUUM",
    "PRAGMA page_size = 512; VACUUM",
    "PRAGMA page_size = 65536; VACUUM",
    "REINDEX",
    "ANALYZE",
    "DELETE FROM sqlite_sequence",
    "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "UPDATE sqlite_sequence SET seq = 'x'",
]
KINDS = ["TEXT", "INTEGER", "BLOB", "REAL", "", "NOT NULL", "UNIQUE", "CHECK (1)", "DEFAULT (1)", "COLLATE NOCASE"]


def damaged(pick, store, mine):
    """Damage a store in one to three ways; return what was done."""
    done = []
    for _ in range(pick.choice((1, 1, 1, 2, 3))):
        way = pick.choice(WAYS)
        with suppress(OSError, sqlite3.Error, sqlite3.Warning, ArithmeticError, LookupError, ValueError, MemoryError):
            done.append(f"{way.__name__} {way(pick, store, mine)}")
    return done


def bits(pick, store, mine):
    """Flip some bits of a file, or write bytes into it."""
    path = _some_file(pick, store)
    data = bytearray(path.read_bytes())
    for _ in range(pick.choice((1, 1, 3, 50))):
        at = pick.randrange(min(len(data), pick.choice((100, 4096, len(data)))))
        if pick.random() < 0.6:
            data[at] ^= 1 << pick.randrange(8)
        else:
            new = pick.choice((b"\0" * 8, b"\xff" * 4, pick.randbytes(16), data[: pick.randrange(200)]))
            data[at : at + len(new)] = new
    path.write_bytes(data)
    return path.name


def sizes(pick, store, mine):
    """Cut, lengthen, empty or hollow a file."""
    path = _some_file(pick, store)
    size = path.stat().st_size
    new = pick.choice((0, 1, size // 2, size - 1, size + 1, size + 4096, 2**28 + 1, 2**33, 2**40, size // 4096 * 4096))
    if pick.random() < 0.2:
        path.write_bytes(path.read_bytes() * 2)
        return f"{path.name} twice"
    os.truncate(path, new)
    return f"{path.name} {new}"


def rows(pick, store, mine):
    """Set cells, remove rows, or repeat them."""
    with _opened(store) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        table = pick.choice(_tables(database))
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        column, value = pick.choice(columns), _value(pick)
        which = pick.choice(("", "WHERE rowid = 1", "WHERE rowid % 2"))
        way = pick.random()
        if way < 0.7:
            database.execute(f"UPDATE OR REPLACE {table} SET {column} = ? {which}", [value])
        elif way < 0.8:
            database.execute(f"UPDATE {table} SET {column} = CAST(? AS TEXT) {which}", [pick.choice(BLOBS)])
        elif way < 0.9:
            database.execute(f"DELETE FROM {table} {which}")
        else:
            names = ", ".join(columns[1:])
            database.execute(f"INSERT OR REPLACE INTO {table} ({names}) SELECT {names} FROM {table}")
        return f"{table}.{column} {value!r:.30} {which} {way:.1f}"


def schema(pick, store, mine):
    """Add a trap to the schema, or change what it says of a column."""
    with _opened(store) as database:
        table = pick.choice(_tables(database))
        if pick.random() < 0.6:
            statement = pick.choice(SCHEMAS).format(t=table)
            database.executescript(statement)
            return statement[:60]
        old, new = pick.choice(KINDS[:4]), pick.choice(KINDS)
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?", [old, new, table])
        return f"{table}: {old} is {new}"


def side_files(pick, store, mine):
    """Write a file that stands beside the database, or one that was never there."""
    names = [
        "lock",
        "sources",
        "answers/A-0a1b2c3d4e.json",
        "reports/R-1.html",
        "tmp/x",
        "cache/x",
        "models/x/config.json",
    ]
    names += [
        "reatt.db-journal",
        "reatt.db-wal",
        "reatt.db-shm",
        "segments/x",
        "training/state.json",
        "config.toml",
        "R-1",
    ]
    there = [str(path.relative_to(store)) for path in _files(store) if path.name != "reatt.db"]
    path = store / pick.choice(names + there)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = pick.choice(JSONS + TEXTS)
    path.unlink(missing_ok=True)
    path.write_bytes(pick.choice((text.encode("utf-8", "surrogatepass"), pick.choice(BLOBS), pick.randbytes(600))))
    return str(path.relative_to(store))


def values(pick, store, mine):
    """Change one value inside a JSON file."""
    path = pick.choice([path for path in _files(store) if path.suffix == ".json"])
    read = json.loads(path.read_text())
    place = read
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = pick.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or pick.random() < 0.3:
            break
        place = place[key]
    place[key] = pick.choice(NUMBERS + TEXTS + [None, [], {}, [[]], True])
    path.write_text(json.dumps(read))
    return f"{path.name} {key} {place[key]!r:.30}"


def journal(pick, store, mine):
    """Leave an unfinished change, whole or broken, or one that names another file."""
    database = store / "reatt.db"
    kept = database.read_bytes() if database.stat().st_size < LARGE else b""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE junk (a)")
        writer.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
                       "INSERT INTO junk SELECT randomblob(900) FROM n")  # fmt: skip
        left = bytearray((store / "reatt.db-journal").read_bytes())
        new = database.read_bytes() if kept else b""
    (store / "reatt.db").write_bytes(pick.choice((kept, new)))
    way = pick.randrange(4)
    if way == 1:
        name = os.fsencode(mine / "a.txt")
        left += (
            (1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big") + (sum(name) & 0xFFFFFFFF).to_bytes(4, "big")
        )
        left += bytes.fromhex("d9d505f920a163d7")
    elif way == 2:
        left[pick.randrange(28)] ^= 1 << pick.randrange(8)
    elif way == 3:
        left[16:20] = b"\x7f\xff\xff\xff"
    (store / "reatt.db-journal").write_bytes(left)
    return way


def links(pick, store, mine):
    """Put a link, a pipe, a socket, a device or a folder in the place of something, or beside it."""
    path = pick.choice(
        [*_files(store), *_folders(store), store / "lock", store / "tmp" / "x", store / "reatt.db-journal"]
    )
    if pick.random() < 0.3:
        path = path.parent / "beside"
    _remove(path)
    targets = (mine / "a.txt", mine, "/dev/zero", "/dev/stdin", store, "nowhere", store / "reatt.db")
    way = pick.choice(("link", "link", "pipe", "socket", "folder", "device", "hard", "closed"))
    if way == "link":
        path.symlink_to(pick.choice(targets))
    elif way == "pipe":
        os.mkfifo(path)
    elif way == "socket":
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(os.fspath(path))
    elif way == "folder":
        path.mkdir()
        (path / "x").write_text("x")
    elif way == "device":
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, pick.choice((3, 5, 7, 8))))
    elif way == "hard":
        os.link(mine / "a.txt", path)
    else:
        path.write_text("x")
        path.chmod(0)
    return f"{way} {path.relative_to(store)}"


def losses(pick, store, mine):
    """Lose a file or folder, or move it to the place of another."""
    path, other = pick.choice([*_files(store), *_folders(store)]), pick.choice(_files(store))
    if pick.random() < 0.5:
        _remove(path)
        return f"no {path.relative_to(store)}"
    os.replace(path, other)
    return f"{path.name} as {other.name}"


def modes(pick, store, mine):
    """Close a file or folder to its owner, or open it to all."""
    path = pick.choice([*_files(store), *_folders(store), store])
    path.chmod(pick.choice((0, 0o200, 0o400, 0o500, 0o777, 0o1777, 0o4755)))
    return path.name


WAYS = [bits, bits, bits, sizes, rows, rows, rows, rows, schema, side_files, side_files, values, journal, links, links]
WAYS += [losses, modes]


def _value(pick):
    kind = pick.randrange(5)
    return None if kind == 4 else pick.choice((NUMBERS, TEXTS, BLOBS, JSONS)[kind])


def _tables(database):
    return [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]


def _opened(store):
    """Open the database as any program could, and save what is done to it."""
    database = sqlite3.connect(store / "reatt.db", isolation_level=None)
    database.execute("PRAGMA ignore_check_constraints = ON")
    return closing(database)


def _some_file(pick, store):
    return pick.choice([path for path in _files(store) if 0 < path.stat().st_size < LARGE])


def _files(store):
    return sorted(path for path in store.rglob("*") if path.is_file() and not path.is_symlink())


def _folders(store):
    return sorted(path for path in store.rglob("*") if path.is_dir() and not path.is_symlink())


def _remove(path: Path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
