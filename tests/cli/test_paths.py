"""Every path that a command prints is taken by the others, from any folder: as it is, or relative to `root`."""

import json
import os

import pytest


@pytest.fixture
def elsewhere(reatt, store, monkeypatch):
    """Stand in another folder, and name the store."""
    other = store.parent / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    return lambda *words: reatt(*words, "--store", store)


def add(store, *paths):
    from reatt_store.library import Document, Library

    with Library.open(store).writing() as writer:
        made = [Document(str(store.parent / path), None, "", "text", f"{n:032x}", 1, 0) for n, path in enumerate(paths)]
        writer.publish([(each, []) for each in made], None, 0)


def listed(reatt):
    return [each["path"] for each in json.loads(reatt("list", "--json").out)["documents"]]


@pytest.mark.parametrize("command", ["show", "remove"])
def test_a_path_of_list_names_its_document_from_any_folder(command, elsewhere):
    for path in listed(elsewhere):
        told = json.loads(elsewhere(command, path, "--json").out)
        assert (told["removed"][0] if command == "remove" else told["document"])["path"] == path
        assert os.path.isabs(told["root"])


def test_what_list_prints_for_people_is_removed(elsewhere):
    for line in elsewhere("list").out.splitlines():
        path, *record = [cell for cell in line.split("  ") if cell][1].strip().split(" ")
        assert elsewhere("remove", " ".join([path, *record])).out.split()[1] == path
    assert listed(elsewhere) == []


def test_a_record_is_removed_alone(elsewhere, store):
    from reatt_store.library import Document, Library

    with Library.open(store).writing() as writer:
        more = Document(str(store.parent / "faq.jsonl"), "q2", "", "jsonl", "33" * 16, 1, 0)
        writer.publish([(more, [])], None, 0)
    assert elsewhere("remove", "faq.jsonl q1", "--dry-run").out.split() == ["D-2", "../faq.jsonl", "q1"]


def test_a_page_is_shown_by_the_place_that_search_prints(elsewhere):
    assert elsewhere("show", "a.pdf p.2").out == elsewhere("show", "a.pdf:p2").out != ""


def test_what_lies_here_is_never_a_document_of_the_same_name_below_the_root(elsewhere, store):
    (store.parent / "elsewhere" / "a.pdf").touch()
    assert elsewhere("remove", "a.pdf").code == 2
    assert "a.pdf" in listed(elsewhere)


@pytest.mark.parametrize("named", [".", "hr", "hr/", "", "x/.."])
def test_a_folder_below_the_root_is_not_removed_from_elsewhere(named, elsewhere):
    assert elsewhere("remove", named).code == 2
    assert len(listed(elsewhere)) == 3


def test_a_name_that_looks_like_a_pattern_is_taken_as_a_name(elsewhere, store):
    add(store, "notes[1].md", "notes1.md")
    assert "notes[1].md" in listed(elsewhere)
    assert elsewhere("remove", "notes[1].md", "--dry-run").out.split()[1:] == ["../notes[1].md"]
    assert "../notes[1].md" in elsewhere("list", "--only", "notes[1].md").out


def test_a_path_from_here_chooses_documents(elsewhere):
    for path in ("../hr/leave.md", "./../hr/leave.md"):
        assert elsewhere("list", "--only", path).out.split()[1] == "../hr/leave.md"
        assert "leave.md" not in elsewhere("list", "--except", path).out


def test_a_name_that_is_not_utf8_is_removed_as_it_is_printed(elsewhere, store):
    from reatt.documents.files import storable

    add(store, storable(os.fsdecode(b"caf\xe9.txt")))
    assert elsewhere("remove", r"caf\xe9.txt").code == 0
    assert len(listed(elsewhere)) == 3


def test_judgements_name_documents_as_json_does(elsewhere, store):
    from reatt.evaluate import names_in
    from reatt_store.library import Library

    named = names_in(Library.open(store), ["hr/leave.md", "leave.md"])
    assert named == {"hr/leave.md": str(store.parent / "hr" / "leave.md")}
