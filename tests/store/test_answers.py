"""The latest answers of a store, as files: private, whole, bounded, and never in the way."""

import os
import stat

import pytest

from reatt_store import answers


def names(folder):
    return sorted(os.listdir(folder / "answers"))


def test_what_is_kept_is_found_again_and_closed_to_others(tmp_path):
    assert answers.keep(tmp_path, "A-1", b"one", 5)
    assert answers.keep(tmp_path, "A-1", b"two", 5)
    assert (answers.kept(tmp_path, "A-1"), answers.kept(tmp_path, "A-2")) == (b"two", None)
    assert names(tmp_path) == ["A-1.json"]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "answers", tmp_path / "answers" / "A-1.json")]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("most", [0, 1, 3, 7])
def test_only_the_latest_are_kept_and_nothing_of_others_is_touched(tmp_path, most):
    for number in range(6):
        assert answers.keep(tmp_path, f"A-{number}", b"x", 6)
        os.utime(tmp_path / "answers" / f"A-{number}.json", ns=(number, number))
    (tmp_path / "answers" / ".A-9.123").touch()  # of a process that was killed
    os.utime(tmp_path / "answers" / ".A-9.123", ns=(0, 0))
    (tmp_path / "answers" / "mine.json").touch()
    assert answers.keep(tmp_path, "A-6", b"x", most) == (most > 0)
    left = [f"A-{number}.json" for number in range(7)][7 - most :]
    assert names(tmp_path) == [*([".A-9.123"] if most > 7 else []), *left, "mine.json"]


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(tmp_path):
    (tmp_path / "answers").write_bytes(b"a file")
    assert not answers.keep(tmp_path, "A-1", b"x", 5)
    assert not answers.keep(tmp_path / "nowhere", "A-1", b"x", 5)
    assert answers.kept(tmp_path, "A-1") is None


def test_a_folder_that_leads_elsewhere_is_not_written_to(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "A-1.json").touch()
    (tmp_path / "answers").symlink_to(tmp_path / "elsewhere")
    assert not answers.keep(tmp_path, "A-2", b"x", 0)
    assert names(tmp_path) == ["A-1.json"]
