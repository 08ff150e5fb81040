"""Names as a store keeps them, files that change under the reader, and files that have gone."""

import os

from hypothesis import given
from hypothesis import strategies as st

from reatt.documents import reader
from reatt.documents.files import on_disk, storable
from reatt.documents.reader import FoundFile, ReadLimits
from reatt_store.library import Library

NAMES = st.one_of(st.binary(max_size=12), st.text("\\x5c89aefé\xe9", max_size=12).map(str.encode))


@given(NAMES, NAMES)
def test_a_name_of_any_bytes_is_text_in_a_store_and_comes_back(one, other):
    stored = storable(os.fsdecode(one))
    assert os.fsencode(on_disk(stored.encode().decode())) == one
    assert (stored == storable(os.fsdecode(other))) == (one == other)


def test_a_name_that_is_utf8_is_stored_as_it_is():
    assert storable("/docs/Æ\\日.md") == "/docs/Æ\\日.md"


def writing_under_the_reader(monkeypatch, path, texts):
    """Replace what stands in a file each time it is opened, as a program that writes meanwhile does."""
    opened = reader._open

    def open_and_write(found):
        file = opened(found)
        if texts:
            path.write_text(texts.pop(0))
        return file

    monkeypatch.setattr(reader, "_open", open_and_write)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, ingest, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("first\n")
    writing_under_the_reader(monkeypatch, path, ["second, whole\n"])
    assert ingest(path).added == 1
    with Library.open(tmp_path / "store") as library:
        assert [chunk.chunk.text for chunk in library.every_chunk()] == ["second, whole\n"]


def test_a_file_that_never_rests_is_left_for_the_next_run(tmp_path, ingest, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("0\n")
    writing_under_the_reader(monkeypatch, path, ["1 and\n", "2 and more\n"])
    report = ingest(path)
    assert ([problem.id for problem in report.problems], report.added) == (["CHANGED_DURING_READ"], 0)
    assert ingest(path).added == 1


def test_records_that_change_while_they_are_read_are_right_after_the_next_run(tmp_path, ingest, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_text('{"_id": "a", "text": "one"}\n{"_id": "b", "text": "two"}\n')
    found = reader.read(FoundFile(path, explicit=True), ReadLimits())
    assert next(found).text == "one"
    assert ingest(path).added == 2
    path.write_text('{"_id": "a", "text": "three"}\n')
    report = ingest(path)
    assert (report.changed, report.removed) == (1, 1)


def test_a_file_whose_name_is_no_text_is_read_skipped_and_missed_like_any_other(tmp_path, ingest):
    folder = tmp_path / "names"
    folder.mkdir()
    path = os.fsencode(folder) + b"/caf\xe9.txt"
    with open(path, "w") as file:
        file.write("Tea is at four.\n")
    assert (ingest(folder).added, ingest(folder).unchanged) == (1, 1)
    (folder / "b.txt").write_text("b\n")
    os.unlink(path)
    assert ingest(folder, prune=True).removed == 1


def test_equal_files_are_counted_and_share_their_vectors(tmp_path, ingest):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "tea.txt").write_text("Tea is at four.\n")
    report = ingest(tmp_path / "a", tmp_path / "b")
    one = ingest(tmp_path / "a", store=tmp_path / "other")
    assert (report.added, report.duplicates, report.tokens) == (2, 1, one.tokens)


def test_files_that_are_gone_are_told_and_stay(tmp_path, ingest):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"{name}\n")
    ingest(tmp_path / "a.txt", tmp_path / "b.txt")
    (tmp_path / "b.txt").unlink()
    report = ingest(tmp_path)
    assert [warning.id for warning in report.warnings] == ["VANISHED"]
    assert report.removed == 0


def test_links_are_told_once_a_run(tmp_path, ingest):
    (tmp_path / "a.txt").write_text("a\n")
    for number in range(3):
        (tmp_path / f"link{number}").symlink_to("a.txt")
    [notice] = ingest(tmp_path).warnings
    assert (notice.id, "and 2 more" in notice) == ("SYMLINK_SKIPPED", True)
