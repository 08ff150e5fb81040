"""Laws of what the store knows of documents that were read by OCR."""

import sqlite3
from dataclasses import replace

import pytest

from reatt_store.errors import StoreDamaged
from reatt_store.library import Chunk, Document, Library
from reatt_store.records import Scans
from reatt_store.repairing import repair
from tests.older import take_back

SCAN = Document("/d/scan.pdf", None, "", "pdf", "", 1, 3, ocr_pages=3, ocr_confidence=980)
PICTURE = Document("/d/a.png", None, "", "picture", "", 1, 1, ocr_pages=1, ocr_confidence=900)
NOTE = Document("/d/a.md", None, "", "markdown", "", 1, 0)
SUM = Scans(2, 4, pytest.approx(0.96))


def put(library: Library, *documents: Document) -> None:
    with library.writing() as writer:
        writer.publish([(each, [Chunk(0, 0, 4, 1, 1, "", "text")]) for each in documents], None, 0)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        put(library, SCAN, NOTE, PICTURE)
        yield library


def test_scans_come_back_and_are_summed_up(library):
    assert [stored.document for stored in library.documents()] == [SCAN, NOTE, PICTURE]
    assert library.status().scans == SUM
    assert library.check().ok


def test_a_store_without_scans_says_so(tmp_path):
    with Library.create(tmp_path / "store") as library:
        assert library.status().scans == Scans(0, 0, 0.0)


def test_a_document_that_is_read_otherwise_or_removed_takes_its_scan_along(library):
    put(library, replace(PICTURE, ocr_pages=0, ocr_confidence=0))
    assert library.status().scans == Scans(1, 3, 0.98)
    with library.writing() as writer:
        writer.remove([1])
    assert library.status().scans == Scans(0, 0, 0.0)
    assert library.check().ok


def test_a_changed_scan_is_found_and_a_sound_one_is_repaired(library):
    assert repair(library.folder) == []
    assert library.status().scans == SUM
    with sqlite3.connect(library.folder / "reatt.db") as connection:
        connection.execute("UPDATE scans SET confidence = 1000 WHERE document_id = 3")
    assert [damage.id for damage in library.check().damaged] == ["D-3"]


def test_a_value_of_another_type_is_damage(library):
    with sqlite3.connect(library.folder / "reatt.db") as connection:
        connection.execute("UPDATE scans SET confidence = 'sure' WHERE document_id = 3")
    with pytest.raises(StoreDamaged):
        list(library.documents())
    repair(library.folder)
    assert [stored.document.scan for stored in library.documents()][2] == (1, 0)


def test_an_older_store_has_none_and_is_read_as_it_is(library):
    take_back(library.folder, 3)
    with Library(library.folder) as older:
        assert older.status().scans == Scans(0, 0, 0.0)
        assert [stored.document.scan for stored in older.documents()] == [(0, 0)] * 3
