"""What seldom happens to a store: odd media, readers and writers that meet, errors of all kinds, damage of any kind."""

import errno
import os
import socket
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from reatt_store import checking, connection, generations, locking
from reatt_store.connection import open_reader, open_writer, translated
from reatt_store.errors import DiskFull, NoSuchId, Notice, ReadOnly, StoreDamaged, StoreError, StoreLocked, UsageError
from reatt_store.library import Chunk, Document, Library, Problem
from reatt_store.selection import Selection
from reatt_store.vectors import nearest, segments
from reatt_store.vectors.nearest import TokenIndex, open_index
from reatt_store.vectors.sealing import insert, sealed
from reatt_store.vectors.segments import draft


def put(library, name, *texts):
    chunks = [Chunk(i, 0, len(text), 1, None, "", text) for i, text in enumerate(texts)]
    with library.writing() as writer:
        lacking = sorted(library.missing(1, [chunk.digest for chunk in chunks]))
        keys = [np.random.default_rng([*digest]).standard_normal((3, 4)).astype(np.float32) for digest in lacking]
        document = Document(f"/{name}", None, "", "text", "", 1, 0)
        writer.publish([(document, chunks)], draft(lacking, keys) if lacking else None, 1)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        with library.writing() as writer:
            writer.switch(writer.begin_generation("print", "mini", "aa"))
        put(library, "a", "apple", "pear")
        yield library


def change(library, *statements):
    with sqlite3.connect(library.folder / "reatt.db") as other:
        for sql in statements:
            other.execute(sql)


def found(library):
    return {damage.what for damage in library.check().damaged}


def numbered(code):
    error = sqlite3.OperationalError("of SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (numbered(sqlite3.SQLITE_FULL), DiskFull),
        (numbered(sqlite3.SQLITE_READONLY_DBMOVED), ReadOnly),
        (numbered(sqlite3.SQLITE_BUSY), StoreLocked),
        (numbered(sqlite3.SQLITE_CORRUPT_VTAB), StoreDamaged),
        (numbered(sqlite3.SQLITE_IOERR_WRITE), StoreDamaged),
        (numbered(sqlite3.SQLITE_MISUSE), sqlite3.OperationalError),
        (sqlite3.OperationalError("Could not decode to UTF-8"), StoreDamaged),
        (sqlite3.ProgrammingError("a bug of ours"), sqlite3.ProgrammingError),
        (OSError(errno.EDQUOT, "quota"), DiskFull),
        (OSError(errno.EROFS, "read-only"), ReadOnly),
        (OSError(errno.EIO, "broken"), StoreDamaged),
        (OSError(errno.EMFILE, "too many files"), OSError),
    ],
)
def test_every_error_of_sqlite_and_the_system_has_its_row(tmp_path, raised, expected):
    with pytest.raises(expected) as caught, translated(tmp_path):
        raise raised
    assert type(caught.value) is expected


def test_a_word_that_is_no_text_is_a_usage_error(library):
    with pytest.raises(UsageError, match="UTF-8"):
        library.words("apple", 5, Selection(only=("\udcff",)))


@pytest.mark.parametrize("place", ["file/store", "file"])
def test_a_store_below_a_file_is_refused_with_a_hint(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(ReadOnly, match="cannot create a store"):
        Library.create(tmp_path / place)


def test_media_that_cannot_be_locked_can_be_read(library, monkeypatch):
    opened = connection.connect

    def refuses(database, how):
        if how != "immutable=1":
            raise StoreDamaged("cannot be locked")
        return opened(database, how)

    monkeypatch.setattr(connection, "connect", refuses)
    with pytest.raises(StoreError):  # a folder that can be written to is no such medium
        open_reader(library.folder)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert open_reader(library.folder).value("SELECT count(*) FROM documents") == 1


@pytest.mark.parametrize(
    ("note", "there"), [((os.getpid(), "elsewhere"), True), ((2**22 + 1, None), False), ((1, None), True)]
)
def test_a_writer_is_named_while_it_may_live(library, note, there, monkeypatch):
    def kill(pid, _):
        raise PermissionError if pid == 1 else ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)
    pid, host = note
    text = f'{{"pid": {pid}, "host": "{host or socket.gethostname()}", "command": "", "since": ""}}'
    (library.folder / "lock").write_text(text)
    assert (locking.holder(library.folder) is not None) == there


def test_what_no_column_should_hold_is_damage_and_no_traceback(library):
    change(library, "UPDATE segments SET name = x'00'")
    assert "database" in found(library)


def test_a_reference_to_nothing_is_found(library):
    change(library, "INSERT INTO models (generation, name, sha256, added_at) VALUES (9, '', '', '')")
    assert found(library) == {"database"}


def test_wrong_digests_and_wrong_places_are_found(library):
    change(library, "UPDATE chunks SET digest = x'0102' WHERE id = 1")
    assert {"document", "encoding"} <= found(library)
    change(library, "UPDATE encodings SET position = 7 WHERE position = 1")
    assert "encoding" in found(library)


def test_a_text_that_is_no_text_any_more_is_found(library):
    change(library, "UPDATE chunks SET text = CAST(x'ff' AS TEXT) WHERE id = 1")
    assert "document" in found(library)


def test_a_word_index_of_other_words_is_found(library):
    change(
        library,
        "UPDATE words SET text = 'plum' WHERE rowid = 1",
    )
    assert found(library) == {"words"}


def test_a_check_on_media_that_cannot_be_written_passes_over_the_words(library, monkeypatch):
    def refused(_):
        raise ReadOnly("")

    monkeypatch.setattr(checking, "open_writer", refused)
    assert library.check().ok


@pytest.mark.parametrize("part", ["_document", "_segment"])
def test_what_a_writer_takes_away_during_a_check_is_no_damage(library, monkeypatch, part):
    look, gone = getattr(checking, part), []

    def removed_meanwhile(connection, *arguments):
        if not gone:
            gone.append(True)
            with library.writing() as writer:
                writer.remove([1])
                writer.compact()
        return look(connection, *arguments)

    monkeypatch.setattr(checking, part, removed_meanwhile)
    assert library.check().damaged == ()


def test_a_segment_dropped_while_a_reader_opens_it_is_looked_up_again(library, monkeypatch):
    rows = generations._segment_rows
    stale = rows(library._connection, 1)
    with library.writing() as writer:
        writer.remove([1])
        writer.compact()
    answers = iter([stale])
    monkeypatch.setattr(generations, "_segment_rows", lambda *asked: next(answers, None) or rows(*asked))
    assert library.segments(1) == []


def test_a_segment_dropped_between_two_queries_has_no_mask(library):
    places = np.array([(9, 0), (1, 1)], dtype=generations._PLACE)
    masks = generations._masks(library._connection, 1, places, found=True)
    assert {id: mask.tolist() for id, mask in masks.items()} == {1: [False, True]}


def test_places_of_chunks_are_those_of_their_texts(library):
    assert library.places(1, [1, 2, 77]).keys() == {1, 2}


def test_a_commit_of_another_process_is_noticed(library):
    before = library.version()
    put(library, "b", "plum")
    assert library.version() > before


def test_an_unknown_document_is_said_to_be_unknown(library):
    with pytest.raises(NoSuchId, match="9"):
        library.document(9)
    assert (library.problem("/nowhere"), library.cached("nothing")) == (None, None)


def test_a_known_run_among_others_and_a_first_model(library):
    with library.writing() as writer:
        first, second = writer.begin_run("unlabelled", {}), writer.begin_run("qa", {})
    assert [library.run(id).mode for id in (second, first)] == ["qa", "unlabelled"]


def test_a_file_that_was_read_at_last_is_no_problem_any_more(library):
    with library.writing() as writer:
        writer.record_problem(Problem("/r.jsonl", "RECORD_FORMAT", "", "", ""))
        assert writer.forget_path("/r.jsonl") == 0
        writer.clear_problem("/never")
    assert library.problems() == []


def test_an_index_on_the_disk_is_swept_or_kept_but_never_in_the_way(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 1)
    save = TokenIndex.save

    def swept(index, path):
        save(index, path)
        path.unlink()

    monkeypatch.setattr(TokenIndex, "save", swept)
    assert len(open_index(library, 1, library.segments(1))) == 6
    assert list((library.folder / "cache").iterdir()) == []


def test_a_cache_that_vanished_is_built_anew(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 1)
    open_index(library, 1, library.segments(1))
    [path] = (library.folder / "cache").iterdir()
    path.unlink()
    assert len(open_index(library, 1, library.segments(1))) == 6
    assert path.is_file()


def test_a_segment_that_a_row_names_outlives_a_failure_after_the_commit(library):
    vectors = draft([b"0" * 16], [np.ones((1, 4), np.float32)])

    def fail_late():
        with sealed(writer, library.folder, vectors, 1) as file:
            with writer.transaction():
                insert(writer, file, vectors, 1)
            raise StoreDamaged("the last sync failed")

    with closing(open_writer(library.folder)) as writer, pytest.raises(StoreDamaged):
        fail_late()
    assert len(library.segments(1)) == 2


def test_a_small_index_is_not_cached(library):
    assert len(open_index(library, 1, library.segments(1))) == 6
    assert list((library.folder / "cache").iterdir()) == []


def test_documents_and_chunks_come_by_id_by_path_and_by_content(library):
    put(library, "b", "apple")
    assert (library.document(2).document.path, library.chunk(1).chunk.text) == ("/b", "apple")
    assert (sorted(library.paths()), library.repeated()) == (["/a", "/b"], {""})


def test_a_notice_is_a_text_that_knows_its_row():
    assert (Notice("DUPLICATE", "one text, two files"), Notice("DUPLICATE", "").id) == (
        "one text, two files",
        "DUPLICATE",
    )


@pytest.mark.parametrize("name", ["segments", "tmp", "cache", "models", "lock", "reatt.db"])
def test_a_link_in_a_store_from_a_stranger_leads_nobody_out_of_it(library, tmp_path, name):
    kept, place = tmp_path / "mine" / "kept.txt", library.folder / name
    kept.parent.mkdir()
    kept.write_text("of mine")
    with library.writing():
        pass
    place.rename(tmp_path / "away")
    place.symlink_to(kept if (tmp_path / "away").is_file() else kept.parent)
    for use in (library.writing, lambda: Library.create(library.folder), lambda: Library(library.folder)):
        with pytest.raises(StoreDamaged, match="is a link"), use():
            pytest.fail("it was used")
    assert kept.read_text() == "of mine"


def test_a_pipe_or_a_device_in_the_place_of_a_file_holds_nobody_up(library):
    segment = next((library.folder / "segments").iterdir())
    size = segment.stat().st_size
    segment.unlink()
    os.mkfifo(segment)
    with pytest.raises(OSError, match="not a regular file"):
        segments.open_segment(segment, 1, size)
    assert "not a regular file" in str(library.check().damaged)
    (library.folder / "lock").unlink(missing_ok=True)
    os.mkfifo(library.folder / "lock")
    assert locking.holder(library.folder) is None
