"""Laws of packed files: what they hold is read as if it were unpacked, and what cannot be read is named."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from reatt.documents.reader import FoundFile, ReadLimits, Text, read
from reatt_store.errors import ArchiveLimit, DocumentError, EmptyDocument, ParseLimit, TooBig

WORDS = b"The mooring fee in Varnhem is 34 crowns a night."


def read_bytes(folder: Path, name: str, data: bytes, limits: ReadLimits | None = None) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True), limits))


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)])
@pytest.mark.parametrize(
    ("name", "kind"), [("fees.txt", "text"), ("fees.md", "markdown"), ("fees.html", "html"), ("fees", "text")]
)
def test_a_compressed_file_is_read_as_the_file_in_it(tmp_path: Path, suffix: str, pack, name: str, kind: str) -> None:  # type: ignore[no-untyped-def]
    [plain] = read_bytes(tmp_path, name, WORDS)
    [text] = read_bytes(tmp_path, name + suffix, pack(WORDS))
    assert (text.text, text.kind, text.external_id, text.title) == (plain.text, kind, None, plain.title)
    assert text.path == str(tmp_path / (name + suffix))


def test_the_digest_of_a_compressed_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    [first] = read_bytes(tmp_path, "a.txt.gz", gzip.compress(WORDS, mtime=1))
    [again] = read_bytes(tmp_path, "a.txt.gz", gzip.compress(WORDS, mtime=2))
    assert first.digest != again.digest
    assert first.size == (tmp_path / "a.txt.gz").stat().st_size


PACKERS = [zipped, tarred, lambda members: gzip.compress(tarred(members))]


@pytest.mark.parametrize("pack", PACKERS)
def test_every_document_of_an_archive_is_read_under_its_name(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    name = "all.zip" if pack({})[:2] == b"PK" else "all.tar"
    members = {"b.txt": WORDS, "a.html": b"<h1>Fees</h1><p>34", "same.txt": WORDS}
    texts = read_bytes(tmp_path, name, pack(members))
    assert [(text.external_id, text.kind, text.title) for text in texts] == [
        ("b.txt", "text", "b"), ("a.html", "html", "Fees"), ("same.txt", "text", "same"),
    ]  # fmt: skip
    assert {text.path for text in texts} == {str(tmp_path / name)}
    assert texts[0].digest == texts[2].digest != texts[1].digest


def test_mail_and_records_in_an_archive_keep_their_ids(tmp_path: Path) -> None:
    lines = b'{"_id": "one", "text": "a"}\n{"_id": "two", "text": "b"}'
    texts = read_bytes(tmp_path, "a.zip", zipped({"x/r.jsonl": lines}))
    assert [text.external_id for text in texts] == ["x/r.jsonl/one", "x/r.jsonl/two"]


def test_what_cannot_be_read_of_an_archive_is_named(tmp_path: Path) -> None:
    inner = zipped({"c.txt.gz": gzip.compress(gzip.compress(WORDS)), "d.txt": b""})
    members = {"a.txt": WORDS, "b.bin": bytes(99), "c.zip": inner, "d.pdf": b"%PDF-1.4\n"}
    texts = read_bytes(tmp_path, "a.zip", zipped(members))
    [warning] = texts[-1].warnings
    assert len(texts) == 1
    assert all(name in warning for name in ("b.bin", "c.zip (no document in the archive", "d.pdf"))
    with pytest.raises(EmptyDocument, match=r"b\.bin"):
        read_bytes(tmp_path, "b.zip", zipped({"b.bin": bytes(99)}))


@pytest.mark.parametrize("outer", PACKERS)
@pytest.mark.parametrize("inner", PACKERS)
def test_an_archive_in_an_archive_is_opened(tmp_path: Path, outer, inner) -> None:  # type: ignore[no-untyped-def]
    members = {"x/in.zip": inner({"b.txt": WORDS, "c.txt": b"other"}), "d.txt.gz": gzip.compress(WORDS), "e.txt": WORDS}
    texts = read_bytes(tmp_path, "all.zip", outer(members))
    assert [text.external_id for text in texts] == ["x/in.zip/b.txt", "x/in.zip/c.txt", "d.txt.gz", "e.txt"]
    assert {text.path for text in texts} == {str(tmp_path / "all.zip")}
    assert not any(text.warnings for text in texts)


def test_a_compressed_archive_that_is_compressed_again_is_read(tmp_path: Path) -> None:
    [text] = read_bytes(tmp_path, "a.txt.gz.xz", lzma.compress(gzip.compress(WORDS)))
    assert (text.text, text.external_id) == (WORDS.decode(), None)


def test_archives_in_an_archive_share_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reatt.documents.reader._UNPACKED", 5 * len(WORDS))
    with pytest.raises(ArchiveLimit, match="archives in it"):
        read_bytes(tmp_path, "a.zip", zipped({f"{n}.gz": gzip.compress(WORDS * 2) for n in range(3)}))


def test_an_archive_of_office_files_is_none_itself(tmp_path: Path) -> None:
    """The names of parts in a file that was stored as it is made the archive a broken document."""
    office = zipped({"[Content_Types].xml": b"<T/>", "word/document.xml": b"<w/>"})
    texts = read_bytes(tmp_path, "all.zip", zipped({"a.txt": WORDS, "b.docx": office}))
    assert [text.external_id for text in texts] == ["a.txt"]
    assert "b.docx" in texts[0].warnings[0]


def test_what_is_there_and_cannot_be_read_is_told_apart_from_what_has_no_text(tmp_path: Path) -> None:
    members = {"a.txt": WORDS, "b.bin": bytes(99), "e.txt": b"", "d.pdf": b"%PDF-1.4\n", "z.txt": WORDS[::-1]}
    [text] = read_bytes(tmp_path, "a.zip", zipped(members).replace(WORDS[::-1], WORDS))
    assert (text.external_id, set(text.unread)) == ("a.txt", {"d.pdf", "z.txt"})
    with pytest.raises(DocumentError) as told:
        read_bytes(tmp_path, "b.zip", zipped({"d.pdf": b"%PDF-1.4\n"}))
    assert not isinstance(told.value, EmptyDocument)


def test_files_that_programs_keep_for_themselves_are_left_out(tmp_path: Path) -> None:
    data = zipped({"__MACOSX/._a.txt": WORDS, ".git/x": WORDS, "~$a.txt": WORDS, "../../etc.txt": WORDS})
    assert [text.external_id for text in read_bytes(tmp_path, "a.zip", data)] == ["../../etc.txt"]


def test_an_archive_is_unpacked_within_limits(tmp_path: Path) -> None:
    with pytest.raises(ArchiveLimit):
        read_bytes(tmp_path, "a.gz", gzip.compress(bytes(20_000_000)))
    with pytest.raises(TooBig):
        read_bytes(tmp_path, "a.txt.gz", gzip.compress(WORDS * 100), ReadLimits(max_bytes=1000))
    texts = read_bytes(tmp_path, "a.tar", tarred({"long.txt": WORDS * 100, "a.txt": WORDS}), ReadLimits(max_bytes=1000))
    assert [text.external_id for text in texts] == ["a.txt"]
    assert "long.txt (more than 1,000 bytes" in texts[0].warnings[0]


def test_an_archive_whose_names_never_end_is_refused_by_name(tmp_path: Path) -> None:
    name = tarfile.TarInfo("name")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 512
    with pytest.raises(ParseLimit, match="nested too deeply"):
        read_bytes(tmp_path, "a.tar.gz", gzip.compress((name.tobuf() + b"a" * 512) * 5000))


LONG = WORDS * 9


@pytest.mark.parametrize(
    "data", [gzip.compress(LONG)[:-20], lzma.compress(LONG)[:-20], bz2.compress(LONG)[:-9]], ids=["gz", "xz", "bz2"]
)
def test_a_compressed_file_that_is_cut_off_is_damaged(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match="cut off"):
        read_bytes(tmp_path, "a.txt.x", data)
