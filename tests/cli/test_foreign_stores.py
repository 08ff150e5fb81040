"""A store that came from a stranger: nothing in it holds a command up, leads it elsewhere, or steers the terminal."""

import json
import os
import re

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
