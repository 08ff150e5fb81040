"""Every command that the documentation, a script or a help names is one that the program takes; none is run here."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from reatt_cli.app import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "bench/results/README.md")),
    *(ROOT / "engine" / "reatt").glob("*/README.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md"),
    *(ROOT / "skills").rglob("*.md"),
]  # fmt: skip
SCRIPTS = sorted((ROOT / "examples").glob("*.sh"))
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPERATORS = re.compile(r"[<>|&;]|\d[<>]")
VARIABLES = {"$retriever": "words"}  # of the scripts, where not any text will do
COMMANDS = typer.main.get_command(app)


def resolved(words):
    """Walk from `reatt` to the command that words name; return it with the words that are left."""
    command, left = COMMANDS, list(words)
    while hasattr(command, "commands") and left and not left[0].startswith("-"):
        assert left[0] in command.commands, f"no command {left[0]}"
        command = command.commands[left.pop(0)]
    return command, left


def parse(words):
    """Parse a command's words as the program would; nothing is run."""
    command, left = resolved([VARIABLES.get(word, word) for word in words])
    command.make_context("reatt", left)


def calls(line):
    """Find the calls of reatt in a line of shell, each with its words up to what the shell takes for itself."""
    words = shlex.split(line.replace(";", " ; "), comments=True)
    for number, word in enumerate(words):
        if word == "reatt":
            rest = words[number + 1 :]
            yield rest[: next((n for n, word in enumerate(rest) if OPERATORS.match(word)), len(rest))]


def shell_lines(page):
    blocks = FENCE.findall(page.read_text("utf-8")) if page.suffix == ".md" else [page.read_text("utf-8")]
    return [
        line for block in blocks for line in block.splitlines() if re.search(r"(?:^\s*(?:\$ )?|[|;&(] *)reatt ", line)
    ]


LINES = [(page.relative_to(ROOT).as_posix(), line) for page in [*PAGES, *SCRIPTS] for line in shell_lines(page)]


@pytest.mark.parametrize(("page", "line"), [each for each in LINES if not each[1].lstrip().startswith(("#", "echo"))])
def test_every_command_in_a_block_or_a_script_is_one_the_program_takes(page, line):
    found = list(calls(line.replace("$(", "").replace(")", "")))
    assert found
    for words in found:
        parse(words)


def leaves(command, name=""):
    if hasattr(command, "commands"):
        return [leaf for key, each in command.commands.items() for leaf in leaves(each, f"{name} {key}".strip())]
    return [(name, command)]


@pytest.mark.parametrize(
    ("name", "command"), leaves(COMMANDS), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_example_in_every_help_is_one_the_program_takes(name, command):
    for words in calls(command.epilog.removeprefix("Example: ")):
        parse(words)


def spans(text):
    """Give a page's inline code, escapes of tables undone, with the row or paragraph it stands in."""
    for line in re.sub(FENCE, "", text).splitlines():
        for span in re.findall(r"`([^`]+)`", line):
            yield line, span.replace("\\|", "|")


def options(command):
    return {option for each in command.params for option in each.opts + each.secondary_opts} | {"--help", "-h"}


INLINE = sorted(
    {
        (page.relative_to(ROOT).as_posix(), span)
        for page in PAGES
        for _, span in spans(page.read_text("utf-8"))
        if span.startswith("reatt ")
    }
)


@pytest.mark.parametrize(("page", "span"), INLINE)
def test_every_command_in_a_sentence_is_there_with_its_options(page, span):
    words = [word.partition("=")[0] for word in span.split()[1:]]
    for first in words[0].split("|"):
        for second in (words[1] if len(words) > 1 and hasattr(COMMANDS.commands[first], "commands") else "").split("|"):
            command, _ = resolved([first, second] if second else [first])
            assert {word for word in words if re.match(r"--?[a-z]", word)} <= options(command)


def test_every_option_in_the_table_of_commands_is_one_of_its_commands():
    rows = [row for row in (ROOT / "docs/commands.md").read_text("utf-8").splitlines() if row.startswith("| `reatt ")]
    assert len(rows) > 8
    for row in rows:
        heads = [span for _, span in spans(row.split(" | ")[0])]
        own = set().union(
            *(options(each) for name, each in leaves(COMMANDS) for head in heads if name.split()[0] in head)
        )
        elsewhere = {word for _, span in spans(row) if span.startswith("ask ") for word in span.split()}
        named = {word.partition("|")[0] for _, span in spans(row) for word in span.split() if word.startswith("--")}
        assert named - elsewhere <= own, row


def test_every_option_in_the_section_of_a_command_is_one_that_it_takes():
    known = dict(leaves(COMMANDS))
    parts = re.split(r"^## (.+)$", (ROOT / "docs/commands.md").read_text("utf-8"), flags=re.MULTILINE)
    sections = {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name in known}
    assert sections.keys() >= {"ingest", "ask", "eval", "report", "serve"}
    for name, text in sections.items():
        named = {span.split()[0] for _, span in spans(text) if span.startswith("-") and span.split()[0].strip("-")}
        taken = options(known[name]) | (options(known["ask"]) if name in {"report", "serve"} else set())
        assert named <= taken, (name, named - taken)


def test_every_target_of_make_that_is_named_is_there():
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text("utf-8")
        named = [line for block in FENCE.findall(text) for line in block.splitlines()] + [
            span for _, span in spans(text)
        ]
        targets = {found[1] for line in named if (found := re.match(r"make ([a-z][a-z-]*)", line))}
        assert targets <= there, page
