"""Completion in real shells, from the scripts that are shipped."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pexpect
import pytest
import typer

from reatt_cli.app import app
from reatt_cli.commands import completion
from reatt_cli.commands.completion import script
from reatt_store.migrations import FORMAT, schema

ROOT = Path(__file__).resolve().parents[2]
FILES = {"bash": "reatt.bash", "zsh": "_reatt", "fish": "reatt.fish"}
SHELLS = list(FILES)


def nodes(command=None, path=()):
    command = command or typer.main.get_command(app)
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from nodes(child, (*path, name))


@pytest.fixture
def shells(store, monkeypatch):
    """Put a `reatt` on the PATH that is this source, in a folder with a store."""
    folder = store.parents[1] / "bin"
    folder.mkdir()
    program = folder / "reatt"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reatt_cli.app "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def needs(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shipped_script_is_what_is_generated(shell):
    assert (ROOT / "completions" / FILES[shell]).read_text() == script(shell), "run: make completions"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_parses(shell):
    needs(shell)
    done = subprocess.run([shell, "-n", ROOT / "completions" / FILES[shell]], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_bash_script_passes_shellcheck():
    needs("shellcheck")
    file = ROOT / "completions" / "reatt.bash"
    done = subprocess.run(["shellcheck", "--shell=bash", file], capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_the_script(shell):
    text = script(shell)
    for path, command in nodes():
        options = [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
        assert [name for name in [*path, *options] if name.removeprefix("--") not in text] == []


def test_an_option_means_the_same_in_every_command():
    meanings = {}
    for path, command in nodes():
        for option in command.params:
            if option.param_type_name == "option":
                meaning = (option.metavar, option.is_flag, str(option.type_descriptor.choices))
                assert meanings.setdefault(option.opts[0], meaning) == meaning, (path, option.opts)


def bash(line):
    """Ask bash what it would complete a line to, with its own completion machinery."""
    program = f"""
        source {ROOT / "completions" / "reatt.bash"}
        line={line!r}; read -ra COMP_WORDS <<< "$line"; [[ $line == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
        compopt() {{ :; }}
        _reatt reatt "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


def fish(line):
    program = f"source {ROOT / 'completions' / 'reatt.fish'}; complete -C {line!r}"
    done = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    return [row.split("\t")[0] for row in done.stdout.splitlines()]


CASES = [
    ("reatt in", {"ingest", "init"}, {"list"}),
    ("reatt models ", {"list", "add", "probe"}, {"ingest"}),
    ("reatt list --js", {"--json"}, {"--only"}),
    ("reatt list --color ", {"auto", "always", "never"}, {"list"}),
    ("reatt ask --retriever w", {"words"}, {"hybrid"}),
    ("reatt ask list --se", {"--search"}, {"--store"} & set()),
    ("reatt show D-", {"D-1", "D-2", "D-3"}, {"C-1"}),
    ("reatt show C-", {"C-1", "C-4"}, {"D-1"}),
    ("reatt show --store .reatt D-", {"D-1"}, {"C-1"}),
    ("reatt show --store /nowhere D-", set(), {"D-1"}),
    ("reatt remove D", {"D-1"}, set()),
    ("reatt search --model r", {"reatt-mini"}, set()),
    ("reatt se", {"search", "serve"}, {"ask"}),
    ("reatt serve --", {"--idle", "--stop", "--device"}, {"--only"}),
    ("reatt completion ", {"bash", "zsh", "fish"}, {"list"}),
]


@pytest.mark.parametrize(("line", "offered", "not_offered"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("complete", [bash, fish])
def test_a_tab_offers_what_may_stand_there(complete, line, offered, not_offered, shells):
    needs(complete.__name__)
    found = set(complete(line))
    assert offered <= found
    assert not not_offered & found


SENT = {
    "a view": ("CREATE VIEW documents AS SELECT 'x' || char(27, 10) AS id, 'a' AS path, 'b' AS external_id",),
    "another table": (
        "CREATE TABLE documents (id TEXT, path TEXT, external_id TEXT)",
        "INSERT INTO documents VALUES ('1' || char(27) || ']0;x' || char(10) || 'D-2', 'a', 'b')",
    ),
}


@pytest.mark.parametrize("statements", SENT.values(), ids=SENT)
def test_a_tab_runs_nothing_that_a_stranger_put_into_a_store(statements, store, capsys):
    with closing(sqlite3.connect(store / "reatt.db")) as sent:
        for sql in ("ALTER TABLE documents RENAME TO kept", *statements):
            sent.execute(sql)
        sent.commit()
    completion.values("id", "D-", "--store", str(store))
    assert capsys.readouterr().out == ""


def test_values_of_any_type_are_offered_safely(store, capsys):
    with closing(sqlite3.connect(store / "reatt.db")) as sent:
        sent.execute("UPDATE chunks SET title = x'1b0aff'")
        sent.commit()
    completion.values("id", "C-", "--store", str(store))
    printed = capsys.readouterr().out
    assert printed.startswith("C-1\t")
    assert "\x1b" not in printed


def test_a_tab_knows_the_tables_by_the_statements_that_make_them():
    made = set(map(completion.digest, schema(FORMAT)))
    assert {column.made for columns in completion.COLUMNS.values() for column in columns} <= made


def test_bash_completes_files_for_ingest(shells):
    Path("with space.md").touch()
    script = f"source {ROOT}/completions/reatt.bash; compopt() {{ :; }}; COMP_WORDS=(reatt ingest w); COMP_CWORD=2"
    program = f'{script}; _reatt; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.stdout == "with space.md\n"


SESSIONS = {
    "bash": ("bash --norc --noprofile -i", f"source {ROOT}/completions/reatt.bash"),
    "zsh": ("zsh -f -i", f"fpath=({ROOT}/completions $fpath); autoload -Uz compinit; compinit -u -D; PROMPT='$ '"),
    "fish": ("fish --no-config -i", f"source {ROOT}/completions/reatt.fish"),
}


@pytest.mark.parametrize(
    ("typed", "becomes"), [("reatt inge", "ingest"), ("reatt models pr", "probe"), ("reatt show D-", "D-1")]
)
@pytest.mark.parametrize("shell", SHELLS)
def test_pressing_tab_in_a_real_shell_completes(shell, typed, becomes, shells):
    needs(shell)
    command, setup = SESSIONS[shell]
    if becomes == "D-1":
        subprocess.run(["reatt", "remove", "D-2", "D-3"], check=True, capture_output=True)
    world = {**os.environ, "TERM": "xterm"}
    session = pexpect.spawn(command, encoding="utf-8", timeout=None, dimensions=(24, 100), env=world)
    session.sendline(f"{setup}; echo re''ady")
    session.expect("ready")
    session.send(f"{typed}\t")
    session.expect(becomes)
    session.close(force=True)
