"""Laws of what programs print: the letters are read, not how they were made bold, coloured or written over."""

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, read
from reatt.parsers.text import terminal
from reatt.parsers.text.terminal import stripped
from reatt_store.errors import NotText


@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("N\bNA\bAM\bME\bE", "NAME"),
        ("_\bf_\bi_\bl_\be", "file"),
        ("f\b_i\b_", "fi"),
        ("N\bN\bN\bN", "N"),
        ("é\bé_\bü", "éü"),
        ("+\bo item", "o item"),
        ("\x1b[1;31mERROR\x1b[0m x", "ERROR x"),
        ("\x1b[38;5;9ma\x1b[K\x1b(B", "a"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\", "ab"),
        ("a\n10%\r20%\r100%\nb\r\n", "a\n100%\nb\r\n"),
        ("plain _ text\n", "plain _ text\n"),
    ],
)
def test_what_is_seen_in_the_end_is_read(printed: str, seen: str) -> None:
    assert stripped(printed.encode()).decode() == seen


@pytest.mark.parametrize("name", ["a.txt", "a.log", "man.out", "a.1.cat"])
def test_overstrikes_and_colours_are_known_by_their_signs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(
        b"N\bNA\bAME\n\x1b[1mfrob\x1b[0m turns left. " + b"x " * 4500 + b"\n\x1b[1mend\x1b[0m"
    )
    [text] = read(FoundFile(tmp_path / name, explicit=True))
    assert text.kind == "terminal"
    assert text.text == "NAME\nfrob turns left. " + "x " * 4500 + "\nend"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"started by Ravi" * 9 + bytes(40) + b"stopped by Ingrid" * 9, 40),
        (b"one line of words, " * 40 + b"\0" + b"and another" * 9 + bytes(4096), 4097),
        (b"\0" + "élan et mots ".encode() * 20, 1),
    ],
)
def test_a_text_with_a_few_holes_is_read_with_blanks_in_them(tmp_path: Path, data: bytes, text: int) -> None:
    (tmp_path / "a.log").write_bytes(data)
    [found] = read(FoundFile(tmp_path / "a.log", explicit=True))
    assert found.text == data.decode().replace("\0", " ")
    assert found.warnings == (f"{text:,} NUL bytes were read as blanks",)


BINARY = [b"a\0b", b"words and \0" * 99, bytes(999) + b"\xff\xfe\xfd" * 99, b"\x08\x01\x02\x1b[0m" * 99]


@pytest.mark.parametrize("data", BINARY)
def test_binary_data_stays_binary(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.log").write_bytes(data)
    with pytest.raises(NotText):
        list(read(FoundFile(tmp_path / "a.log", explicit=True)))


@given(st.binary(max_size=60) | st.text(alphabet="a_\b\x1b[]0m;\r\né", max_size=60).map(str.encode))
def test_any_bytes_are_stripped_to_no_more(data: bytes) -> None:
    assert len(stripped(data)) <= len(data)


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(terminal).failed == 0
