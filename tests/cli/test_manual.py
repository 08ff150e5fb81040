"""The man page: what is shipped is what is generated, every command and option is in it, mandoc finds no fault."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from reatt_cli.app import app
from reatt_cli.manual import CODES, _text, page

FILE = Path(__file__).resolve().parents[2] / "man" / "reatt.1"
needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")


def leaves(command):
    below = [child for child in getattr(command, "commands", {}).values() if not child.hidden]
    return [leaf for child in below for leaf in leaves(child)] if below else [command]


def test_the_shipped_page_is_what_is_generated():
    assert FILE.read_text() == page(), "run: make man"


@needs_mandoc
def test_mandoc_finds_no_fault():
    done = subprocess.run(["mandoc", "-Tlint", "-Wall", FILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_mandoc
def test_every_command_and_option_is_on_the_page_that_is_read():
    done = subprocess.run(["mandoc", "-Tutf8", "-Owidth=200", FILE], capture_output=True, text=True, check=True)
    plain = re.sub(".\b", "", done.stdout)  # bold is a letter struck twice
    for command in leaves(typer.main.get_command(app)):
        options = [name for each in command.params for name in each.opts if name.startswith("--")]
        assert [name for name in [command.name, *options] if name not in plain] == []


def test_every_exit_code_of_the_catalogue_is_on_the_page():
    from reatt_store import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ReattError)]
    assert {kind.exit_code for kind in kinds} <= set(CODES)


@pytest.mark.parametrize("text", [".Dd is no request", "'Nor this", "a " * 60 + ".It"])
def test_no_text_becomes_a_request(text):
    assert not [line for line in _text(text).splitlines() if line[0] in ".'" or len(line) > 80]
