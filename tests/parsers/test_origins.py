"""Laws of who wrote a document and when: what it says itself is kept, in every format that says it."""

import doctest
import io
import zipfile
from pathlib import Path

import pytest

from reatt.documents.reader import FoundFile, Text, read
from reatt.parsers import origins
from tests.parsers.office_made import OFFICE, docx, p, pptx, shape, zipped


def first(folder: Path, name: str, data: bytes | str) -> Text:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return next(iter(read(FoundFile(folder / name, explicit=True))))


def with_properties(data: bytes, author: str = "Ada Pell") -> bytes:
    """Add properties to an Office file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    rels = parts["_rels/.rels"]
    assert isinstance(rels, bytes)
    more = f'<Relationship Id="c" Type="{OFFICE}/core-properties" Target="core.xml"/></Relationships>'
    parts["_rels/.rels"] = rels.decode().replace("</Relationships>", more)
    told = f"<creator>{author}</creator><title>Tides</title><modified>2024-03-05T10:30:00Z</modified>"
    return zipped({**parts, "core.xml": f"<x>{told}<created>2019-01-01T00:00:00Z</created></x>"})


META = (
    "<meta><title>Tides</title><initial-creator>Ada Pell</initial-creator><creator>Bo</creator><date>2024-03-05</date>"
)
ODT = {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x><p>Low tide.</p></x>"}
BOOK = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<x><rootfile full-path="b.opf"/></x>',
    "b.opf": "<x><title>Tides</title><creator>Ada Pell</creator><date>2024</date><date>2024-03-05</date>"
    '<item id="a" href="a.html" media-type="application/xhtml+xml"/><itemref idref="a"/></x>',
    "a.html": "<p>Low tide.</p>",
}
HEAD = "<title>Tides</title><meta name=Author content='Ada Pell'><meta name=date content='2024-03-05'>"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", with_properties(docx(p("Low tide.")))),
        ("a.pptx", with_properties(pptx(shape("Low tide.")))),
        ("a.odt", zipped({**ODT, "meta.xml": f"{META}</meta>"})),
        ("a.epub", zipped(BOOK)),
        ("a.html", f"<html><head>{HEAD}</head><body><p>Low tide.</p></body></html>"),
    ],
)
def test_the_author_and_the_date_of_a_document_are_kept(tmp_path: Path, name: str, data: bytes | str) -> None:
    found = first(tmp_path, name, data)
    assert (found.title, found.author, found.dated) == ("Tides", "Ada Pell", "2024-03-05")


@pytest.mark.parametrize("nobody", ["python-docx", "Microsoft Office User", "admin", "Unknown", ""])
def test_what_programs_fill_in_is_no_author(tmp_path: Path, nobody: str) -> None:
    assert first(tmp_path, "a.docx", with_properties(docx(p("Low tide.")), nobody)).author == ""


LETTER = "From: ada@x.org\nSubject: Tides\nDate: Tue, 5 Mar 2024 10:30:00 +0100\n\nLow tide.\n"


@pytest.mark.parametrize(
    ("name", "data", "dated"),
    [
        ("a.eml", LETTER, "2024-03-05"),
        ("a.mbox", f"From ada@x.org Tue Mar  5 10:30:00 2024\n{LETTER}", "2024-03-05"),
        ("a.eml", LETTER.replace("Tue, 5 Mar 2024 10:30:00 +0100", "yesterday"), ""),
        ("a.eml", LETTER.replace("Date:", "X-Date:"), ""),
    ],
)
def test_a_letter_has_the_date_when_it_was_sent(tmp_path: Path, name: str, data: str, dated: str) -> None:
    assert first(tmp_path, name, data).dated == dated


def test_the_examples_in_docstrings_hold() -> None:
    result = doctest.testmod(origins)
    assert result.attempted
    assert not result.failed
