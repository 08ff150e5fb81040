"""Laws of repair: what was stored comes back from what is left, and what cannot is named, never passed off as sound."""

import random
import shutil
import sqlite3

import numpy as np
import pytest

from reatt_store.errors import StoreDamaged, StoreError
from reatt_store.library import Chunk, Document, Library, Problem
from reatt_store.repairing import repair
from reatt_store.vectors.segments import draft

DOCUMENTS = 40


def texts_of(name):
    return [f"Text {part} of file {name} says word{name * part % 17} of {name}. " * 6 for part in range(1 + name % 4)]


def chunks_of(name):
    texts = texts_of(name)
    starts = [sum(map(len, texts[:at])) for at in range(len(texts))]
    return [Chunk(at, starts[at], starts[at] + len(text), 1, None, "t", text) for at, text in enumerate(texts)]


def vectors(digests):
    keys = [np.random.default_rng([*digest]).standard_normal((3, 8)).astype(np.float32) for digest in digests]
    return draft(digests, keys)


def publish(library, writer, name):
    chunks = chunks_of(name)
    lacking = sorted(library.missing(1, [chunk.digest for chunk in chunks]))
    document = Document(f"/{name}.md", None, "t", "text", f"{name:032x}", 1, 0)
    writer.publish([(document, chunks)], vectors(lacking) if lacking else None, 1)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "store"
    with Library.create(folder) as library, library.writing() as writer:
        writer.switch(writer.begin_generation("print", "mini", "aa"))
        for name in range(DOCUMENTS):
            publish(library, writer, name)
        writer.record_problem(Problem("/bad.pdf", "PDF_DAMAGED", "", "", ""))
        writer.begin_run("unlabelled", {"steps": 3})
        writer.remove([DOCUMENTS])  # the last id ever given is not the last that is there
    return folder


@pytest.fixture
def store(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "store")
    return tmp_path / "store"


def change(store, sql):
    with sqlite3.connect(store / "reatt.db") as connection:
        connection.execute(sql)


def encode_lacking(store):
    """Do what the engine does after a repair, without a model; return what is still wrong."""
    with Library.open(store) as library:
        with library.writing() as writer:
            digests = [found.chunk.digest for found in library.unencoded(1)]
            writer.publish([], vectors(digests) if digests else None, 1)
        return library.check().damaged


def whole(store):
    """Count the documents that are as they were stored, with their ids."""
    with Library.open(store) as library:
        stored = {each.id: (each.document.path, each.document.digest) for each in library.documents()}
        kept = [
            name
            for name in range(DOCUMENTS - 1)
            if stored.get(name + 1) == (f"/{name}.md", f"{name:032x}")
            and [found.chunk for found in library.chunks_of(name + 1)] == chunks_of(name)
        ]
    return len(kept)


def test_a_sound_store_is_the_same_after_a_repair(store):
    with Library.open(store) as library:
        before = (list(library.documents()), list(library.every_chunk()), library.words("word3", 9), library.runs())
        assert repair(store) == []
        after = (list(library.documents()), list(library.every_chunk()), library.words("word3", 9), library.runs())
        assert after == before
        assert library.live(1) is not None  # the vectors of the removed document are still noted as dead
    assert encode_lacking(store) == ()


@pytest.mark.parametrize("how", ["flipped", "missing", "misnamed"])
def test_vectors_of_a_damaged_segment_are_made_anew(store, how):
    path = sorted((store / "segments").iterdir())[3]
    content = path.read_bytes()
    if how == "misnamed":
        change(store, "UPDATE segments SET name = 'elsewhere' WHERE id = 4")
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1])) if how == "flipped" else path.unlink()
    assert repair(store) == []
    with Library.open(store) as library:
        assert library.lacking(1) == len(texts_of(3))
    assert encode_lacking(store) == ()
    assert whole(store) == DOCUMENTS - 1


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM words WHERE rowid = 1",
        "UPDATE words SET place = 'x'",
        "DELETE FROM words_idx",
        "UPDATE chunks SET digest = x'00' WHERE id = 5",
        "DELETE FROM dead",
        "INSERT INTO dead SELECT digest FROM chunks LIMIT 1",
        "UPDATE encodings SET position = 9 WHERE segment = 1",
        "DELETE FROM encodings WHERE segment = 2",
        "UPDATE sqlite_sequence SET seq = 1152921504606846976 WHERE name = 'chunks'",
        "CREATE TRIGGER evil AFTER INSERT ON chunks BEGIN DELETE FROM documents; END",
        "UPDATE models SET generation = 77",
    ],
)
def test_what_follows_from_sound_texts_is_made_anew(store, sql):
    change(store, sql)
    assert repair(store) == []
    assert encode_lacking(store) == ()
    assert whole(store) == DOCUMENTS - 1


@pytest.mark.parametrize("value", ["'not what was stored'", "x'00ff'", "7"])
def test_a_text_that_is_not_as_it_was_stored_is_named_and_never_passed_off_as_sound(store, value):
    change(store, f"UPDATE chunks SET text = {value} WHERE document_id = 3 AND ordinal = 0")
    [doubted] = repair(store)
    assert (doubted.id, doubted.path) == (3, "/2.md")
    assert [found.id for found in encode_lacking(store)] == ["D-3"]
    with Library.open(store) as library:
        assert library.digests("/2.md") != {None: f"{2:032x}"}  # so that an ingest reads it again
        with library.writing() as writer:
            publish(library, writer, 2)
        assert library.check().ok
    assert whole(store) == DOCUMENTS - 1


def test_a_page_that_cannot_be_read_costs_its_own_documents_alone(store):
    with sqlite3.connect(store / "reatt.db") as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'documents'").fetchone()[0]
    content = bytearray((store / "reatt.db").read_bytes())
    at = content.index(b"/7.md", 4096 * (root - 1) if content[4096 * (root - 1)] == 13 else 0) // 4096 * 4096
    content[at : at + 8] = b"\xff" * 8
    (store / "reatt.db").write_bytes(content)
    doubted = repair(store)
    encode_lacking(store)
    assert whole(store) + len(doubted) == DOCUMENTS - 1


def test_a_store_without_its_generation_waits_for_the_next_ingest(store):
    change(store, "DELETE FROM generations")
    assert repair(store) == []
    with Library.open(store) as library:
        assert library.generation() is None
        assert library.check().ok
    assert list((store / "segments").iterdir()) == []


@pytest.mark.parametrize("table", ["current_generation", "chunks"])
def test_an_id_that_is_far_from_all_others_keeps_nobody_waiting(store, table):
    with sqlite3.connect(store / "reatt.db") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE {table} SET rowid = {1 << 40} WHERE rowid = (SELECT max(rowid) FROM {table})")
        connection.execute("UPDATE sqlite_sequence SET seq = ?", [1 << 40])
    doubted = repair(store)
    encode_lacking(store)
    assert whole(store) + len(doubted) == DOCUMENTS - 1


def test_a_new_document_never_gets_the_id_of_an_earlier_one(store):
    repair(store)
    with Library.open(store) as library:
        with library.writing() as writer:
            publish(library, writer, DOCUMENTS)
        assert max(each.id for each in library.documents()) == DOCUMENTS + 1


def test_a_file_that_is_no_database_any_more_is_left_alone(store):
    (store / "reatt.db").write_bytes(b"\0" * 8192)
    with pytest.raises(StoreDamaged):
        repair(store)
    assert (store / "reatt.db").read_bytes() == b"\0" * 8192


def flip(path, rng):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("flips", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_flipped_bits_are_found_and_made_good(sound, tmp_path, flips):
    rng, store = random.Random(flips), tmp_path / "store"
    harmless = found = beyond = kept = named = 0
    for _ in range(flips):
        shutil.copytree(sound, store)
        flip(rng.choice([store / "reatt.db", *sorted((store / "segments").iterdir())[:20]]), rng)
        try:
            with Library.open(store) as library:
                damaged = not library.check().ok
            if damaged:
                doubted = repair(store)
                left = encode_lacking(store)
                found, kept = found + 1, kept + whole(store)
                named += len(doubted)
                assert {each.id for each in left} <= {f"D-{each.id}" for each in doubted}
            else:
                harmless += 1
                assert whole(store) == DOCUMENTS - 1
        except StoreError:  # the file's first page: found, and told
            beyond += 1
        shutil.rmtree(store)
    total = found * (DOCUMENTS - 1)
    print(f"\n{flips} flips: {harmless} harmless, {found} repaired, {beyond} beyond; documents {kept} of {total}")
    assert kept + named >= total
    assert kept >= 0.99 * total
