"""Files that need a word from their owner: a password, an encoding, another try."""

import io
import json

import pypdf
import pytest

from reatt.documents import reader
from reatt.parsers.ocr import reading as ocr

RTF = rb"{\rtf1\ansi Parental leave is 49 weeks.\par}"


@pytest.fixture
def locked(home):
    """Lock a page that holds nothing but a picture's place; that it has no text is known once it is open."""
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    writer.encrypt("se cret", algorithm="AES-256")
    writer.write(out)
    (home / "work" / "locked.pdf").write_bytes(out.getvalue())
    return "locked.pdf"


def problems(reatt, *arguments):
    return [each["id"] for each in json.loads(reatt("ingest", *arguments, "--json").out)["problems"]]


@pytest.mark.parametrize(("passwords", "found"), [("no\nse cret\n", "PDF_NO_TEXT"), ("no\n", "PDF_PASSWORD")])
def test_passwords_are_tried_from_a_file_and_shown_nowhere(passwords, found, reatt, library, home, locked):
    (home / "work" / "passwords").write_text(passwords)
    done = reatt("ingest", locked, "--password-file", "passwords", "--json", "--debug")
    assert [each["id"] for each in json.loads(done.out)["problems"]] == [found]
    assert "se cret" not in done.out + done.err
    assert b"se cret" not in (library / "reatt.db").read_bytes()


def test_an_encoding_that_is_named_is_obeyed_and_not_guessed_at(reatt, library, home):
    (home / "work" / "latin.txt").write_bytes("Ole Ærø bor i Tromsø.\n".encode("mac-roman"))
    done = json.loads(reatt("ingest", "latin.txt", "--encoding", "mac-roman", "--json").out)
    assert (done["files"]["added"], done["notices"]) == (1, [])
    assert "Ole Ærø" in reatt("search", "--retriever", "words", "Tromsø").out
    assert problems(reatt, "latin.txt", "--encoding", "no-such") == []  # unchanged: not read again


def test_a_picture_of_a_text_is_looked_at_once_and_again_when_asked(reatt, library, home, locked, monkeypatch):
    (home / "work" / "p").write_text("se cret")
    assert problems(reatt, locked, "--password-file", "p") == ["PDF_NO_TEXT"]
    monkeypatch.setattr(reader, "_documents", lambda _, path, *rest, **named: pytest.fail(f"{path} is read again"))
    assert problems(reatt, locked, "--password-file", "p") == ["PDF_NO_TEXT"]
    with pytest.raises(BaseException, match="is read again"):
        problems(reatt, locked, "--password-file", "p", "--retry")


SCANNED = """
import json, sys
json.loads(sys.stdin.readline())
print(json.dumps({"count": 2}))
for number, sure in ((1, 0.98), (2, 0.5)):
    print(json.dumps({"page": number, "text": f"The ferry leaves from quay {number}.", "confidence": sure,
                      "characters": 30}), flush=True)
"""


def test_what_was_read_by_ocr_and_how_sure_it_was_is_said(reatt, library, home, tmp_path, monkeypatch):
    (tmp_path / "child.py").write_text(SCANNED)
    monkeypatch.setattr(ocr, "SCRIPT", tmp_path / "child.py")
    monkeypatch.setattr(ocr, "_NEEDED", ())
    (home / "work" / "fax.tif").write_bytes(b"II*\0")
    done = reatt("ingest", "fax.tif")
    assert "read by OCR: 2 pages of 1 document, confidence 0.74" in done.err
    assert "OCR is not sure of the text: page 2, confidence 0.50" in done.err
    status = reatt("status", "--problems").out
    assert "read by OCR" in status
    assert "fax.tif" in status
    assert json.loads(reatt("status", "--json").out)["ocr"] == {"documents": 1, "pages": 2, "confidence": 0.74}
    assert json.loads(reatt("ingest", "fax.tif", "--json").out)["ocr"]["pages"] == 0
    assert reatt("search", "quay 2", "--retriever", "words", "--type", "picture").out.count("fax.tif p.2") == 1


def test_a_letter_in_rich_text_is_read_whatever_its_name(reatt, library, home):
    (home / "work" / "letter.doc").write_bytes(RTF)
    assert problems(reatt, "letter.doc") == []
    assert "49 weeks" in reatt("show", "D-4").out


def test_without_a_terminal_a_long_ingest_says_how_far_it_is(reatt, home, monkeypatch):
    from reatt_cli.commands import ingest

    monkeypatch.setattr(ingest, "SAY_EVERY", 0)
    for name in ("a.txt", "b.txt"):
        (home / "work" / name).write_text(f"The gate {name} is red.\n")
    done = reatt("ingest", "a.txt", "b.txt", "--store", "s")
    assert "read 0 of 2 a.txt\n" in done.err
    assert "read 1 of 2 b.txt\n" in done.err
    assert "read" not in reatt("ingest", "a.txt", "b.txt", "--store", "s", "--quiet").err


def test_a_page_whose_text_is_broken_is_named_by_the_ingest_and_kept_as_a_problem(reatt, home):
    from tests.formats.conftest import pdf

    glued = "Theharbourmasterkeepsthetidetablesof Greypointandthenorthernmolewasrebuilt " * 8
    (home / "work" / "a.pdf").write_bytes(pdf("The gate of the boat house is red and the roof is green.", glued))
    done = json.loads(reatt("ingest", "a.pdf", "--store", "s", "--json").out)
    assert "text that looks broken: page 2" in str(done)
    listed = reatt("status", "--problems", "--store", "s").out
    assert "a.pdf" in listed
    assert "text that looks broken: page 2" in listed
    assert "Greypoint" in reatt("show", "a.pdf", "--store", "s").out
