"""Laws of reading PDFs. The files are made here, with real text operators, and parsed in the real child process."""

import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt.parsers.ocr import reading as ocr
from reatt.parsers.pages import ranges
from reatt.parsers.pdf import child as pdf_child
from reatt.parsers.sandbox import Child, Crashed
from reatt_store.errors import NotText, ParseLimit, PdfDamaged, PdfNoText, PdfPassword


@pytest.fixture(autouse=True)
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "_NEEDED", ("no_such_module",))


PICTURE = b"q 90 0 0 90 0 0 cm /Im Do Q"


def text_operators(text: str) -> bytes:
    lines = "".join(f"({line}) Tj T* " for line in text.split("\n"))
    return f"BT /F1 12 Tf 14 TL 72 720 Td {lines}ET".encode()


def make_pdf(*streams: bytes) -> bytes:
    """Write a PDF by hand, one page a content stream; the catalog stands last, where cutting the file loses it."""
    count = len(streams)
    catalog, tree, font, image = (2 * count + i for i in (1, 2, 3, 4))
    bodies = []
    for i, stream in enumerate(streams):
        resources = f"<< /Font << /F1 {font} 0 R >> /XObject << /Im {image} 0 R >> >>" if PICTURE in stream else ""
        resources = resources or f"<< /Font << /F1 {font} 0 R >> >>"
        contents = f"/Contents {2 * i + 2} 0 R /Resources {resources}"
        bodies.append(f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] {contents} >>".encode())
        packed = zlib.compress(stream)
        head = f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode()
        bodies.append(head + packed + b"\nendstream")
    kids = " ".join(f"{2 * i + 1} 0 R" for i in range(count))
    bodies.append(f"<< /Type /Catalog /Pages {tree} 0 R >>".encode())
    bodies.append(f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode())
    bodies.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    bodies.append(
        b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray"
        b" /Length 1 >>\nstream\n\x80\nendstream"
    )
    file, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(file)
    file += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}".encode()
    file += f"trailer\n<< /Size {len(bodies) + 1} /Root {catalog} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(file)


def with_writer(file: bytes) -> pypdf.PdfWriter:
    return pypdf.PdfWriter(clone_from=io.BytesIO(file))


def written(writer: pypdf.PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def parse(folder: Path, file: bytes, limits: ReadLimits | None = None) -> Text:
    path = folder / "file.pdf"
    path.write_bytes(file)
    [text] = read(FoundFile(path, explicit=True), limits)
    return text


LEAVE = text_operators("Parental leave is 49 weeks at full pay.")
TRAVEL = text_operators("Travel above 500 euros needs the approval of two managers.")


def test_every_page_starts_where_the_text_says(tmp_path: Path) -> None:
    text = parse(tmp_path, make_pdf(LEAVE, TRAVEL))
    assert [text.text[start:].split()[0] for start in text.pages] == ["Parental", "Travel"]
    assert text.kind == "pdf"
    assert text.title == "file"


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    file = make_pdf(LEAVE)
    assert parse(tmp_path, file).digest == parse(tmp_path, file).digest
    assert parse(tmp_path, file).digest != parse(tmp_path, file + b"\n").digest


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_file_locked_with_the_empty_password_opens_without_asking(tmp_path: Path, algorithm: str) -> None:
    writer = with_writer(make_pdf(LEAVE))
    writer.encrypt("", "owner", algorithm=algorithm)
    assert "49 weeks" in parse(tmp_path, written(writer)).text


def test_a_password_is_needed_and_any_of_those_given_opens(tmp_path: Path) -> None:
    writer = with_writer(make_pdf(LEAVE))
    writer.encrypt("secret", algorithm="AES-256")
    with pytest.raises(PdfPassword) as caught:
        parse(tmp_path, written(writer), ReadLimits(passwords=("wrong",)))
    assert "--password-file" in caught.value.fix
    assert caught.value.path == str(tmp_path / "file.pdf")
    assert "49 weeks" in parse(tmp_path, written(writer), ReadLimits(passwords=("wrong", "secret"))).text


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(ReadLimits(passwords=("secret",)))


def test_pages_that_are_pictures_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(PdfNoText, match="9 of 10 pages are pictures") as caught:
        parse(tmp_path, make_pdf(LEAVE, *[PICTURE] * 9))
    assert "ocrmypdf" in caught.value.fix


def test_some_pictures_among_text_are_a_warning_that_names_them(tmp_path: Path) -> None:
    text = parse(tmp_path, make_pdf(LEAVE, PICTURE, TRAVEL, PICTURE))
    assert text.warnings == ("pages without a text layer: 2, 4",)
    assert "two managers" in text.text


def test_a_few_words_without_a_picture_are_text(tmp_path: Path) -> None:
    assert parse(tmp_path, make_pdf(text_operators("Hello"), b"", b"")).text.strip() == "Hello"


def test_pages_without_anything_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(PdfNoText):
        parse(tmp_path, make_pdf(b"", b""))


def test_a_file_cut_off_gives_the_pages_it_still_has(tmp_path: Path) -> None:
    pages = [text_operators(f"This is the text of page number {i}.") for i in range(8)]
    file = make_pdf(*pages)
    text = parse(tmp_path, file[: len(file) // 2])
    assert "page number 0." in text.text
    assert "page number 7." not in text.text
    assert "pages were found" in text.warnings[0]


def test_a_page_whose_characters_lost_their_meaning_is_damaged(tmp_path: Path) -> None:
    text = parse(tmp_path, make_pdf(LEAVE, text_operators(r"\001\002\003\004\005\006" * 20)))
    assert text.warnings == ("1 of 2 pages read; damaged: 2",)
    assert text.text.rstrip().endswith("full pay.")


def test_a_file_whose_end_is_cut_off_loses_nothing_but_its_table(tmp_path: Path) -> None:
    file = make_pdf(LEAVE, TRAVEL)
    assert parse(tmp_path, file[: file.index(b"xref\n")]).text == parse(tmp_path, file).text


def test_a_page_that_breaks_the_parser_costs_only_itself(tmp_path: Path) -> None:
    parts = make_pdf(LEAVE, LEAVE, TRAVEL).split(b"Flate")
    file = parts[0] + b"Flate" + parts[1] + b"Worse" + parts[2] + b"Flate" + parts[3]
    assert ["broken" in said for said in pdf_child.with_pypdf(io.BytesIO(file), [""])][1:4] == [False, True, False]
    text = parse(tmp_path, file)
    assert "49 weeks" in text.text
    assert "two managers" in text.text


@pytest.mark.parametrize("junk", [b"", b"\n%%EOF\n", b"\ntrailer << /Root 1 0 R >>\n%%EOF", b"\xff" * 5000])
def test_a_file_without_a_page_is_damaged(tmp_path: Path, junk: bytes) -> None:
    with pytest.raises(PdfDamaged):
        parse(tmp_path, b"%PDF-1.7\n" + junk)


def test_a_file_is_a_pdf_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(make_pdf(LEAVE))
    [text] = read(FoundFile(tmp_path / "report.txt", explicit=False))
    assert (text.kind, text.title) == ("pdf", "report")
    (tmp_path / "not.pdf").write_text("Plain words.")
    assert [text.kind for text in read(FoundFile(tmp_path / "not.pdf", explicit=True))] == ["text"]


def test_bookmarks_are_headings_where_their_words_stand(tmp_path: Path) -> None:
    writer = with_writer(make_pdf(text_operators("Preface.\nParental  leave\n49 weeks at full pay."), TRAVEL))
    rules = writer.add_outline_item(title="Rules", page_number=1)
    writer.add_outline_item(title="Parental Leave", page_number=0, parent=rules)
    text = parse(tmp_path, written(writer))
    where = {heading: text.text[at : at + 8] for at, heading in text.headings}
    assert where == {"Parental Leave": "Parental", "Rules": "Travel a"}


@pytest.mark.parametrize(
    ("title", "shown"),
    [("Staff handbook", "Staff handbook"), ("Microsoft Word - a.doc", "file"), ("(anonymous)", "file")],
)
def test_a_title_that_a_program_wrote_is_none(tmp_path: Path, title: str, shown: str) -> None:
    writer = with_writer(make_pdf(LEAVE))
    writer.add_metadata({"/Title": title})
    assert parse(tmp_path, written(writer)).title == shown


def test_words_cut_at_a_line_end_are_joined_and_compounds_are_not(tmp_path: Path) -> None:
    page = text_operators("It is well known that manip-\nulation is a well-\nknown thing.")
    text = " ".join(parse(tmp_path, make_pdf(page)).text.split())
    assert "manipulation" in text
    assert text.replace("- ", "-").endswith("well-known thing.")


def test_time_is_limited_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    slow = b"BT /F1 12 Tf " + b"(a) Tj 1 0 Td " * 300_000 + b"ET"
    with pytest.raises(ParseLimit, match=r"longer than \d+\.\d s") as caught:
        parse(tmp_path, make_pdf(slow), ReadLimits(seconds=0.1))
    assert "--timeout" in caught.value.fix


def test_memory_is_limited(tmp_path: Path) -> None:
    big = make_pdf(text_operators("word " * 4_000_000))
    with pytest.raises((ParseLimit, PdfDamaged), match=r"memory|crashed"):
        parse(tmp_path, big, ReadLimits(memory=70_000_000))


def test_output_is_limited(tmp_path: Path) -> None:
    with pytest.raises(ParseLimit, match="more than"):
        parse(tmp_path, make_pdf(text_operators("word " * 2000)), ReadLimits(output=5000))


@pytest.fixture
def parser(tmp_path: Path) -> Iterator[Path]:
    """A place for a stand-in parser."""
    return tmp_path / "parser.py"


def talk(script: Path, seconds: float = 5) -> list[object]:
    with Child(script, {}, seconds=seconds, output=10_000) as child:
        return list(child.messages())


def test_a_parser_that_crashes_is_told_from_one_that_ends(parser: Path) -> None:
    parser.write_text("print('{\"pages\": 1}')")
    assert talk(parser) == [{"pages": 1}]
    parser.write_text("import os; os.abort()")
    with pytest.raises(Crashed):
        talk(parser)


@pytest.mark.parametrize(
    "line", ["b'{'", "b'[1]'", "b'\"\\xff\"'", "b'[' * 100_000", "b'{\"count\": ' + b'9' * 5000 + b'}'"]
)
def test_a_parser_that_says_what_is_no_message_has_crashed(parser: Path, line: str) -> None:
    parser.write_text(f"import os, sys; os.write(1, {line} + b'\\n')")
    with Child(parser, {}, seconds=20, output=1_000_000) as child, pytest.raises(Crashed, match="what is no answer"):
        list(child.messages())


def test_a_parser_never_outlives_its_time(parser: Path, tmp_path: Path) -> None:
    parser.write_text(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    for seconds in (1, 10, 100):  # on a busy machine one is over before it begins
        with pytest.raises(ParseLimit):
            talk(parser, seconds=seconds)
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_folder_or_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    with pytest.raises(NotText, match="not a regular file"):
        list(read(FoundFile(tmp_path / "pipe.pdf", explicit=True)))


def test_page_numbers_are_written_short() -> None:
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


def test_both_engines_read_the_same_words() -> None:
    file = io.BytesIO(make_pdf(LEAVE, TRAVEL))
    said = [
        [m["text"].split() for m in engine(file, [""]) if "text" in m]
        for engine in (pdf_child.with_pdfium, pdf_child.with_pypdf)
    ]
    assert said[0] == said[1]
