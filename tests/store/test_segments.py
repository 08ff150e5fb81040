"""Laws of the vector files."""

import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from reatt_store.errors import StoreDamaged
from reatt_store.vectors.arrays import checksum, let_go
from reatt_store.vectors.sealing import without
from reatt_store.vectors.segments import Draft, draft, open_segment, quantise, write

KEYS = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(3)), elements=st.floats(-100, 100, width=32))


def some(chunks: int = 4, width: int = 8, seed: int = 0) -> Draft:
    rng = np.random.default_rng(seed)
    keys = [rng.standard_normal((length, width)).astype(np.float32) for length in rng.integers(0, 6, chunks)]
    return draft([bytes([i]) * 16 for i in range(chunks)], keys)


@settings(deadline=None, max_examples=50)
@given(st.lists(KEYS, min_size=1, max_size=5))
def test_what_is_written_is_what_is_mapped(tmp_path_factory, keys):
    path = tmp_path_factory.mktemp("segments") / "a.safetensors"
    written = draft([bytes([i]) * 16 for i in range(len(keys))], keys)
    size, digest = write(path, written)
    mapped = open_segment(path, 1, size)
    assert checksum(path) == digest
    assert mapped.digests.tobytes() == b"".join(written.digests)
    for name in ("offsets", "codes", "scales"):
        np.testing.assert_array_equal(getattr(mapped, name), getattr(written, name))
    np.testing.assert_array_equal(mapped.keys(), written.codes * written.scales[:, None])
    assert mapped.half is None


def test_the_file_is_a_safetensors_file(tmp_path):
    written = some()
    write(tmp_path / "a.safetensors", written)
    np.testing.assert_array_equal(load_file(tmp_path / "a.safetensors")["codes"], written.codes)


def remembering(lengths: list[int]) -> Draft:
    rng = np.random.default_rng(0)
    states = [quantise(rng.standard_normal((length, 6)).astype(np.float32)) for length in lengths]
    return draft([bytes([i]) * 16 for i in range(len(lengths))], [np.ones((1, 3), np.float32)] * len(lengths), states)


def test_memory_is_mapped_beside_the_keys_and_leaves_with_its_chunk(tmp_path):
    written = remembering([2, 0, 5, 1])
    size, _ = write(tmp_path / "a", written)
    mapped = open_segment(tmp_path / "a", 1, size)
    left = without(mapped, [2])
    for chunk, after in ((0, 0), (1, 1), (3, 2)):
        rows = slice(*written.memory.offsets[chunk : chunk + 2])
        codes, scales = written.memory.codes[rows], written.memory.scales[rows]
        np.testing.assert_array_equal(mapped.memory.states(chunk), codes * scales[:, None])
        np.testing.assert_array_equal(left.memory.states(after), mapped.memory.states(chunk))
    assert not mapped.memory.codes.flags.owndata


def test_a_memory_that_is_not_one_of_every_chunk_is_damage(tmp_path):
    size, _ = write(tmp_path / "a", remembering([2, 3]))
    content = bytearray((tmp_path / "a").read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    start = 8 + length + json.loads(content[8 : 8 + length])["memory_offsets"]["data_offsets"][0]
    content[start + 8 : start + 16] = struct.pack("<q", 9)  # the first chunk's end
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(StoreDamaged, match="tile the states"):
        open_segment(tmp_path / "a", 1, size)


def test_keys_in_float16_are_used_where_they_are_kept(tmp_path):
    """Beside a memory, and in segments of earlier versions: those are copied as they are."""
    rng = np.random.default_rng(0)
    keys = [rng.standard_normal((length, 8)).astype(np.float32) for length in (2, 0, 3)]
    written = draft([bytes([i]) * 16 for i in range(3)], keys)
    half = np.concatenate(keys).astype(np.float16)
    size, _ = write(tmp_path / "a", replace(written, half=half))
    mapped = open_segment(tmp_path / "a", 1, size)
    np.testing.assert_array_equal(mapped.keys(), half.astype(np.float32))
    np.testing.assert_array_equal(mapped.codes, written.codes)
    np.testing.assert_array_equal(without(mapped, [0]).half, half[2:])
    np.testing.assert_array_equal(remembering([1, 2]).half, np.ones((2, 3), np.float16))
    assert without(open_segment(tmp_path / "b", 1, write(tmp_path / "b", written)[0]), [0]).half is None


def test_mapped_arrays_are_aligned_and_cannot_be_changed(tmp_path):
    size, _ = write(tmp_path / "a", some(chunks=3, width=3))
    mapped = open_segment(tmp_path / "a", 1, size)
    for array in (mapped.offsets, mapped.codes, mapped.scales, mapped.digests):
        assert array.flags.aligned
        assert not array.flags.writeable
        assert not array.flags.owndata


@given(arrays(np.float32, (4, 8), elements=st.floats(-1000, 1000, width=32)))
def test_eight_bits_are_off_by_half_a_step_at_most(keys):
    codes, scales = quantise(keys)
    error = np.abs(codes * scales[:, None] - keys)
    assert (error <= scales[:, None] * 0.5001 + 1e-6).all()


def test_keys_beyond_half_precision_are_refused():
    with pytest.raises(ValueError, match="half precision"):
        draft([b"0" * 16], [np.full((1, 4), 1e6, np.float32)])


def test_a_digest_stands_once_in_a_draft():
    with pytest.raises(ValueError, match="once"):
        draft([b"0" * 16] * 2, [np.zeros((1, 4), np.float32)] * 2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"digests": [bytes([i]) * 8 for i in range(4)]}, "16 bytes"),
        ({"half": np.zeros((1, 8), np.float16)}, "shaped as the codes"),
        ({"scales": np.zeros(1, np.float32)}, "one scale for each key"),
        ({"offsets": np.zeros(5, np.int64)}, "tile the keys"),
    ],
)
def test_a_draft_whose_parts_do_not_belong_together_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        replace(some(), **wrong)


def test_the_arrays_of_a_file_start_on_a_cache_line(tmp_path):
    for chunks in range(1, 5):
        write(tmp_path / "a", some(chunks=chunks))
        (length,) = struct.unpack("<Q", (tmp_path / "a").read_bytes()[:8])
        assert (8 + length) % 64 == 0


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_damage(tmp_path, change):
    size, _ = write(tmp_path / "a", some())
    with pytest.raises(StoreDamaged):
        open_segment(tmp_path / "a", 1, size + change)


def test_every_header_that_lies_is_damage(tmp_path):
    size, _ = write(tmp_path / "a", some())
    content = (tmp_path / "a").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for name, key, value in [
        ("codes", "dtype", "F32"),
        ("codes", "shape", [-1, -8]),
        ("codes", "shape", [2**40, 8]),
        ("codes", "data_offsets", [0, 1]),
        ("offsets", "shape", "abc"),
        ("scales", "shape", None),
        ("digests", "shape", [2, 32]),
        ("digests", "shape", [8, 8]),
        ("codes", "shape", [header["codes"]["shape"][0] * 2, 4]),
        ("codes", "shape", [header["codes"]["shape"][0] * 8]),
        ("scales", "data_offsets", [header["scales"]["data_offsets"][0], header["scales"]["data_offsets"][1] + 4]),
    ]:
        lie = json.dumps({**header, name: {**header[name], key: value}}).encode()
        lie = lie.ljust(length)[:length]
        (tmp_path / "b").write_bytes(content[:8] + lie + content[8 + length :])
        with pytest.raises(StoreDamaged):
            open_segment(tmp_path / "b", 1, size)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=64), st.integers(0, 900))
def test_no_bytes_at_all_do_more_than_raise(tmp_path_factory, noise, at):
    path = tmp_path_factory.mktemp("segments") / "a"
    size, _ = write(path, some())
    content = path.read_bytes()
    path.write_bytes((content[:at] + noise + content[at + len(noise) :])[:size])
    try:
        mapped = open_segment(path, 1, size)
    except StoreDamaged:
        return
    assert mapped.offsets[-1] == len(mapped.codes)  # only contents were hit: the checksum's affair


def resident(path: Path) -> int:
    """Return how many bytes of a mapped file are in this process's memory."""
    maps = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")
    entries = re.findall(
        rf"^\S+ \S+ \S+ \S+ \S+ +{re.escape(str(path))}\n(?:[^-\n]*\n)*?Rss: +(\d+) kB$", maps, re.MULTILINE
    )
    assert entries, "it is mapped"
    return 1024 * sum(map(int, entries))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs a system that tells what is in memory")
def test_what_was_read_of_a_file_leaves_the_memory_and_can_be_read_again(tmp_path):
    keys = np.random.default_rng(0).standard_normal((20_000, 64)).astype(np.float32)
    size, _ = write(tmp_path / "a.seg", draft([b"a" * 16], [keys]))
    segment = open_segment(tmp_path / "a.seg", 1, size)
    read = segment.keys()
    assert resident(tmp_path / "a.seg") >= segment.codes.nbytes
    let_go(segment.codes[5:])
    assert resident(tmp_path / "a.seg") == 0
    np.testing.assert_array_equal(segment.keys(), read)


def test_an_array_without_a_file_stays_as_it_is():
    keys = np.arange(6.0).reshape(2, 3)
    let_go(keys)
    np.testing.assert_array_equal(keys, [[0, 1, 2], [3, 4, 5]])
