"""Laws of the token search."""

import faiss
import numpy as np
import pytest

from reatt_store import vouching
from reatt_store.library import Chunk, Document, Library, Segment
from reatt_store.vectors import nearest
from reatt_store.vectors.nearest import TokenIndex, TokenRows, open_index
from reatt_store.vectors.segments import draft
from reatt_store.vouching import own_key

WIDTH = 8


def keys_of(seed: int, chunks: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 7, chunks)
    return [(rng.standard_normal((n, WIDTH)) * rng.uniform(0.2, 5)).astype(np.float32) for n in lengths]


def publish(library: Library, seed: int, chunks: int = 60) -> None:
    texts = [Chunk(i, 0, 1, 1, None, str(seed), str(i)) for i in range(chunks)]
    with library.writing() as writer:
        generation = writer.begin_generation("print", "mini", "aa")
        document = Document(f"/{seed}.md", None, "", "text", "", 1, 0)
        writer.publish([(document, texts)], draft([text.digest for text in texts], keys_of(seed, chunks)), generation)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "store") as library:
        for seed in (1, 2, 3):
            publish(library, seed)
        yield library


def every_key(segments: list[Segment]) -> np.ndarray:
    return np.concatenate([segment.keys() for segment in segments])


def questions(count: int = 5) -> np.ndarray:
    return np.random.default_rng(9).standard_normal((count, WIDTH)).astype(np.float32)


def test_flat_search_is_brute_force(library):
    segments = library.segments(1)
    scores, rows = TokenIndex.build(segments, "flat").search(questions(), 20)
    rounded = every_key(segments).astype(np.float16)  # as the index keeps them
    expected = questions().astype(np.float64) @ rounded.astype(np.float64).T
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :20], rtol=1e-5)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, rows, axis=1), rtol=1e-5)


def test_ivf_with_every_list_probed_is_flat(library, monkeypatch):
    monkeypatch.setattr(nearest, "_PROBED", 1)
    flat, ivf = (TokenIndex.build(library.segments(1), kind) for kind in ("flat", "ivf"))
    k = len(flat)
    np.testing.assert_allclose(ivf.search(questions(), k)[0], flat.search(questions(), k)[0], rtol=1e-5)
    assert set(ivf.search(questions(1), k)[1][0]) == set(range(k))


def test_ivf_finds_most_of_what_flat_finds(library):
    flat, ivf = (TokenIndex.build(library.segments(1), kind) for kind in ("flat", "ivf"))
    best = flat.search(questions(20), 5)[1]
    found = ivf.search(questions(20), 50)[1]
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(best, found, strict=True)]) > 0.4  # of 1 in 8 lists


def test_more_neighbours_than_keys_are_cut(library):
    index = TokenIndex.build(library.segments(1))
    scores, rows = index.search(questions(2), 10**9)
    assert rows.shape == scores.shape == (2, len(index))


def test_every_row_is_owned_by_the_chunk_whose_key_it_is(library):
    segments = library.segments(1)
    index = TokenIndex.build(segments)
    ids, positions = index.chunk_of(np.arange(len(index)))
    by_id = {segment.id: segment for segment in segments}
    owned = [by_id[i].keys(slice(*by_id[i].offsets[p : p + 2])) for i, p in zip(ids, positions, strict=True)]
    assert all((key == keys).all(axis=1).any() for key, keys in zip(every_key(segments), owned, strict=True))


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_rows_of_removed_chunks_are_passed_over_not_lost(library, kind, monkeypatch):
    monkeypatch.setattr(nearest, "_PROBED", 1)
    with library.writing() as writer:
        writer.remove([2])
    segments, live = library.segments(1), library.live(1)
    scores, rows = TokenIndex.build(segments, kind).search(questions(), 30, live)
    rest = TokenIndex.build([segments[0], segments[2]], "flat").search(questions(), 30)[0]
    np.testing.assert_allclose(scores, rest, rtol=1e-5)
    assert 2 not in TokenRows.of(segments).owners(rows)[0]


def test_where_fewer_are_alive_the_rest_is_minus_infinity(library):
    nothing = {segment.id: np.zeros(len(segment.digests), bool) for segment in library.segments(1)}
    scores, rows = TokenIndex.build(library.segments(1)).search(questions(2), 3, nothing)
    assert (rows == -1).all()
    assert np.isneginf(scores).all()


def test_no_keys_find_nothing(tmp_path):
    assert TokenIndex.build([]).search(questions(2), 5)[1].shape == (2, 0)


def test_a_cached_index_answers_as_a_new_one(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    segments = library.segments(1)
    first = open_index(library, 1, segments).search(questions(), 20)
    monkeypatch.delitem(nearest._BUILDERS, "ivf")  # a second build would fail
    second = open_index(library, 1, segments).search(questions(), 20)
    np.testing.assert_array_equal(first[1], second[1])


def test_a_damaged_cache_is_built_anew_and_never_trusted(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    segments = library.segments(1)
    first = open_index(library, 1, segments).search(questions(), 20)
    [path] = (library.folder / "cache").iterdir()
    content = bytearray(path.read_bytes())
    content[-3] ^= 255
    path.write_bytes(content)
    np.testing.assert_array_equal(open_index(library, 1, segments).search(questions(), 20)[1], first[1])
    assert path.read_bytes() != bytes(content)


@pytest.mark.parametrize("mine", [None, b"", b"k" * 32])
def test_a_cache_that_another_user_made_is_never_read(library, monkeypatch, tmp_path, mine):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    first = open_index(library, 1, library.segments(1)).search(questions(), 20)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    if mine is not None:  # else it is made now
        (tmp_path / "other" / "reatt").mkdir(parents=True)
        (tmp_path / "other" / "reatt" / "key").write_bytes(mine)
    monkeypatch.setattr(faiss, "read_index", lambda *_: pytest.fail("FAISS reads what a stranger made"))
    np.testing.assert_array_equal(open_index(library, 1, library.segments(1)).search(questions(), 20)[1], first[1])


def test_who_can_keep_no_key_keeps_no_cache(library, monkeypatch, tmp_path):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    (tmp_path / "state").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert len(open_index(library, 1, library.segments(1))) > 0
    assert list((library.folder / "cache").iterdir()) == []


def test_a_key_is_made_once_for_its_user_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = own_key()
    assert (made, len(made)) == (own_key(), 32)
    vouching._make(tmp_path / "reatt" / "key")  # as a process that came second
    assert own_key() == made
    [file] = (tmp_path / "reatt").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_cache_belongs_to_its_segments_and_replaces_the_one_before(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    open_index(library, 1, library.segments(1))
    publish(library, 4)
    index = open_index(library, 1, library.segments(1))
    assert len(index) == len(every_key(library.segments(1)))
    assert len(list((library.folder / "cache").iterdir())) == 1
    assert library.check().orphans == 0


def test_a_full_disk_answers_without_a_cache(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    save = TokenIndex.save

    def save_to_full_disk(index, path):
        path.symlink_to("/dev/full")
        save(index, path)

    monkeypatch.setattr(TokenIndex, "save", save_to_full_disk)
    assert len(open_index(library, 1, library.segments(1))) > 0
    assert (list((library.folder / "cache").iterdir()), list((library.folder / "tmp").iterdir())) == ([], [])


def test_a_busy_store_answers_without_a_cache(library, monkeypatch):
    monkeypatch.setattr(nearest, "FLAT_LIMIT", 10)
    with library.writing():
        assert len(open_index(library, 1, library.segments(1))) > 0
    assert list((library.folder / "cache").iterdir()) == []
