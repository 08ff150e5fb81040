"""A store that came from a stranger: nothing in it holds a command up, leads it elsewhere, or steers the terminal."""

import hashlib
import json
import os
import re
import sqlite3
import struct
from contextlib import closing

import numpy as np
import pytest

from reatt.weights.folder import ModelFolder
from reatt_store.library import Library

COMMANDS = ["list", "status", "check", "search --retriever words leave", "ask leave", "remove D-1", "serve --stop",
            "models list", "config", "doctor", "ingest leave.md", "report R-1", "adapt --dry-run"]  # fmt: skip
EVIL = "\x1b]0;owned\x07\x9b31m\u202e"


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("put", [pipe, endless])
def test_settings_that_are_a_pipe_or_endless_are_refused_at_once(put, reatt, library):
    put(library / "config.toml")
    for command in COMMANDS:
        done = reatt(*command.split(), "--json")
        assert (done.code, "is not a settings file" in json.loads(done.err)["message"]) == (2, True)


def test_settings_that_take_minutes_to_parse_are_refused_at_once(reatt, library):
    table = ".".join(["a"] * 20_000)  # each line below it is looked up from the top
    (library / "config.toml").write_text(f"[{table}]\n" + "".join(f"b{number} = 1\n" for number in range(20_000)))
    done = reatt("list", "--json")
    assert (done.code, "is not a settings file" in json.loads(done.err)["message"]) == (2, True)


def test_a_link_in_a_store_is_refused_by_whoever_reads_or_writes(reatt, library, home):
    (home / "mine").mkdir()
    (home / "mine" / "kept.txt").write_text("mine")
    (library / "tmp").rmdir()
    (library / "tmp").symlink_to(home / "mine")
    for command in ("ingest leave.md", "remove D-1", "search leave", "check", "check --repair"):
        done = reatt(*command.split(), "--json")
        assert (done.code, "is a link" in json.loads(done.err)["message"]) == (12, True)
    assert (home / "mine" / "kept.txt").read_text() == "mine"


def test_a_page_and_a_segment_that_are_pipes_hold_nobody_up(reatt, library):
    (library / "reports").mkdir()
    pipe(library / "reports" / "R-1.html")
    assert reatt("report", "R-1").code == 1
    [segment] = (library / "segments").iterdir()
    segment.unlink()
    pipe(segment)
    assert "not a regular file" in reatt("search", "leave").err
    assert reatt("check").code == 12
    assert reatt("check", "--repair").code == 0
    assert reatt("search", "leave", "--json").code == 0


def sealed(library, change):
    """Change the scales of the keys of a store's segment, and seal it again as a stranger can."""
    [path] = (library / "segments").iterdir()
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name == "scales":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            numbers = np.frombuffer(content[start:end], np.float32).copy()
            change(numbers)
            content[start:end] = numbers.tobytes()
    path.unlink()
    path.write_bytes(content)
    with closing(sqlite3.connect(library / "reatt.db", isolation_level=None)) as database:
        database.execute("UPDATE segments SET blake2b = ?", [hashlib.blake2b(content, digest_size=32).digest()])


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "65504"])
@pytest.mark.parametrize("every", [1, 7, 10_000])
def test_keys_that_are_no_numbers_give_a_finite_answer_or_damage(number, every, reatt, library):
    def spoil(numbers):
        numbers[::every] = float(number)

    sealed(library, spoil)
    for how in ("exact", "fast", "two-stage", "auto"):
        for command in ("search", "ask --ok-empty"):
            done = reatt(*command.split(), "leave in Norway", "--search", how, "--json")
            assert done.code in (0, 12)
            assert "NaN" not in done.out + done.err


def test_a_model_called_by_a_hostile_name_steers_no_terminal(reatt, library, write_model, home, monkeypatch):
    monkeypatch.delenv("REATT_MODEL")
    with Library.open(library) as opened, opened.writing() as writer:
        folder = ModelFolder(write_model(home / "evil", seed=5), called=EVIL)
        made = writer.begin_generation("print", EVIL, folder.sha256)
        writer.switch(made)
    for command in ("models list", "status", "search leave", "ask leave", "doctor", "models rollback", "check"):
        for how in ((), ("--json",)):
            done = reatt(*command.split(), *how)
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", done.out + done.err)
