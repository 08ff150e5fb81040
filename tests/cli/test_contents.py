"""list, show, remove, status, check, init: what a store holds, without a model."""

import json
import os

import pytest

LEAVE = "Parental leave in Norway is 49 weeks at full pay."


def test_list_names_every_document_from_where_one_stands(reatt, store):
    done = reatt("list")
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["D-1", "hr/leave.md"],
        ["D-2", "faq.jsonl"],
        ["D-3", "a.pdf"],
    ]
    assert "q1" in done.out.splitlines()[1]
    assert done.err == "store  .reatt\n3 documents\n"


def test_list_only_takes_a_glob(reatt, store):
    assert reatt("list", "--only", "*.md").out.startswith("D-1  hr/leave.md")
    assert reatt("list", "--only", "*.docx").out == ""


def test_show_prints_a_document_as_it_was_read(reatt, store):
    done = reatt("show", "D-1")
    assert done.out == LEAVE + "\nTravel is approved by the head of department.\n"
    assert "hr/leave.md  Title of hr/leave.md" in done.err


@pytest.mark.parametrize(("id", "place"), [("C-2", "hr/leave.md:2"), ("C-4", "a.pdf p.2")])
def test_show_says_where_a_chunk_stands(id, place, reatt, store):
    assert place in reatt("show", id).err


@pytest.mark.parametrize("id", ["D-9", "C-9", "X-1", "D-x", "D-" + "9" * 30, ""])
def test_show_of_nothing_is_a_usage_error(id, reatt, store):
    done = reatt("show", id)
    assert (done.code, done.out) == (2, "")
    assert "try: reatt" in done.err


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("D-1", ["D-2", "D-3"]),
        ("hr/leave.md", ["D-2", "D-3"]),
        ("hr", ["D-2", "D-3"]),
        ("*leave.md", ["D-2", "D-3"]),
        ("*.jsonl", ["D-1", "D-3"]),
        (".", []),
    ],
)
def test_remove_takes_ids_files_folders_and_globs(target, left, reatt, store):
    assert reatt("remove", target).code == 0
    assert [each["doc"] for each in json.loads(reatt("list", "--json").out)["documents"]] == left


def test_remove_names_a_file_itself_before_others_of_its_name(reatt, store):
    from reatt_store.library import Document, Library

    here = Document(str(store.parent / "leave.md"), None, "Another", "text", "22" * 16, 1, 0)
    with Library.open(store).writing() as writer:
        writer.publish([(here, [])], None, 0)
    assert reatt("remove", "leave.md", "--dry-run").out == "D-4  leave.md\n"
    assert reatt("remove", "*leave.md", "--dry-run").out == "D-1  hr/leave.md\nD-4  leave.md\n"


def test_a_bare_name_never_removes_files_of_other_folders(reatt, store):
    assert reatt("remove", "leave.md").code == 2
    assert reatt("list").out.count("leave.md") == 1


def test_a_dry_run_removes_nothing(reatt, store):
    before = (store / "reatt.db").read_bytes()
    done = reatt("remove", "D-1", "D-2", "--dry-run")
    assert "would remove 2 documents" in done.err
    assert (store / "reatt.db").read_bytes() == before


def test_remove_of_one_unknown_document_removes_none(reatt, store):
    assert reatt("remove", "D-1", "nothing.txt").code == 2
    assert len(json.loads(reatt("list", "--json").out)["documents"]) == 3


def test_what_was_removed_is_no_longer_in_the_file(reatt, store):
    reatt("remove", "D-1")
    assert b"Norway" not in (store / "reatt.db").read_bytes()


def test_remove_waits_for_no_other_writer(reatt, store):
    from reatt_store.library import Library

    with Library.open(store).writing():
        done = reatt("remove", "D-1")
    assert done.code == 11
    assert str(os.getpid()) in done.err


def test_status_counts(reatt, store):
    told = json.loads(reatt("status", "--json").out)
    assert (told["documents"], told["chunks"], told["tokens"], told["generation"]) == (3, 4, 0, None)
    assert told["bytes"]["sqlite"] == (store / "reatt.db").stat().st_size


def test_status_names_the_files_that_could_not_be_read(reatt, store):
    from reatt_store.library import Library, Problem

    problem = Problem(str(store.parent / "nda.pdf"), "PDF_PASSWORD", "password needed", "--password-file", "00")
    with Library.open(store).writing() as writer:
        writer.record_problem(problem)
    assert "1 file; see: reatt status --problems" in reatt("status").out
    assert "nda.pdf  password needed  try: --password-file" in reatt("status", "--problems").out


def test_status_names_the_process_that_writes(reatt, store):
    from reatt_store.library import Library

    with Library.open(store).writing():
        assert f"by process {os.getpid()}" in reatt("status").out


def test_check_of_a_good_store_is_ok(reatt, store):
    done = reatt("check")
    assert done.code == 0
    assert done.out.startswith("ok; ")


def test_check_finds_a_changed_text(reatt, store):
    file = store / "reatt.db"
    file.write_bytes(file.read_bytes().replace(b"49 weeks at full", b"94 weeks at full"))
    done = reatt("check", "--json")
    assert done.code == 12
    assert json.loads(done.out)["ok"] is False


def test_check_finds_a_changed_model(reatt, library):
    assert reatt("check").code == 0
    (config,) = library.glob("models/*/config.json")
    config.write_text(config.read_text() + " ")
    done = reatt("check", "--json")
    assert (done.code, json.loads(done.out)["damaged"][0]["what"]) == (12, "model")


def test_init_makes_a_store_once_and_leaves_it_alone_after(reatt, home):
    assert reatt("init").out == ".reatt  created\n"
    assert reatt("init").out == ".reatt  already exists\n"
    assert (home / "work" / ".reatt" / "reatt.db").exists()
    assert reatt("init", "sub").out == "sub/.reatt  created\n"


def test_init_store_names_the_folder_itself(reatt, home):
    reatt("init", "--store", "elsewhere")
    assert (home / "work" / "elsewhere" / "reatt.db").exists()


def test_a_store_is_closed_to_others(reatt, home):
    reatt("init")
    store = home / "work" / ".reatt"
    assert (store.stat().st_mode & 0o777, (store / "reatt.db").stat().st_mode & 0o777) == (0o700, 0o600)


def used(reatt):
    return json.loads(reatt("status", "--json").out)["store"]


def test_the_store_is_the_option_then_the_environment_then_the_nearest_then_ones_own(reatt, home, monkeypatch):
    own = home / "home" / "data" / "reatt" / "default"
    for folder in (own, home / "option", home / "variable", home / "work" / ".reatt"):
        reatt("init", "--store", folder)
    (home / "work" / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(home / "work" / "deep" / "deeper")
    assert used(reatt) == str(home / "work" / ".reatt")
    monkeypatch.chdir(home)
    assert used(reatt) == str(own)
    monkeypatch.setenv("REATT_STORE", str(home / "variable"))
    assert used(reatt) == str(home / "variable")
    assert json.loads(reatt("status", "--json", "--store", home / "option").out)["store"] == str(home / "option")


def test_hostile_names_and_texts_do_not_reach_the_terminal(reatt, store, home):
    from reatt_store.library import Chunk, Document, Library

    text = "\x1b]0;owned\x07 text\u202e"
    document = Document(str(home / "work" / "\x1b[31m.md"), None, text, "text", "11" * 16, 9, 0)
    with Library.open(store).writing() as writer:
        writer.publish([(document, [Chunk(0, 0, len(text), 1, None, text, text)])], None, 0)
    for command in (["list"], ["show", "D-4"], ["show", "C-5"], ["remove", "D-4"]):
        done = reatt(*command)
        assert done.code == 0
        assert not {"\x1b", "\x07", "\u202e"} & set(done.out + done.err)


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        ("--only *.md --only a.pdf", ["D-1", "D-3"]),
        ("--only hr/ --only *.pdf", ["D-1", "D-3"]),
        ("--except *.md", ["D-2", "D-3"]),
        ("--except hr/ --except *.pdf", ["D-2"]),
        ("--only * --except faq.jsonl", ["D-1", "D-3"]),
        ("--type pdf", ["D-3"]),
        ("--type .PDF --type jsonl", ["D-2", "D-3"]),
        ("--after 2024", []),
        ("--before 2024-02", []),
    ],
)
def test_options_choose_documents(options, listed, reatt, store):
    assert [each["doc"] for each in json.loads(reatt("list", "--json", *options.split()).out)["documents"]] == listed


@pytest.mark.parametrize("day", ["soon", "2024-13", "2024-02-30", "24", "2024-1-1-1", ""])
def test_a_date_that_is_none_is_a_usage_error(day, reatt, store):
    done = reatt("list", "--after", day)
    assert done.code == (0 if not day else 2)
    assert not day or "expected a date" in done.err
