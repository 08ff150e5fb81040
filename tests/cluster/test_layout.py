"""The folder of shards: what was not ended is never taken for whole, and a document stays in its shard."""

import json
from pathlib import Path

import pytest

from reatt.cluster import layout
from reatt.documents.files import Part
from reatt_store.errors import StoreDamaged, UsageError


def test_shards_are_whole_only_once_the_last_has_ended(tmp_path):
    folder = tmp_path / "new" / "shards"
    made = layout.begin(folder, 3)
    with pytest.raises(UsageError, match="has not ended"):
        layout.stores([folder])
    with pytest.raises(UsageError, match="has not ended"):
        layout.stores([made[0]])  # nor is one of them taken for all
    layout.end(folder, 3)
    assert layout.stores([folder, made[1]]) == made
    layout.begin(folder, 3)
    with pytest.raises(UsageError, match="has not ended"):
        layout.stores([folder])


def test_a_plain_store_is_one_shard(tmp_path):
    assert layout.stores([tmp_path / "a", tmp_path / "b", tmp_path / "a"]) == [tmp_path / "a", tmp_path / "b"]


def test_another_number_of_shards_is_refused_and_changes_nothing(tmp_path):
    layout.begin(tmp_path, 2)
    layout.end(tmp_path, 2)
    with pytest.raises(UsageError, match="has 2 shards"):
        layout.begin(tmp_path, 3)
    assert len(layout.stores([tmp_path])) == 2


def test_shards_are_not_put_into_a_store(tmp_path):
    (tmp_path / "reatt.db").touch()
    with pytest.raises(UsageError, match="is a store"):
        layout.begin(tmp_path, 2)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", json.dumps({"format": layout.FORMAT, "shards": 0, "whole": True}), "[" * 10_000, "\xff"],
)
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / layout.NAME).write_text(content, encoding="latin-1")
    for do in (lambda: layout.stores([tmp_path]), lambda: layout.begin(tmp_path, 2)):
        with pytest.raises(StoreDamaged):
            do()


def test_every_file_is_in_one_part_and_stays_there():
    files = [Path(f"/library/{number}.md") for number in range(400)]
    parts = [[file for file in files if Part(number, 4).has(file)] for number in range(4)]
    assert sorted(file for part in parts for file in part) == sorted(files)
    assert all(60 < len(part) < 140 for part in parts)
    assert [Part(number, 4).has(Path("/library/7.md")) for number in range(4)] == [False, True, False, False]
