"""Terminals that can do little, locales that know little, streams that are closed: nothing fails, nothing is lost."""

import json
import os
import re
import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-m", "reatt_cli.app"]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
QUESTION = "Wie heißt das Café in Tromsø — 東京?"
NAMES = ("café.md", "日本/ø.txt")


def run(*arguments, stdin="", **environment):
    """Run the program in a process of its own; whatever it does, no traceback."""
    world = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    world |= {"LANG": "C.UTF-8"} | environment
    done = subprocess.run([*PROGRAM, *arguments], input=stdin.encode(), capture_output=True, env=world)
    assert b"Traceback" not in done.stderr
    return done


@pytest.fixture
def foreign(home, reatt, model, monkeypatch):
    """Ingest two files whose names and texts are not ASCII."""
    monkeypatch.setenv("REATT_MODEL", str(model))
    monkeypatch.setenv("REATT_STORE", str(home / "store"))
    for name in NAMES:
        (home / "work" / name).parent.mkdir(exist_ok=True)
        (home / "work" / name).write_text("Das Café heißt Sjøstuen. 東京です。\n", encoding="utf-8")
    assert reatt("ingest", ".").code == 0
    return home / "work"


def test_in_the_c_locale_names_and_texts_are_what_they_are_elsewhere(foreign, reatt):
    done = run("ingest", ".", "--json", **ASCII)
    assert (done.returncode, json.loads(done.stdout)["files"]["unchanged"]) == (0, 2)
    told = json.loads(run("list", "--json", **ASCII).stdout)["documents"]
    assert {os.path.relpath(each["path"], foreign) for each in told} == set(NAMES)
    for only in ("日本", "*café*"):
        call = ["search", "--retriever", "words", "Sjøstuen", "--only", only]
        hits = json.loads(run(*call, "--json", **ASCII).stdout)["hits"]
        assert [each["text"] for each in hits] == ["Das Café heißt Sjøstuen. 東京です。\n"]
    assert run("remove", "café.md", **ASCII).returncode == 0


def test_in_the_c_locale_questions_arrive_and_answers_are_valid_json(foreign):
    done = run("ask", "-", "--jsonl", "--abstain", "never", stdin=QUESTION + "\n", **ASCII)
    told = json.loads(done.stdout.decode("ascii"))
    assert (done.returncode, done.stderr, told["question"]) == (0, b"", QUESTION)
    assert {each["text"] for each in told["evidence"]} == {"Das Café heißt Sjøstuen. 東京です。\n"}


def test_in_the_c_locale_people_are_told_the_same_with_what_it_lacks_escaped(foreign):
    for call, shown in (
        ("list", rb"caf\xe9.md"),
        ("search --retriever words Sjøstuen", rb"Caf\xe9"),
        ("status", b"documents"),
    ):
        done = run(*call.split(), **ASCII)
        assert (done.returncode, done.stdout.isascii(), done.stderr.isascii()) == (0, True, True)
        assert shown in done.stdout


CALLS = ["list", "search --retriever words leave --explain"]


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "20"}])
@pytest.mark.parametrize("call", CALLS)
def test_a_poor_terminal_gets_no_escape_and_every_line_fits_it(call, environment, store):
    import pexpect

    columns = int(environment.get("COLUMNS", "60"))
    inherited = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    world = {**inherited, "TERM": "xterm", **environment}
    child = pexpect.spawn(PROGRAM[0], [*PROGRAM[1:], *call.split()], env=world, dimensions=(24, columns), timeout=None)
    shown = child.read().decode()
    child.close()
    assert child.exitstatus == 0
    assert environment == {"COLUMNS": "20"} or "\x1b" not in shown
    table = [line for line in re.sub("\x1b\\[[01]m", "", shown).splitlines() if not line.startswith("store ")]
    assert len(table) > 1
    assert max(map(len, table)) <= columns


@pytest.mark.parametrize("call", ["list", "list --json", "show D-99"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_the_null_device(call, closed, store):
    usual = run(*call.split())
    shell = f'exec "$@" {closed}'
    done = subprocess.run(["bash", "-c", shell, "bash", *PROGRAM, *call.split()], capture_output=True, check=False)
    assert done.returncode == usual.returncode
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else usual.stdout)
    assert done.stderr == (b"" if "2>&-" in closed else usual.stderr)


def test_no_file_of_ours_gets_the_number_of_a_closed_stream(store, reatt):
    done = subprocess.run(["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash", *PROGRAM, "remove", "D-2"], check=False)
    assert (done.returncode, reatt("check").code) == (0, 0)
    assert len(json.loads(reatt("list", "--json").out)["documents"]) == 2


@pytest.mark.parametrize("call", ["list", "list --json"])
def test_who_reads_one_line_gets_it_and_nobody_complains(call, store):
    shell = '"$@" | head -n 1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", shell, "bash", *PROGRAM, *call.split(), "-q"], capture_output=True, text=True)
    first, code = done.stdout.splitlines()
    assert first == run(*call.split()).stdout.decode().splitlines()[0]
    assert (code in ("0", "141"), done.stderr) == (True, "")
