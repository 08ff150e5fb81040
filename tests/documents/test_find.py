"""Laws of finding files."""

import os
from pathlib import Path

import pytest

from reatt.documents.reader import find
from reatt_store.errors import NoSuchPath, NothingFound


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("Some words.")
    return folder


def names(folder: Path, *paths: str, **globs: list[str]) -> list[str]:
    return [
        found.path.relative_to(folder).as_posix() for found in find([str(folder / path) for path in paths], **globs)
    ]


def test_a_folder_is_walked_in_a_fixed_order(tmp_path: Path) -> None:
    tree(tmp_path, "b.md", "a.txt", "z/1.txt", "c/2.txt", "c/a/3.txt")
    assert names(tmp_path, ".") == ["a.txt", "b.md", "c/2.txt", "c/a/3.txt", "z/1.txt"]


def test_hidden_files_tools_folders_and_stores_are_left_out(tmp_path: Path) -> None:
    tree(tmp_path, ".git/a", ".hidden", "node_modules/x/a.js", "~$letter.docx", "mine/reatt.db", "mine/a.txt", "a.txt")
    assert names(tmp_path, ".") == ["a.txt"]


def test_what_is_named_is_taken_and_known_to_be_named(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden/.a.txt", "b/c.txt")
    [named] = find([str(tmp_path / ".hidden/.a.txt")])
    [walked] = find([str(tmp_path / "b")])
    assert (named.explicit, walked.explicit) == (True, False)
    assert named.path.is_absolute()


def test_a_file_reached_twice_is_read_once(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.txt", "a/2.txt")
    assert names(tmp_path, "a/2.txt", "a", "a/*.txt") == ["a/2.txt", "a/1.txt"]


def test_globs_choose(tmp_path: Path) -> None:
    tree(tmp_path, "a.md", "b.txt", "old/c.md", "new/d.md")
    assert names(tmp_path, ".", include=["*.md"], exclude=["old/*"]) == ["a.md", "new/d.md"]
    assert names(tmp_path, ".", exclude=["old", "new"]) == ["a.md", "b.txt"]
    assert names(tmp_path, "**/*.md") == ["a.md", "new/d.md", "old/c.md"]


def test_a_name_with_brackets_is_itself(tmp_path: Path) -> None:
    tree(tmp_path, "src/[id].tsx", "src/i.tsx")
    assert names(tmp_path, "src/[id].tsx") == ["src/[id].tsx"]


@pytest.mark.parametrize("number", [5, 13])
def test_a_folder_that_cannot_be_listed_is_given_to_be_read_and_stops_nothing(
    tmp_path: Path, monkeypatch, number
) -> None:
    def refuse(folder: Path) -> list[os.DirEntry[str]]:
        if folder.name == "bad":
            raise OSError(number, "no")
        return scandir(folder)

    (tmp_path / "bad").mkdir()
    (tmp_path / "a.txt").write_text("a")
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", refuse)
    assert [found.path.name for found in find([str(tmp_path)])] == ["a.txt", "bad"]


def test_links_inside_a_folder_are_not_followed_and_said(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.txt", "out/secret.txt")
    (tmp_path / "in/link").symlink_to(tmp_path / "out")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    heard: list[Path] = []
    assert [found.path.name for found in find([str(tmp_path / "in")], on_link=heard.append)] == ["a.txt"]
    assert [path.name for path in heard] == ["link", "loop"]


def test_a_path_that_is_not_there_is_said_before_anything_is_read(tmp_path: Path) -> None:
    tree(tmp_path, "handbook/a.txt")
    with pytest.raises(NoSuchPath, match="handbok") as caught:
        find([str(tmp_path / "handbook"), str(tmp_path / "handbok")])
    assert caught.value.fix == f"did you mean {tmp_path / 'handbook'}?"


def test_nothing_found_tells_the_globs_and_what_there_was(tmp_path: Path) -> None:
    tree(tmp_path, "a.doc", "b.doc", "c.xls")
    with pytest.raises(NothingFound, match=r"--include \*\.md") as caught:
        list(find([str(tmp_path)], include=["*.md"]))
    assert ".doc (2), .xls (1)" in caught.value.fix
