"""Laws of generations: vectors are published with their texts, shared by equal ones, and switched as a whole."""

import resource

import numpy as np
import pytest

from reatt_store.errors import DiskFull, StoreDamaged
from reatt_store.library import Chunk, Document, Draft, Library
from reatt_store.selection import Selection
from reatt_store.vectors.segments import draft


def chunk(text: str, ordinal: int = 0) -> Chunk:
    return Chunk(ordinal, 0, len(text), 1, None, "", text)


def file(name: str, *texts: str) -> tuple[Document, list[Chunk]]:
    return Document(f"/{name}", None, "", "text", "", 1, 0), [chunk(text, i) for i, text in enumerate(texts)]


def vectors(*texts: str) -> Draft:
    rng = np.random.default_rng(len(texts))
    return draft(
        [chunk(text).digest for text in texts], [rng.standard_normal((2, 4)).astype(np.float32) for _ in texts]
    )


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        with library.writing() as writer:
            writer.switch(writer.begin_generation("print-1", "mini", "aa"))
        yield library


def publish(library: Library, documents: list, segment: Draft | None, generation: int = 1) -> None:
    with library.writing() as writer:
        writer.publish(documents, segment, generation)


def test_equal_texts_share_one_set_of_vectors(library):
    publish(library, [file("a", "same"), file("b", "same \n")], vectors("same"))
    assert library.chunk_ids(1, [(1, 0)]) == [[1, 2]]
    assert library.chunk_ids(1, [(1, 0)], Selection(only=("b",))) == [[2]]
    assert library.missing(1, [chunk("same").digest, chunk("other").digest]) == {chunk("other").digest}


def test_a_text_without_vectors_is_not_published(library):
    with pytest.raises(ValueError, match="no vectors"):
        publish(library, [file("a", "x", "y")], vectors("x"))
    assert list(library.documents()) == []
    assert list((library.folder / "segments").iterdir()) == []


def test_segments_of_a_large_document_may_come_first(library):
    publish(library, [], vectors("x", "y"))
    assert not library.live(1)[1].any()
    publish(library, [file("a", "x", "y", "z")], vectors("z"))
    assert library.live(1) is None
    assert library.chunk_ids(1, [(2, 0), (1, 1), (1, 0), (9, 9)]) == [[3], [2], [1], []]


def test_a_removed_text_dies_and_comes_back_to_life(library):
    publish(library, [file("a", "x", "y"), file("b", "y")], vectors("x", "y"))
    with library.writing() as writer:
        writer.remove([1])
    assert library.live(1)[1].tolist() == [False, True]
    assert library.check().ok
    publish(library, [file("c", "x")], None)
    assert library.live(1) is None


def test_a_replaced_text_dies(library):
    publish(library, [file("a", "x", "y")], vectors("x", "y"))
    publish(library, [file("a", "y", "z")], vectors("z"))
    assert {id: mask.tolist() for id, mask in library.live(1).items()} == {1: [False, True], 2: [True]}


def test_a_glob_leaves_the_chunks_of_its_documents(library):
    publish(library, [file("a.md", "x", "y"), file("b.txt", "y", "z")], vectors("x", "y", "z"))
    assert library.live(1, Selection(only=("*.txt",)))[1].tolist() == [False, True, True]
    assert not library.live(1, Selection(only=("*.pdf",)))[1].any()


def test_a_new_generation_is_unseen_until_the_switch(library):
    publish(library, [file("a", "x", "y"), file("b", "x")], vectors("x", "y"))
    with library.writing() as writer:
        second = writer.begin_generation("print-2", "mini", "bb")
        assert writer.begin_generation("print-2", "mini", "bb") == second
        texts = [found.chunk.text for found in library.unencoded(second)]
        writer.publish([], vectors(*texts), second)
        assert texts == ["x", "y"]
        assert library.generation().fingerprint == "print-1"
        writer.switch(second)
        writer.drop_generation(1)
    assert [(each.id, each.current) for each in library.generations()] == [(2, True)]
    assert len(list((library.folder / "segments").iterdir())) == 1
    assert library.check().ok


def test_the_generation_in_force_cannot_be_dropped(library):
    with library.writing() as writer, pytest.raises(ValueError, match="in force"):
        writer.drop_generation(1)


def test_publishing_between_two_unencoded_texts_misses_none(library):
    publish(library, [file(str(i), f"text {i}") for i in range(700)], None, 0)
    seen = 0
    with library.writing() as writer:
        for found in library.unencoded(1):
            seen += 1
            if seen % 300 == 1:
                writer.publish([], vectors(found.chunk.text), 1)
    assert seen == 700


def stored_bytes(library):
    return sum(file.stat().st_size for file in (library.folder / "segments").iterdir())


def test_compacting_takes_removed_vectors_off_the_disk(library):
    publish(library, [file("a", "x", "y"), file("b", "z")], vectors("x", "y", "z"))
    publish(library, [file("c", "w")], vectors("w"))
    kept = library.segments(1)[0].keys(slice(2, 4))
    publish(library, [file("a", "y")], None)
    before = stored_bytes(library)
    with library.writing() as writer:
        writer.remove([3])
        assert writer.compact() == before - stored_bytes(library) > 0
    [segment] = library.segments(1)
    np.testing.assert_array_equal(segment.keys(slice(2)), kept)
    assert library.live(1) is None
    assert library.check().ok


def test_mapped_segments_outlive_their_files(library):
    publish(library, [file("a", "x")], vectors("x"))
    [segment] = library.segments(1)
    with library.writing() as writer:
        writer.remove([1])
        writer.compact()
    assert np.isfinite(segment.keys()).all()
    assert library.segments(1) == []


def test_files_that_no_row_names_are_swept_by_the_next_writer(library):
    publish(library, [file("a", "x")], vectors("x"))
    for part in ("tmp", "segments", "cache"):
        (library.folder / part / "stray").write_bytes(b"left by a kill")
    report = library.check()
    assert (report.ok, report.orphans) == (True, 3)
    with library.writing():
        pass
    assert library.check().orphans == 0
    assert len(library.segments(1)) == 1


def test_a_flipped_bit_or_a_lost_file_is_found(library):
    publish(library, [file("a", "x")], vectors("x"))
    [path] = (library.folder / "segments").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [(found.what, found.repairable) for found in library.check().damaged] == [("segment", True)]
    path.unlink()
    assert [found.what for found in library.check().damaged] == ["segment"]
    with pytest.raises(StoreDamaged):
        library.segments(1)


def test_a_chunk_without_vectors_in_the_generation_in_force_is_found(library):
    publish(library, [file("a", "x")], None, 0)
    assert [found.what for found in library.check().damaged] == ["encoding"]
    assert library.status().pending == 1


def test_a_disk_that_is_full_says_so_and_changes_nothing(library):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))  # the segment alone is larger
        with pytest.raises(DiskFull):
            publish(library, [file("a", "x")], vectors("x"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert library.check().damaged == ()
    assert list((library.folder / "tmp").iterdir()) == []
