"""Nothing of a document, a name, a record or an answer steers a terminal, on any command, for people or as JSON."""

import json
import os
import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reatt_cli.app import app, run
from reatt_store.library import Chunk, Document, Library, Problem

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
EVIL = "\x1b]52;c;aGk=\x07 \x9b31m \x1bP q \u202etxt.exe\u2066 \u200b \U000e0041 tea\r\n[/b] \x08"
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("\x1b\x07\x9b\x90\u202e\u2066\u200f\ufeff\r\n[;m tea", max_size=30),
)
COMMANDS = [
    "list", "list --only *", "show D-1", "show C-1", "status --problems", "check", "remove --dry-run *", "models",
    "search --retriever words tea", "search --retriever words {text}", "list --only {text}", "show {text}",
    "remove {text}", "ask {text} --model {text}", "search {text} --store {text}", "ingest {text}", "{text}",
    "models use {text}", "adapt --qa {text}", "eval --queries {text}", "schema {text}", "list --color {text}",
    "status --store {text}", "check --repair", "init {text}", "report {text}", "report R-1 -o {text}", "doctor",
    "doctor --store {text} --model {text}",
    "mcp --store {text} --print-config codex", "config", "config {text}", "completion {text}", "serve --store {text}",
    "serve --stop", "models add {text} --name {text}", "models rollback", "models probe --model {text}",
    "models list --store {text}", "values id D-", "values model {text}", "list --debug {text}", "adapt --spans {text}",
    "export {text}.parquet", "cluster ingest {text} --shards 2 --out {text} --store {text}",
    "cluster serve {text} --store {text}",
    "ingest --dry-run . --exclude {text}", "ingest . --password-file {text}", "ingest . --encoding {text}",
]  # fmt: skip


def fill(store, text):
    """Make a store whose every text is another's: path, record, title, words, a problem."""
    document = Document(f"/{text}", text, text, "text", "00" * 16, 9, 0)
    chunk = Chunk(0, 0, len(text) + 4, 1, None, text, f"tea {text}")
    with Library.create(store) as library, library.writing() as writer:
        writer.publish([(document, [chunk])], None, 0)
        writer.record_problem(Problem(f"/{text}", "PDF_DAMAGED", text, text, "00"))
    (store / "config.toml").write_text(f"[ingest]\nexclude = [{json.dumps(text)}]\n")


def said(arguments):
    """Run a command and return all that it wrote."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(arguments)
    assert code in (0, 1, 2, 3, 4, 10, 12, 13, 14, 22), err.getvalue()
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["people", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_lets_a_hostile_text_steer_the_terminal(command, how, home):
    fill(home / "work" / ".reatt", EVIL.replace("\x00", ""))
    words = [word.format(text=EVIL) for word in command.split()]
    assert not STEERING.search(said([*words, *how]).replace("\r\n", "\n"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, st.sampled_from(COMMANDS), st.booleans())
def test_no_text_at_all_steers_the_terminal(home, text, command, as_json):
    store = home / f"store-{len(os.listdir(home))}"
    fill(store, text)
    words = [word.format(text=text or "tea") for word in command.split()]
    named = [] if "--store" in words else ["--store", str(store)]
    assert not STEERING.search(said([*words, *named, *(["--json"] if as_json else [])]))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS, st.booleans())
def test_no_document_and_no_answer_steers_the_terminal(home, library, text, question, as_json):
    (home / "work" / "made").mkdir(exist_ok=True)
    (home / "work" / "made" / "tea.md").write_text(f"# {text}\n\n{text} is tea.\n", errors="replace")
    calls = ["ingest made", "ask {text} --abstain never --explain --only made", "search {text} --only made", "list"]
    for call in calls:
        words = [word.format(text=question or "tea") for word in call.split()]
        assert not STEERING.search(said([*words, *(["--json"] if as_json else [])]))


def commands(group=None, before=""):
    group = group or typer.main.get_command(app)
    for name, each in group.commands.items():
        yield from commands(each, f"{before}{name} ") if hasattr(each, "commands") else [before + name]


def test_no_command_is_left_out():
    assert {name for name in commands() if not any(call.startswith(name) for call in COMMANDS)} == set()


def test_hostile_files_and_questions_stay_inert_from_ingest_to_answer(home, library, reatt):
    folder = home / "work" / "evil"
    folder.mkdir()
    text = EVIL.replace("\x07", "").replace("\x08", "")  # with those it would be binary, and not be read
    (folder / f"{EVIL.replace('/', '')}.md").write_text(f"# {text}\n\n{text} is tea\n")
    with open(os.fsencode(folder) + b"/\x1b[31m\xff.txt", "w") as file:
        file.write(text)
    asked = [["ask", EVIL, "--abstain", "never"], ["ask", "tea", "--explain", "--only", "evil"], ["search", EVIL]]
    for call in [["ingest", "evil"], *asked, ["list"]]:
        for how in ([], ["--json"]):
            assert not STEERING.search(said([*call, *how]))
    listed = json.loads(reatt("list", "--only", "evil", "--json").out)["documents"]
    assert (len(listed), any("\\xff.txt" in each["path"] for each in listed)) == (2, True)
