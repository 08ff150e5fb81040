"""Laws of reading documents: kinds, raw text, limits, standard input. Each other format has a file of its own."""

import doctest
import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reatt.documents import reader
from reatt.documents.reader import FoundFile, ReadLimits, Text, blank, find, read, read_stdin
from reatt.parsers import formats
from reatt.parsers.formats import kind_of, markdown
from reatt_store.errors import DocumentError, EmptyDocument, NotText, TooBig


def read_bytes(folder: Path, name: str, data: bytes, limits: ReadLimits | None = None) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True), limits))


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.md", b"# A", "markdown"),
        ("a.HTM", b"<p>", "html"),
        ("a", b"<!DOCTYPE html><p>", "html"),
        ("a.py", b"import os", "code"),
        ("run", b"#!/bin/sh\n", "code"),
        ("Makefile", b"all:", "code"),
        ("a.jsonl.xz", b"\xfd7zXZ\0", "records"),
        ("a.xyz", b"words", "text"),
        ("a.txt", b"%PDF-1.4", "pdf"),
        ("a", b"\xef\xbb\xbf\r\n%PDF-1.4\r%\xe2\xe3", "pdf"),
        ("a.pdf", b"Received: by x\n\n%PDF-1.4\n1 0 obj\n<<", "pdf"),
        ("a.md", b"A PDF begins with %PDF-1.4 and a line end.\n", "markdown"),
        ("a.txt", b"%PDF-1.7 is the first line of such a file.\n", "text"),
        ("a.py", b'if head.startswith(b"%PDF-1.4"):\n', "code"),
        ("a.txt", b"{\\rtf is how RTF begins, says the manual.\n", "text"),
        ("a.txt", b"{\\rtf1\\ansi a}", "rtf"),
        ("a.txt", b"GIF89a is the second version of the format.\n", "text"),
        ("a.gif", b"GIF89a\x01\0\x01\0", "binary"),
        ("a.txt", b"BZh is the mark of bzip2, and PK that of zip.\n", "text"),
        ("a.txt", b"%!PS stands for PostScript, says the manual.\n", "text"),
        ("a.ps", b"%!PS-Adobe-3.0\n%%Title: a b\n", "binary"),
        ("a.md", b"PK\x03\x04", "binary"),
        ("a.gz", b"\x1f\x8b", "packed"),
        ("a.txt", b"BZh91AY&SY", "packed"),
        ("a.zip", b"PK\x03\x04", "packed"),
        ("a.jar", b"PK\x03\x04", "binary"),
        ("a.log", b"N\bNA\bAME", "terminal"),
        ("a.log", b"\x1b[31mred\x1b[0m", "terminal"),
        ("a.docx", b"PK\x03\x04", "docx"),
        ("a.docx", b"words", "text"),
        ("a", b"PK\x03\x04.....ppt/slides/", "pptx"),
    ],
)
def test_the_content_and_then_the_name_tell_the_kind(name: str, head: bytes, kind: str) -> None:
    assert kind_of(name, head) == kind


@pytest.mark.parametrize(
    "data", [b"a\0b", bytes(range(256)) * 20, b"\x89PNG\r\n", b"\xd0\xcf\x11\xe0", b"\x01\x02\x03\x04\x05" * 9], ids=str
)
def test_binary_data_is_no_text_whatever_its_name(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NotText) as caught:
        read_bytes(tmp_path, "a.txt", data)
    assert caught.value.path == str(tmp_path / "a.txt")


def test_an_old_office_file_says_how_to_convert_it(tmp_path: Path) -> None:
    with pytest.raises(NotText) as caught:
        read_bytes(tmp_path, "a.doc", b"\xd0\xcf\x11\xe0")
    assert "soffice" in caught.value.fix


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py"])
def test_the_text_is_the_file_to_the_character(tmp_path: Path, name: str) -> None:
    raw = "# One\r\n\r\ntwo\rthree\n\n  four\t\u2028 😀 \n"
    [text] = read_bytes(tmp_path, name, raw.encode())
    assert text.text == raw
    assert (text.size, text.pages, text.external_id) == (len(raw.encode()), (), None)


def test_the_file_name_is_the_title_where_there_is_no_other(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, "parental-leave_2024.txt", b"a")[0].title == "parental leave 2024"
    assert read_bytes(tmp_path, "my_module.py", b"a")[0].title == "my_module.py"


MARKDOWN = """---
title: "Staff handbook"
---
# Leave #
```
# a comment
```
Travel `now`
============
text
## The [command](x.md) **ask** {#ask}
- a list
---
"""


def test_markdown_headings_stand_where_their_lines_do() -> None:
    content = markdown(MARKDOWN)
    assert content.title == "Staff handbook"
    assert [heading for _, heading in content.headings] == ["Leave", "Travel now", "The command ask"]
    assert [MARKDOWN[at:].split()[0] for at, _ in content.headings] == ["#", "Travel", "##"]


def test_the_first_heading_is_the_title_of_a_markdown_file() -> None:
    assert markdown("\n## Leave\n\n# Travel\n").title == "Leave"


@given(st.text(alphabet="# `~=-\n\r\tab*_[]()<{", max_size=200))
@settings(max_examples=300)
def test_every_markdown_heading_is_at_the_start_of_a_line(text: str) -> None:
    for at, heading in markdown(text).headings:
        assert heading.strip()
        assert at == 0 or text[at - 1] == "\n"


def test_empty_and_blank_files_are_empty(tmp_path: Path) -> None:
    for name, data in (
        ("a.txt", b""),
        ("b.md", b" \n\t\n"),
        ("c.html", b"<script>x</script>"),
        ("d.txt", b"\xef\xbb\xbf"),
    ):
        with pytest.raises(EmptyDocument):
            read_bytes(tmp_path, name, data)


def test_a_file_above_the_limit_is_too_big(tmp_path: Path) -> None:
    with pytest.raises(TooBig, match="the limit is 10") as caught:
        read_bytes(tmp_path, "a.txt", b"words " * 2, ReadLimits(max_bytes=10))
    assert "--max-file-size" in caught.value.fix


def test_a_file_that_cannot_be_opened_is_an_error_of_that_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="No such file") as caught:
        list(read(FoundFile(tmp_path / "gone.txt", explicit=True)))
    assert (caught.value.id, caught.value.path) == ("UNREADABLE", str(tmp_path / "gone.txt"))


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b"Words.", None, "text"),
        (b"# A", "markdown", "markdown"),
        (b"<html>a", None, "html"),
        (b'{"text": "a"}', "records", "record"),
    ],
)
def test_standard_input_is_read_like_a_file(data: bytes, kind: str | None, expected: str) -> None:
    [text] = read_stdin(io.BytesIO(data), kind)
    assert (text.path, text.kind) == ("-", expected)


def test_names_in_no_encoding_are_read(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
    Path(name).write_text("Some words.")
    [found] = find([str(tmp_path)])
    assert [text.path for text in read(found)] == [name]


def test_a_large_file_costs_a_few_times_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Some words of a sentence. " * 1_000_000)
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom reatt.documents.reader import FoundFile, read\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = peak()\n[text] = read(FoundFile(Path(sys.argv[1]), True))\nprint((peak() - before) / text.size)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a.txt"], capture_output=True, text=True, check=True
    )
    assert float(ran.stdout) < 3


@pytest.mark.parametrize("module", [reader, formats], ids=lambda module: str(module.__name__))
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@given(st.text(alphabet=st.sampled_from(" \t\n\r\x0b\x0c\x1c\x85\u00a0\u200b\u2028\u3000\ufeffa1.")))
def test_a_text_is_blank_if_nothing_is_left_of_it_when_it_is_stripped(text):
    assert blank(text) == (not text.strip())
