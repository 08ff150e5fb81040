"""What lies beside the database, and rows that are not as they were written: read within limits, never followed."""

import json
import os
import resource
import sqlite3
import tracemalloc
from contextlib import closing, suppress

import numpy as np
import pytest

from reatt_store import answers, connection, generations, locking, vouching
from reatt_store.errors import DiskFull, NoLocks, ReattError, StoreDamaged, StoreLocked
from reatt_store.library import Chunk, Document, Library
from reatt_store.opening import fresh, private_folder, replace_bytes, small_json
from reatt_store.records import MOST, sound
from reatt_store.selection import Selection
from reatt_store.vectors.segments import draft


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        with library.writing() as writer:
            writer.switch(writer.begin_generation("print", "mini", "aa"))
            chunks = [Chunk(i, 0, 5, 1, None, "", text) for i, text in enumerate(("apple", "pear"))]
            vectors = draft([chunk.digest for chunk in chunks], [np.ones((2, 4), np.float32) for _ in chunks])
            writer.publish([(Document("/a", None, "", "text", "", 1, 0), chunks)], vectors, 1)
            writer.begin_run("unlabelled", {"steps": 3})
        yield library


def change(library, sql):
    with closing(sqlite3.connect(library.folder / "reatt.db")) as other:
        other.execute(sql)
        other.commit()


def use(library):
    """Read all that can be read of a store."""
    list(library.documents()), list(library.every_chunk()), library.paths(), library.digests("/a"), library.status()
    library.generations(), library.models(), library.runs(), library.problems(), library.words("apple pear", 5)
    library.segments(1), library.live(1), library.places(1, [1, 2]), library.cached("x")
    library.live(1, Selection(only=("*",), after="2024-01-01"))
    library.chunk_ids(1, [(1, 0), (1, 1)]), library.unencoded(1), library.repeated(), library.chunks([1, 2])


VALUES = ("NULL", "-1", "9e999", "1.5", "9223372036854775807", "x'00ff'", "'text'", "''", "'[' || hex(zeroblob(99))")
COLUMNS = {
    "documents": ("path", "external_id", "title", "kind", "digest", "size", "pages", "chunks", "added_at"),
    "chunks": ("document_id", "ordinal", "char_start", "char_end", "line", "page", "title", "text", "digest"),
    "generations": ("fingerprint", "model_name", "model_sha256", "method", "created_at"),
    "segments": ("generation", "name", "bytes", "blake2b", "chunks", "tokens", "width"),
    "encodings": ("digest", "segment", "position"),
    "runs": ("started_at", "ended_at", "mode", "settings", "before", "after", "accepted", "parent_sha256"),
    "models": ("generation", "name", "sha256", "added_at"),
}


@pytest.mark.parametrize("table", COLUMNS)
def test_a_value_of_any_type_in_any_column_is_damage_or_harmless(library, table):
    whole = (library.folder / "reatt.db").read_bytes()
    for column in COLUMNS[table]:
        for value in VALUES:
            try:
                change(library, f"UPDATE OR IGNORE {table} SET {column} = {value}")
            except sqlite3.Error:  # NOT NULL
                continue
            with Library.open(library.folder) as opened:
                with suppress(ReattError, FileNotFoundError):
                    use(opened)
                assert opened.check() is not None
            (library.folder / "reatt.db").write_bytes(whole)


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("n", [-1]),
        ("n", [MOST + 1]),
        ("n", [True]),
        ("n", [1.0]),
        ("t", [b""]),
        ("t", [None]),
        ("N", ["1"]),
        ("nt", [1]),
    ],
)
def test_a_row_that_is_not_sound_is_said_to_be_damaged(columns, row):
    with pytest.raises(StoreDamaged, match="a row of things"):
        sound("things", columns, row)


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "x", "0001-00000001.safetensors/..", ""])
def test_a_segment_is_not_looked_for_outside_its_folder(library, name):
    change(library, f"UPDATE segments SET name = '{name}'")
    with pytest.raises(StoreDamaged, match="a name that reatt does not give"):
        library.segments(1)
    assert "segment" in {damage.what for damage in library.check().damaged}


def test_a_segment_that_claims_more_than_it_has_takes_no_memory(library):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for sql in ("UPDATE segments SET chunks = 1 << 40", "UPDATE segments SET chunks = 1 << 40, bytes = 1 << 50"):
        change(library, sql)
        with pytest.raises((StoreDamaged, OSError)):
            library.segments(1)
        with suppress(StoreDamaged):
            library.live(1, Selection(only=("*",)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_position_that_no_chunk_has_is_damage(library):
    change(library, "UPDATE encodings SET position = 77 WHERE position = 1")
    for look in (lambda: library.places(1, [1, 2]), lambda: library.live(1, Selection(only=("*",)))):
        with pytest.raises(StoreDamaged):
            look()


@pytest.mark.parametrize(
    "text", ["[" * 100, '{"a":' * 100, "9" * 30, "1e999", "NaN", "Infinity", "-Infinity", "{", "\x00"]
)
def test_json_from_a_stranger_is_read_within_limits(text):
    with pytest.raises(ValueError, match=r"."):
        small_json(text)


def test_brackets_in_a_text_are_no_nesting():
    told = {"text": "[[[{{{" * 99 + '"\\', "more": [{"a": [1, 2.5, None]}]}
    assert small_json(json.dumps(told)) == small_json(json.dumps(told).encode()) == told


@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_a_new_file_is_never_one_that_was_there(tmp_path, monkeypatch, there):
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    place, mine = tmp_path / ".reatt-guessed", tmp_path / "mine"
    mine.write_text("mine")
    {"file": place.touch, "link": lambda: place.symlink_to(mine), "folder": place.mkdir}[there]()
    with pytest.raises(FileExistsError), fresh(tmp_path):
        pytest.fail("it was opened")
    assert mine.read_text() == "mine"


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "page").symlink_to(tmp_path / "mine")
    (tmp_path / "page.part").symlink_to(tmp_path / "mine")
    connection.replace_text(tmp_path / "page", "page")
    assert ((tmp_path / "mine").read_text(), (tmp_path / "page").read_text()) == ("mine", "page")
    assert not (tmp_path / "page").is_symlink()


def test_what_fails_is_removed(tmp_path):
    with pytest.raises(ValueError, match="on the way"), fresh(tmp_path):
        raise ValueError("on the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_bytes(tmp_path / "folder", b"")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_mode_of_a_file_is_that_of_the_umask_whatever_it_replaces(tmp_path, umask):
    (tmp_path / "a").touch(0o777)
    before = os.umask(umask)
    try:
        replace_bytes(tmp_path / "a", b"", mode=0o666)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~umask


def test_the_latest_answer_stays_although_the_clock_went_back(tmp_path):
    for number in range(3):
        answers.keep(tmp_path, f"A-{number}", b"x", 3)
        os.utime(tmp_path / "answers" / f"A-{number}.json", ns=(1 << 62, (1 << 60) + number))
    os.utime(tmp_path / "answers", ns=(1 << 60, 1 << 60))
    for number in range(3, 6):
        answers.keep(tmp_path, f"A-{number}", b"x", 3)
        os.utime(tmp_path / "answers", ns=(1 << 60, 1 << 60))
    assert sorted(os.listdir(tmp_path / "answers")) == ["A-3.json", "A-4.json", "A-5.json"]


def test_the_last_ingest_is_the_last_and_not_that_of_the_latest_time(library):
    change(library, "UPDATE documents SET added_at = '2999-01-01T00:00:00+00:00'")
    with library.writing() as writer:
        writer.publish([(Document("/b", None, "", "text", "", 1, 0), [])], None, 0)
        chunk = Chunk(0, 0, 5, 1, None, "", "apple")
        writer.publish([(Document("/c", None, "", "text", "", 1, 0), [chunk])], None, 1)
    assert not library.status().last_ingest.startswith("2999")


@pytest.mark.parametrize("seq", ["'x'", "x'00'", "1.5", "-3", "9223372036854775807"])
def test_a_count_of_segments_that_is_none_is_damage(seq, library):
    change(library, f"UPDATE sqlite_sequence SET seq = {seq} WHERE name = 'segments'")
    there = set((library.folder / "segments").iterdir())
    vectors = draft([Chunk(0, 0, 5, 1, None, "", "plum").digest], [np.ones((2, 4), np.float32)])
    with library.writing() as writer, pytest.raises(StoreDamaged, match="count of segments"):
        writer.publish([], vectors, 1)
    assert set((library.folder / "segments").iterdir()) == there


def test_what_a_user_read_into_a_store_only_that_user_can_say(tmp_path, monkeypatch):
    vouching.remember(tmp_path, ["/mine.txt", "/b"])
    vouching.remember(tmp_path, ["/b"])
    assert vouching.remembered(tmp_path, ("/mine.txt", "/b", "/etc/passwd")) == {"/mine.txt", "/b"}
    assert len((tmp_path / "sources").read_bytes().splitlines()) == 2
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert vouching.remembered(tmp_path, ["/mine.txt"]) == set()
    words = vouching.voucher(b"page")
    assert (vouching.vouched(b"page", words.encode()), vouching.vouched(b"pagE", words.encode())) == (True, False)


def test_what_a_stranger_puts_among_the_files_that_were_read_takes_no_memory(tmp_path):
    (tmp_path / "sources").write_bytes(b"a\n" * 10_000_000)
    tracemalloc.start()
    vouching.remember(tmp_path, ["/mine.txt"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000_000  # each line as an object of its own takes a gigabyte
    assert vouching.remembered(tmp_path, ["/mine.txt", "/b"]) == {"/mine.txt"}
    assert (tmp_path / "sources").stat().st_size == 21


def test_without_a_place_for_a_key_nothing_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    vouching.remember(tmp_path, ["/a"])
    assert vouching.remembered(tmp_path, ["/a"]) == set()
    assert (vouching.voucher(b""), vouching.vouched(b"", b"")) == (None, False)


def test_a_file_system_without_hard_links_keeps_a_key(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "no links")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert vouching.own_key() == vouching.own_key() is not None
    assert os.listdir(tmp_path / "reatt") == ["key"]


@pytest.mark.parametrize("number", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_without_locks_is_named_and_no_other_process_is(library, monkeypatch, number):
    import errno
    import fcntl

    def refused(*_):
        raise OSError(getattr(errno, number), number)

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(NoLocks, match="no locks"), library.writing():
        pytest.fail("it was locked")
    monkeypatch.setattr(fcntl, "lockf", refused)
    monkeypatch.setattr(connection, "PATIENCE", 0.1)
    with closing(sqlite3.connect(library.folder / "reatt.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")  # as SQLite reports it where it cannot lock
        with pytest.raises(NoLocks):
            Library.open(library.folder)


def test_a_disk_without_room_for_a_file_is_full(library, monkeypatch):
    import errno

    def refused(*_, **__):
        raise OSError(errno.ENOSPC, "no inodes")

    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    with pytest.raises(StoreDamaged), connection.translated(library.folder / "reatt.db"):
        raise error
    monkeypatch.setattr(connection, "fresh", refused)
    with pytest.raises(DiskFull), connection.translated(library.folder / "reatt.db"):
        raise error


def test_a_locked_file_that_was_replaced_is_no_lock(library, monkeypatch):
    with library.writing():
        with pytest.raises(StoreLocked), library.writing():
            pytest.fail("two writers")
        (library.folder / "lock").rename(library.folder / "tmp" / "away")
        assert locking.holder(library.folder) is None
        with library.writing():
            assert locking.holder(library.folder).pid == os.getpid()


def test_a_name_of_a_segment_is_the_only_one(tmp_path):
    assert generations.segment_file(tmp_path, "0001-00000001.safetensors").parent == tmp_path / "segments"


def test_a_folder_is_made_with_those_above_it_for_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        private_folder(tmp_path / "a" / "b")
        private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in sorted(tmp_path.rglob("*"))] == [0o700, 0o700]
