"""Laws of the store of documents: what goes in comes out, changes are whole, readers need nothing."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt_store.errors import NoStore, NoSuchId, ReadOnly, StoreDamaged, StoreLocked, StoreNewer
from reatt_store.library import Chunk, Document, Library, Problem
from reatt_store.selection import Selection

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def chunks_of(*texts: str, title: str = "A title") -> list[Chunk]:
    ends = [sum(map(len, texts[: i + 1])) for i in range(len(texts))]
    return [Chunk(i, ends[i] - len(text), ends[i], 1, None, title, text) for i, text in enumerate(texts)]


def document(path: str = "/d/a.md", external_id: str | None = None, digest: str = "00") -> Document:
    return Document(path, external_id, "A title", "markdown", digest, 10, 0)


def put(library: Library, *texts: str, path: str = "/d/a.md", external_id: str | None = None) -> None:
    with library.writing() as writer:
        writer.publish([(document(path, external_id), chunks_of(*texts))], None, 0)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        yield library


def test_what_is_stored_comes_back_whole(library):
    chunk = Chunk(0, 0, 5, 3, 7, "Naïve \U0001f600", "a\0b\r\n")
    record = Document("/d/ünï.jsonl", "x-1", "T", "jsonl", "ff", 99, 2)
    with library.writing() as writer:
        writer.publish([(record, [chunk])], None, 0)
    [stored] = library.documents()
    assert stored.document == record
    assert [found.chunk for found in library.chunks_of(stored.id)] == [chunk]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=4)), max_size=4))
def test_any_texts_come_back_and_check_is_content(tmp_path_factory, records):
    with Library.create(tmp_path_factory.mktemp("store")) as library:
        for number, (title, texts) in enumerate(records):
            with library.writing() as writer:
                record = Document("/d/r.jsonl", str(number), title, "jsonl", "00", 1, 0)
                writer.publish([(record, chunks_of(*texts, title=title))], None, 0)
        stored = [[found.chunk.text for found in library.chunks_of(each.id)] for each in library.documents()]
        assert stored == [texts for _, texts in records]
        assert library.check().damaged == ()


def test_a_changed_document_keeps_its_id_and_replaces_its_chunks(library):
    put(library, "old words", "more")
    [before] = library.documents()
    put(library, "new words")
    [after] = library.documents()
    assert after.id == before.id
    assert [found.chunk.text for found in library.chunks_of(after.id)] == ["new words"]
    assert library.words("old", 5) == []


def test_a_record_repeated_in_a_batch_is_replaced_by_the_later_one(library):
    with library.writing() as writer:
        twice = [(document("/r.jsonl", "7"), chunks_of("first")), (document("/r.jsonl", "7"), chunks_of("second"))]
        writer.publish(twice, None, 0)
    assert [found.chunk.text for found in library.every_chunk()] == ["second"]


def test_a_file_and_a_record_of_one_path_are_two_documents(library):
    put(library, "whole", path="/r.jsonl")
    put(library, "record", path="/r.jsonl", external_id="")
    assert library.digests("/r.jsonl") == {None: "00", "": "00"}


def test_removing_takes_a_document_out_of_every_answer(library):
    put(library, "apple")
    put(library, "apple pie", path="/d/b.md")
    with library.writing() as writer:
        assert writer.remove([1, 77]) == 1
    assert [id for id, _ in library.words("apple", 5)] == [2]
    with pytest.raises(NoSuchId):
        library.chunk(1)


def test_records_that_vanished_are_forgotten_and_the_others_kept(library):
    for name in "abc":
        put(library, name, path="/r.jsonl", external_id=name)
    with library.writing() as writer:
        assert writer.forget_path("/r.jsonl", {"b"}) == 2
    assert list(library.digests("/r.jsonl")) == ["b"]


def test_chunks_come_in_the_order_asked_without_the_removed(library):
    put(library, "one", "two", "three")
    assert [found.id for found in library.chunks([3, 99, 1, 3])] == [3, 1, 3]


@pytest.mark.parametrize(
    ("only", "expected"),
    [("*.md", 2), ("a.md", 1), ("d/*", 2), ("/d/b.md", 1), ("b.MD", 0), ("x/d/a.md", 0), ("[", 0)],
)
def test_a_glob_names_a_path_or_its_end(library, only, expected):
    put(library, "text", path="/d/a.md")
    put(library, "text", path="/d/b.md")
    put(library, "text", path="/e/c.txt")
    among = Selection(only=(only,))
    assert len(list(library.documents(among))) == len(library.words("text", 9, among)) == expected


def test_pages_of_documents_join_without_seam(library):
    with library.writing() as writer:
        writer.publish([(document("/r.jsonl", str(i)), chunks_of(str(i))) for i in range(1201)], None, 0)
    assert [stored.document.external_id for stored in library.documents()] == [str(i) for i in range(1201)]


def test_writing_between_two_documents_of_a_listing_works(library):
    put(library, "one")
    put(library, "two", path="/d/b.md")
    for stored in library.documents():
        with library.writing() as writer:
            writer.remove([stored.id])
    assert list(library.documents()) == []


def test_a_second_writer_is_refused_at_once_and_told_who_holds_the_store(library):
    with library.writing(), pytest.raises(StoreLocked, match=str(os.getpid())), library.writing():
        pass
    with library.writing():
        assert library.status().holder.pid == os.getpid()
    assert library.status().holder is None


@pytest.mark.parametrize("note", ["", "7", "[]", '{"pid": 1}', '{"pid": "x", "host": 1, "command": "", "since": ""}'])
def test_a_note_about_the_writer_that_is_none_is_passed_over(library, note):
    (library.folder / "lock").write_text(note)
    assert library.status().holder is None


def test_readers_work_while_a_writer_is_open(library):
    put(library, "apple")
    with library.writing() as writer:
        writer.publish([(document("/d/b.md"), chunks_of("pear"))], None, 0)
        assert len(library.words("apple pear", 5)) == 2


def test_a_failed_publish_leaves_nothing(library):
    broken = [(document(), [*chunks_of("good"), Chunk(0, 0, 1, 1, None, "", "same ordinal")])]
    with library.writing() as writer, pytest.raises(sqlite3.IntegrityError):
        writer.publish(broken, None, 0)
    assert list(library.documents()) == []
    assert library.check().ok


def test_problems_stay_until_the_file_is_read(library):
    problem = Problem("/d/a.md", "PDF_NO_TEXT", "pictures only", "ocrmypdf", "ab")
    with library.writing() as writer:
        writer.record_problem(problem)
    assert library.problems() == [problem]
    assert library.problem("/d/a.md") == problem
    put(library, "read at last")
    assert library.problems() == []


def test_opening_what_is_no_store_says_so(tmp_path):
    with pytest.raises(NoStore):
        Library.open(tmp_path)
    (tmp_path / "reatt.db").touch()  # a creation that was killed at once
    with pytest.raises(NoStore):
        Library.open(tmp_path)


def test_a_store_of_a_newer_format_is_refused(library):
    with sqlite3.connect(library.folder / "reatt.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreNewer):
        Library.open(library.folder)


@pytest.mark.parametrize("content", [b"not a database, surely" * 99, b"SQLite format 3\0" + b"\xff" * 4080])
def test_a_file_that_is_no_database_is_damage(tmp_path, content):
    (tmp_path / "reatt.db").write_bytes(content)
    with pytest.raises(StoreDamaged):
        Library.open(tmp_path)


def test_another_programs_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "reatt.db") as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreDamaged):
        Library.create(tmp_path)


def test_nobody_else_may_look_into_a_store(library):
    put(library, "secret")
    paths = [library.folder, *library.folder.rglob("*")]
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_commit_waits_while_a_reader_keeps_the_store_still(library):
    publishing = threading.Thread(target=put, args=(library, "late"))
    with library.still():
        before = library.status().documents
        publishing.start()
        publishing.join(0.3)
        assert publishing.is_alive()
        assert library.status().documents == before
    publishing.join()
    assert library.status().documents == before + 1


def test_removed_text_is_gone_from_the_database_file(library):
    put(library, "xylophone-4711 " * 5)
    with library.writing() as writer:
        writer.remove([1])
        assert b"xylophone-4711" not in (library.folder / "reatt.db").read_bytes()
        writer.compact()
    assert b"xyloph" not in (library.folder / "reatt.db").read_bytes()


def test_status_counts(library):
    put(library, "one", "two")
    status = library.status()
    assert (status.documents, status.chunks, status.pending, status.tokens) == (1, 2, 0, 0)
    assert status.bytes.sqlite == (library.folder / "reatt.db").stat().st_size


def test_a_flipped_letter_is_found(library):
    put(library, "apple", "pear")
    for damage in ("UPDATE chunks SET text = 'pear ' WHERE id = 2", "UPDATE documents SET title = 'B'"):
        with sqlite3.connect(library.folder / "reatt.db") as connection:
            connection.execute(damage)
        assert [found.what for found in library.check().damaged] == ["document", "words"]


@pytest.mark.parametrize("name", ["evil", "words_x", "x_sqlite_x"])
def test_a_trigger_in_a_store_from_elsewhere_is_found(library, name):
    with sqlite3.connect(library.folder / "reatt.db") as connection:
        connection.execute(f"CREATE TRIGGER {name} AFTER INSERT ON chunks BEGIN DELETE FROM documents; END")
    assert [found.what for found in library.check().damaged] == ["database"]


def test_a_word_index_that_lost_a_chunk_is_found(library):
    put(library, "apple")
    with sqlite3.connect(library.folder / "reatt.db") as connection:
        connection.execute("DELETE FROM words")
    assert "words" in [found.what for found in library.check().damaged]


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from reatt_store.errors import ReadOnly
from reatt_store.library import Library
os.setuid(65534)
library = Library.open(Path(sys.argv[1]))
print(library.words("apple", 5)[0][0], library.check().ok, library.status().documents)
try:
    library.writing().__enter__()
except ReadOnly as error:
    print(error.exit_code)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_cannot_be_written_can_be_read(library):
    put(library, "apple")
    with tempfile.TemporaryDirectory() as outside:  # pytest closes its own folders to others whenever it starts
        folder = shutil.copytree(library.folder, Path(outside) / "store")
        for path in [Path(outside), folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shown = subprocess.run(
            [sys.executable, "-c", READ_AS_NOBODY, folder], capture_output=True, text=True, check=False
        )
    assert shown.stdout.split() == ["1", "True", "1", str(ReadOnly.exit_code)], shown.stderr


def test_a_store_can_be_copied_whole(library, tmp_path):
    put(library, "apple")
    library.folder.rename(tmp_path / "elsewhere #1?%41")
    with Library.open(Path(tmp_path / "elsewhere #1?%41")) as moved:
        assert moved.words("apple", 1) == library.words("apple", 1)
