"""The gate of a store: what a stranger or another program left in its folder is refused before SQLite sees it."""

import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from contextlib import closing

import pytest

from reatt_store import connection, gate
from reatt_store.connection import open_reader, open_writer
from reatt_store.errors import NoStore, StoreDamaged, StoreLocked, StoreNewer, SystemRefused
from reatt_store.library import Chunk, Document, Library
from reatt_store.locking import locked
from reatt_store.opening import LARGE, open_regular
from reatt_store.repairing import repair

MAGIC = bytes.fromhex("d9d505f920a163d7")
HALF = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA cache_size = 1")
c.execute("BEGIN IMMEDIATE")
c.execute("CREATE TABLE junk (a)")
for _ in range(2000):
    c.execute("INSERT INTO junk VALUES (randomblob(900))")
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def store(tmp_path):
    with Library.create(tmp_path / "store") as library, library.writing() as writer:
        writer.publish([(Document("/a", None, "", "text", "", 1, 0), [Chunk(0, 0, 5, 1, None, "", "apple")])], None, 0)
    return tmp_path / "store"


@pytest.fixture
def hot(store):
    """Leave a journal, as a writer does that is killed in the middle."""
    subprocess.run([sys.executable, "-c", HALF, store / "reatt.db"], check=False)
    assert gate.journal(store).stat().st_size > 0
    return store


def change(store, *statements):
    with closing(sqlite3.connect(store / "reatt.db")) as other:
        for sql in statements:
            other.execute(sql)
        other.commit()


def names(store, victim):
    """End the journal as SQLite does in a transaction over several databases."""
    name = os.fsencode(victim)
    path = gate.journal(store)
    page = struct.unpack(">I", path.read_bytes()[24:28])[0]
    with open(path, "ab") as file:
        file.write(struct.pack(">I", 0x40000000 // page + 1) + name)
        file.write(struct.pack(">II", len(name), sum(name) & 0xFFFFFFFF) + MAGIC)


def refused(store, error, match):
    for use in (open_reader, open_writer, lambda folder: Library(folder, doubted=True)):
        with pytest.raises(error, match=match):
            use(store)


@pytest.mark.parametrize("place", ["victim.txt", "store/segments/kept", "nowhere"])
def test_a_journal_that_names_a_file_deletes_none(hot, tmp_path, place):
    victim = tmp_path / place
    if place != "nowhere":
        victim.write_text("precious")
    names(hot, victim)
    refused(hot, StoreDamaged, "names another file")
    assert victim.exists() is (place != "nowhere")


def test_a_journal_that_names_no_whole_file_is_refused_all_the_same(hot):
    with open(gate.journal(hot), "ab") as file:
        file.write(b"\0" * 8 + MAGIC)
    refused(hot, StoreDamaged, "names another file")


def test_a_journal_of_a_killed_writer_is_played_back(hot):
    with Library.open(hot) as library:
        assert [found.document.path for found in library.documents()] == ["/a"]
    assert not gate.journal(hot).exists()


def linked(store, victim, name):
    """Let a file of a store be a file of ours, as an archive can have it."""
    if (store / name).exists():
        victim.write_bytes((store / name).read_bytes())
        (store / name).unlink()
    else:
        victim.write_text("precious")
    os.link(victim, store / name)
    return victim.read_bytes()


def test_a_folder_in_the_place_of_the_lock_is_said_to_be_one(store):
    (store / "lock").unlink(missing_ok=True)
    (store / "lock").mkdir()
    with pytest.raises(IsADirectoryError), locked(store):
        pass


@pytest.mark.parametrize("name", ["lock", "reatt.db"])
@pytest.mark.parametrize("doubted", [False, True])
def test_no_writer_writes_to_a_file_that_has_another_name(name, doubted, store, tmp_path):
    (store / "lock").unlink(missing_ok=True)
    before = linked(store, tmp_path / "victim", name)
    with pytest.raises(StoreDamaged, match="has another name"), locked(store, doubted):
        pass
    with pytest.raises(StoreDamaged, match="has another name"):
        repair(store)
    assert (tmp_path / "victim").read_bytes() == before
    with Library.open(store) as library:  # who only reads changes nothing
        assert library.check().ok


def test_a_journal_is_not_played_into_a_file_that_has_another_name(hot, tmp_path):
    before = linked(hot, tmp_path / "victim", "reatt.db")
    refused(hot, StoreDamaged, "has another name")
    assert (tmp_path / "victim").read_bytes() == before


def test_a_database_that_was_copied_over_its_link_is_written_again(store, tmp_path):
    linked(store, tmp_path / "victim", "reatt.db")
    with pytest.raises(StoreDamaged) as refusal, locked(store):
        pass
    subprocess.run(refusal.value.fix, shell=True, check=True)
    with locked(store):
        pass


def test_a_journal_that_would_make_a_database_of_terabytes_is_refused(hot):
    path = gate.journal(hot)
    content = bytearray(path.read_bytes())
    content[16:20] = b"\xff" * 4
    path.write_bytes(content)
    refused(hot, StoreDamaged, "not of this database")


def test_a_log_of_another_database_is_not_played_in(store, tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE documents (evil)")
        log = (tmp_path / "other.db-wal").read_bytes()
    (store / "reatt.db-wal").write_bytes(log)
    before = (store / "reatt.db").read_bytes()
    refused(store, StoreDamaged, "write-ahead log")
    assert (store / "reatt.db").read_bytes() == before


def test_a_store_that_asks_for_a_log_makes_none(store):
    change(store, "PRAGMA journal_mode = WAL")
    refused(store, StoreDamaged, "write-ahead log")
    assert not (store / "reatt.db-wal").exists()


@pytest.mark.parametrize("place", ["far/below/pipe", "segments/pipe", "reports", "reatt.db-journal"])
def test_a_pipe_anywhere_is_refused_by_all_but_a_repair(store, place):
    (store / place).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(store / place)
    for use in (open_reader, open_writer):
        with pytest.raises(SystemRefused, match="not a regular file"):
            use(store)
    if place != "reatt.db-journal":
        with Library(store, doubted=True) as library:
            assert {damage.what for damage in library.check().damaged} == {"file"}
            repair(store)
            assert library.check().ok
        open_reader(store).close()


@pytest.mark.parametrize("place", ["models/mini/config.json", "far/below/link", "reatt.db-journal", "reports"])
def test_a_link_anywhere_is_refused_by_all(store, tmp_path, place):
    (store / place).parent.mkdir(parents=True, exist_ok=True)
    (store / place).symlink_to(tmp_path)
    refused(store, StoreDamaged, "is a link")


def test_folders_below_folders_end(store):
    store.joinpath(*"abcdefghijklmnopqrst").mkdir(parents=True)
    refused(store, StoreDamaged, "too deep")


def test_a_folder_that_goes_or_is_closed_meanwhile_is_nothing(store, monkeypatch):
    scan = os.scandir

    def gone(place):
        if os.path.basename(place) == "segments":
            raise FileNotFoundError(place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", gone)
    open_reader(store).close()


def test_a_hollow_file_is_not_read(store):
    with open(store / "segments" / "a", "wb") as file:
        file.truncate(LARGE * 64)
    with pytest.raises(OSError, match="all holes"):
        open_regular(store / "segments" / "a")
    with open(store / "reatt.db", "r+b") as file:
        file.truncate(LARGE * 64)
    with pytest.raises(OSError, match="all holes"):
        open_reader(store)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("PRAGMA application_id = 77", StoreDamaged),
        ("PRAGMA user_version = 999", StoreNewer),
        ("PRAGMA user_version = 0", StoreDamaged),
    ],
)
def test_a_database_of_another_kind_or_time_is_refused(store, sql, error):
    change(store, sql)
    with pytest.raises(error):
        open_reader(store)


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"\xff" * 20, b"\0" * 4096], ids=len)
def test_what_is_no_database_is_said_to_be_none(store, content):
    (store / "reatt.db").write_bytes(content)
    refused(store, StoreDamaged, "not a database")


def test_an_empty_file_is_a_store_that_was_never_made(store):
    (store / "reatt.db").write_bytes(b"")
    with pytest.raises(NoStore):
        open_reader(store)
    open_writer(store).close()
    open_reader(store).close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i"
FOREIGN = {
    "a view": [f"CREATE VIEW other AS {ENDLESS} AS a FROM n"],
    "a view in place of a table": ["DROP TABLE problems", f"CREATE VIEW problems AS {ENDLESS} AS path FROM n"],
    "a trigger": ["CREATE TRIGGER words_t AFTER INSERT ON chunks BEGIN DELETE FROM documents; END"],
    "a table": ["CREATE TABLE other (a)"],
    "a table with a check": ["DROP TABLE dead", "CREATE TABLE dead (digest BLOB CHECK (length(zeroblob(1000000000))))"],
    "an index": ["CREATE INDEX other ON chunks (length(text))"],
    "an index that is missing": ["DROP INDEX chunks_by_digest"],
    "a shadow of a shadow": ["CREATE TABLE words_other (a)"],
    "a name like SQLite's": [f"CREATE VIEW x_sqlite_x AS {ENDLESS} AS a FROM n"],
}


@pytest.mark.parametrize("how", FOREIGN)
def test_a_schema_that_is_not_ours_is_not_used_but_can_be_repaired(store, how):
    change(store, *FOREIGN[how])
    for use in (open_reader, open_writer):
        with pytest.raises(StoreDamaged, match="schema"):
            use(store)
    with Library.open(store, doubted=True) as library:
        assert [found.what for found in library.check().damaged] == ["database"]
        assert repair(store) == []
        assert library.check().ok
    with Library.open(store) as library:
        assert [found.document.path for found in library.documents()] == ["/a"]


def test_statistics_of_a_planner_are_no_foreign_schema(store):
    change(store, "ANALYZE")
    open_reader(store).close()


def test_a_list_of_migrations_as_other_versions_made_it_is_ours(store):
    columns = "[migration_set] TEXT,\n   [name] TEXT,\n   [applied_at] TEXT,\n   PRIMARY KEY ([migration_set], [name])"
    change(store, "DROP TABLE _sqlite_migrations", f"CREATE TABLE [_sqlite_migrations] (\n   {columns}\n)")
    open_reader(store).close()


SLOW = """
import signal, sys
from pathlib import Path
from reatt_store.connection import open_reader

class Ended(BaseException):
    pass

def end(*_):
    raise Ended

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, end)
connection = open_reader(Path(sys.argv[1]))
print("ready", flush=True)
try:
    connection.rows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
except (KeyboardInterrupt, Ended) as heard:
    print(type(heard).__name__, connection.value("SELECT count(*) FROM documents"))
"""


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "KeyboardInterrupt 1"), (signal.SIGTERM, "Ended 1")])
def test_a_signal_is_heard_in_the_middle_of_an_endless_query(store, number, said):
    with subprocess.Popen([sys.executable, "-c", SLOW, store], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(number)
        assert process.communicate(timeout=60)[0] == said + "\n"


def test_a_signal_that_raises_nothing_ends_no_query(store):
    heard = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    try:
        with closing(open_reader(store)) as reader:
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            counted = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT count(*) FROM n"
            assert reader.value(counted) == 3_000_000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard


def test_a_lock_that_is_held_for_long_is_said_to_be_held(store, monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with closing(sqlite3.connect(store / "reatt.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreLocked):
            open_reader(store)
        other.execute("ROLLBACK")
    open_reader(store).close()


def test_no_flipped_bit_of_the_first_page_opens_another_schema(store):
    whole = (store / "reatt.db").read_bytes()
    pick = random.Random(1)
    for _ in range(200):
        content = bytearray(whole)
        content[pick.randrange(4096)] ^= 1 << pick.randrange(8)
        (store / "reatt.db").write_bytes(content)
        try:
            with Library.open(store) as library:
                list(library.documents())
        except (StoreDamaged, StoreNewer, NoStore):
            pass
