"""Every transcript in the documentation is what the program says when it is run again.

A transcript is a fenced block with lines `$ COMMAND`. They are run again in order, page by page, in a copy of examples/
with an empty home, on a terminal of 100 columns. Its output must be what the page shows, line by line, and the exit
code must be 0, or what the next line, `$ echo $?`, shows. Times and sizes on disk are masked; 0.52 and 74 % may differ
by one in the last digit, because processors round differently. After the model's weights change: `make transcripts`.
"""

import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pexpect
import pytest

from reatt_cli import __version__

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "bench/results/README.md")),
    *(ROOT / "engine" / "reatt").glob("*/README.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md"),
    *(ROOT / "skills").rglob("*.md"),
]  # fmt: skip
REWRITE = os.environ.get("TRANSCRIPTS") == "rewrite"  # record what is said now, as `make transcripts` does
TERMINAL = (50, 100)  # rows, columns
SECONDS = 300  # for one command
MASKED = re.compile(r"(?<![\w.])(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?(?:m?s|h|m| ms| [kMGT]?B)(?!\w)")
FIGURE = re.compile(r"(?<![\w.])(\d+\.\d+|\d+ ?%)(?![\w.])")
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command of a transcript, and what is shown below it."""

    command: str
    shown: str

    def __str__(self):
        return f"$ {self.command}\n{self.shown}"


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def steps(block):
    """Split a fenced block into its commands; none if it is no transcript."""
    return [Step(*part.partition("\n")[::2]) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def transcripts(text):
    return [found for block in FENCE.findall(text) if (found := steps(block))]


def same(shown, said):
    """Compare two outputs: all but what is masked, figures to one in their last digit, columns however wide."""
    pairs = [FIGURE.split(re.sub(" {2,}", "  ", MASKED.sub("N", text)).rstrip()) for text in (shown, said)]
    if len(pairs[0]) != len(pairs[1]):
        return False
    words = all(a == b for a, b in zip(pairs[0][::2], pairs[1][::2], strict=True))
    return words and all(close(a, b) for a, b in zip(pairs[0][1::2], pairs[1][1::2], strict=True))


def close(shown, said):
    """Say whether two figures of the same form differ by one in the last digit at most."""
    digits = [len(figure.partition(".")[2].rstrip(" %")) for figure in (shown, said)]
    values = [float(figure.rstrip(" %")) for figure in (shown, said)]
    return digits[0] == digits[1] and abs(values[0] - values[1]) < 1.5 * 10 ** -digits[0]


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs steps as a person would who stands in examples/; it gives what they really say."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "reatt"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reatt_cli.app "$@"\n')
    program.chmod(0o755)
    world = {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
    world |= {"OMP_NUM_THREADS": "1", "TERM": "dumb", "REATT_PROGRESS": "never"}
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    def run(told):
        code, said = 0, []
        for step in told:
            assert code == 0 or step.command == "echo $?", f"exit {code}, and not said: {said[-1]}"
            shown, code = pexpect.run(
                shlex.join(["bash", "-c", f"(exit {code})\n{step.command}"]), cwd=tmp_path / "examples", env=world,
                dimensions=TERMINAL, timeout=SECONDS, withexitstatus=True, encoding="utf-8",
            )  # fmt: skip
            said.append(replace(step, shown=re.sub(r"[ \t\r]+$", "", shown, flags=re.MULTILINE)))
        assert code == 0, f"exit {code}, and not said, at the end: {said[-1]}"
        return said

    return run


def rerun(text, shell):
    """Run a page's transcripts again; return the page with what they say now, where that is not what it shows."""
    told = [step for transcript in transcripts(text) for step in transcript]
    for shown, said in zip(told, shell(told), strict=True):
        if not same(shown.shown, said.shown):
            assert text.count(str(shown)) == 1, f"more than once: {shown}"
            text = text.replace(str(shown), str(said))
    return text


@pytest.mark.parametrize("page", [page for page in PAGES if transcripts(page.read_text("utf-8"))], ids=name_of)
def test_transcripts_show_what_is_said_when_they_are_run_again(page, shell):
    text = page.read_text(encoding="utf-8")
    now = rerun(text, shell)
    if REWRITE:
        page.write_text(now, encoding="utf-8")
    else:
        assert now == text, "if that is as it should be: make transcripts"


def test_the_readme_shows_reading_answering_and_abstaining():
    told = [step.command for transcript in transcripts((ROOT / "README.md").read_text("utf-8")) for step in transcript]
    assert [command.split()[1] for command in told].count("ask") >= 3
    assert {"reatt ingest documents", "echo $?"} <= set(told)


GOOD = f"""```
$ reatt --version
reatt {__version__}
$ head -n 1 questions.txt | wc -l
1
$ grep zebra questions.txt
$ echo $?
1
```
"""
CHANGES = [
    (f"reatt {__version__}", "reatt 0.0.9"), ("--version", "--vresion"), ("$ echo $?\n1\n", ""), ("?\n1", "?\n4"),
    ("head -n 1 questions.txt", "head -n 1 gone.txt"), ("reatt --version", "raett --version"), ("\n1\n$ g", "\n2\n$ g"),
]  # fmt: skip


def test_what_is_still_so_is_left_as_it_is(shell):
    assert rerun(GOOD, shell) == GOOD


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_is_no_longer_so_is_seen(before, after, shell):
    assert GOOD.count(before) == 1
    text = GOOD.replace(before, after)
    with pytest.raises(AssertionError):
        assert rerun(text, shell) == text


@pytest.mark.parametrize(
    ("shown", "said", "are_same"),
    [
        ("in 1.3s   store 1.1 MB", "in 1m12s   store 980 kB", True), ("confidence 0.52", "confidence 0.53", True),
        ("confidence 0.52", "confidence 0.54", False), ("a  74 %", "a   75 %", True), ("a  74 %", "a  not read", False),
        ("17 documents", "18 documents", False), ("built in 1794", "built in 1795", False), ("0.5", "0.50", False),
        ("m-001:1  x", "m-001:2  x", False), ("A-0a1b2c3d4e", "A-0a1b2c3d4f", False), ("a\nb", "a", False),
    ],
)  # fmt: skip
def test_only_the_clock_the_disk_and_rounding_may_differ(shown, said, are_same):
    assert same(shown, said) == are_same
