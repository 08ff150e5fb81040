"""--only, --except, --type, --after and --before: search and ask read the chosen documents, cold and warm."""

import json
import os

import pytest

MAY, JUNE = 1_714_600_000, 1_717_200_000  # 2024


@pytest.fixture
def dated(reatt, library, home):
    """The three files, changed in May, in June, and now."""
    for name, at in (("leave.md", MAY), ("travel.txt", JUNE)):
        path = home / "work" / name
        path.write_text(path.read_text() + "\nMore.\n")
        os.utime(path, (at, at))
    assert reatt("ingest", ".").code == 0


def found(reatt, *options):
    done = reatt("search", "leave travel tea", "--retriever", "words", "--json", "--ok-empty", *options)
    return sorted({hit["path"].rsplit("/", 1)[-1] for hit in json.loads(done.out)["hits"]})


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ("", ["leave.md", "tea.txt", "travel.txt"]),
        ("--only *.md --only more", ["leave.md", "tea.txt"]),
        ("--except more --except *.md", ["travel.txt"]),
        ("--type text", ["tea.txt", "travel.txt"]),
        ("--type markdown --type csv", ["leave.md"]),
        ("--type txt", ["tea.txt", "travel.txt"]),
        ("--after 2024-05 --before 2024-05", ["leave.md"]),
        ("--after 2024-05-03", ["tea.txt", "travel.txt"]),
        ("--before 2024", ["leave.md", "travel.txt"]),
        ("--before 2024-06-01 --except travel.txt", ["leave.md"]),
        ("--only *.md --type text", []),
    ],
)
def test_a_search_reads_what_was_chosen(options, paths, reatt, dated):
    assert found(reatt, *options.split()) == paths


@pytest.mark.parametrize("retriever", ["attention", "hybrid"])
def test_attention_obeys_too(retriever, reatt, dated):
    done = reatt("search", "leave", "--retriever", retriever, "--json", "--except", "*.txt", "--before", "2024-05-31")
    assert {hit["path"].rsplit("/", 1)[-1] for hit in json.loads(done.out)["hits"]} == {"leave.md"}


def test_nothing_chosen_is_said_with_the_options(reatt, library):
    done = reatt("search", "leave", "--only", "*.md", "--type", "pdf", "--after", "2020")
    assert "no document matches --only *.md --type pdf --after 2020-01-01" in done.err
