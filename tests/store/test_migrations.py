"""Laws of stores that earlier versions made: they are read as they are, and the first writer brings them up to date."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reatt_store.connection import open_writer
from reatt_store.errors import UsageError
from reatt_store.library import Chunk, Document, Library
from reatt_store.migrations import FIRST, FORMAT, SECOND
from reatt_store.records import Outcome
from reatt_store.selection import Selection
from tests.older import take_back

TEXTS = ("The ferry leaves at nine.", "图书馆的开放时间是九点。", "The finance o\ufb03cer is Zelda.")
MANY = 1500
OPEN = "import pathlib, sys, reatt_store.connection as c; c.open_writer(pathlib.Path(sys.argv[1]))"


def write(folder: Path, texts: tuple[str, ...]) -> Path:
    with Library.create(folder) as library, library.writing() as writer:
        rows = [(Document(f"/d/{n}.md", None, "", "text", "", 1, 0), text) for n, text in enumerate(texts)]
        writer.publish([(row, [Chunk(0, 0, len(text), 1, None, "", text)]) for row, text in rows], None, 0)
        first = writer.begin_generation("print-1", "mini", "aa")
        writer.begin_generation("print-2", "adapted", "bb")
        run = writer.begin_run("encoder", {})
        writer.end_run(run, Outcome({}, {}, False, "no gain", None))
        writer.drop_generation(first)
    return folder


@pytest.fixture(params=range(1, FORMAT))
def older(request, tmp_path):
    """A store of each earlier format."""
    return take_back(write(tmp_path / "store", TEXTS), request.param), request.param


def words(folder: Path, question: str) -> list[int]:
    with Library(folder) as library:
        return [id for id, _ in library.words(question, 9)]


def test_it_is_read_as_it_is(older):
    folder, format = older
    with Library(folder) as library:
        assert library.status().format == format
        assert [document.document.path for document in library.documents(Selection(only=("*.md",)))] == [
            "/d/0.md", "/d/1.md", "/d/2.md",
        ]  # fmt: skip
    assert words(folder, "When does the ferry leave?") == [1]
    assert words(folder, "officer") == ([] if format < 3 else [3])


@pytest.mark.parametrize("older", [1, 2], indirect=True)
def test_its_dates_are_not_known_and_that_is_said(older):
    with Library(older[0]) as library, pytest.raises(UsageError, match="before dates were kept"):
        list(library.documents(Selection(after="2024-01-01")))


def test_the_first_writer_brings_it_up_to_date(older):
    open_writer(older[0]).close()
    with Library(older[0]) as library:
        assert library.status().format == FORMAT
        assert library.check().ok
    assert (words(older[0], "ferry"), words(older[0], "图书馆"), words(older[0], "officer")) == ([1], [2], [3])


def test_it_ends_with_the_schema_of_a_new_store(older, tmp_path):
    open_writer(older[0]).close()
    Library.create(tmp_path / "new").close()
    found = []
    for folder in (older[0], tmp_path / "new"):
        with sqlite3.connect(folder / "reatt.db") as connection:
            found.append({sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema")})
    assert found[0] == found[1]
    kept = {statement for statement in (*FIRST[:-1], *SECOND[:-1]) if "words USING" not in statement}
    assert kept <= found[0]


def test_a_repair_brings_it_up_to_date(older):
    from reatt_store.repairing import repair

    assert repair(older[0]) == []
    with Library(older[0]) as library:
        assert (library.status().format, library.check().ok) == (FORMAT, True)
    assert words(older[0], "图书馆") == [2]


def test_a_kill_in_the_middle_leaves_the_old_or_the_new_and_the_next_writer_completes_it(tmp_path):
    old = take_back(write(tmp_path / "old", tuple(f"text {n} 图书馆" for n in range(MANY))), 2)
    formats = set()
    for delay in (0.0, 0.03, 0.1, 0.3):
        folder = Path(shutil.copytree(old, tmp_path / str(delay)))
        killed_after(folder, delay)
        with Library(folder) as library:
            formats.add(library.status().format)
            assert sum(1 for _ in library.every_chunk()) == MANY
            assert len(library.words("1471", 9)) == 1
        open_writer(folder).close()
        with Library(folder) as library:
            assert (library.status().format, library.check().ok) == (FORMAT, True)
            assert len(library.words("图书馆", MANY)) == MANY
    assert 2 in formats


def killed_after(folder: Path, delay: float) -> None:
    """Open a store to write, and kill the writer some time after it has begun to change the file."""
    with subprocess.Popen([sys.executable, "-c", OPEN, str(folder)]) as process:
        journal = folder / "reatt.db-journal"
        while process.poll() is None and not journal.exists():
            time.sleep(0.002)
        time.sleep(delay)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
